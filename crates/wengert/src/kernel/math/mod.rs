//! Elementary functions as plain branch-free Rust, so that a loop over them becomes vector code.
//!
//! std's functions are calls into scalar libm: 5-15 ns an element, and a loop around a call stays scalar. These are
//! inlined into the loop instead; inside a `#[target_feature]` function (what `pulp` makes) LLVM turns the loop into
//! AVX-512, AVX2 or SSE2 code. Special values are those of C99 and std. NaN payloads are not kept.
//!
//! Every bound is in ulp of the exact result, over the whole domain, subnormals included, with and without FMA. Bounds
//! are measured, with a margin, not proved: on references cut off 16 bits past the last place, and in `f32` on a million
//! arguments against std's `f64`.
//!
//! No tables (a gather costs more than three more coefficients) and no branches. Where a branch-free form does not
//! pay, sin, cos and tan past a million, [`Elementary::is_far`] says so and the caller's loop takes std for the block:
//! their results there are meaningless. A division is the dearest instruction here: no function has more than two.

mod compensated;
mod erf;
mod exp;
mod format;
mod hyperbolic;
mod inverse_trig;
mod log;
mod pair;
mod pow;
mod root;
#[cfg(test)]
mod tests;
mod trig;

/// Coefficients from the constant term up, by Horner's rule in the square of `x` over pairs of them. One by one each
/// multiply-add would wait for the one before it, and the dozens of terms in a loop are more than a machine looks ahead.
macro_rules! polynomial {
    ($fma:ident, $x:expr, $a:expr, $b:expr, $c:expr) => {
        Format::fma::<$fma>(Format::fma::<$fma>($c, $x, $b), $x, $a)
    };
    ($fma:ident, $x:expr, $($c:expr),+) => {{
        let x = $x;
        let square = x * x;
        polynomial!(@ $fma, x, square, $($c),+)
    }};
    (@ $fma:ident, $x:ident, $square:ident, $a:expr) => { $a };
    (@ $fma:ident, $x:ident, $square:ident, $a:expr, $b:expr) => {
        Format::fma::<$fma>($b, $x, $a)
    };
    (@ $fma:ident, $x:ident, $square:ident, $a:expr, $b:expr, $($rest:expr),+) => {
        Format::fma::<$fma>(
            polynomial!(@ $fma, $x, $square, $($rest),+),
            $square,
            Format::fma::<$fma>($b, $x, $a),
        )
    };
}
use polynomial;

/// One function in the tests: name, bound, itself at both settings of `FMA` on a slice of arguments.
#[cfg(test)]
struct Row<T> {
    name: &'static str,
    bound: f64,
    plain: fn(&[T]) -> T,
    fused: fn(&[T]) -> T,
    /// The fused function over slices at a level, as a kernel calls it; false if the machine lacks the level.
    sweep: fn(&str, &[T], &[T], &mut [T]) -> bool,
}

/// The table: what the function is, its name, the family that holds its algorithm, its bounds for f32 and f64.
macro_rules! elementary {
    ($($(#[$doc:meta])* $name:ident($($other:ident)?) = $family:path, $narrow:literal, $wide:literal;)*) => {
        /// The elementary functions of `f32` and `f64`. `FMA` says how `a * b + c` is computed: fused, on levels that
        /// have the instruction, or in two roundings.
        pub trait Elementary: Copy {
            $($(#[$doc])*
            ///
            #[doc = concat!("Off by at most ", $narrow, " ulp in `f32`, ", $wide, " in `f64`.")]
            fn $name<const FMA: bool>(self $(, $other: Self)?) -> Self;)*

            /// `e^x` for `x` up to 20, such as differences from the largest of some numbers, in three quarters of the work of `exp`,
            /// and off by as little.
            fn exp_low<const FMA: bool>(self) -> Self;

            /// Whether `sin`, `cos` and `tan` of this argument are beyond the reduction here: take std's.
            fn is_far(self) -> bool;
        }
        elementary!(@impl f32 $($name($($other)?) = $family, $narrow;)*);
        elementary!(@impl f64 $($name($($other)?) = $family, $wide;)*);
    };
    (@impl $t:ident $($name:ident($($other:ident)?) = $family:path, $bound:literal;)*) => {
        impl Elementary for $t {
            $(#[inline(always)]
            fn $name<const FMA: bool>(self $(, $other: Self)?) -> Self {
                <$t as $family>::$name::<FMA>(self $(, $other)?)
            })*

            #[inline(always)]
            fn exp_low<const FMA: bool>(self) -> Self {
                <$t as exp::Exponential>::exp_low::<FMA>(self)
            }

            #[inline(always)]
            fn is_far(self) -> bool {
                <$t as trig::Trigonometric>::is_far(self)
            }
        }

        #[cfg(test)]
        impl tests::Tested for $t {
            const ROWS: &'static [Row<$t>] = &[$(Row {
                name: stringify!($name),
                bound: $bound,
                plain: |a| <$t as $family>::$name::<false>(a[0] $(, { let $other = a[1]; $other })?),
                fused: |a| <$t as $family>::$name::<true>(a[0] $(, { let $other = a[1]; $other })?),
                sweep: |level, x, y, out| tests::vectorize(level, #[inline(always)] || {
                    for ((x, y), out) in x.iter().zip(y).zip(out) {
                        let _ = y;
                        *out = <$t as $family>::$name::<true>(*x $(, { let $other = *y; $other })?);
                    }
                }),
            }),*];
        }
    };
}

