//! The losses of classes in recorded terms: what their cotangents are made of, at every order.

use crate::op::*;
use crate::ops::loss::classes::{Classes, DIVISOR, KEPT, TARGET, row_shape};
use crate::rule::Call;
use crate::shape::Shape;
use crate::term::Term;
use crate::words::Words;

/// The loss of a call in recorded terms.
pub(super) struct Recorded<'a, 'r> {
    pub classes: Classes,
    pub call: &'a Call<'a, 'r>,
    pub x: Term<'r>,
    pub axis: usize,
    pub count: f64,
}

impl<'r> Recorded<'_, 'r> {
    fn gather(&self, from: Term<'r>) -> Term<'r> {
        from.apply(Gather { axis: self.axis as isize }, &[self.call.results[TARGET]])
    }

    /// Zeros of `x`'s shape with the numbers of `rows` at their targets.
    fn scatter(&self, rows: Term<'r>) -> Term<'r> {
        let rows = rows.broadcast_to(&row_shape(&self.x.shape()));
        let zeros = self.x.full(&[], 0.0).broadcast_to(&self.x.shape());
        zeros.apply(ScatterAdd { axis: self.axis as isize }, &[self.call.results[TARGET], rows])
    }

    /// `term` in the rows that count, an exact 0 in the others.
    fn where_kept(&self, term: Term<'r>) -> Term<'r> {
        self.call.results[KEPT].apply(Where {}, &[term, self.x.full(&[], 0.0)])
    }

    /// The weights of the classes, shaped to broadcast over `x`.
    fn weight(&self) -> Option<Term<'r>> {
        let weight = self.call.args.get(2)?;
        let mut shape = Shape::from_elem(1, self.x.ndim());
        shape[self.axis] = weight.shape()[0];
        Some(weight.reshape(&shape))
    }

    /// The weights of the targets, with a class axis of length 1.
    fn target_weights(&self) -> Term<'r> {
        match self.weight() {
            Some(weight) => self.gather(weight.broadcast_to(&self.x.shape())),
            None => self.x.lit(1.0),
        }
    }

    fn divisor(&self) -> Term<'r> {
        match self.call.args.len() {
            3 => self.where_kept(self.target_weights()).sum_all(),
            _ => self.call.results[DIVISOR].detach(),
        }
    }

    /// The cotangent of each row's loss, with a class axis of length 1.
    fn row_bar(&self, y_bar: Term<'r>) -> Term<'r> {
        match self.classes.reduction {
            Reduction::None => y_bar.reshape(&row_shape(&self.x.shape())),
            Reduction::Mean => y_bar / self.divisor(),
            _ => y_bar,
        }
    }

    fn minus_log(&self) -> Term<'r> {
        match self.classes.logits {
            true => -self.x.apply(LogSoftmax { axis: self.axis as isize }, &[]),
            false => -self.x,
        }
    }

    /// The derivative of each row's loss by `x` (of rows that count).
    fn slope(&self) -> Term<'r> {
        let x = self.x;
        let hard = x.lit(1.0 - self.classes.smoothing) * self.target_weights();
        if !self.classes.logits {
            return -self.scatter(hard);
        }
        let softmax = x.apply(Softmax { axis: self.axis as isize }, &[]);
        if self.classes.smoothing == 0.0 {
            return hard * softmax - self.scatter(hard);
        }
        let soft = x.lit(self.classes.smoothing / self.count);
        match self.weight() {
            None => softmax - self.scatter(hard) - soft,
            Some(weight) => (hard + soft * weight.sum_all()) * softmax - self.scatter(hard) - soft * weight,
        }
    }

    pub fn x_bar(&self, y_bar: Term<'r>) -> Term<'r> {
        self.where_kept(self.row_bar(y_bar) * self.slope())
    }

    /// The cotangent of the weights, of each class by itself and through the divisor of a mean.
    pub fn weight_bar(&self, y_bar: Term<'r>) -> Term<'r> {
        let (x, log) = (self.x, self.minus_log());
        let mut each = x.lit(1.0 - self.classes.smoothing) * self.scatter(self.gather(log));
        if self.classes.smoothing != 0.0 {
            each = each + x.lit(self.classes.smoothing / self.count) * log;
        }
        let mut bar = self.row_bar(y_bar) * each;
        if self.classes.reduction == Reduction::Mean {
            let through = y_bar * self.call.results[0] / self.divisor();
            bar = bar - self.scatter(through);
        }
        let others: Shape = (0..x.ndim()).filter(|&k| k != self.axis).collect();
        self.where_kept(bar).sum(&others, false)
    }
}
