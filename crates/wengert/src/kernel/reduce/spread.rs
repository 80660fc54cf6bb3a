//! The way back: what each element of a lane contributes, from the lane's result.

use crate::kernel::functions::Functions;
use crate::kernel::lanes::{LANES, put};
use crate::kernel::level::{self, Kernel};
use crate::kernel::operand;
use crate::kernel::scratch::{self, Scratch, room};
use crate::kernel::threads::{self, PIECE};
use crate::kernel::tile::{Tile, WIDTH, filled};

/// Elements of equal rows that are written together.
const ROWS: usize = 512;

/// The sizes `(n, inner)` of row-major `[outer, n, inner]` when `over` (ascending) is reduced, if it is the middle.
fn middle(shape: &[usize], over: &[usize]) -> Option<(usize, usize)> {
    let (Some(&low), Some(&high)) = (over.first(), over.last()) else { return Some((1, 1)) };
    let gap = (low..high).any(|k| shape[k] != 1 && !over.contains(&k));
    (!gap).then(|| (shape[low..=high].iter().product(), shape[high + 1..].iter().product()))
}

/// Cuts a row-major `[outer, n, inner]` of as many elements as `x_bar`, if that is worth it: `f` is called for each piece
/// with the place of its first element, its own `n`, and its part of `x_bar`. A piece is some blocks, or rows of one.
fn in_pieces<T: Functions>(
    n: usize,
    inner: usize,
    x_bar: &mut [T],
    f: &(dyn Fn(usize, usize, &mut [T]) + Sync),
) {
    if !threads::pays(x_bar.len()) {
        return f(0, n, x_bar);
    }
    let blocks = (PIECE / (n * inner)).max(1);
    let rows = if blocks > 1 { blocks * n } else { (PIECE / inner).clamp(1, n) };
    let len = blocks * n * inner;
    let pieces = x_bar.chunks_mut(len).enumerate().flat_map(|(k, x_bar)| {
        x_bar.chunks_mut(rows * inner).enumerate().map(move |(i, x_bar)| (k * len + i * rows * inner, x_bar))
    });
    threads::each(pieces, |(start, x_bar)| f(start, n.min(x_bar.len() / inner), x_bar));
}

/// `x_bar = scale * y_bar`, repeated along the axes `over` of `shape`, or added; `false` if those axes do not lie together.
pub fn repeat<T: Functions>(
    shape: &[usize],
    over: &[usize],
    y_bar: &[T],
    divisor: f64,
    x_bar: &mut [T],
    accumulate: bool,
) -> bool {
    let Some((n, inner)) = middle(shape, over) else { return false };
    let divisor = T::of(divisor);
    if n * inner == 0 {
        return true;
    }
    in_pieces(n, inner, x_bar, &|start, rows, x_bar| {
        repeat_rows([rows, inner], &y_bar[start / (n * inner) * inner..], divisor, x_bar, accumulate);
    });
    true
}

fn repeat_rows<T: Functions>(
    [n, inner]: [usize; 2],
    y_bar: &[T],
    divisor: T,
    x_bar: &mut [T],
    accumulate: bool,
) {
    if inner == 1 {
        for (lane, y_bar) in x_bar.chunks_exact_mut(n).zip(y_bar) {
            let value = *y_bar / divisor;
            match accumulate {
                true => lane.iter_mut().for_each(|x| *x += value),
                false => lane.fill(value),
            }
        }
        return;
    }
    scratch::with(|Scratch { dense: [rows, ..], .. }| {
        // Several short rows go in one piece: a copy costs as much as hundreds of elements.
        let rows = room(rows, inner * (ROWS / inner).clamp(1, n));
        for (block, y_bar) in x_bar.chunks_exact_mut(n * inner).zip(y_bar.chunks_exact(inner)) {
            for row in rows.chunks_exact_mut(inner) {
                row.iter_mut().zip(y_bar).for_each(|(share, y_bar)| *share = *y_bar / divisor);
            }
            for block in block.chunks_mut(rows.len()) {
                match accumulate {
                    true => operand::add(block, &rows[..block.len()]),
                    false => block.copy_from_slice(&rows[..block.len()]),
                }
            }
        }
    });
}