elementary! {
    /// e^x.
    exp() = exp::Exponential, 1.1, 1.1;
    /// 2^x.
    exp2() = exp::Exponential, 1.1, 1.1;
    /// e^x - 1.
    expm1() = exp::Exponential, 1.2, 1.1;
    /// e^(-x^2), the square to twice the digits.
    exp_neg_square() = exp::Exponential, 1.0, 1.0;
    /// e^(-x^2 / 2), the square to twice the digits.
    exp_neg_half_square() = exp::Exponential, 1.0, 1.0;
    /// Natural logarithm.
    log() = log::Logarithm, 0.7, 0.7;
    /// Logarithm to base 2.
    log2() = log::Logarithm, 0.7, 0.7;
    /// Logarithm to base 10.
    log10() = log::Logarithm, 0.7, 0.7;
    /// log(1 + x).
    log1p() = log::Logarithm, 0.8, 0.8;
    /// Hyperbolic tangent.
    tanh() = hyperbolic::Hyperbolic, 2.0, 2.0;
    /// The derivative of tanh, 1 / cosh(x)^2.
    tanh_prime() = hyperbolic::Hyperbolic, 2.0, 2.0;
    /// Hyperbolic sine.
    sinh() = hyperbolic::Hyperbolic, 1.8, 1.6;
    /// Hyperbolic cosine.
    cosh() = hyperbolic::Hyperbolic, 1.2, 1.3;
    /// 1 / cosh x.
    sech() = hyperbolic::Hyperbolic, 1.4, 1.4;
    /// The logistic function 1 / (1 + e^-x).
    sigmoid() = hyperbolic::Hyperbolic, 1.8, 1.7;
    /// log(1 + e^x).
    softplus() = hyperbolic::Hyperbolic, 1.8, 1.5;
    /// sigmoid(x p), the product to twice the digits.
    sigmoid_scaled(p) = compensated::Compensated, 1.9, 1.9;
    /// softplus(x p), the product to twice the digits.
    softplus_scaled(p) = compensated::Compensated, 2.1, 2.1;
    /// e^(x / p), the quotient to twice the digits.
    exp_over(p) = compensated::Compensated, 1.1, 1.1;
    /// sigmoid(x - b), the difference to twice the digits.
    sigmoid_gap(b) = compensated::Compensated, 1.9, 1.9;
    /// 2^x / (2^x + 2^b), the difference to twice the digits.
    sigmoid2_gap(b) = compensated::Compensated, 1.9, 1.9;
    /// sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)), the cubic to twice the digits.
    gelu_gate() = compensated::Compensated, 1.9, 1.9;
    /// log(sigmoid(x)).
    log_sigmoid() = hyperbolic::Hyperbolic, 1.8, 1.5;
    /// Inverse of sinh.
    asinh() = hyperbolic::Hyperbolic, 1.2, 1.1;
    /// Inverse of cosh, NaN below 1.
    acosh() = hyperbolic::Hyperbolic, 1.4, 1.4;
    /// Inverse of tanh, NaN beyond 1.
    atanh() = hyperbolic::Hyperbolic, 0.8, 0.8;
    /// Sine.
    sin() = trig::Trigonometric, 0.6, 0.9;
    /// Cosine.
    cos() = trig::Trigonometric, 0.6, 0.9;
    /// Tangent.
    tan() = trig::Trigonometric, 0.6, 1.0;
    /// Inverse of sin, NaN beyond 1.
    asin() = inverse_trig::InverseTrigonometric, 0.7, 1.4;
    /// Inverse of cos, NaN beyond 1.
    acos() = inverse_trig::InverseTrigonometric, 0.7, 1.4;
    /// Inverse of tan.
    atan() = inverse_trig::InverseTrigonometric, 0.6, 0.8;
    /// The angle of the point (x, self).
    atan2(x) = inverse_trig::InverseTrigonometric, 0.6, 0.8;
    /// Error function.
    erf() = erf::ErrorFunction, 1.1, 1.0;
    /// 1 - erf x.
    erfc() = erf::ErrorFunction, 2.0, 2.0;
    /// Probability that a standard normal variable is below x.
    ndtr() = erf::ErrorFunction, 2.0, 2.0;
    /// `self` to the power `exponent`.
    pow(exponent) = pow::Power, 0.6, 1.0;
    /// Cube root.
    cbrt() = root::Root, 0.6, 0.6;
    /// sqrt(self^2 + other^2).
    hypot(other) = root::Root, 0.6, 1.2;
}
