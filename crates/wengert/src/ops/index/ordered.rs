//! Values picked along an axis by their order: sorting, the largest ones, running extremes.
//!
//! Each op gives the values and, as indices, where they come from; derivatives are those of `gather`. A NaN counts as
//! larger than everything.

use ndarray::{ArrayViewD, ArrayViewMutD, Axis};

use super::gather::{pick, put};
use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::kernel::threads::{self, Jobs};
use crate::memory::Dense;
use crate::op::{CumMax, CumMin, Gather, OrderStatistics, ScatterAdd, Sort, TopK};
use crate::rule::*;
use crate::shape::{Shape, axis};
use crate::term::Term;

/// An op that picks values along an axis by their order.
trait Order: Sync {
    fn axis(&self) -> isize;

    /// How many values it picks from `n`.
    fn count(&self, n: usize) -> Result<usize, Refusal>;
}

trait Positions<T: Functions>: Order {
    /// The positions in `lane` of the values it picks; `order` is room for keys.
    fn positions(&self, lane: &[T], order: &mut Vec<u128>, picks: &mut [i64]);
}

/// A number that is ordered as values are, of equal ones by their positions: such keys are sorted several times as fast as
/// positions by a comparison of values. The lower half is the position.
fn key<T: Functions>(x: T, at: usize, descending: bool) -> u128 {
    // Both zeros are equal, and so are all NaNs.
    let x = x.as_f64() + 0.0;
    let (bits, sign) = (x.to_bits(), 1 << 63);
    let ascending = match (x.is_nan(), bits & sign == 0) {
        (true, _) => u64::MAX,
        (_, true) => bits | sign,
        (_, false) => !bits,
    };
    u128::from(if descending { !ascending } else { ascending }) << 64 | at as u128
}

fn position(key: &u128) -> i64 {
    *key as i64
}

fn all_keys<T: Functions>(lane: &[T], descending: bool, order: &mut Vec<u128>) {
    order.clear();
    order.extend(lane.iter().enumerate().map(|(at, &x)| key(x, at, descending)));
}

fn write(order: &[u128], picks: &mut [i64]) {
    picks.iter_mut().zip(order).for_each(|(pick, key)| *pick = position(key));
}

impl Order for Sort {
    fn axis(&self) -> isize {
        self.axis
    }
    fn count(&self, n: usize) -> Result<usize, Refusal> {
        Ok(n)
    }
}

impl<T: Functions> Positions<T> for Sort {
    fn positions(&self, lane: &[T], order: &mut Vec<u128>, picks: &mut [i64]) {
        all_keys(lane, self.descending, order);
        order.sort_unstable();
        write(order, picks);
    }
}

/// Values that are kept in order while a lane is read; more are selected first and sorted then.
const FEW: usize = 32;
/// Elements of a lane that are looked at together.
const BLOCK: usize = 16;

impl Order for TopK {
    fn axis(&self) -> isize {
        self.axis
    }
    fn count(&self, n: usize) -> Result<usize, Refusal> {
        if self.k <= n {
            return Ok(self.k);
        }
        let rule = format!("{} values are wanted of {n}", self.k);
        Err(Refusal::new(ErrorKind::InvalidAttribute, rule))
    }
}

impl TopK {
    /// Whether none of `some` comes before the element of `lane` that `last` is the key of.
    fn none<T: Functions>(&self, some: &[T], lane: &[T], last: &u128) -> bool {
        let last = lane[position(last) as usize];
        match self.largest {
            true => some.iter().fold(true, |none, &x| none & (x <= last)),
            false => some.iter().fold(true, |none, &x| none & (x >= last)),
        }
    }
}

