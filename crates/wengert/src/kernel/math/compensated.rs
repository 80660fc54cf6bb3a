//! Functions of a product, a quotient, a difference or a cubic, which is kept as a pair: rounded, it would cost the exponential
//! as many ulp as the exponent has units.

use super::hyperbolic::Hyperbolic;
use super::pair::Pair;

pub trait Compensated: Hyperbolic {
    /// `2 sqrt(2 / pi)`, and 0.044715 times that.
    const GELU: [Pair<Self>; 2];

    /// `-|x|` of a pair.
    #[inline(always)]
    fn below_zero(x: Pair<Self>) -> Pair<Self> {
        if x.hi < Self::of(0.0) { x } else { x.negated() }
    }

    /// `sigmoid(self p)`.
    #[inline(always)]
    fn sigmoid_scaled<const FMA: bool>(self, p: Self) -> Self {
        let x = Pair::product::<FMA>(self, p);
        x.hi.sigmoid_by::<FMA>(Self::exp_of::<FMA>(Self::below_zero(x)))
    }

    /// `softplus(self p)`.
    #[inline(always)]
    fn softplus_scaled<const FMA: bool>(self, p: Self) -> Self {
        let x = Pair::product::<FMA>(self, p);
        x.hi.softplus_by::<FMA>(Self::exp_of::<FMA>(Self::below_zero(x)))
    }

    /// `e^(self / p)`.
    #[inline(always)]
    fn exp_over<const FMA: bool>(self, p: Self) -> Self {
        let [top, bottom] = [self, p].map(|hi| Pair { hi, lo: Self::of(0.0) });
        Self::exp_of::<FMA>(top.over::<FMA>(bottom))
    }

    /// `sigmoid(self - b)`.
    #[inline(always)]
    fn sigmoid_gap<const FMA: bool>(self, b: Self) -> Self {
        let x = Pair::sum(self, -b);
        x.hi.sigmoid_by::<FMA>(Self::exp_of::<FMA>(Self::below_zero(x)))
    }

    /// `2^self / (2^self + 2^b)`.
    #[inline(always)]
    fn sigmoid2_gap<const FMA: bool>(self, b: Self) -> Self {
        let x = Pair::sum(self, -b);
        x.hi.sigmoid_by::<FMA>(Self::exp2_of::<FMA>(Self::below_zero(x)))
    }

    /// `sigmoid(2 sqrt(2 / pi) (self + 0.044715 self^3))`.
    #[inline(always)]
    fn gelu_gate<const FMA: bool>(self) -> Self {
        let a = self.abs();
        let [linear, cubic] = Self::GELU;
        let cubic = Pair::product::<FMA>(a, a).times::<FMA>(cubic);
        let factor = Pair::sum(cubic.hi, linear.hi).plus_small(cubic.lo + linear.lo);
        let x = factor.times::<FMA>(Pair { hi: a, lo: Self::of(0.0) });
        self.sigmoid_by::<FMA>(Self::exp_of::<FMA>(x.negated()))
    }
}

impl Compensated for f64 {
    const GELU: [Pair<f64>; 2] = [
        Pair { hi: 1.5957691216057308, lo: -9.96930880911092e-17 },
        Pair { hi: 0.07135481627260025, lo: -4.1218577217431825e-18 },
    ];
}

impl Compensated for f32 {
    const GELU: [Pair<f32>; 2] = [
        Pair { hi: 1.5957691669464111, lo: -4.534068054340423e-08 },
        Pair { hi: 0.07135481387376785, lo: 2.3988324659995897e-09 },
    ];
}
