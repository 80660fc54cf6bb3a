//! Norms of any order.

use ndarray::{ArrayViewD, IxDyn};

use super::kinds::{PlainNorm, Sum, usable};
use super::reduce;
use crate::kernel::elementwise::{Map, map_forward};
use crate::kernel::functions::Functions;
use crate::kernel::operand::Operand;
use crate::kernel::scratch::{self, Scratch};
use crate::kernel::threads;
use crate::kernel::walk::Walk;
use crate::op::Tuned;
use crate::shape::{Layout, reduced};

/// Elements that are divided at a time.
const TILE: usize = 512;

/// `(sum |x|^p)^(1/p)` over the axes `over`, as [`reduce`].
///
/// Powers are taken of all elements together, each divided by the largest of its lane (the smallest if `p < 0`), so that
/// nothing overflows or underflows.
pub fn norm<T: Functions>(x: &ArrayViewD<'_, T>, over: &[usize], p: f64, out: &mut [T]) {
    if p == 0.0 || p == 1.0 || p == 2.0 || p.is_infinite() {
        return reduce(x, over, out, PlainNorm { p });
    }
    reduce(x, over, out, PlainNorm { p: f64::INFINITY.copysign(p) });
    let kept = Layout::contiguous(&reduced(x.shape(), over, true));
    let walk = Walk::new(x.shape(), &kept.broadcast_strides(x.shape()));
    let elements = Operand::viewed(x);
    scratch::with(|Scratch { dense: [powers, scales, sums], .. }| {
        scales.clear();
        scales.extend(out.iter().map(|&s| if usable(s) { s } else { T::one() }));
        let scales = Operand { data: scales, first: 0, walk };
        let fill = |start: usize, powers: &mut [T]| {
            let [mut a, mut b] = [[T::zero(); TILE]; 2];
            for (k, powers) in powers.chunks_mut(TILE).enumerate() {
                let (n, start) = (powers.len(), start + k * TILE);
                let pairs = elements.load(start, &mut a[..n]).iter().zip(scales.load(start, &mut b[..n]));
                powers.iter_mut().zip(pairs).for_each(|(ratio, (x, scale))| *ratio = x.abs() / *scale);
                a[..n].copy_from_slice(powers);
                map_forward(Map::Tuned(Tuned::Powf, [p, 0.0]), &a[..n], powers);
            }
        };
        powers.resize(x.len(), T::zero());
        threads::pieces(powers, fill);
        sums.resize(out.len(), T::zero());
        let powers = ArrayViewD::from_shape(IxDyn(x.shape()), powers).expect("as many as elements");
        reduce(&powers, over, sums, Sum { divisor: 1.0 });
        for (norm, sum) in out.iter_mut().zip(sums) {
            if usable(*norm) {
                *norm *= sum.powf(T::one() / T::of(p));
            }
        }
    });
}