/// What an element contributes, from itself, its lane's result and that one's cotangent; must be `#[inline(always)]`.
pub trait Contribution<T>: Copy + Sync {
    /// Elements of a lane up to which lanes are turned into columns: one by one they would not fill a vector.
    const FEW: usize = 4;
    fn at<const MODE: u8>(&self, x: T, y: T, y_bar: T) -> T;
}

/// `y_bar e^(x - y)`: the derivative of `log sum e^x`.
#[derive(Clone, Copy)]
pub struct ExpShare;

impl<T: Functions> Contribution<T> for ExpShare {
    const FEW: usize = LANES - 1;
    #[inline(always)]
    fn at<const MODE: u8>(&self, x: T, y: T, y_bar: T) -> T {
        // `y` is no less than `x`.
        y_bar * Functions::exp_low::<MODE>(x - y)
    }
}

/// `y_bar x / y`, and 0 where `y` is 0: the derivative of the Euclidean norm.
#[derive(Clone, Copy)]
pub struct Direction;

impl<T: Functions> Contribution<T> for Direction {
    #[inline(always)]
    fn at<const MODE: u8>(&self, x: T, y: T, y_bar: T) -> T {
        if y == T::zero() { T::zero() } else { x / y * y_bar }
    }
}

/// `(x - mean) share`: the derivative of a variance by the lane's mean and share.
#[derive(Clone, Copy)]
pub struct Deviation;

impl<T: Functions> Contribution<T> for Deviation {
    #[inline(always)]
    fn at<const MODE: u8>(&self, x: T, mean: T, share: T) -> T {
        (x - mean) * share
    }
}

/// The lane's share where `x` is the lane's result, 0 elsewhere (NaN where that share is infinite).
#[derive(Clone, Copy)]
pub struct Tied;

impl<T: Functions> Contribution<T> for Tied {
    #[inline(always)]
    fn at<const MODE: u8>(&self, x: T, y: T, share: T) -> T {
        if x == y { share } else { T::zero() * share }
    }
}

/// `y_bar y / x`: the derivative of a product that is a normal number, and so has no factor of 0. 0 elsewhere.
#[derive(Clone, Copy)]
struct Cofactor;

#[inline(always)]
fn is_normal<T: Functions>(y: T) -> bool {
    let size = num_traits::Float::abs(y);
    size >= T::min_positive_value() && size <= T::max_value()
}

impl<T: Functions> Contribution<T> for Cofactor {
    #[inline(always)]
    fn at<const MODE: u8>(&self, x: T, y: T, y_bar: T) -> T {
        let value = y / x * y_bar;
        if is_normal(y) { value } else { T::zero() }
    }
}

/// As [`spread`]: `y_bar` times the product of the other elements. Where the product of all is 0, not finite or has lost
/// digits, that of those before and of those behind; `before` is room for these.
pub fn spread_others<T: Functions>(
    shape: &[usize],
    over: &[usize],
    [x, y, y_bar]: [&[T]; 3],
    x_bar: &mut [T],
    accumulate: bool,
    before: &mut Vec<T>,
) -> bool {
    let Some((n, inner)) = middle(shape, over) else { return false };
    spread(shape, over, [x, y, y_bar], x_bar, accumulate, Cofactor);
    let lost = y.iter().zip(y_bar).enumerate().filter(|(_, (y, _))| !is_normal(**y));
    for (lane, (_, &y_bar)) in lost {
        let at = |k: usize| (lane / inner * n + k) * inner + lane % inner;
        before.clear();
        before.extend((0..n).scan(T::one(), |product, k| {
            let before = *product;
            *product *= x[at(k)];
            Some(before)
        }));
        let mut behind = T::one();
        for k in (0..n).rev() {
            // Added to the 0 that stands there.
            x_bar[at(k)] += before[k] * behind * y_bar;
            behind *= x[at(k)];
        }
    }
    true
}

