//! Where the largest or smallest element of a lane stands.

use ndarray::ArrayViewD;

use super::{Block, Extreme, each_lane};
use crate::kernel::real::Real;

/// For each lane of `x` along `over` the position, in row-major order, of its first extreme element; a NaN counts as one.
///
/// # Panics
/// If lanes are empty.
pub fn position<'o, T: Real>(
    x: &ArrayViewD<'_, T>,
    over: &[usize],
    out: impl Iterator<Item = &'o mut i64>,
    which: Extreme,
) {
    match which {
        Extreme::Max => positions(x, over, out, |x, best| x > best),
        Extreme::Min => positions(x, over, out, |x, best| x < best),
    }
}

fn positions<'o, T: Real>(
    x: &ArrayViewD<'_, T>,
    over: &[usize],
    mut out: impl Iterator<Item = &'o mut i64>,
    beats: impl Fn(T, T) -> bool,
) {
    let block = Block::of(x, over).filter(|block| block.inner == 1 && block.n > 0);
    if let Some(Block { x, n, .. }) = block {
        return x.chunks_exact(n).zip(out).for_each(|(lane, out)| *out = first(lane.iter(), &beats));
    }
    each_lane(x, over, |lane| {
        let out = out.next().expect("as many results as lanes");
        *out = first(lane.iter(), &beats);
    });
}

fn first<'a, T: Real>(lane: impl Iterator<Item = &'a T>, beats: impl Fn(T, T) -> bool) -> i64 {
    let mut elements = lane.copied().zip(0..);
    let (mut best, mut at) = elements.next().expect("`infer` refuses empty lanes");
    for (x, k) in elements {
        if best.is_nan() {
            break;
        }
        if beats(x, best) || x.is_nan() {
            (best, at) = (x, k);
        }
    }
    at
}
