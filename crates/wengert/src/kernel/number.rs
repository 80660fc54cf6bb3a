//! Numbers as the elementwise table sees them: `Number<T, MODE>` is a `T` whose multiply-adds are fused or not.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::kernel::functions::Functions;
use crate::kernel::level::SCALAR;
use crate::kernel::real::Real;
use crate::op::Params;
use crate::op::table::{binary_table, tuned_table, unary_table};
use crate::words::*;

/// A number of a kernel: `MODE` says for which kind of code.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
#[repr(transparent)]
pub struct Number<T, const MODE: u8>(pub T);

macro_rules! arithmetic {
    ($($Op:ident $op:ident)*) => { $(impl<T: Real, const MODE: u8> $Op for Number<T, MODE> {
        type Output = Self;
        #[inline(always)]
        fn $op(self, other: Self) -> Self { Number(self.0.$op(other.0)) }
    })* };
}
arithmetic!(Add add Sub sub Mul mul Div div);

impl<T: Real, const MODE: u8> Neg for Number<T, MODE> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Number(-self.0)
    }
}

impl<T: Functions, const MODE: u8> Words for Number<T, MODE> {
    type Mask = bool;
    const RECORDED: bool = false;
    #[inline(always)]
    fn lit(self, value: f64) -> Self {
        Number(T::of(value))
    }
    #[inline(always)]
    fn lt(self, other: Self) -> bool {
        self.0 < other.0
    }
    #[inline(always)]
    fn le(self, other: Self) -> bool {
        self.0 <= other.0
    }
    #[inline(always)]
    fn gt(self, other: Self) -> bool {
        self.0 > other.0
    }
    #[inline(always)]
    fn ge(self, other: Self) -> bool {
        self.0 >= other.0
    }
    #[inline(always)]
    fn eq(self, other: Self) -> bool {
        self.0 == other.0
    }
    #[inline(always)]
    fn select(mask: bool, yes: Self, no: Self) -> Self {
        if mask { yes } else { no }
    }
    #[inline(always)]
    fn exp_low(self) -> Self {
        math::exp_low(self)
    }
}

/// The primitive functions that primals are written in.
pub(crate) mod math {
    use super::*;

    macro_rules! forward {
        ($($name:ident)*) => { $(
            #[inline(always)]
            pub fn $name<T: Functions, const F: u8>(x: Number<T, F>) -> Number<T, F> { Number(<T as Functions>::$name::<F>(x.0)) }
        )* };
    }
    macro_rules! forward2 {
        ($($name:ident)*) => { $(
            #[inline(always)]
            pub fn $name<T: Functions, const F: u8>(a: Number<T, F>, b: Number<T, F>) -> Number<T, F> {
                Number(<T as Functions>::$name::<F>(a.0, b.0))
            }
        )* };
    }
    macro_rules! special {
        ($($name:ident)*) => { $(
            #[inline(always)]
            pub fn $name<T: Functions, const F: u8>(x: Number<T, F>) -> Number<T, F> { Number(x.0.$name()) }
        )* };
    }
    macro_rules! special_of_order {
        ($($name:ident)*) => { $(
            #[inline(always)]
            pub fn $name<T: Functions, const F: u8>(x: Number<T, F>, n: f64) -> Number<T, F> {
                Number(Functions::$name(x.0, n))
            }
        )* };
    }
    macro_rules! special2 {
        ($($name:ident)*) => { $(
            #[inline(always)]
            pub fn $name<T: Functions, const F: u8>(a: Number<T, F>, b: Number<T, F>) -> Number<T, F> {
                Number(Functions::$name(a.0, b.0))
            }
        )* };
    }
    macro_rules! real {
        ($($name:ident)*) => { $(
            #[inline(always)]
            pub fn $name<T: Functions, const F: u8>(x: Number<T, F>) -> Number<T, F> {
                Number(num_traits::Float::$name(x.0))
            }
        )* };
    }
    forward!(exp exp_low exp2 expm1 log log2 log10 log1p cbrt sin cos tan asin acos atan sinh cosh tanh tanh_prime sech asinh acosh atanh
        sigmoid log_sigmoid softplus gelu_gate erf erfc ndtr gaussian half_gaussian);
    special!(log_ndtr ndtri erfinv erfcx lgamma digamma sinc i0 i1 i0e i1e log1mexp tanhshrink);
    special_of_order!(polygamma sinc_derivative erfcx_derivative iv);
    special2!(betaln digamma_gap log_digamma_gap gammainc gammaincc gammainc_dx gammainc_da);
    forward2!(pow atan2 hypot sigmoid_scaled softplus_scaled exp_over sigmoid_gap sigmoid2_gap);
    real!(sqrt abs floor ceil trunc);

