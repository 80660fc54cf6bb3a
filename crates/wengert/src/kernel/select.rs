//! Comparisons and selection by a mask on arrays that broadcast: tile by tile, as loops over what lies one behind the other.

use crate::kernel::level::{Kernel, run};
use crate::kernel::operand::Operand;
use crate::kernel::real::Real;
use crate::op::Compare;

/// Elements of a tile.
const TILE: usize = 512;

/// `out = mask ? yes : no`
pub fn select<T: Real>(mask: &Operand<'_, bool>, yes: &Operand<'_, T>, no: &Operand<'_, T>, out: &mut [T]) {
    let (mut m, mut y, mut n) = ([false; TILE], [T::zero(); TILE], [T::zero(); TILE]);
    for (k, out) in out.chunks_mut(TILE).enumerate() {
        let (start, len) = (k * TILE, out.len());
        let mask = mask.load(start, &mut m[..len]);
        let (yes, no) = (yes.load(start, &mut y[..len]), no.load(start, &mut n[..len]));
        run(Select { mask, yes, no, out });
    }
}

/// `out = y_bar` where `mask` is `on`, 0 elsewhere; or that added.
pub fn pass<T: Real>(mask: &Operand<'_, bool>, on: bool, y_bar: &[T], out: &mut [T], accumulate: bool) {
    let mut m = [false; TILE];
    for (k, (out, y_bar)) in out.chunks_mut(TILE).zip(y_bar.chunks(TILE)).enumerate() {
        let mask = mask.load(k * TILE, &mut m[..out.len()]);
        run(Pass { mask, on, y_bar, out, accumulate });
    }
}

/// `out = a op b`
pub fn compare<T: Real>(op: Compare, a: &Operand<'_, T>, b: &Operand<'_, T>, out: &mut [bool]) {
    let (mut x, mut y) = ([T::zero(); TILE], [T::zero(); TILE]);
    for (k, out) in out.chunks_mut(TILE).enumerate() {
        let (start, len) = (k * TILE, out.len());
        let (a, b) = (a.load(start, &mut x[..len]), b.load(start, &mut y[..len]));
        run(Holds { op, a, b, out });
    }
}

struct Select<'a, T> {
    mask: &'a [bool],
    yes: &'a [T],
    no: &'a [T],
    out: &'a mut [T],
}

impl<T: Real> Kernel for Select<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call<const MODE: u8>(self) {
        let sides = self.yes.iter().zip(self.no);
        for (out, (mask, (yes, no))) in self.out.iter_mut().zip(self.mask.iter().zip(sides)) {
            *out = if *mask { *yes } else { *no };
        }
    }
}

struct Pass<'a, T> {
    mask: &'a [bool],
    on: bool,
    y_bar: &'a [T],
    out: &'a mut [T],
    accumulate: bool,
}

impl<T: Real> Kernel for Pass<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call<const MODE: u8>(self) {
        for (out, (mask, y_bar)) in self.out.iter_mut().zip(self.mask.iter().zip(self.y_bar)) {
            let value = if *mask == self.on { *y_bar } else { T::zero() };
            *out = if self.accumulate { *out + value } else { value };
        }
    }
}

struct Holds<'a, T> {
    op: Compare,
    a: &'a [T],
    b: &'a [T],
    out: &'a mut [bool],
}

impl<T: Real> Kernel for Holds<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call<const MODE: u8>(self) {
        macro_rules! each {
            ($($Op:ident $holds:tt)*) => { match self.op { $(Compare::$Op => {
                for (out, (a, b)) in self.out.iter_mut().zip(self.a.iter().zip(self.b)) {
                    *out = a $holds b;
                }
            })* } };
        }
        each! { Eq == Ne != Lt < Le <= Gt > Ge >= }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::walk::Walk;

    /// A mask along rows, one side along columns, the other one number; more elements than a tile.
    #[test]
    fn broadcast_arguments_equal_plain_loops() {
        let (rows, columns) = (40, 33);
        let flags: Vec<bool> = (0..columns).map(|j| j % 3 == 0).collect();
        let side: Vec<f64> = (0..rows).map(|i| i as f64).collect();
        let mask = Operand { data: &flags, first: 0, walk: Walk::new(&[rows, columns], &[0, 1]) };
        let yes = Operand { data: &side, first: 0, walk: Walk::new(&[rows, columns], &[1, 0]) };
        let no = Operand { data: &[-1.0], first: 0, walk: Walk::new(&[rows, columns], &[0, 0]) };
        let mut out = vec![0.0; rows * columns];
        select(&mask, &yes, &no, &mut out);
        let mut below = vec![false; rows * columns];
        compare(Compare::Lt, &yes, &Operand { data: &[7.0], first: 0, walk: no.walk.clone() }, &mut below);
        let y_bar: Vec<f64> = (0..rows * columns).map(|k| k as f64).collect();
        let mut bar = y_bar.clone();
        pass(&mask, false, &y_bar, &mut bar, true);
        for k in 0..rows * columns {
            let (i, j) = (k / columns, k % columns);
            assert_eq!(out[k], if j % 3 == 0 { i as f64 } else { -1.0 });
            assert_eq!(below[k], i < 7);
            assert_eq!(bar[k], if j % 3 == 0 { k as f64 } else { 2.0 * k as f64 });
        }
    }
}