impl<T: Functions> Positions<T> for TopK {
    fn positions(&self, lane: &[T], order: &mut Vec<u128>, picks: &mut [i64]) {
        if (1..=FEW).contains(&self.k) {
            order.clear();
            for (block, some) in lane.chunks(BLOCK).enumerate() {
                // Most elements are not wanted, which a comparison of values says of many at once. Of equal ones the first
                // is kept; a NaN, or what is compared with one, has to be looked at.
                if order.len() == self.k && order.last().is_some_and(|last| self.none(some, lane, last)) {
                    continue;
                }
                for (at, &x) in (block * BLOCK..).zip(some) {
                    let key = key(x, at, self.largest);
                    if order.len() == self.k && order.last() < Some(&key) {
                        continue;
                    }
                    if order.len() < self.k {
                        order.push(key);
                    }
                    // What is behind its place makes room, beginning with the last, which falls out.
                    let mut place = order.len() - 1;
                    while place > 0 && order[place - 1] > key {
                        order[place] = order[place - 1];
                        place -= 1;
                    }
                    order[place] = key;
                }
            }
            return write(order, picks);
        }
        all_keys(lane, self.largest, order);
        if (1..lane.len()).contains(&self.k) {
            order.select_nth_unstable(self.k - 1);
        }
        order.truncate(self.k);
        order.sort_unstable();
        write(order, picks);
    }
}

impl Order for OrderStatistics {
    fn axis(&self) -> isize {
        self.axis
    }
    fn count(&self, n: usize) -> Result<usize, Refusal> {
        if n == 0 {
            return Err(Refusal::new(ErrorKind::EmptyReduction, "an axis of length 0 has no order"));
        }
        match self.ranks.iter().find(|&&rank| rank >= n) {
            None => Ok(self.ranks.len()),
            Some(rank) => {
                let rule = format!("rank {rank} is out of range for an axis of length {n}");
                Err(Refusal::new(ErrorKind::IndexOutOfRange, rule))
            }
        }
    }
}

impl<T: Functions> Positions<T> for OrderStatistics {
    /// A NaN has no place in an order: where there is one, it is what is picked.
    fn positions(&self, lane: &[T], order: &mut Vec<u128>, picks: &mut [i64]) {
        if let Some(nan) = lane.iter().position(|x| x.is_nan()) {
            return picks.fill(nan as i64);
        }
        all_keys(lane, false, order);
        for (pick, &rank) in picks.iter_mut().zip(&self.ranks) {
            *pick = position(order.select_nth_unstable(rank).1);
        }
    }
}

/// The last position so far of the value that no other `beats`; from a NaN on that one.
fn running<T: Functions>(lane: &[T], picks: &mut [i64], beats: impl Fn(T, T) -> bool) {
    let mut best = 0;
    for (k, pick) in picks.iter_mut().enumerate() {
        if lane[k].is_nan() || (!lane[best].is_nan() && !beats(lane[best], lane[k])) {
            best = k;
        }
        *pick = best as i64;
    }
}

macro_rules! running_extremes {
    ($($Op:ident $beats:expr;)*) => { $(impl Order for $Op {
        fn axis(&self) -> isize {
            self.axis
        }
        fn count(&self, n: usize) -> Result<usize, Refusal> {
            Ok(n)
        }
    }

impl<T: Functions> Positions<T> for $Op {
    fn positions(&self, lane: &[T], _order: &mut Vec<u128>, picks: &mut [i64]) {
            running(lane, picks, $beats);
        }
    })* };
}
running_extremes! {
    CumMax |a, b| a > b;
    CumMin |a, b| a < b;
}

fn along(op: &dyn Order, ndim: usize) -> usize {
    axis(op.axis(), ndim).expect("the axis has passed `infer`")
}

fn infer(op: &dyn Order, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
    let mut shape = Shape::from_slice(expect(args, &[Dtype::Real])?[0]);
    let along = axis(op.axis(), shape.len())?;
    shape[along] = op.count(shape[along])?;
    Ok([Spec::real(shape.clone()), Spec::index(shape)].into_iter().collect())
}

