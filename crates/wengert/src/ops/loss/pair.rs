//! Losses of a prediction and a target of one shape: checks, reduction and derivatives, the same for all of them.
//!
//! A reduced loss is one pass over memory without a temporary, and so is its cotangent.

use std::ops::Range;
use std::slice::ChunksMut;

use ndarray::{ArrayViewD, IxDyn};

use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::kernel::loss::{self, Halves, Pointwise, Tile};
use crate::kernel::operand::add;
use crate::kernel::scatter::pairwise_sum;
use crate::kernel::threads;
use crate::memory::Dense;
use crate::op::Reduction;
use crate::rule::*;
use crate::shape::{Shape, broadcast};
use crate::term::Term;
use crate::words::Words;

/// What a loss of pairs adds to its formula.
pub(super) trait PairLoss {
    fn reduction(&self) -> Reduction;
    /// Refuses attributes that make no sense.
    fn check(&self) -> Result<(), Refusal> {
        Ok(())
    }
    /// Whether a weight may follow the pair.
    fn is_weighted(&self) -> bool {
        false
    }
}

/// The shape of the loss of pairs of `shape`.
fn reduced(reduction: Reduction, shape: &[usize]) -> Shape {
    if reduction == Reduction::None { shape.into() } else { Shape::new() }
}

/// What the sum over pairs of `shape` is divided by.
fn divisor(reduction: Reduction, shape: &[usize]) -> Option<f64> {
    match reduction {
        Reduction::Mean => Some(shape.iter().product::<usize>() as f64),
        Reduction::BatchMean => Some(shape[0] as f64),
        Reduction::Sum | Reduction::None => None,
    }
}

pub(super) fn refuse<A>(kind: ErrorKind, rule: impl Into<String>) -> Result<A, Refusal> {
    Err(Refusal::new(kind, rule))
}

pub(super) fn infer(loss: &dyn PairLoss, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
    let most = if loss.is_weighted() { 3 } else { 2 };
    let shapes = expect_optional(args, &[Dtype::Real; 3][..most], 2)?;
    let shape = shapes[0];
    if shape != shapes[1] {
        return refuse(ErrorKind::ShapeMismatch, "prediction and target must have the same shape");
    }
    if let Some(weight) = shapes.get(2)
        && broadcast([shape, weight])?[..] != *shape
    {
        return refuse(ErrorKind::ShapeMismatch, "the weight must broadcast to the shape of the prediction");
    }
    loss.check()?;
    if loss.reduction() == Reduction::BatchMean && shape.is_empty() {
        return refuse(ErrorKind::RankMismatch, "`batchmean` needs an axis 0");
    }
    one(reduced(loss.reduction(), shape))
}

/// Refuses `batchmean`, which only one loss has.
pub(super) fn no_batch_mean(reduction: Reduction) -> Result<(), Refusal> {
    match reduction {
        Reduction::BatchMean => refuse(ErrorKind::InvalidAttribute, "this loss has no reduction `batchmean`"),
        _ => Ok(()),
    }
}

/// Elements of a tile.
const TILE: usize = 256;
/// Most pieces that threads share.
const MOST: usize = 64;

