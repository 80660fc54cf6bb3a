//! [`Error`]: what was refused, by which op, on which shapes, by which rule, and where the user wrote it.

use std::fmt;
use std::panic::Location;

use smallvec::SmallVec;

use crate::shape::Shape;

/// The result of everything that can be refused.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Sizes that do not fit together.
    ShapeMismatch,
    /// An axis outside `[-ndim, ndim)`.
    AxisOutOfRange,
    /// An index outside of its axis.
    IndexOutOfRange,
    /// A backward pass from several elements without a cotangent.
    NonScalarBackward,
    /// A matrix that is exactly singular.
    SingularMatrix,
    /// A matrix that is not positive definite.
    NotPositiveDefinite,
    /// A square matrix is needed.
    NotSquare,
    /// A reduction without identity over nothing.
    EmptyReduction,
    /// An attribute whose value makes no sense.
    InvalidAttribute,
    /// An argument of the wrong element type.
    DtypeMismatch,
    /// The same axis named twice.
    DuplicateAxis,
    /// Differentiation of something that depends on no differentiable input.
    NoGradientPath,
    /// An argument with the wrong number of axes.
    RankMismatch,
    /// A value the derivative needs was overwritten after it had been read.
    ModifiedValue,
    /// A handle or mark of another graph.
    ForeignHandle,
    /// A handle or mark of a part of the graph that was rewound.
    StaleHandle,
    /// A parameter that has no gradient yet.
    MissingGradient,
    /// A user's closure returned something that does not fit its contract.
    CustomOp,
    /// An iteration that did not converge.
    NoConvergence,
    /// A derivative that does not exist at this value, or is not known by this argument.
    NotDifferentiable,
}

impl ErrorKind {
    /// The kind in snake case, as test corpora spell it.
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::ShapeMismatch => "shape_mismatch",
            ErrorKind::AxisOutOfRange => "axis_out_of_range",
            ErrorKind::IndexOutOfRange => "index_out_of_range",
            ErrorKind::NonScalarBackward => "non_scalar_backward",
            ErrorKind::SingularMatrix => "singular_matrix",
            ErrorKind::NotPositiveDefinite => "not_positive_definite",
            ErrorKind::NotSquare => "not_square",
            ErrorKind::EmptyReduction => "empty_reduction",
            ErrorKind::InvalidAttribute => "invalid_attribute",
            ErrorKind::DtypeMismatch => "dtype_mismatch",
            ErrorKind::DuplicateAxis => "duplicate_axis",
            ErrorKind::NoGradientPath => "no_gradient_path",
            ErrorKind::RankMismatch => "rank_mismatch",
            ErrorKind::ModifiedValue => "modified_value",
            ErrorKind::ForeignHandle => "foreign_handle",
            ErrorKind::StaleHandle => "stale_handle",
            ErrorKind::MissingGradient => "missing_gradient",
            ErrorKind::CustomOp => "custom_op",
            ErrorKind::NoConvergence => "no_convergence",
            ErrorKind::NotDifferentiable => "not_differentiable",
        }
    }
}

/// What a rule says when its arguments do not fit; the graph adds op, shapes and line.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Why.
    pub kind: ErrorKind,
    /// The rule that was broken, in words.
    pub rule: String,
}

impl Refusal {
    /// A refusal of this kind by this rule.
    pub fn new(kind: ErrorKind, rule: impl Into<String>) -> Self {
        Refusal { kind, rule: rule.into() }
    }
}

/// A refusal with everything known about it: `op: shapes: the rule broken (at file:line)`.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    op: &'static str,
    shapes: SmallVec<[Shape; 3]>,
    rule: String,
    at: Option<&'static Location<'static>>,
}

impl Error {
    pub(crate) fn new(
        refusal: Refusal,
        op: &'static str,
        shapes: impl IntoIterator<Item = Shape>,
        at: Option<&'static Location<'static>>,
    ) -> Self {
        let shapes = shapes.into_iter().collect();
        Error(Box::new(Inner { kind: refusal.kind, op, shapes, rule: refusal.rule, at }))
    }

    /// The error of a user's own op: what its closures return where they cannot go on.
    pub fn custom(rule: impl Into<String>) -> Self {
        Error::new(Refusal::new(ErrorKind::CustomOp, rule), "custom", [], None)
    }

    /// Why it was refused.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The op that refused.
    pub fn op(&self) -> &'static str {
        self.0.op
    }

    /// The rule that was broken.
    pub(crate) fn rule(&self) -> &str {
        &self.0.rule
    }

    /// The shapes of the op's arguments, in order.
    pub fn shapes(&self) -> impl Iterator<Item = &[usize]> {
        self.0.shapes.iter().map(|s| &s[..])
    }

    /// The line of the user's code that was refused.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.0.at
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let e = &*self.0;
        write!(f, "{}: ", e.op)?;
        for (k, shape) in e.shapes.iter().enumerate() {
            write!(f, "{}{:?}", if k == 0 { "" } else { " x " }, &shape[..])?;
        }
        if !e.shapes.is_empty() {
            write!(f, ": ")?;
        }
        write!(f, "{}", e.rule)?;
        if let Some(at) = e.at {
            write!(f, " (at {}:{})", at.file(), at.line())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.0.kind.name())
    }
}

impl std::error::Error for Error {}
