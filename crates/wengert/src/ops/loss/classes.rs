//! Losses of classes: `cross_entropy` of logits and `nll_loss` of log probabilities.
//!
//! `x` is `[N, C, ..]` or `[C]`, the targets the same without the class axis; one position of the targets is a *row*.
//! With `e` the label smoothing and `w` the class weights the loss of a row with target `t` is
//! `(1 - e) w[t] l[t] + e / C sum_c w[c] l[c]`, where `l` is `-log_softmax(x)` or `-x`. Rows whose target is the ignored
//! one count nowhere, not even by a NaN. The mean divides by the sum of the weights of the targets.

use ndarray::{ArrayViewD, CowArray, IxDyn};

use crate::error::{ErrorKind, Refusal};
use crate::kernel::classes::{Dims, log_sums, slopes};
use crate::kernel::functions::Functions;
use crate::kernel::loss::Halves;
use crate::memory::Dense;
use crate::op::*;
use crate::ops::loss::pair::{no_batch_mean, refuse};
use crate::ops::loss::recorded::Recorded;
use crate::rule::*;
use crate::shape::Shape;
use crate::term::Term;

/// What both losses have in common. `logits`: whether `log_softmax` comes first.
#[derive(Clone, Copy)]
pub(super) struct Classes {
    pub logits: bool,
    pub reduction: Reduction,
    pub smoothing: f64,
    ignore: i64,
}

impl CrossEntropy {
    fn classes(&self) -> Classes {
        let (reduction, smoothing, ignore) = (self.reduction, self.label_smoothing, self.ignore_index);
        Classes { logits: true, reduction, smoothing, ignore }
    }
}

impl NllLoss {
    fn classes(&self) -> Classes {
        Classes { logits: false, reduction: self.reduction, smoothing: 0.0, ignore: self.ignore_index }
    }
}

/// Hidden results: what the mean divides by, the targets with 0 for ignored ones and whether they are kept (both with a
/// class axis of length 1), and of logits the two parts of the log-sum-exp of each row.
pub(super) const DIVISOR: usize = 1;
pub(super) const TARGET: usize = 2;
pub(super) const KEPT: usize = 3;
const LARGEST: usize = 4;
const LOG_SUM: usize = 5;

fn class_axis(ndim: usize) -> usize {
    if ndim == 1 { 0 } else { 1 }
}

fn dims(shape: &[usize]) -> Dims {
    let axis = class_axis(shape.len());
    let product = |lengths: &[usize]| lengths.iter().product();
    Dims { outer: product(&shape[..axis]), classes: shape[axis], inner: product(&shape[axis + 1..]) }
}

/// `shape` with a class axis of length 1.
pub(super) fn row_shape(shape: &[usize]) -> Shape {
    let mut rows: Shape = shape.into();
    rows[class_axis(shape.len())] = 1;
    rows
}

impl Classes {
    fn infer(self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let shapes = expect_optional(args, &[Dtype::Real, Dtype::Index, Dtype::Real], 2)?;
        let (x, target) = (shapes[0], shapes[1]);
        if x.is_empty() {
            return refuse(ErrorKind::RankMismatch, "the classes need an axis: [C] or [N, C, ..]");
        }
        let axis = class_axis(x.len());
        let rows: Shape = x[..axis].iter().chain(&x[axis + 1..]).copied().collect();
        if rows[..] != *target {
            let rule = format!(
                "the targets must have shape {:?}: the first argument's without axis {axis}",
                &rows[..]
            );
            return refuse(ErrorKind::ShapeMismatch, rule);
        }
        if let Some(weight) = shapes.get(2)
            && **weight != [x[axis]]
        {
            let rule = format!("the weight must have shape [{}]: a number for each class", x[axis]);
            return refuse(ErrorKind::ShapeMismatch, rule);
        }
        no_batch_mean(self.reduction)?;
        if !(0.0..=1.0).contains(&self.smoothing) {
            let rule = format!("`label_smoothing` must lie in 0..=1, not be {}", self.smoothing);
            return refuse(ErrorKind::InvalidAttribute, rule);
        }
        let out = if self.reduction == Reduction::None { rows.clone() } else { Shape::new() };
        let kept = row_shape(x);
        let mut specs: Specs = [Spec::real(out), Spec::real(Shape::new())].into_iter().collect();
        specs.extend([Spec::index(kept.clone()), Spec::mask(kept)]);
        if self.logits {
            specs.extend([Spec::real(rows.clone()), Spec::real(rows)]);
        }
        Ok(specs)
    }

