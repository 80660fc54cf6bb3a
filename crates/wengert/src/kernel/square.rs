//! Squares of four by four elements, transposed in registers.
#![allow(unsafe_code)]

use crate::memory::Plain;

/// Rows and columns of a square.
pub const SIDE: usize = 4;

/// Lines of a square: rows or columns.
pub type Square<A> = [[A; SIDE]; SIDE];

/// The transpose.
///
/// By shuffles, where every machine of the target has them: of its own the compiler moves element by element.
#[inline(always)]
pub fn transposed<A: Plain>(x: Square<A>) -> Square<A> {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::*;
        use std::mem::transmute_copy;
        if size_of::<A>() == 4 {
            // SAFETY: plain elements of four bytes, sixteen of them on both sides.
            unsafe {
                let [a, b, c, d]: [__m128; SIDE] = transmute_copy(&x);
                let (low, high) = (
                    [_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d)],
                    [_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d)],
                );
                let halves = |[a, b]: [__m128; 2]| [_mm_movelh_ps(a, b), _mm_movehl_ps(b, a)];
                return transmute_copy(&[halves(low), halves(high)]);
            }
        }
        if size_of::<A>() == 8 {
            // SAFETY: as above, of eight bytes.
            unsafe {
                let x: [[__m128d; 2]; SIDE] = transmute_copy(&x);
                let row = |j: usize| {
                    let pair = |i: usize| {
                        let (a, b) = (x[i][j / 2], x[i + 1][j / 2]);
                        if j.is_multiple_of(2) { _mm_unpacklo_pd(a, b) } else { _mm_unpackhi_pd(a, b) }
                    };
                    [pair(0), pair(2)]
                };
                return transmute_copy(&[row(0), row(1), row(2), row(3)]);
            }
        }
    }
    std::array::from_fn(|c| std::array::from_fn(|r| x[r][c]))
}

/// The transpose of a larger square of these rows; `put(r, c, some)` gets the elements of its row `r` from `c` on.
#[inline(always)]
pub fn transpose_lines<A: Plain, const N: usize>(
    lines: [&[A; N]; N],
    mut put: impl FnMut(usize, usize, [A; SIDE]),
) {
    const { assert!(N.is_multiple_of(SIDE)) };
    for r in (0..N).step_by(SIDE) {
        for c in (0..N).step_by(SIDE) {
            let columns = std::array::from_fn(|k| {
                *lines[c + k][r..].first_chunk().expect("a square of the larger one")
            });
            for (k, row) in transposed(columns).into_iter().enumerate() {
                put(r + k, c, row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<A: Plain + PartialEq + std::fmt::Debug>(of: impl Fn(u8) -> A) {
        let square = |f: &dyn Fn(u8, u8) -> u8| {
            std::array::from_fn(|r| std::array::from_fn(|c| of(f(r as u8, c as u8))))
        };
        let (x, turned): (Square<A>, _) = (square(&|r, c| 4 * r + c), square(&|r, c| 4 * c + r));
        assert_eq!(transposed(x), turned);
    }

    #[test]
    fn rows_of_larger_squares_become_columns() {
        let x: [[f32; 8]; 8] = std::array::from_fn(|r| std::array::from_fn(|c| (8 * r + c) as f32));
        let mut out = [[0.0; 8]; 8];
        transpose_lines(x.each_ref(), |r, c, some| out[r][c..c + SIDE].copy_from_slice(&some));
        assert!((0..64).all(|i| out[i / 8][i % 8] == x[i % 8][i / 8]));
    }

    #[test]
    fn rows_become_columns_in_every_type() {
        check(f32::from);
        check(f64::from);
        check(i64::from);
        check(|k| k % 3 == 0);
    }
}