    #[inline(always)]
    pub fn ive_derivative<T: Functions, const F: u8>(x: Number<T, F>, p: Params) -> Number<T, F> {
        Number(x.0.ive_derivative(p))
    }
    /// Entropy term `-x log x`: 0 at 0, -inf below.
    #[inline(always)]
    pub fn entr<T: Functions, const F: u8>(x: Number<T, F>) -> Number<T, F> {
        let (zero, term) = (T::zero(), -x.0 * <T as Functions>::log::<F>(x.0));
        let below = if x.0 == zero { zero } else { T::neg_infinity() };
        Number(if x.0 <= zero { below } else { term })
    }
    /// `log(x / (1 - x))` by what the ratio exceeds 1 by, which is exact next to 1/2; infinite at 0 and 1, NaN outside.
    #[inline(always)]
    pub fn logit<T: Functions, const F: u8>(x: Number<T, F>) -> Number<T, F> {
        let (one, two) = (T::one(), T::of(2.0));
        let low = x.0 < T::of(0.5);
        let side = if low { x.0 } else { one - x.0 };
        // The reciprocal of a subnormal number may be too large.
        let tiny = num_traits::Float::abs(side) < T::of(16.0) * T::min_positive_value();
        let (scaled, apart) = if tiny {
            (side * T::of(2f64.powi(64)), T::of(64.0 * std::f64::consts::LN_2))
        } else {
            (side, T::zero())
        };
        let log = <T as Functions>::log1p::<F>((one - two * side) / scaled) + apart;
        Number(if low { -log } else { log })
    }
    #[inline(always)]
    pub fn round<T: Functions, const F: u8>(x: Number<T, F>) -> Number<T, F> {
        Number(T::round_half_even(x.0))
    }
    #[inline(always)]
    pub fn rsqrt<T: Functions, const F: u8>(x: Number<T, F>) -> Number<T, F> {
        Number(T::one() / num_traits::Float::sqrt(x.0))
    }
    #[inline(always)]
    pub fn relu<T: Functions, const F: u8>(x: Number<T, F>) -> Number<T, F> {
        // NaN stays NaN: the comparison fails and x itself is taken.
        if x.0 <= T::zero() { Number(T::zero()) } else { x }
    }
    #[inline(always)]
    pub fn sign<T: Functions, const F: u8>(x: Number<T, F>) -> Number<T, F> {
        let (one, zero) = (T::one(), T::zero());
        Number((if x.0 > zero { one } else { zero }) - (if x.0 < zero { one } else { zero }))
    }
    #[inline(always)]
    pub fn clamp<T: Functions, const F: u8>(x: Number<T, F>, p: Params) -> Number<T, F> {
        let (lo, hi) = (T::of(p[0]), T::of(p[1]));
        let x = if x.0 < lo { lo } else { x.0 };
        Number(if x > hi { hi } else { x })
    }
    #[inline(always)]
    pub fn powi<T: Functions, const F: u8>(x: Number<T, F>, n: f64) -> Number<T, F> {
        Number(T::powi_whole::<F>(x.0, n))
    }
    #[inline(always)]
    pub fn maximum<T: Functions, const F: u8>(a: Number<T, F>, b: Number<T, F>) -> Number<T, F> {
        let larger = if a.0 >= b.0 { a } else { b };
        if a.0.is_nan() { a } else { larger }
    }
    #[inline(always)]
    pub fn minimum<T: Functions, const F: u8>(a: Number<T, F>, b: Number<T, F>) -> Number<T, F> {
        let smaller = if a.0 <= b.0 { a } else { b };
        if a.0.is_nan() { a } else { smaller }
    }
    #[inline(always)]
    pub fn copysign<T: Functions, const F: u8>(a: Number<T, F>, b: Number<T, F>) -> Number<T, F> {
        Number(num_traits::Float::copysign(a.0, b.0))
    }
    #[inline(always)]
    pub fn fmod<T: Functions, const F: u8>(a: Number<T, F>, b: Number<T, F>) -> Number<T, F> {
        Number(a.0 % b.0)
    }
    #[inline(always)]
    pub fn remainder<T: Functions, const F: u8>(a: Number<T, F>, b: Number<T, F>) -> Number<T, F> {
        let rest = a.0 % b.0;
        let (zero, other_side) = (T::zero(), (rest < T::zero()) != (b.0 < T::zero()));
        Number(if rest != zero && other_side { rest + b.0 } else { rest })
    }
    /// The exact quotient rounded down: `a / b` alone can round up to the next whole number.
    #[inline(always)]
    pub fn floor_divide<T: Functions, const F: u8>(a: Number<T, F>, b: Number<T, F>) -> Number<T, F> {
        let (quotient, rest) = (a.0 / b.0, a.0 % b.0);
        let below = rest != T::zero() && (rest < T::zero()) != (b.0 < T::zero());
        let whole = num_traits::Float::round((a.0 - rest) / b.0);
        let exact = if below { whole - T::one() } else { whole };
        Number(if num_traits::Float::is_finite(quotient) {
            exact
        } else {
            num_traits::Float::floor(quotient)
        })
    }
    #[inline(always)]
    pub fn fmax<T: Functions, const F: u8>(a: Number<T, F>, b: Number<T, F>) -> Number<T, F> {
        if a.0 >= b.0 || b.0.is_nan() { a } else { b }
    }
    #[inline(always)]
    pub fn fmin<T: Functions, const F: u8>(a: Number<T, F>, b: Number<T, F>) -> Number<T, F> {
        if a.0 <= b.0 || b.0.is_nan() { a } else { b }
    }
    #[inline(always)]
    pub fn logaddexp2<T: Functions, const F: u8>(a: Number<T, F>, b: Number<T, F>) -> Number<T, F> {
        let high = if a.0 >= b.0 { a.0 } else { b.0 };
        let apart = num_traits::Float::abs(a.0 - b.0);
        let rest = <T as Functions>::log1p::<F>(<T as Functions>::exp2::<F>(-apart))
            * T::of(std::f64::consts::LOG2_E);
        let sum = if a.0 == b.0 { high + T::one() } else { high + rest };
        Number(if a.0.is_nan() || b.0.is_nan() { a.0 + b.0 } else { sum })
    }
    #[inline(always)]
    pub fn logaddexp<T: Functions, const F: u8>(a: Number<T, F>, b: Number<T, F>) -> Number<T, F> {
        let high = if a.0 >= b.0 { a.0 } else { b.0 };
        let apart = num_traits::Float::abs(a.0 - b.0);
        let sum = high + <T as Functions>::log1p::<F>(<T as Functions>::exp::<F>(-apart));
        // Equal infinities: their difference is NaN, their logaddexp is themselves.
        let sum = if a.0 == b.0 { high + T::of(std::f64::consts::LN_2) } else { sum };
        Number(if a.0.is_nan() || b.0.is_nan() { a.0 + b.0 } else { sum })
    }
}

