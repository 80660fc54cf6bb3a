//! Linear algebra: factorisations, systems, determinants and functions of matrices, over leading batch axes.
//!
//! Derivatives are recorded from results (`L`, `Q R`, `U S V^T`) through products and triangular systems, so that they
//! differentiate again. Invariant: what a derivative records cannot fail where its forward has passed. Where a derivative
//! does not exist, `check_vjp` and `check_jvp` say so before anything is recorded; a singular matrix that has got through
//! the forward gives infinities and NaN.

mod cholesky;
mod degenerate;
mod determinant;
mod factors;
mod functions;
mod inverse;
mod qr;
mod solve;
mod spectral;
mod stacks;
#[cfg(test)]
mod tests;
mod triangular;

use smallvec::SmallVec;
use stacks::each_matrix;

use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::kernel::gemm::Threads;
use crate::op::{Tril, Triu};
use crate::rule::*;
use crate::shape::{Shape, broadcast};
use crate::term::Term;
use crate::words::Words;

/// The batch axes and the rows and columns of a stack of matrices.
fn matrices(shape: &[usize]) -> Result<(&[usize], [usize; 2]), Refusal> {
    match shape {
        [batch @ .., m, n] => Ok((batch, [*m, *n])),
        _ => {
            let rule = format!("needs a matrix or a stack of them; the argument has {} axes", shape.len());
            Err(Refusal::new(ErrorKind::RankMismatch, rule))
        }
    }
}

/// The batch axes and the size of a stack of square matrices.
fn square(shape: &[usize]) -> Result<(&[usize], usize), Refusal> {
    match matrices(shape)? {
        (batch, [m, n]) if m == n => Ok((batch, n)),
        (_, [m, n]) => {
            let rule = format!("needs square matrices; the last two axes have lengths {m} and {n}");
            Err(Refusal::new(ErrorKind::NotSquare, rule))
        }
    }
}

/// The one argument of an op on square matrices.
fn one_square<'a>(args: &'a [Arg<'_>]) -> Result<(&'a [usize], usize), Refusal> {
    square(expect(args, &[Dtype::Real])?[0])
}

fn known_square(shape: &[usize]) -> (&[usize], usize) {
    square(shape).expect("shapes have passed `infer`")
}

fn count(batch: &[usize]) -> usize {
    batch.iter().product()
}

fn joined(batch: &[usize], rest: &[usize]) -> Shape {
    batch.iter().chain(rest).copied().collect()
}

/// Threads for `O(n^3)` work; products decide by size whether they use them.
fn threads(n: usize) -> Threads {
    crate::kernel::product::threads(n.saturating_mul(n).saturating_mul(n))
}

/// The position in a stack with batch axes `own` of what is broadcast to position `i` of `batch`.
fn source(batch: &[usize], own: &[usize], mut i: usize) -> usize {
    let lead = batch.len() - own.len();
    let (mut at, mut step) = (0, 1);
    for (k, &n) in batch.iter().enumerate().rev() {
        let index = i % n;
        i /= n;
        if k >= lead {
            let own = own[k - lead];
            at += if own == 1 { 0 } else { index * step };
            step *= own;
        }
    }
    at
}

/// The matrix at position `i` of a stack, for messages.
fn named(batch: &[usize], mut i: usize) -> String {
    if batch.is_empty() {
        return "the matrix".into();
    }
    let mut index: SmallVec<[usize; 4]> = batch
        .iter()
        .rev()
        .map(|&n| {
            let at = i % n;
            i /= n;
            at
        })
        .collect();
    index.reverse();
    format!("the matrix at {:?} of the stack", &index[..])
}

fn singular(batch: &[usize], i: usize, pivot: usize) -> Refusal {
    let rule = format!("{} is singular: pivot {pivot} of its elimination is zero", named(batch, i));
    Refusal::new(ErrorKind::SingularMatrix, rule)
}

fn not_converged(batch: &[usize], i: usize) -> Refusal {
    let rule = format!("the iteration for {} did not converge (is every entry finite?)", named(batch, i));
    Refusal::new(ErrorKind::NoConvergence, rule)
}

/// The shapes in a system `A X = B`: `B` is a vector where it has one axis, else matrix columns; batches broadcast.
struct System {
    batch: Shape,
    n: usize,
    cols: usize,
    is_vector: bool,
}

impl System {
    fn new(a: &[usize], b: &[usize]) -> Result<Self, Refusal> {
        let (lead_a, n) = square(a)?;
        let (lead_b, rows, cols, is_vector) = match b {
            [] => {
                let rule = "the right side must be a vector or have matrix columns, not a number";
                return Err(Refusal::new(ErrorKind::RankMismatch, rule));
            }
            [rows] => (&b[..0], *rows, 1, true),
            [lead @ .., rows, cols] => (lead, *rows, *cols, false),
        };
        if rows != n {
            let rule = format!("the matrix has {n} rows, the right side {rows}");
            return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
        }
        let batch = broadcast([lead_a, lead_b]).map_err(|refusal| Refusal {
            rule: format!("the batches do not fit: {}", refusal.rule),
            ..refusal
        })?;
        Ok(System { batch, n, cols, is_vector })
    }

    fn known(a: &[usize], b: &[usize]) -> Self {
        System::new(a, b).expect("shapes have passed `infer`")
    }

    fn shape(&self) -> Shape {
        let columns = if self.is_vector { &[][..] } else { &[self.cols] };
        self.batch.iter().chain([&self.n]).chain(columns).copied().collect()
    }

    /// Elements of one right side.
    fn len(&self) -> usize {
        self.n * self.cols
    }

    /// The batch axes of a right side of this shape.
    fn lead<'a>(&self, b: &'a [usize]) -> &'a [usize] {
        &b[..b.len() - if self.is_vector { 1 } else { 2 }]
    }

    /// A solution, or its cotangent, as matrix columns.
    fn columns<'r>(&self, x: Term<'r>) -> Term<'r> {
        if self.is_vector { x.unsqueeze(x.ndim()) } else { x }
    }
}

/// `x + x^T`, halved.
fn symmetric<'r>(x: Term<'r>) -> Term<'r> {
    (x + x.t()) * x.lit(0.5)
}

fn tril<'r>(x: Term<'r>, k: isize) -> Term<'r> {
    x.apply(Tril { k }, &[])
}

fn triu<'r>(x: Term<'r>, k: isize) -> Term<'r> {
    x.apply(Triu { k }, &[])
}

/// One number a matrix, to scale matrices with.
fn over_matrices<'r>(x: Term<'r>) -> Term<'r> {
    x.unsqueeze(x.ndim()).unsqueeze(x.ndim() + 1)
}

/// A number for each column, to scale columns with.
fn over_columns<'r>(x: Term<'r>) -> Term<'r> {
    x.unsqueeze(x.ndim() - 1)
}

/// A number for each row, to scale rows with.
fn over_rows<'r>(x: Term<'r>) -> Term<'r> {
    x.unsqueeze(x.ndim())
}

/// The elements of a result, which lie row-major.
fn elements<'a, T>(x: &'a ndarray::ArrayViewD<'_, T>) -> &'a [T] {
    x.as_slice().expect("results lie row-major without gaps")
}

/// Writes `x`, or adds it.
fn put<T: Functions>(out: &mut [T], x: &[T], accumulate: bool) {
    match accumulate {
        true => out.iter_mut().zip(x).for_each(|(out, &x)| *out += x),
        false => out.copy_from_slice(x),
    }
}