    fn forward<T: Functions>(self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let dims = dims(x[0].shape());
        self.keep_targets(dims, &x[1].index(), y)?;
        let (logits, weight) = (row_major(x[0].real()), x.get(2).map(|w| row_major(w.real())));
        let logits = logits.as_slice().expect("row-major");
        let weight = weight.as_ref().map(|w| w.as_slice().expect("row-major"));
        let [loss, divisor, target, kept, sums @ ..] = y else {
            unreachable!("as many results as `infer` says")
        };
        let mut parts: [&[T]; 2] = [&[], &[]];
        if let [largest, log_sum] = sums {
            log_sums(logits, dims, largest.slice(), log_sum.slice());
            parts = [&*largest.slice(), &*log_sum.slice()];
        }
        let (target, kept) = (target.index(), kept.mask());
        let w = |c: usize| weight.map_or(T::one(), |w| w[c]);
        let (mut sum, mut weights) = (Halves::new(), Halves::new());
        let each = self.reduction == Reduction::None;
        for (r, (&t, &keep)) in target.iter().zip(&kept).enumerate() {
            let value = if keep { self.row_loss(logits, dims, parts, &w, r, t as usize) } else { T::zero() };
            if keep {
                weights.add(w(t as usize));
            }
            match each {
                true => loss.slice()[r] = value,
                false => sum.add(value),
            }
        }
        divisor.slice()[0] = weights.total();
        match self.reduction {
            Reduction::None => {}
            Reduction::Mean => loss.slice()[0] = sum.total() / weights.total(),
            _ => loss.slice()[0] = sum.total(),
        }
        Ok(())
    }