/// Elements of a piece of work. Pieces are a power of two in tiles: their sums are joined as those of tiles would be.
fn piece<T: Functions>(x: &[Input<'_, T>]) -> usize {
    let len = x[0].real().len();
    let whole = x.iter().all(|x| x.real().len() == len && x.real().as_slice().is_some());
    match whole && threads::pays(len) {
        true => len.div_ceil(MOST).next_power_of_two().max(threads::PIECE),
        false => len.max(1),
    }
}

/// Calls `f(start, tile)` for elements `range` of the arguments of a loss, tile by tile in row-major order. Compiled once
/// for all losses.
fn for_tiles<T: Functions>(x: &[Input<'_, T>], range: Range<usize>, f: &mut dyn FnMut(usize, Tile<'_, T>)) {
    let (a, b) = (x[0].real(), x[1].real());
    let weight = x.get(2).map(Input::real);
    let w: Option<ArrayViewD<'_, T>> =
        weight.as_ref().map(|w| w.broadcast(IxDyn(a.shape())).expect("the weight has passed `infer`"));
    let whole = [Some(&a), Some(&b), w.as_ref()].map(|x| x.map(|x| x.as_slice()));
    let mut buffers = [[T::one(); TILE]; 3];
    let mut read = [Some(&a), Some(&b), w.as_ref()].map(|x| x.map(|x| x.iter()));
    for start in range.clone().step_by(TILE) {
        let n = TILE.min(range.end - start);
        for ((buffer, whole), read) in buffers.iter_mut().zip(&whole).zip(&mut read) {
            if let (Some(None), Some(read)) = (whole, read) {
                buffer[..n].iter_mut().zip(read).for_each(|(to, x)| *to = *x);
            }
        }
        let part = |k: usize| match whole[k] {
            Some(Some(x)) => &x[start..start + n],
            _ => &buffers[k][..n],
        };
        f(start, Tile { a: part(0), b: part(1), w: part(2) });
    }
}

/// A forward by a kernel that computes the loss of each element. Compiled once for all losses.
pub(super) fn forward<T: Functions>(
    reduction: Reduction,
    x: &[Input<'_, T>],
    y: &mut [Output<'_, T>],
    each: &(dyn Fn(Tile<'_, T>, &mut [T]) + Sync),
) {
    let (out, len, piece) = (y[0].slice(), x[0].real().len(), piece(x));
    if reduction == Reduction::None {
        return threads::each_if(piece < len, out.chunks_mut(piece).enumerate(), |(k, out)| {
            let first = k * piece;
            for_tiles(x, first..first + out.len(), &mut |start, tile| {
                each(tile, &mut out[start - first..][..tile.a.len()]);
            });
        });
    }
    let (mut sums, pieces) = ([T::zero(); MOST], len.div_ceil(piece));
    threads::each_if(piece < len, sums[..pieces].iter_mut().enumerate(), |(k, result)| {
        let (mut sum, mut values) = (Halves::new(), [T::zero(); TILE]);
        for_tiles(x, k * piece..len.min((k + 1) * piece), &mut |_, tile| {
            let values = &mut values[..tile.a.len()];
            each(tile, values);
            sum.add(pairwise_sum(values));
        });
        *result = sum.total();
    });
    let mut sum = Halves::new();
    sums[..pieces].iter().for_each(|part| sum.add(*part));
    out[0] = match divisor(reduction, x[0].shape()) {
        Some(n) => sum.total() / T::of(n),
        None => sum.total(),
    };
}

/// Whether to add, and the next piece of a cotangent.
fn next_piece<'a, T>(out: &mut Option<(bool, ChunksMut<'a, T>)>) -> Option<(bool, &'a mut [T])> {
    out.as_mut().map(|(accumulate, chunks)| (*accumulate, chunks.next().expect("a chunk a piece")))
}

/// The arguments as words, a weight of 1 where there is none.
fn words<'r>(call: &Call<'_, 'r>) -> [Term<'r>; 3] {
    let [a, b] = [call.args[0], call.args[1]];
    [a, b, call.args.get(2).copied().unwrap_or(a.lit(1.0))]
}

/// `x_bar = y_bar / n * partial`, for each argument.
pub(super) fn vjp<'r, L: PairLoss + Pointwise>(
    loss: &L,
    call: &Call<'_, 'r>,
    y_bar: &[Option<Term<'r>>],
) -> Cotangents<'r> {
    let [a, b, w] = words(call);
    let y_bar = y_bar[0].expect("one result");
    let y_bar = match divisor(loss.reduction(), &a.shape()) {
        Some(n) => y_bar / y_bar.lit(n),
        None => y_bar,
    };
    let bar = |(k, &needed): (usize, &bool)| needed.then(|| y_bar * loss.partial(k, a, b, w));
    call.needs.iter().enumerate().map(bar).collect()
}

/// The sum of `partial * x_dot` over the arguments, reduced as the loss itself.
pub(super) fn jvp<'r, L: PairLoss + Pointwise>(
    loss: &L,
    call: &Call<'_, 'r>,
    x_dot: &[Option<Term<'r>>],
) -> Option<Terms<'r>> {
    let [a, b, w] = words(call);
    let parts = x_dot.iter().enumerate();
    let parts = parts.filter_map(|(k, x_dot)| x_dot.map(|x_dot| x_dot * loss.partial(k, a, b, w)));
    let each = parts.reduce(|sum, part| sum + part)?;
    let y_dot = match (loss.reduction(), divisor(loss.reduction(), &a.shape())) {
        (Reduction::None, _) => each,
        (_, Some(n)) => each.sum_all() / each.lit(n),
        (_, None) => each.sum_all(),
    };
    Some(Terms::from_elem(y_dot, 1))
}

