//! [`Words`]: what a derivative is written in. One expression serves numbers in kernels and values recorded on a tape.
//!
//! Invariant: no rule is written twice. Whoever implements these words gets every partial of the elementwise table.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::op::Params;
use crate::op::table::{binary_table, tuned_table, unary_table};

pub(crate) const SELU_ALPHA: f64 = 1.673_263_242_354_377_284_817_042_991_671_7;
pub(crate) const SELU_SCALE: f64 = 1.050_700_987_355_480_493_419_334_985_294_6;
/// `1 / sqrt(2 pi)`
pub(crate) const INV_SQRT_TAU: f64 = 0.398_942_280_401_432_677_939_946_059_934_4;
const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_355_879_892_119_868_8;
const SQRT_TAU: f64 = 2.506_628_274_631_000_502_415_765_284_811;
const HALF_SQRT_PI: f64 = 0.886_226_925_452_758_013_649_083_741_670_6;
const GELU_CUBIC: f64 = 0.044_715;

macro_rules! unary_words {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        /// The elementwise ops of one argument, as words.
        pub trait UnaryWords: Copy { $($(#[$doc])* fn $name(self) -> Self;)* }
    };
}
macro_rules! tuned_words {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        /// The elementwise ops of one argument with attributes, as words.
        pub trait TunedWords: Copy { $($(#[$doc])* fn $name(self, p: Params) -> Self;)* }
    };
}
unary_table!(unary_words);
tuned_table!(tuned_words);

/// The elementwise ops of two arguments that partials are written with; arithmetic has its operators.
pub trait BinaryWords: Copy {
    fn pow(self, other: Self) -> Self;
    fn hypot(self, other: Self) -> Self;
    fn sigmoid_gap(self, other: Self) -> Self;
    fn sigmoid2_gap(self, other: Self) -> Self;
    fn digamma_gap(self, other: Self) -> Self;
    fn log_digamma_gap(self, other: Self) -> Self;
    /// `polygamma(n, a + b) - polygamma(n, a)`.
    fn polygamma_gap(self, other: Self, n: u32) -> Self;
    fn gammainc_dx(self, other: Self) -> Self;
    /// The partial of `gammainc` to its first argument.
    fn gammainc_da(self, other: Self) -> Self;
}

/// Numbers, or values recorded on a tape: whatever a partial can be evaluated on.
pub trait Words:
    UnaryWords
    + TunedWords
    + BinaryWords
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// The result of a comparison.
    type Mask: Copy;
    /// Whether partials are recorded, to be differentiated again: they are then written so that their own derivatives do not
    /// cancel. Where only the number counts, it may be made from the op's result.
    const RECORDED: bool;
    /// A constant of the same kind as `self`.
    fn lit(self, value: f64) -> Self;
    fn lt(self, other: Self) -> Self::Mask;
    fn le(self, other: Self) -> Self::Mask;
    fn gt(self, other: Self) -> Self::Mask;
    fn ge(self, other: Self) -> Self::Mask;
    fn eq(self, other: Self) -> Self::Mask;
    /// `yes` where the mask holds, `no` elsewhere.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// `e^x` for `x` up to 20.
    #[inline(always)]
    fn exp_low(self) -> Self {
        self.exp()
    }
}

/// `yes` where the mask holds, `no` elsewhere.
#[inline(always)]
pub(crate) fn select<N: Words>(mask: N::Mask, yes: N, no: N) -> N {
    N::select(mask, yes, no)
}

/// `x` without infinities: to be multiplied by what vanishes faster.
#[inline(always)]
pub(crate) fn bounded<N: Words>(x: N) -> N {
    x.clamp([-1e30, 1e30])
}

/// `x` without minus infinity, as [`bounded`].
#[inline(always)]
pub(crate) fn bounded_below<N: Words>(x: N) -> N {
    x.clamp([-1e30, f64::INFINITY])
}

/// The derivative of tanh at `x` with value `y`: not `1 - y^2`, which would cancel (1e-8 at x = 10, 0 beyond 19).
#[inline(always)]
pub(crate) fn tanh_slope<N: Words>(x: N, y: N) -> N {
    if N::RECORDED {
        return x.tanh_prime();
    }
    // sech^2 = 4 t / (1 + t)^2 and 1 + tanh = 2 / (1 + t), for t = e^-2|x|, which tanh takes too
    let root = x.lit(1.0) + y.abs();
    root * (-(x + x).abs()).exp_low() * root
}

/// The derivative of sigmoid at `x` with value `y`: not `y (1 - y)`, which would cancel as for tanh.
#[inline(always)]
pub(crate) fn sigmoid_slope<N: Words>(x: N, y: N) -> N {
    if N::RECORDED {
        return x.sigmoid_prime();
    }
    // sigmoid(-x) = e^-x sigmoid(x), and of the two it is the lesser that would cancel; e^-|x| sigmoid takes too
    y * select(x.lt(x.lit(0.0)), x.lit(1.0) - y, (-x.abs()).exp_low() * y)
}

/// The derivative of `gelu` at `x` with value `y`.
#[inline(always)]
pub(crate) fn gelu_slope<N: Words>(x: N, y: N) -> N {
    let below = if N::RECORDED {
        x.ndtr()
    } else {
        let tiny = x.abs().lt(x.lit(1e-30));
        select(tiny, x.lit(0.5), bounded(y) / bounded(x))
    };
    below + bounded(x) * x.lit(INV_SQRT_TAU) * x.half_gaussian()
}

/// The derivative of `i1` at `x` with value `y`.
#[inline(always)]
pub(crate) fn i1_slope<N: Words>(x: N, y: N) -> N {
    let i0 = x.i0();
    if N::RECORDED {
        return x.lit(0.5) * (i0 + x.iv([2.0, 0.0]));
    }
    let rest = select(x.abs().lt(x.lit(1e-30)), x.lit(0.5), y / x);
    select(i0.eq(x.lit(f64::INFINITY)), i0, i0 - rest)
}

/// The derivative of twice [`gelu_cubic`]: `0.5 (1 + tanh(u)) = sigmoid(2 u)`.
#[inline(always)]
pub(crate) fn gelu_cubic_slope<N: Words>(x: N) -> N {
    x.lit(2.0 * SQRT_2_OVER_PI) + x.lit(6.0 * SQRT_2_OVER_PI * GELU_CUBIC) * x * x
}

/// The derivative of `x * gelu_gate(x)`; beyond 1e10 it is 0 or 1.
#[inline(always)]
pub(crate) fn gelu_tanh_slope<N: Words>(x: N) -> N {
    let x = x.clamp([-1e10, 1e10]);
    x.gelu_gate() * (x.lit(1.0) + x * (-x).gelu_gate() * gelu_cubic_slope(x))
}

/// `1 - x^2`: neither it near the ends nor its own derivative near 0 cancels.
#[inline(always)]
pub(crate) fn one_minus_square<N: Words>(x: N) -> N {
    let one = x.lit(1.0);
    select(x.abs().lt(x.lit(0.5)), one - x * x, (one - x) * (one + x))
}

/// `a / y` for `y = hypot(a, b)`. Where it is near 1 it is written so that its own derivative does not cancel.
#[inline(always)]
pub(crate) fn cosine<N: Words>(a: N, b: N, y: N) -> N {
    let (cosine, sine) = (a / y, b / y);
    let near_one = a.sign() * (a.lit(1.0) - sine.square() / (a.lit(1.0) + cosine.abs()));
    select(a.abs().le(b.abs()), cosine, near_one)
}

/// `sigmoid(2 x) sigmoid(-2 x)`, which `product` is already. Near 0 it is written so that its own derivative does not cancel.
#[inline(always)]
pub(crate) fn logistic_slope<N: Words>(product: N, x: N) -> N {
    select(x.abs().lt(x.lit(0.5)), x.lit(0.25) * x.sech().square(), product)
}

/// The argument of the tanh in the approximate GELU, rounded.
#[inline(always)]
pub(crate) fn gelu_cubic<N: Words>(x: N) -> N {
    x * (x.lit(SQRT_2_OVER_PI) + x.lit(SQRT_2_OVER_PI * GELU_CUBIC) * x * x)
}

/// The derivative of `gelu_gate` at `x` with value `y`; beyond 1e10 it is 0.
#[inline(always)]
pub(crate) fn gelu_gate_slope<N: Words>(x: N, y: N) -> N {
    let x = x.clamp([-1e10, 1e10]);
    logistic_slope(y * (-x).gelu_gate(), gelu_cubic(x)) * gelu_cubic_slope(x)
}

/// The derivative of `erfinv` at `x` with value `y`. Near the ends `e^(y^2)` would carry the error of `y` times `2 y^2`;
/// there it is `erfcx(|y|) / erfc(|y|)`, and `erfc(|y|) = 1 - |x|`.
#[inline(always)]
pub(crate) fn erfinv_slope<N: Words>(x: N, y: N) -> N {
    let end = y.abs().clamp([0.0, 1e30]).erfcx() / (x.lit(1.0) - x.abs());
    x.lit(HALF_SQRT_PI) * select(x.abs().lt(x.lit(0.5)), y.gaussian().reciprocal(), end)
}

/// The derivative of `ndtri` at `x` with value `y`: as [`erfinv_slope`].
#[inline(always)]
pub(crate) fn ndtri_slope<N: Words>(x: N, y: N) -> N {
    let side = select(x.lt(x.lit(0.5)), x, x.lit(1.0) - x);
    let end =
        x.lit(0.5) * (y.abs().clamp([0.0, 1e30]) * x.lit(std::f64::consts::FRAC_1_SQRT_2)).erfcx() / side;
    x.lit(SQRT_TAU) * select(side.gt(x.lit(0.25)), y.half_gaussian().reciprocal(), end)
}

/// The derivative of `log_ndtr`: `pdf / ndtr`, below 0 by `erfcx`. Each form is kept from where it is 0 / 0, and both are
/// themselves on either side of 0, where they meet.
#[inline(always)]
pub(crate) fn log_ndtr_slope<N: Words>(x: N) -> N {
    let low = x.clamp([f64::NEG_INFINITY, 1.0]) * x.lit(-std::f64::consts::FRAC_1_SQRT_2);
    let high = x.lit(INV_SQRT_TAU) * x.half_gaussian() / x.clamp([-1.0, f64::INFINITY]).ndtr();
    select(x.lt(x.lit(0.0)), x.lit(SQRT_2_OVER_PI) / low.erfcx(), high)
}

/// 1 strictly between the bounds, 0 elsewhere; an infinite bound is none.
#[inline(always)]
pub(crate) fn between<N: Words>(x: N, [lo, hi]: [f64; 2]) -> N {
    let (inside, outside) = (x.lit(1.0), x.lit(0.0));
    let below = if hi == f64::INFINITY { inside } else { select(x.lt(x.lit(hi)), inside, outside) };
    if lo == f64::NEG_INFINITY { below } else { select(x.gt(x.lit(lo)), below, outside) }
}

/// The partial of `a^b` to `a`. `b - 1` is exact from 1/2 on; below, its rounding would count `log a` times.
#[inline(always)]
pub(crate) fn pow_slope<N: Words>(a: N, b: N, y: N) -> N {
    let not_zero = select(a.eq(a.lit(0.0)), a.lit(1.0), a);
    let direct = b * a.pow(b - b.lit(1.0));
    let small = select(a.eq(a.lit(0.0)), direct, b * (y / not_zero));
    let small = select(a.abs().eq(a.lit(f64::INFINITY)), direct, small);
    select(b.eq(b.lit(0.0)), a.lit(0.0), select(b.ge(b.lit(0.5)), direct, small))
}

/// The derivative of `x^p`: as [`pow_slope`].
#[inline(always)]
pub(crate) fn powf_slope<N: Words>(x: N, y: N, p: f64) -> N {
    if p == 0.0 {
        x.lit(0.0)
    } else if p >= 0.5 {
        x.powf([p - 1.0, 0.0]) * x.lit(p)
    } else {
        let end = |edge: f64, inner: N| select(x.abs().eq(x.lit(edge)), x.reciprocal(), inner);
        x.lit(p) * end(0.0, end(f64::INFINITY, y / x))
    }
}

/// `a / b`, and 0 for `0 / 0`.
#[inline(always)]
pub(crate) fn ratio_or_zero<N: Words>(a: N, b: N) -> N {
    select(b.eq(b.lit(0.0)), select(a.eq(a.lit(0.0)), a.lit(0.0), a / b), a / b)
}

/// Minus the whole quotient that `fmod` or `remainder` took away, by the exact rest `y`: `a / b` alone may round up.
#[inline(always)]
pub(crate) fn minus_quotient<N: Words>(a: N, b: N, y: N) -> N {
    ((y - a) / b).round()
}

macro_rules! unary_partial {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        /// The partial of a row at argument `x` with result `y`.
        #[inline]
        #[allow(unused_variables)]
        pub(crate) fn unary_partial<N: Words>(op: crate::op::Unary, x: N, y: N) -> N {
            match op { $(crate::op::Unary::$Variant => { let ($x, $y) = (x, y); $partial })* }
        }
    };
}
macro_rules! tuned_partial {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        /// The partial of a row at argument `x` with result `y` and attributes `p`.
        #[inline]
        #[allow(unused_variables)]
        pub(crate) fn tuned_partial<N: Words>(op: crate::op::Tuned, p: Params, x: N, y: N) -> N {
            match op {
                $(crate::op::Tuned::$Variant => { let ($x, $y, $p) = (x, y, p); $partial })*
            }
        }
    };
}
macro_rules! binary_partials {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$a:ident, $b:ident, $y:ident| $primal:expr, $pa:expr, $pb:expr, $da:expr, $db:expr;)*) => {
        /// The partial of a row to its argument `k` (0 or 1).
        #[inline(always)]
        #[allow(unused_variables)]
        pub(crate) fn binary_partial<N: Words>(op: crate::op::Binary, k: usize, a: N, b: N, y: N) -> N {
            match (op, k) { $(
                (crate::op::Binary::$Variant, 0) => { let ($a, $b, $y) = (a, b, y); $pa }
                (crate::op::Binary::$Variant, _) => { let ($a, $b, $y) = (a, b, y); $pb }
            )* }
        }
    };
}
unary_table!(unary_partial);
tuned_table!(tuned_partial);
binary_table!(binary_partials);