    /// Checks the targets and writes what later steps read of them.
    fn keep_targets<T>(
        self,
        dims: Dims,
        targets: &ArrayViewD<'_, i64>,
        y: &mut [Output<'_, T>],
    ) -> Result<(), Refusal> {
        let [_, _, safe, kept, ..] = y else { unreachable!("as many results as `infer` says") };
        for ((&t, safe), kept) in targets.iter().zip(&mut safe.index()).zip(&mut kept.mask()) {
            *kept = t != self.ignore;
            *safe = if *kept { t } else { 0 };
            if *kept && !(0..dims.classes as i64).contains(&t) {
                let rule = format!("target {t} is out of range for {} classes", dims.classes);
                return refuse(ErrorKind::IndexOutOfRange, rule);
            }
        }
        Ok(())
    }

    fn row_loss<T: Functions>(
        self,
        x: &[T],
        dims: Dims,
        [largest, log_sum]: [&[T]; 2],
        w: &impl Fn(usize) -> T,
        r: usize,
        t: usize,
    ) -> T {
        let at = |c: usize| x[dims.at(r, c)];
        let minus_log = |c: usize| match self.logits {
            true => (largest[r] - at(c)) + log_sum[r],
            false => -at(c),
        };
        let hard = w(t) * minus_log(t);
        if self.smoothing == 0.0 {
            return hard;
        }
        let mut all = Halves::new();
        (0..dims.classes).for_each(|c| all.add(w(c) * minus_log(c)));
        T::of(1.0 - self.smoothing) * hard + T::of(self.smoothing / dims.classes as f64) * all.total()
    }

    fn vjp_kernel<T: Functions>(
        self,
        x: &[Input<'_, T>],
        y: &[Input<'_, T>],
        y_bar: &[Option<Dense<'_, T>>],
        x_bar: &mut [Option<Cotangent<'_, T>>],
    ) -> bool {
        let ([Some(x_bar), _, None] | [Some(x_bar), _]) = x_bar else { return false };
        let Some(y_bar) = y_bar[0].as_ref().map(Dense::slice) else { return false };
        let dims = dims(x[0].shape());
        let (logits, weight) = (row_major(x[0].real()), x.get(2).map(|w| row_major(w.real())));
        let logits = logits.as_slice().expect("row-major");
        let weight = weight.as_ref().map(|w| w.as_slice().expect("row-major"));
        let (target, kept) = (y[TARGET].index(), y[KEPT].mask());
        let (Some(target), Some(kept)) = (target.as_slice(), kept.as_slice()) else { return false };
        let divisor = y[DIVISOR].real().first().copied().expect("one number");
        let row_bar = |r: usize| match self.reduction {
            Reduction::None => y_bar[r],
            Reduction::Mean => y_bar[0] / divisor,
            _ => y_bar[0],
        };
        let w = |c: usize| weight.map_or(T::one(), |w| w[c]);
        let accumulate = x_bar.accumulate;
        let out = x_bar.slice();
        let hard = T::of(1.0 - self.smoothing);
        if self.logits {
            let (largest, log_sum) = (y[LARGEST].real(), y[LOG_SUM].real());
            let (Some(largest), Some(log_sum)) = (largest.as_slice(), log_sum.as_slice()) else {
                return false;
            };
            let soft = T::of(self.smoothing / dims.classes as f64);
            let all = (0..dims.classes).map(w).fold(T::zero(), |sum, w| sum + w);
            let ab = |r: usize| {
                let row_bar = row_bar(r);
                kept[r].then(|| (row_bar * (hard * w(target[r] as usize) + soft * all), row_bar * soft))
            };
            slopes((logits, dims), [largest, log_sum], weight, ab, out, accumulate);
        } else if !accumulate {
            out.fill(T::zero());
        }
        for r in (0..dims.rows()).filter(|&r| kept[r]) {
            let t = target[r] as usize;
            out[dims.at(r, t)] -= row_bar(r) * hard * w(t);
        }
        true
    }
}

fn row_major<T: Clone>(x: ArrayViewD<'_, T>) -> CowArray<'_, T, IxDyn> {
    // A view that is not row-major already is copied: classes are read in an order of their own.
    match x.is_standard_layout() {
        true => x.into(),
        false => ndarray::ArrayD::from_shape_vec(x.raw_dim(), x.iter().cloned().collect())
            .expect("as many elements as the shape says")
            .into(),
    }
}

impl Classes {
    fn recorded<'a, 'r>(self, call: &'a Call<'a, 'r>) -> Recorded<'a, 'r> {
        let x = call.args[0];
        let axis = class_axis(x.ndim());
        Recorded { classes: self, call, x, axis, count: x.shape()[axis] as f64 }
    }

    fn vjp<'r>(self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let recorded = self.recorded(call);
        let Some(y_bar) = y_bar[0] else { return Cotangents::from_elem(None, call.args.len()) };
        if recorded.count == 0.0 {
            // Every target is the ignored one, and no class can stand in for it.
            let nothing = |(x, &needed): (&Term<'r>, &bool)| needed.then(|| x.full(&x.shape(), 0.0));
            return call.args.iter().zip(call.needs).map(nothing).collect();
        }
        let bar = |(k, &needed): (usize, &bool)| match k {
            0 if needed => Some(recorded.x_bar(y_bar)),
            2 if needed => Some(recorded.weight_bar(y_bar)),
            _ => None,
        };
        call.needs.iter().enumerate().map(bar).collect()
    }
}

macro_rules! class_rules {
    ($($Op:ident)*) => { $(impl Rule for $Op {
        fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
            self.classes().infer(args)
        }
        fn visible(&self) -> usize {
            1
        }
        fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
            self.classes().vjp(call, y_bar)
        }
    }

    impl<T: Functions> Kernels<T> for $Op {
        fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
            self.classes().forward(x, y)
        }
        fn vjp_kernel(&self, Adjoint { x, y, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
            self.classes().vjp_kernel(x, y, y_bar, x_bar)
        }
    })* };
}
class_rules! { CrossEntropy NllLoss }