fn forward<T: Functions>(op: &dyn Positions<T>, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) {
    let [values, positions] = y else { unreachable!("two results") };
    let (x, along) = (x[0].real(), along(op, x[0].real().ndim()));
    let mut positions = positions.index();
    if let Some((n, m)) = rows(&x, &positions, along) {
        let (x, out) = (x.as_slice().expect("rows"), positions.as_slice_mut().expect("rows"));
        let work = |pieces: &mut Jobs<'_, (&[T], &mut [i64])>| {
            let mut order = Vec::new();
            for (x, out) in pieces.flat_map(|(x, out)| x.chunks_exact(n).zip(out.chunks_exact_mut(m))) {
                op.positions(x, &mut order, out);
            }
        };
        let shared = threads::units(x.len() / n, n * COMPARISONS);
        let count = shared.unwrap_or(x.len() / n);
        threads::workers(shared.is_some(), x.chunks(count * n).zip(out.chunks_mut(count * m)), work);
    } else {
        each_lane(op, &x, along, positions.view_mut());
    }
    pick(x, &positions.view(), along, values.real(), false);
}

/// About as many comparisons are made for each element.
const COMPARISONS: usize = 8;

/// The lengths of the lanes of both arrays, where those lie one behind the other.
fn rows<T>(
    x: &ArrayViewD<'_, T>,
    positions: &ArrayViewMutD<'_, i64>,
    along: usize,
) -> Option<(usize, usize)> {
    let rows = along + 1 == x.ndim() && x.is_standard_layout() && !x.is_empty() && !positions.is_empty();
    rows.then(|| (x.len_of(Axis(along)), positions.len_of(Axis(along))))
}

fn each_lane<T: Functions>(
    op: &dyn Positions<T>,
    x: &ArrayViewD<'_, T>,
    along: usize,
    mut positions: ArrayViewMutD<'_, i64>,
) {
    let (mut lane, mut order, mut picks) = (Vec::<T>::new(), Vec::new(), Vec::new());
    for (x, mut out) in x.lanes(Axis(along)).into_iter().zip(positions.lanes_mut(Axis(along))) {
        lane.clear();
        lane.extend(x);
        picks.resize(out.len(), 0);
        op.positions(&lane, &mut order, &mut picks);
        out.iter_mut().zip(&picks).for_each(|(out, pick)| *out = *pick);
    }
}

/// What was picked several times gets the sum.
fn vjp<'r>(op: &dyn Order, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
    let (x, positions) = (call.args[0], call.results[1]);
    let add = |y_bar| x.full(&x.shape(), 0.0).apply(ScatterAdd { axis: op.axis() }, &[positions, y_bar]);
    Cotangents::from_elem(y_bar[0].map(add), 1)
}

/// The tangents from the same positions; the positions have none.
fn jvp<'r>(op: &dyn Order, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
    Some(Terms::from_elem(x_dot[0]?.apply(Gather { axis: op.axis() }, &[call.results[1]]), 1))
}

fn vjp_kernel<T: Functions>(
    op: &dyn Order,
    y: &[Input<'_, T>],
    y_bar: &[Option<Dense<'_, T>>],
    x_bar: &mut [Option<Cotangent<'_, T>>],
) -> bool {
    let (Some(y_bar), Some(x_bar)) = (&y_bar[0], &mut x_bar[0]) else { return false };
    if !x_bar.accumulate {
        x_bar.slice().fill(T::zero());
    }
    put(y_bar.view(), &y[1].index(), along(op, y_bar.shape().len()), x_bar.array.view_mut());
    true
}

macro_rules! orders {
    ($($Op:ident)*) => { $(impl Rule for $Op {
        fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
            infer(self, args)
        }
        fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
            vjp(self, call, y_bar)
        }
        fn jvp<'r>(&self, call: &Call<'_, 'r>, x_dot: &[Option<Term<'r>>]) -> Option<Terms<'r>> {
            jvp(self, call, x_dot)
        }
    }

    impl<T: Functions> Kernels<T> for $Op {
        fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
            forward(self, x, y);
            Ok(())
        }
        fn vjp_kernel(&self, Adjoint { y, y_bar, x_bar, .. }: Adjoint<'_, '_, T>) -> bool {
            vjp_kernel(self, y, y_bar, x_bar)
        }
    })* };
}
orders! { Sort TopK OrderStatistics CumMax CumMin }