/// What computes the cotangents of argument `k` from those of the elements: `(k, x, y_bar, x_bar)`.
type Partial<'a, T> = dyn Fn(usize, Tile<'_, T>, &[T], &mut [T]) + Sync + 'a;

/// The cotangents, tile by tile. Compiled once for all losses.
pub(super) fn vjp_kernel<T: Functions>(
    reduction: Reduction,
    Adjoint { x, y_bar, x_bar, .. }: Adjoint<'_, '_, T>,
    partial: &Partial<'_, T>,
) -> bool {
    // The cotangent of a weight is summed back to its shape, which is done elsewhere.
    if matches!(x_bar.get(2), Some(Some(_))) {
        return false;
    }
    let Some(y_bar) = y_bar[0].as_ref().map(Dense::slice) else { return false };
    let mut scale = [T::zero(); TILE];
    if reduction != Reduction::None {
        let n = divisor(reduction, x[0].shape()).unwrap_or(1.0);
        scale.fill(y_bar[0] / T::of(n));
    }
    let (len, piece) = (x[0].real().len(), piece(x));
    let [a, b, ..] = x_bar else { unreachable!("a loss of pairs has two arguments or more") };
    let mut outs = [a, b].map(|bar| bar.as_mut().map(|bar| (bar.accumulate, bar.slice().chunks_mut(piece))));
    let jobs = (0..len).step_by(piece).map(|first| (first, outs.each_mut().map(next_piece)));
    threads::each_if(piece < len, jobs, |(first, mut outs)| {
        let mut room = [T::zero(); TILE];
        for_tiles(x, first..len.min(first + piece), &mut |start, tile| {
            let n = tile.a.len();
            let scale = match reduction {
                Reduction::None => &y_bar[start..][..n],
                _ => &scale[..n],
            };
            for (k, out) in outs.iter_mut().enumerate() {
                let Some((accumulate, out)) = out else { continue };
                let out = &mut out[start - first..][..n];
                if *accumulate {
                    partial(k, tile, scale, &mut room[..n]);
                    add(out, &room[..n]);
                } else {
                    partial(k, tile, scale, out);
                }
            }
        });
    });
    true
}

/// A rule from a formula: every part of it is one of the functions above.
macro_rules! pair_rules {
    ($($Op:ident)*) => { $(impl Rule for crate::op::$Op {
        fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
            infer(&self.formula(), args)
        }
        fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
            vjp(&self.formula(), call, y_bar)
        }
        fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
            jvp(&self.formula(), call, x_dot)
        }
    }

    impl<T: Functions> Kernels<T> for crate::op::$Op {
        fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
            let loss = self.formula();
            forward(self.reduction, x, y, &|x, y| loss::each(loss, x, y));
            Ok(())
        }
        fn vjp_kernel(&self, call: Adjoint<'_, '_, T>) -> bool {
            let loss = self.formula();
            vjp_kernel(self.reduction, call, &|k, x, y_bar, x_bar| loss::cotangent(loss, k, x, y_bar, x_bar))
        }
    })* };
}
pair_rules! { MseLoss L1Loss HuberLoss SmoothL1Loss BceLoss BceWithLogits KlDiv }
