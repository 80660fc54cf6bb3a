//! Products.

use super::{forward, only, over, reduction};
use crate::error::Refusal;
use crate::kernel::functions::Functions;
use crate::kernel::reduce::{Product, spread_others};
use crate::kernel::scratch::{self, Scratch};
use crate::op::{Prod, Recurrence};
use crate::rule::*;
use crate::shape::Shape;
use crate::term::Term;

impl Prod {
    /// For each element the product of the others in its lane: of those before it and of those behind it, so that nothing
    /// is divided by a factor, which may be 0.
    fn others<'r>(&self, x: Term<'r>) -> Term<'r> {
        let shape = x.shape();
        let over = over(&self.axes, shape.len());
        if let [axis] = over[..] {
            return products(x, axis);
        }
        let kept: Shape = (0..shape.len()).filter(|k| !over.contains(k)).collect();
        let order: Shape = kept.iter().chain(&over).copied().collect();
        let moved = if order.is_sorted() { x } else { x.permute(&order) };
        let mut rows: Shape = kept.iter().map(|&k| shape[k]).collect();
        rows.push(super::count(&shape, &over));
        let others = products(moved.reshape(&rows), kept.len()).reshape(&moved.shape());
        if order.is_sorted() {
            return others;
        }
        let mut inverse = order.clone();
        order.iter().enumerate().for_each(|(to, &from)| inverse[from] = to);
        others.permute(&inverse)
    }
}

fn products(x: Term<'_>, axis: usize) -> Term<'_> {
    let along = |reverse| x.apply(Recurrence { axis, reverse, first: 1.0 }, &[]);
    along(false) * along(true)
}

impl Rule for Prod {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        one(reduction(args, &self.axes, self.keepdims)?.1)
    }
    /// `x_bar = y_bar` times the product of the other elements.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let x = call.args[0];
        let y_bar = super::keep(y_bar[0].expect("one result"), x, &self.axes);
        only(self.others(x) * y_bar)
    }
    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        let x = call.args[0];
        let parts = self.others(x) * x_dot[0]?;
        let over = over(&self.axes, x.ndim());
        Some(Terms::from_elem(parts.sum(&over, self.keepdims), 1))
    }
}

impl<T: Functions> Kernels<T> for Prod {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        forward(x, y, &self.axes, |_| Product)
    }
    fn vjp_kernel(&self, Adjoint { x, y, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let (Some(y_bar), Some(x_bar)) = (&y_bar[0], &mut x_bar[0]) else { return false };
        let (x, y, accumulate) = (x[0].real(), y[0].real(), x_bar.accumulate);
        let (Some(values), Some(y)) = (x.as_slice(), y.as_slice()) else { return false };
        scratch::with(|Scratch { dense: [room, ..], .. }| {
            let over = over(&self.axes, x.ndim());
            spread_others(x.shape(), &over, [values, y, y_bar.slice()], x_bar.slice(), accumulate, room)
        })
    }
}