/// Writes (or adds) the contributions to the row-major `x_bar` of `shape`; `false` if the axes `over` do not lie together.
pub fn spread<T: Functions, C: Contribution<T>>(
    shape: &[usize],
    over: &[usize],
    [x, y, y_bar]: [&[T]; 3],
    x_bar: &mut [T],
    accumulate: bool,
    value: C,
) -> bool {
    let Some((n, inner)) = middle(shape, over) else { return false };
    let quick = !level::level().is_bare();
    if n * inner > 0 {
        in_pieces(n, inner, x_bar, &|start, rows, x_bar| {
            let (x, from) = (&x[start..][..x_bar.len()], start / (n * inner) * inner);
            let (y, y_bar) = (&y[from..], &y_bar[from..]);
            let piece = Spread { n: rows, inner, x, y, y_bar, x_bar, accumulate, value };
            match inner {
                1 if rows <= C::FEW && quick => level::run(Turned(piece)),
                1 if rows >= LANES && quick => level::run(Long(piece)),
                _ => level::run(piece),
            }
        });
    }
    true
}

struct Spread<'a, T, C> {
    n: usize,
    inner: usize,
    x: &'a [T],
    y: &'a [T],
    y_bar: &'a [T],
    x_bar: &'a mut [T],
    accumulate: bool,
    value: C,
}

impl<T: Functions, C: Contribution<T>> Kernel for Spread<'_, T, C> {
    type Output = ();

    #[inline(always)]
    fn call<const MODE: u8>(self) {
        let Spread { n, inner, x, y, y_bar, x_bar, accumulate, value } = self;
        let rows = x.chunks_exact(inner).zip(x_bar.chunks_exact_mut(inner));
        if inner == 1 {
            let lanes = x.chunks_exact(n).zip(x_bar.chunks_exact_mut(n));
            for ((x, x_bar), (&y, &y_bar)) in lanes.zip(y.iter().zip(y_bar)) {
                for (x_bar, &x) in x_bar.iter_mut().zip(x) {
                    let v = value.at::<MODE>(x, y, y_bar);
                    *x_bar = if accumulate { *x_bar + v } else { v };
                }
            }
            return;
        }
        for (k, (x, x_bar)) in rows.enumerate() {
            let at = k / n * inner;
            let (y, y_bar) = (&y[at..][..inner], &y_bar[at..][..inner]);
            for ((x_bar, &x), (&y, &y_bar)) in x_bar.iter_mut().zip(x).zip(y.iter().zip(y_bar)) {
                let v = value.at::<MODE>(x, y, y_bar);
                *x_bar = if accumulate { *x_bar + v } else { v };
            }
        }
    }
}

/// Short lanes one behind the other: as columns.
struct Turned<'a, T, C>(Spread<'a, T, C>);

impl<T: Functions, C: Contribution<T>> Kernel for Turned<'_, T, C> {
    type Output = ();
    const FOR_BARE: bool = false;

    #[inline(always)]
    fn call<const MODE: u8>(self) {
        let Spread { n, x, y, y_bar, x_bar, accumulate, value, .. } = self.0;
        let mut tile = Tile::new(n);
        let blocks = x.chunks(WIDTH * n).zip(x_bar.chunks_mut(WIDTH * n));
        for ((x, x_bar), (y, y_bar)) in blocks.zip(y.chunks(WIDTH).zip(y_bar.chunks(WIDTH))) {
            tile.load(x);
            let (y, y_bar) = (filled(y), filled(y_bar));
            for x in tile.lanes_mut() {
                for r in 0..WIDTH {
                    x[r] = value.at::<MODE>(x[r], y[r], y_bar[r]);
                }
            }
            tile.store(accumulate, x_bar);
        }
    }
}

/// Lanes one behind the other, each in whole vectors.
struct Long<'a, T, C>(Spread<'a, T, C>);

impl<T: Functions, C: Contribution<T>> Kernel for Long<'_, T, C> {
    type Output = ();
    const FOR_BARE: bool = false;

    #[inline(always)]
    fn call<const MODE: u8>(self) {
        let Spread { n, x, y, y_bar, x_bar, accumulate, value, .. } = self.0;
        let lanes = x.chunks_exact(n).zip(x_bar.chunks_exact_mut(n));
        for ((x, x_bar), (&y, &y_bar)) in lanes.zip(y.iter().zip(y_bar)) {
            put(x_bar, [x], accumulate, |[x]| value.at::<MODE>(x, y, y_bar));
        }
    }
}
