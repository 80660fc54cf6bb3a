//! The primitive functions of the elementwise table, for both element types: vector code of our own where a loop runs over
//! arrays, the standard library for single numbers, special functions in `f64`.

use crate::kernel::conv::Lanes;
use crate::kernel::gemm::Gemm;
use crate::kernel::level::{PLAIN, SCALAR};
use crate::kernel::math::Elementary;
use crate::kernel::number;
use crate::kernel::real::Real;
use crate::kernel::special;
use crate::op::{Binary, Params, Tuned, Unary};

/// Whole powers that loops over elements take in a fixed number of products; so does the partial, which has one less.
pub const SMALL_POWERS: std::ops::RangeInclusive<f64> = -14.0..=15.0;

/// The order of a function, or of a derivative, if it is one that series are summed for.
fn order(n: f64) -> Option<u32> {
    (n <= 65536.0).then_some(n as u32)
}

macro_rules! primitives {
    (std: $($name:ident $std:ident)*; own: $($own:ident $method:ident)*; own_two: $($own2:ident)*; two: $($two:ident $std2:ident)*;
        special: $($special:ident)*; of_order: $($of_order:ident)*; special2: $($special2:ident)*) => {
        /// Primitive functions; `MODE` says for which kind of code (see `kernel::level`).
        #[allow(missing_docs)]
        pub trait Functions: Real + Elementary + Lanes + Gemm {
            $(#[inline(always)]
            fn $name<const MODE: u8>(self) -> Self {
                match MODE {
                    SCALAR => num_traits::Float::$std(self),
                    PLAIN => Elementary::$name::<false>(self),
                    _ => Elementary::$name::<true>(self),
                }
            })*
            $(#[inline(always)]
            fn $own<const MODE: u8>(self) -> Self {
                match MODE {
                    SCALAR | PLAIN => Elementary::$method::<false>(self),
                    _ => Elementary::$method::<true>(self),
                }
            })*
            $(#[inline(always)]
            fn $own2<const MODE: u8>(self, other: Self) -> Self {
                match MODE {
                    SCALAR | PLAIN => Elementary::$own2::<false>(self, other),
                    _ => Elementary::$own2::<true>(self, other),
                }
            })*
            $(#[inline(always)]
            fn $two<const MODE: u8>(self, other: Self) -> Self {
                match MODE {
                    SCALAR => num_traits::Float::$std2(self, other),
                    PLAIN => Elementary::$two::<false>(self, other),
                    _ => Elementary::$two::<true>(self, other),
                }
            })*
            $(#[inline(never)]
            fn $special(self) -> Self {
                Self::of(special::$special(self.as_f64()))
            })*
            $(#[inline(never)]
            fn $of_order(self, n: f64) -> Self {
                order(n).map_or(Self::nan(), |n| Self::of(special::$of_order(n, self.as_f64())))
            })*
            $(#[inline(never)]
            fn $special2(self, other: Self) -> Self {
                Self::of(special::$special2(self.as_f64(), other.as_f64()))
            })*
            #[inline(never)]
            fn ive_derivative(self, [n, k]: Params) -> Self {
                let orders = order(n).zip(order(k));
                orders.map_or(Self::nan(), |(n, k)| Self::of(special::ive_derivative(n, k, self.as_f64())))
            }
            #[inline(never)]
            fn polygamma_gap(self, b: Self, n: u32) -> Self {
                Self::of(special::polygamma_gap(n, self.as_f64(), b.as_f64()))
            }
            #[inline(never)]
            fn betainc(self, b: Self, x: Self) -> Self {
                Self::of(special::betainc(self.as_f64(), b.as_f64(), x.as_f64()))
            }
            #[inline(never)]
            fn betainc_dx(self, b: Self, x: Self) -> Self {
                Self::of(special::betainc_dx(self.as_f64(), b.as_f64(), x.as_f64()))
            }
            /// `self` to the whole power `n`, by squaring; accurate where a chain of products is. In loops over elements of
            /// [`SMALL_POWERS`] and their partials alone.
            #[inline(always)]
            fn powi_whole<const MODE: u8>(self, n: f64) -> Self {
                let n = n as i32;
                if MODE == SCALAR {
                    return num_traits::Float::powi(self, n);
                }
                // The same products whatever the power: vector code without a branch.
                debug_assert!(n.unsigned_abs() <= 15);
                let (mut y, mut square) = (Self::one(), self);
                for bit in 0..4 {
                    y = if n.unsigned_abs() >> bit & 1 == 1 { y * square } else { y };
                    square = square * square;
                }
                if n < 0 { Self::one() / y } else { y }
            }
            fn round_half_even(self) -> Self;
            /// Value and partial of a row at a single number, compiled here.
            fn unary_row(op: Unary, x: Self) -> (Self, Self);
            /// Value and partial of a row with attributes at a single number, compiled here.
            fn tuned_row(op: Tuned, p: Params, x: Self) -> (Self, Self);
            /// Value and partials of a row of two arguments at single numbers, compiled here.
            fn binary_row(op: Binary, a: Self, b: Self) -> (Self, [Self; 2]);
            /// A small argument with the same sine and cosine, for arguments beyond the vector code's range.
            fn wrapped(self) -> Self {
                match Elementary::is_far(self) {
                    true => Self::of(f64::atan2(self.as_f64().sin(), self.as_f64().cos())),
                    false => self,
                }
            }
        }
    };
}
primitives! {
    std: exp exp exp_low exp exp2 exp2 expm1 exp_m1 log ln log2 log2 log10 log10 log1p ln_1p cbrt cbrt sin sin cos cos tan tan asin asin acos acos atan atan sinh sinh cosh cosh tanh tanh asinh asinh;
    own: acosh acosh atanh atanh sech sech tanh_prime tanh_prime sigmoid sigmoid log_sigmoid log_sigmoid softplus softplus erf erf erfc erfc gaussian exp_neg_square half_gaussian exp_neg_half_square gelu_gate gelu_gate ndtr ndtr;
    own_two: sigmoid_scaled softplus_scaled exp_over sigmoid_gap sigmoid2_gap;
    two: pow powf atan2 atan2 hypot hypot;
    special: log_ndtr ndtri erfinv erfcx lgamma digamma sinc i0 i1 i0e i1e log1mexp tanhshrink;
    of_order: polygamma sinc_derivative erfcx_derivative iv;
    special2: betaln digamma_gap log_digamma_gap gammainc gammaincc gammainc_dx gammainc_da zeta
}

macro_rules! functions {
    ($($T:ty)*) => { $(impl Functions for $T {
        #[inline(always)]
        fn round_half_even(self) -> Self {
            self.round_ties_even()
        }
        fn unary_row(op: Unary, x: Self) -> (Self, Self) {
            number::unary_row(op, x)
        }
        fn tuned_row(op: Tuned, p: Params, x: Self) -> (Self, Self) {
            number::tuned_row(op, p, x)
        }
        fn binary_row(op: Binary, a: Self, b: Self) -> (Self, [Self; 2]) {
            number::binary_row(op, a, b)
        }
    })* };
}
functions! { f64 f32 }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_beyond_all_series_are_no_numbers() {
        for n in [1e5, 1e300, f64::INFINITY] {
            let values = [0.7.iv(n), 0.7.sinc_derivative(n), 0.7.erfcx_derivative(n), 0.7.polygamma(n)];
            let scaled = [0.7.ive_derivative([n, 2.0]), (-0.7).ive_derivative([3.0, n])];
            assert!(values.iter().chain(&scaled).all(|y: &f64| y.is_nan()), "{n}");
        }
        assert_eq!(0.7.iv(3.0), special::iv(3, 0.7));
    }
}
