//! [`Case`]: one program of the corpus with what is known about it.

use wengert::Op;

/// One program with its expectations.
#[derive(Debug)]
pub struct Case {
    /// `family/op/number`
    pub id: String,
    /// What the case is counted under.
    pub family: String,
    /// The op the case is about.
    pub op: String,
    pub(crate) flags: Vec<String>,
    pub(crate) inputs: Vec<Input>,
    pub(crate) program: Vec<Step>,
    pub(crate) output: String,
    pub(crate) expected: Expected,
}

impl Case {
    pub(crate) fn has_flag(&self, flag: &str) -> bool {
        self.flags.iter().any(|f| f == flag)
    }
}

/// Numbers in row-major order.
#[derive(Clone, Debug)]
pub(crate) struct Array {
    pub shape: Vec<usize>,
    pub data: Data,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    Real(Vec<f64>),
    Index(Vec<i64>),
    Mask(Vec<bool>),
}

impl Array {
    pub fn is_real(&self) -> bool {
        matches!(self.data, Data::Real(_))
    }

    /// The elements of a real array; none of another.
    pub fn reals(&self) -> &[f64] {
        match &self.data {
            Data::Real(values) => values,
            _ => &[],
        }
    }

    pub fn len(&self) -> usize {
        match &self.data {
            Data::Real(values) => values.len(),
            Data::Index(values) => values.len(),
            Data::Mask(values) => values.len(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Input {
    pub name: String,
    pub value: Array,
    pub requires_grad: bool,
}

/// One instruction.
#[derive(Debug)]
pub(crate) struct Step {
    pub outs: Vec<String>,
    pub name: String,
    pub meaning: Meaning,
    pub args: Vec<Argument>,
}

#[derive(Debug)]
pub(crate) enum Argument {
    Name(String),
    Number(f64),
}

/// What an instruction is in the engine.
#[derive(Debug)]
pub(crate) enum Meaning {
    Op(Box<Op>),
    /// The engine's attribute types already rule it out, by this rule: a refusal as `invalid_attribute`.
    Excluded(String),
    /// Not in the table, by this name.
    Unknown(String),
}

#[derive(Debug)]
pub(crate) enum Expected {
    Values(Box<Values>),
    Refusal { kinds: Vec<String>, at: String, cotangent: Option<Array> },
}

/// An array for each of some inputs; `None` stands for "none or zeros".
pub(crate) type Named = Vec<(String, Option<Array>)>;

#[derive(Debug)]
pub(crate) struct Values {
    pub output: Array,
    pub cotangent: Option<Array>,
    pub grads: Named,
    pub hvp: Option<Hvp>,
    pub jvp: Option<Jvp>,
    pub tolerance: Tolerance,
}

#[derive(Debug)]
pub(crate) struct Hvp {
    pub v: Vec<(String, Array)>,
    pub grads: Named,
}

#[derive(Debug)]
pub(crate) struct Jvp {
    pub tangents: Vec<(String, Array)>,
    pub output: Array,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Tolerance {
    pub rtol: f64,
    pub atol: f64,
}