/// Value and partial of a row at a single number.
#[inline(always)]
pub fn unary_row<T: Functions>(op: crate::op::Unary, x: T) -> (T, T) {
    let x = Number::<T, SCALAR>(x);
    let y = unary_primal(op, x);
    (y.0, unary_partial(op, x, y).0)
}

/// Value and partial of a row with attributes at a single number.
#[inline(always)]
pub fn tuned_row<T: Functions>(op: crate::op::Tuned, p: Params, x: T) -> (T, T) {
    let x = Number::<T, SCALAR>(x);
    let y = tuned_primal(op, p, x);
    (y.0, tuned_partial(op, p, x, y).0)
}

/// Value and partials of a row of two arguments at single numbers.
#[inline(always)]
pub fn binary_row<T: Functions>(op: crate::op::Binary, a: T, b: T) -> (T, [T; 2]) {
    let (a, b) = (Number::<T, SCALAR>(a), Number::<T, SCALAR>(b));
    let y = binary_primal(op, a, b);
    (y.0, [binary_partial(op, 0, a, b, y).0, binary_partial(op, 1, a, b, y).0])
}

macro_rules! unary_number {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        impl<T: Functions, const MODE: u8> UnaryWords for Number<T, MODE> { $(
            #[inline(always)]
            fn $name(self) -> Self { let $x = self; $primal }
        )* }
    };
}
macro_rules! tuned_number {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        impl<T: Functions, const MODE: u8> TunedWords for Number<T, MODE> { $(
            #[inline(always)]
            fn $name(self, p: Params) -> Self { let ($x, $p) = (self, p); $primal }
        )* }
    };
}
unary_table!(unary_number);
tuned_table!(tuned_number);

