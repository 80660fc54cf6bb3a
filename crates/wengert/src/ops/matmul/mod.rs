//! Products of matrices and vectors.
//!
//! Forward and both cotangent products hand the operands' strides to the GEMM as they are: transposes, slices and
//! broadcast batches are never copied, and cotangents are accumulated in place, summed over broadcast batch axes.

mod linear;
#[cfg(test)]
mod tests;

use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::kernel::product::{Stack, StackMut, multiply};
use crate::op::{Dot, MatMul, Outer};
use crate::rule::*;
use crate::shape::{Shape, broadcast};
use crate::term::Term;

/// Which factor an argument is: a vector becomes one row on the left, one column on the right.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    Left,
    Right,
}

impl Side {
    /// Lengths or strides of an argument, those of its batch and those of its matrices; `one` is that of an axis of length 1.
    /// None for a number.
    fn split<A: Copy>(self, axes: &[A], one: A) -> Option<(&[A], [A; 2])> {
        match (self, axes) {
            (_, []) => None,
            (Side::Left, [n]) => Some((&[], [one, *n])),
            (Side::Right, [n]) => Some((&[], [*n, one])),
            (_, [lead @ .., rows, columns]) => Some((lead, [*rows, *columns])),
        }
    }

    /// The same of an argument that is known to be no number.
    fn matrices<A: Copy>(self, axes: &[A], one: A) -> (&[A], [A; 2]) {
        self.split(axes, one).expect("shapes have passed `infer`")
    }

    fn stack<'a, T: Functions>(self, x: &'a Input<'_, T>, batch: &[usize]) -> Stack<'a, T> {
        let (data, first, layout) = x.span();
        let (strides, steps) = self.matrices(&layout.strides, 0);
        Stack::new(data, first, (self.matrices(&layout.shape, 1).0, strides), steps, batch)
    }
}

/// How two arguments multiply: the common batch, and the product's sizes `[m, n, k]`.
struct Fit {
    batch: Shape,
    size: [usize; 3],
}

impl Fit {
    fn new(a: &[usize], b: &[usize]) -> Result<Self, Refusal> {
        let (Some((lead_a, [m, k])), Some((lead_b, [inner, n]))) =
            (Side::Left.split(a, 1), Side::Right.split(b, 1))
        else {
            let rule = "a number is no factor of a matrix product; scale with `*`";
            return Err(Refusal::new(ErrorKind::RankMismatch, rule));
        };
        inner_dimensions(k, inner)?;
        let batch = broadcast([lead_a, lead_b]).map_err(|refusal| Refusal {
            rule: format!("the batches do not fit: {}", refusal.rule),
            ..refusal
        })?;
        Ok(Fit { batch, size: [m, n, k] })
    }

    fn known(a: &[usize], b: &[usize]) -> Self {
        Fit::new(a, b).expect("shapes have passed `infer`")
    }

    /// The same with axes in front of the batch.
    fn led_by(mut self, lead: &[usize]) -> Self {
        if !lead.is_empty() {
            self.batch.insert_many(0, lead.iter().copied());
        }
        self
    }

    /// The cotangent of a factor of `shape`, with the axes `lead` in front; the axes of the batch that the factor lacks have
    /// length 1.
    fn factor<'a, T>(
        &self,
        side: Side,
        lead: &[usize],
        shape: &[usize],
        bar: &'a mut [T],
    ) -> StackMut<'a, T> {
        let (own, matrices) = side.matrices(shape, 1);
        let mut axes = Shape::from_slice(lead);
        if !lead.is_empty() {
            axes.extend(std::iter::repeat_n(1, self.batch.len() - lead.len() - own.len()));
        }
        axes.extend_from_slice(own);
        StackMut::rows(bar, &axes, matrices, &self.batch)
    }

    /// The rows and columns of the product as if neither argument were a vector.
    fn whole(&self) -> [usize; 2] {
        [self.size[0], self.size[1]]
    }
}

fn inner_dimensions(k: usize, inner: usize) -> Result<(), Refusal> {
    if k == inner {
        return Ok(());
    }
    Err(Refusal::new(ErrorKind::ShapeMismatch, format!("inner dimensions {k} and {inner} differ")))
}

