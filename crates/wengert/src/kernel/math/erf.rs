//! The error function and its complement: `erfc a = e^(-a^2) P(q) / (1 + 2 a)`, `q = (a - K) / (a + K)`.
//!
//! M. M. Shepherd and J. G. Laframboise, Mathematics of Computation 36 (1981): (1 + 2 a) e^(a^2) erfc a is smooth and
//! near 1 on the whole half-line. The polynomials are our own fits.

use super::exp::{Exponential, Reduced};
use super::format::Format;
use super::pair::Pair;
use super::polynomial;

pub trait ErrorFunction: Format {
    fn erf<const FMA: bool>(self) -> Self;
    fn erfc<const FMA: bool>(self) -> Self;
}

/// From here on `complement`, below it `near`.
const SEAM: f64 = 0.84;

/// `erf(a) / a - 1` for |a| up to `SEAM`.
#[inline(always)]
fn near<const FMA: bool>(a: f64) -> f64 {
    let z = a * a;
    polynomial!(
        FMA,
        z,
        0.12837916709551256,
        -0.3761263890318331,
        0.1128379167093085,
        -0.026866170639917756,
        0.005223977567990423,
        -0.000854832332521405,
        0.0001205518425544955,
        -1.4921796019935563e-05,
        1.6397560297904768e-06,
        -1.5686383279769444e-07,
        1.064445947989244e-08
    )
}

/// `erfc a` for `a >= SEAM`, in parts: a value and 2^n + `ROUND`.
#[inline(always)]
fn complement<const FMA: bool>(a: f64) -> (f64, f64) {
    const K: f64 = 3.5;
    let a = a.at_most(f64::EXP_NEG_SQUARE_BOUND);
    let Reduced { n, r } = f64::reduce_neg_square::<FMA>(a);
    let q = (a - K) / (a + K);
    let p = polynomial!(
        FMA,
        q,
        0.11734924487115438,
        -0.1400091801376193,
        -0.010555596332215828,
        0.09751909515324111,
        -0.11508959816034212,
        0.08798315382548423,
        -0.04882332582425252,
        0.019099330932497653,
        -0.004215019954190898,
        -0.00030226779115355196,
        0.0005643847677869517,
        -0.00012151286916584745,
        -4.278389926502055e-05,
        2.4262382460230426e-05,
        2.3334567484020044e-06,
        -3.817346371646567e-06,
        -5.449454034213456e-08,
        6.038691939049188e-07,
        4.799495049959018e-09,
        -9.562802320218706e-08,
        -8.37459186951727e-09,
        1.1185793659916975e-08,
        2.7205510707879823e-09
    );
    let top = f64::exp_pair::<FMA>(r).times::<FMA>(Pair::fast_sum(1.125, p));
    (top.over::<FMA>(Pair::sum(1.0, 2.0 * a)).rounded(), n)
}

impl ErrorFunction for f64 {
    #[inline(always)]
    fn erf<const FMA: bool>(self) -> f64 {
        let a = self.abs();
        let (rest, n) = complement::<FMA>(a.at_most(6.0));
        let far = 1.0 - rest * n.power_of_two();
        let value = if a < SEAM { near::<FMA>(a).fma::<FMA>(a, a) } else { far };
        value.copysign(self)
    }

    #[inline(always)]
    fn erfc<const FMA: bool>(self) -> f64 {
        let (value, n) = complement::<FMA>(self.abs());
        let (first, second) = n.factors();
        let value = value * first * second;
        let value = if self < 0.0 { 2.0 - value } else { value };
        let close = Pair::fast_sum(1.0, -self);
        let close = close.hi + (-self).fma::<FMA>(near::<FMA>(self), close.lo);
        if self.abs() < SEAM { close } else { value }
    }
}

impl ErrorFunction for f32 {
    /// `1 - e^(-a W(a))` in `f64`.
    #[inline(always)]
    fn erf<const FMA: bool>(self) -> f32 {
        let a = f64::from(self.abs()).at_most(4.0);
        let w = polynomial!(
            FMA,
            a,
            1.1283791665689498,
            0.6366198366871124,
            0.1027712559412624,
            -0.019117601863544473,
            -0.00025327374292676946,
            0.0017996298480529168,
            -0.0007408955775869825,
            0.00016757286699612675,
            -2.137602610029664e-05,
            1.1953487908751402e-06
        );
        let value = -(-a * w).expm1::<FMA>();
        (value as f32).copysign(self)
    }

    #[inline(always)]
    fn erfc<const FMA: bool>(self) -> f32 {
        const K: f64 = 3.5;
        let a = f64::from(self.abs()).at_most(10.3);
        let q = (a - K) / (a + K);
        let p = polynomial!(
            FMA,
            q,
            1.12500000000000000 + 0.11734924135204795,
            -0.14000919973336112,
            -0.010555168721637056,
            0.09752007711556095,
            -0.11509750933415715,
            0.0879672030247578,
            -0.04877772610047875,
            0.01920294742624984,
            -0.004283958625882199,
            -0.0005512605991248763,
            0.000494892398619901
        );
        let value = Exponential::exp::<FMA>(-a * a) * p / (1.0 + 2.0 * a);
        (if self < 0.0 { 2.0 - value } else { value }) as f32
    }
}
