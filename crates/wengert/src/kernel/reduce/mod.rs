//! Reductions of an array over any of its axes.
//!
//! What is reduced together is a *lane*. Where an array is `[outer, n, inner]` without gaps and the middle is reduced, lanes
//! are read where they lie: one by one if `inner` is 1, else side by side, in the order of memory. All other arrays are
//! copied to such a block first; short ones that lie one by one are turned, a few at a time. A reduction is written once, as a few passes over a [`Bundle`] of lanes. Nothing here
//! allocates, but for arrays of more than four axes.

pub(super) mod bundle;
mod kinds;
mod norm;
mod passes;
mod position;
pub mod scan;
mod spread;
#[cfg(test)]
mod tests;

use ndarray::ArrayViewD;

use crate::kernel::functions::Functions;
use crate::kernel::level::{self, Kernel};
use crate::kernel::operand::Operand;
use crate::kernel::scratch::{self, Scratch, room};
use crate::kernel::threads::{self, PIECE};
use crate::kernel::tile::Tile;
use crate::shape::{Shape, outermost_first};
pub use bundle::Bundle;
use bundle::{BLOCK, LONG};
pub use kinds::{Extreme, LogSumExp, Product, Sum, Ties, Variance};
pub use norm::norm;
use passes::WIDTH;
pub use position::position;
pub use spread::{Contribution, Deviation, Direction, ExpShare, Tied, repeat, spread, spread_others};

/// So many pieces suffice to share work among threads.
const MANY: usize = 8;
/// Elements of lanes that are turned into columns first: fewer than stand side by side.
const FEW: usize = 24;
/// Elements of lanes that are reduced together: passes find them in the first-level cache.
const NEAR: usize = 2048;

/// What becomes of a lane.
pub trait Reduction<T: Functions>: Send + Sync {
    /// The results of a bundle of lanes, in passes over it.
    fn of(&self, lanes: &Bundle<'_, T>, out: &mut [T]);
}

/// Reduces `x` over the axes `over`: one element of `out` for each element of the other axes, in row-major order.
pub fn reduce<T: Functions>(x: &ArrayViewD<'_, T>, over: &[usize], out: &mut [T], how: impl Reduction<T>) {
    in_blocks(x, over, out, &how);
}

/// Finds the blocks that a reduction is made of.
fn in_blocks<T: Functions>(x: &ArrayViewD<'_, T>, over: &[usize], out: &mut [T], how: &dyn Reduction<T>) {
    // Of these reductions none depends on the order within a lane: take that of memory.
    let mut over = Shape::from_slice(over);
    outermost_first(&mut over, x.strides());
    if let Some(block) = Block::of(x, &over) {
        return in_pieces(block, out, how);
    }
    let mut kept: Shape = (0..x.ndim()).filter(|k| !over.contains(k)).collect();
    let near =
        |axes: &[usize]| axes.iter().filter(|&&k| x.shape()[k] > 1).map(|&k| x.strides()[k].abs()).min();
    let inner: usize = kept.iter().map(|&k| x.shape()[k]).product();
    // The axis along which neighbours lie comes last.
    let aside = inner > 1 && near(&kept) < near(&over);
    let order = if aside {
        over.append(&mut kept);
        over
    } else {
        kept.append(&mut over);
        kept
    };
    let x = x.view().permuted_axes(&order[..]);
    scratch::with(|Scratch { dense: [copy, ..], .. }| {
        let copy = room(copy, x.len());
        Operand::viewed(&x).copy_to(copy);
        let n = x.len().checked_div(inner).unwrap_or(0);
        in_pieces(Block::whole(copy, n, if aside { inner } else { 1 }), out, how);
    });
}

/// Shares lanes among threads: blocks where there are several, else columns; what is left are long lanes ([`bundle`]).
fn in_pieces<T: Functions>(block: Block<'_, T>, out: &mut [T], how: &dyn Reduction<T>) {
    let Block { x, n, inner, .. } = block;
    if x.is_empty() || out.is_empty() || !threads::pays(x.len()) {
        return blocks(block, out, how);
    }
    let outer = out.len() / inner;
    if outer >= MANY || (outer > 1 && n * inner < LONG) {
        let rows = (PIECE / (n * inner)).max(1);
        let pieces = x.chunks(rows * n * inner).zip(out.chunks_mut(rows * inner));
        return threads::each(pieces, |(x, out)| blocks(Block::whole(x, n, inner), out, how));
    }
    if outer == 1 && inner >= MANY * WIDTH {
        let width = (PIECE / n).max(2 * WIDTH).next_multiple_of(WIDTH);
        return threads::each(out.chunks_mut(width).enumerate(), |(k, out)| {
            let columns = k * width..k * width + out.len();
            blocks(Block { columns: (columns.start, columns.end), ..block }, out, how);
        });
    }
    blocks(block, out, how);
}

/// Reduces a block, bundle by bundle.
fn blocks<T: Functions>(block: Block<'_, T>, out: &mut [T], how: &dyn Reduction<T>) {
    let Block { x, n, inner, columns: (start, end) } = block;
    if inner == 1 && (1..=FEW).contains(&n) {
        let mut tile = Tile::new(n);
        for (x, out) in x.chunks(n * WIDTH).zip(out.chunks_mut(WIDTH)) {
            level::run(Turn { rows: x, tile: &mut tile });
            how.of(&Bundle { x: tile.flat(), n, inner: WIDTH, first: 0, width: out.len() }, out);
        }
        return;
    }
    if inner == 1 {
        let some = if n <= BLOCK { (NEAR / n.max(1)).clamp(1, WIDTH) } else { 1 };
        for (k, out) in out.chunks_mut(some).enumerate() {
            let x = &x[k * some * n..][..out.len() * n];
            how.of(&Bundle { x, n, inner, first: 0, width: out.len() }, out);
        }
        return;
    }
    for (o, out) in out.chunks_exact_mut((end - start).max(1)).enumerate() {
        let x = &x[o * n * inner..][..n * inner];
        for (c, out) in out.chunks_mut(WIDTH).enumerate() {
            how.of(&Bundle { x, n, inner, first: start + c * WIDTH, width: out.len() }, out);
        }
    }
}

/// Fills a tile.
struct Turn<'a, T> {
    rows: &'a [T],
    tile: &'a mut Tile<T>,
}