impl<T: Functions, const MODE: u8> BinaryWords for Number<T, MODE> {
    #[inline(always)]
    fn pow(self, other: Self) -> Self {
        math::pow(self, other)
    }
    #[inline(always)]
    fn hypot(self, other: Self) -> Self {
        math::hypot(self, other)
    }
    #[inline(always)]
    fn sigmoid_gap(self, other: Self) -> Self {
        math::sigmoid_gap(self, other)
    }
    #[inline(always)]
    fn sigmoid2_gap(self, other: Self) -> Self {
        math::sigmoid2_gap(self, other)
    }
    #[inline(always)]
    fn log_digamma_gap(self, other: Self) -> Self {
        math::log_digamma_gap(self, other)
    }
    #[inline(always)]
    fn polygamma_gap(self, other: Self, n: u32) -> Self {
        Number(self.0.polygamma_gap(other.0, n))
    }
    #[inline(always)]
    fn digamma_gap(self, other: Self) -> Self {
        math::digamma_gap(self, other)
    }
    #[inline(always)]
    fn gammainc_dx(self, other: Self) -> Self {
        math::gammainc_dx(self, other)
    }
    #[inline(always)]
    fn gammainc_da(self, other: Self) -> Self {
        math::gammainc_da(self, other)
    }
}

macro_rules! binary_number {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$a:ident, $b:ident, $y:ident| $primal:expr, $pa:expr, $pb:expr, $da:expr, $db:expr;)*) => {
        /// The primal of a row.
        #[inline(always)]
        pub fn binary_primal<T: Functions, const MODE: u8>(
            op: crate::op::Binary, a: Number<T, MODE>, b: Number<T, MODE>,
        ) -> Number<T, MODE> {
            match op { $(crate::op::Binary::$Variant => { let ($a, $b) = (a, b); $primal })* }
        }
    };
}
binary_table!(binary_number);

macro_rules! unary_primals {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        /// The primal of a row.
        #[inline(always)]
        pub fn unary_primal<N: Words>(op: crate::op::Unary, x: N) -> N {
            match op { $(crate::op::Unary::$Variant => UnaryWords::$name(x),)* }
        }
    };
}
macro_rules! tuned_primals {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        /// The primal of a row.
        #[inline(always)]
        pub fn tuned_primal<N: Words>(op: crate::op::Tuned, p: Params, x: N) -> N {
            match op { $(crate::op::Tuned::$Variant => x.$name(p),)* }
        }
    };
}
unary_table!(unary_primals);
tuned_table!(tuned_primals);