impl Rule for MatMul {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect(args, &[Dtype::Real; 2])?;
        let (a, b) = (shapes[0], shapes[1]);
        let fit = Fit::new(a, b)?;
        let mut shape = fit.batch;
        if a.len() > 1 {
            shape.push(fit.size[0]);
        }
        if b.len() > 1 {
            shape.push(fit.size[1]);
        }
        one(shape)
    }

    /// `a_bar = y_bar b^T`, `b_bar = a^T y_bar`, a vector being a matrix of one row or column.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (a, b, mut y_bar) = (call.args[0], call.args[1], y_bar[0].expect("one result"));
        let (is_row, is_column) = (a.ndim() == 1, b.ndim() == 1);
        if is_row && is_column {
            return (0..2).map(|k| call.needs[k].then(|| y_bar * call.args[1 - k])).collect();
        }
        let Fit { batch, size: [m, n, k] } = Fit::known(&a.shape(), &b.shape());
        let (a, b) = (if is_row { a.unsqueeze(0) } else { a }, if is_column { b.unsqueeze(1) } else { b });
        if is_row {
            y_bar = y_bar.unsqueeze(y_bar.ndim() - 1);
        }
        if is_column {
            y_bar = y_bar.unsqueeze(y_bar.ndim());
        }
        let vector = |x_bar: Term<'r>| {
            let lead = x_bar.ndim() - 2;
            x_bar.reshape(&[&x_bar.shape()[..lead], &[k]].concat())
        };
        let a_bar = || {
            let a_bar = y_bar.matmul(b.t());
            if is_row { vector(a_bar) } else { a_bar }
        };
        let b_bar = || {
            let b_bar = if b.ndim() == 2 && !batch.is_empty() {
                // One matrix for the whole batch: summed inside of one product.
                let rows = batch.iter().product::<usize>() * m;
                a.reshape(&[rows, k]).t().matmul(y_bar.reshape(&[rows, n]))
            } else {
                a.t().matmul(y_bar)
            };
            if is_column { vector(b_bar) } else { b_bar }
        };
        [call.needs[0].then(a_bar), call.needs[1].then(b_bar)].into_iter().collect()
    }

    /// `y_dot = a_dot b + a b_dot`
    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        let (a, b) = (call.args[0], call.args[1]);
        sum([x_dot[0].map(|a_dot| a_dot.matmul(b)), x_dot[1].map(|b_dot| a.matmul(b_dot))])
    }
}

impl<T: Functions> Kernels<T> for MatMul {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let fit = Fit::new(x[0].shape(), x[1].shape())?;
        let (a, b) = (Side::Left.stack(&x[0], &fit.batch), Side::Right.stack(&x[1], &fit.batch));
        let y = StackMut::rows(y[0].slice(), &fit.batch, fit.whole(), &fit.batch);
        multiply(&fit.batch, fit.size, &a, &b, y, false);
        Ok(())
    }

    /// The vjp for cotangents with the axes `lead` in front: axes of the batch, along which the factors are repeated.
    fn vjp_kernel(&self, Adjoint { lead, x, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let Some(y_bar) = &y_bar[0] else { return false };
        let fit = Fit::known(x[0].shape(), x[1].shape()).led_by(lead);
        let ([m, n, k], batch) = (fit.size, &fit.batch[..]);
        let y_bar = Stack::rows(y_bar.slice(), batch, fit.whole(), batch);
        let (a_bar, b_bar) = x_bar.split_at_mut(1);
        if let Some(a_bar) = &mut a_bar[0] {
            let accumulate = a_bar.accumulate;
            let b = Side::Right.stack(&x[1], batch).t();
            let a_bar = fit.factor(Side::Left, lead, x[0].shape(), a_bar.slice());
            multiply(batch, [m, k, n], &y_bar, &b, a_bar, accumulate);
        }
        if let Some(b_bar) = &mut b_bar[0] {
            let accumulate = b_bar.accumulate;
            let a = Side::Left.stack(&x[0], batch).t();
            let b_bar = fit.factor(Side::Right, lead, x[1].shape(), b_bar.slice());
            multiply(batch, [k, n, m], &a, &y_bar, b_bar, accumulate);
        }
        true
    }

    fn takes_lead(&self) -> bool {
        true
    }
}

/// The sum of those parts of a tangent that there are.
fn sum<'r, const N: usize>(parts: [Option<Term<'r>>; N]) -> Option<Terms<'r>> {
    let sum = parts.into_iter().flatten().reduce(|sum, part| sum + part)?;
    Some(Terms::from_elem(sum, 1))
}

/// The lengths of two arguments that must be vectors.
fn vectors(args: &[Arg<'_>]) -> Result<[usize; 2], Refusal> {
    let shapes = expect(args, &[Dtype::Real; 2])?;
    match (shapes[0], shapes[1]) {
        ([a], [b]) => Ok([*a, *b]),
        _ => Err(Refusal::new(ErrorKind::RankMismatch, "both arguments must have exactly one axis")),
    }
}

impl Rule for Dot {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let [a, b] = vectors(args)?;
        inner_dimensions(a, b)?;
        one(Shape::new())
    }

    fn expand<'r>(&self, args: &[Term<'r>]) -> Option<Terms<'r>> {
        Some(Terms::from_elem(args[0].matmul(args[1]), 1))
    }
}

impl<T: Functions> Kernels<T> for Dot {}

impl Rule for Outer {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        one(vectors(args)?.into_iter().collect())
    }

    fn expand<'r>(&self, args: &[Term<'r>]) -> Option<Terms<'r>> {
        Some(Terms::from_elem(args[0].unsqueeze(1) * args[1], 1))
    }
}

impl<T: Functions> Kernels<T> for Outer {}