impl<T: Functions> Kernel for Turn<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call<const MODE: u8>(self) {
        self.tile.load(self.rows);
    }
}

/// An array of `[outer, n, inner]` elements without gaps, to be reduced over the middle.
#[derive(Clone, Copy)]
pub(super) struct Block<'a, T> {
    pub x: &'a [T],
    pub n: usize,
    pub inner: usize,
    /// First and end of those among the `inner` that are reduced.
    columns: (usize, usize),
}

impl<'a, T> Block<'a, T> {
    fn whole(x: &'a [T], n: usize, inner: usize) -> Self {
        Block { x, n, inner, columns: (0, inner) }
    }

    /// `x` as such a block, if the axes `over` can be its middle while the others keep their order.
    pub fn of(x: &ArrayViewD<'a, T>, over: &[usize]) -> Option<Self> {
        let kept: Shape = (0..x.ndim()).filter(|k| !over.contains(k)).collect();
        let len = |axes: &[usize]| axes.iter().map(|&k| x.shape()[k]).product();
        (0..=kept.len()).rev().find_map(|outer| {
            let order: Shape = kept[..outer].iter().chain(over).chain(&kept[outer..]).copied().collect();
            let slice = x.clone().permuted_axes(&order[..]).to_slice()?;
            Some(Block::whole(slice, len(over), len(&kept[outer..])))
        })
    }
}

/// Calls `f` on each lane, in the row-major order of the other axes.
pub(super) fn each_lane<'a, T>(x: &ArrayViewD<'a, T>, over: &[usize], mut f: impl FnMut(ArrayViewD<'_, T>)) {
    fn descend<T>(x: ArrayViewD<'_, T>, depth: usize, f: &mut impl FnMut(ArrayViewD<'_, T>)) {
        match depth {
            0 => f(x),
            _ => x.outer_iter().for_each(|x| descend(x, depth - 1, f)),
        }
    }
    let kept: Shape = (0..x.ndim()).filter(|k| !over.contains(k)).collect();
    let order: Shape = kept.iter().chain(over).copied().collect();
    descend(x.view().permuted_axes(&order[..]), kept.len(), &mut f);
}
