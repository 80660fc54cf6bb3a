//! `x W^T + b` as one op: the bias is where the product is accumulated.

use super::{Fit, Side, inner_dimensions, sum};
use crate::broadcast::{Target, unbroadcast_into};
use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::kernel::operand::Operand;
use crate::kernel::product::{Stack, StackMut, multiply};
use crate::kernel::walk::Walk;
use crate::op::Linear;
use crate::rule::*;
use crate::shape::Shape;
use crate::term::Term;

/// `x` of any rank with the transpose of `w`.
fn fit(x: &[usize], w: &[usize]) -> Fit {
    Fit::known(x, &[w[1], w[0]])
}

fn wrong_rank(what: &str, rank: usize) -> Refusal {
    Refusal::new(ErrorKind::RankMismatch, format!("{what}, not {rank} axes"))
}

impl Rule for Linear {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect_optional(args, &[Dtype::Real; 3], 2)?;
        let [lead @ .., inputs] = shapes[0] else {
            return Err(wrong_rank("the input has features along its last axis", 0));
        };
        let [out, weights] = *shapes[1] else {
            return Err(wrong_rank("the weight is a matrix [out, in]", shapes[1].len()));
        };
        inner_dimensions(*inputs, weights)?;
        match shapes.get(2) {
            Some([n]) if *n != out => {
                let rule = format!("the bias has length {n}, the weight {out} rows");
                return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
            }
            Some(bias) if bias.len() != 1 => {
                return Err(wrong_rank("the bias is a vector [out]", bias.len()));
            }
            _ => {}
        }
        one(lead.iter().copied().chain([out]).collect())
    }

    /// `x_bar = y_bar W`, `W_bar = y_bar^T x` summed over all rows, `b_bar = y_bar`.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (x, w, y_bar) = (call.args[0], call.args[1], y_bar[0].expect("one result"));
        let weight_bar = || {
            let (w, x_shape) = (w.shape(), x.shape());
            let rows = x_shape[..x_shape.len() - 1].iter().product();
            y_bar.reshape(&[rows, w[0]]).t().matmul(x.reshape(&[rows, w[1]]))
        };
        let x_bar = call.needs[0].then(|| y_bar.matmul(w));
        let bias_bar = call.needs.get(2).map(|&needed| needed.then_some(y_bar));
        [x_bar, call.needs[1].then(weight_bar)].into_iter().chain(bias_bar).collect()
    }

    /// `y_dot = x_dot W^T + x W_dot^T + b_dot`
    fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
        let (x, w) = (call.args[0], call.args[1]);
        let along_x = x_dot[0].map(|x_dot| x_dot.matmul(w.t()));
        let along_w = x_dot[1].map(|w_dot| x.matmul(w_dot.t()));
        sum([along_x, along_w, x_dot.get(2).copied().flatten()])
    }
}

impl<T: Functions> Kernels<T> for Linear {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let fit = fit(x[0].shape(), x[1].shape());
        let y = y[0].slice();
        if let Some(bias) = x.get(2).filter(|_| !y.is_empty()) {
            let (first, rest) = y.split_at_mut(fit.size[1]);
            first.iter_mut().zip(bias.real()).for_each(|(y, b)| *y = *b);
            rest.chunks_exact_mut(first.len()).for_each(|row| row.copy_from_slice(first));
        }
        let (input, w) = (Side::Left.stack(&x[0], &fit.batch), Side::Right.stack(&x[1], &fit.batch).t());
        let y = StackMut::rows(y, &fit.batch, fit.whole(), &fit.batch);
        multiply(&fit.batch, fit.size, &input, &w, y, x.len() > 2);
        Ok(())
    }

    /// The vjp for cotangents with the axes `lead` in front: axes of the batch, along which the arguments are repeated.
    fn vjp_kernel(&self, Adjoint { lead, x, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
        let Some(y_bar) = &y_bar[0] else { return false };
        let fit = fit(x[0].shape(), x[1].shape()).led_by(lead);
        let ([rows, out, inputs], batch) = (fit.size, &fit.batch[..]);
        let (elements, result) = (y_bar.slice(), y_bar.shape());
        let y_bar = Stack::rows(elements, batch, fit.whole(), batch);
        if let Some(x_bar) = &mut x_bar[0] {
            let accumulate = x_bar.accumulate;
            let w = Side::Right.stack(&x[1], batch);
            let x_bar = fit.factor(Side::Left, lead, x[0].shape(), x_bar.slice());
            multiply(batch, [rows, inputs, out], &y_bar, &w, x_bar, accumulate);
        }
        if let Some(w_bar) = &mut x_bar[1] {
            let accumulate = w_bar.accumulate;
            let input = Side::Left.stack(&x[0], batch);
            let w_bar = fit.factor(Side::Right, lead, x[1].shape(), w_bar.slice());
            multiply(batch, [out, inputs, rows], &y_bar.t(), &input, w_bar, accumulate);
        }
        if let Some(Some(b_bar)) = x_bar.get_mut(2) {
            let value = Operand { data: elements, first: 0, walk: Walk::new(&[elements.len()], &[1]) };
            let ones = std::iter::repeat_n(1, result.len() - 1);
            let own: Shape = lead.iter().copied().chain(ones).chain([out]).collect();
            let result: Shape = lead.iter().chain(result).copied().collect();
            let target = Target::new(&own, &result);
            let accumulate = b_bar.accumulate;
            unbroadcast_into(&value, elements.len(), &target, b_bar.slice(), accumulate);
        }
        true
    }

    fn takes_lead(&self) -> bool {
        true
    }
}
