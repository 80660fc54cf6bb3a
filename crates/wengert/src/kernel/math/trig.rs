//! Sine, cosine, tangent: `x = n pi/2 + r` with pi/2 in parts of 33 bits, so that each `n * part` is exact.
//!
//! That holds for |n| < 2^20. Beyond [`FAR`] one would need pi to a thousand bits: the caller's loop asks
//! `is_far` of a block and falls back to std.

use super::format::Format;
use super::pair::Pair;
use super::polynomial;

/// The largest |x| for which the reduction holds.
pub const FAR: f64 = 1.0e6;

const FRAC_PI_2: [f64; 4] =
    [1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32];
const ROUND: f64 = 1.5 * (1u64 << 52) as f64;

pub trait Trigonometric: Format {
    fn sin<const FMA: bool>(self) -> Self;
    fn cos<const FMA: bool>(self) -> Self;
    fn tan<const FMA: bool>(self) -> Self;
    fn is_far(self) -> bool;
}

/// `(sin r, cos r, n)` for `x = n pi/2 + r`.
#[inline(always)]
fn turn<const FMA: bool>(x: f64) -> (Pair<f64>, Pair<f64>, u64) {
    let biased = x.fma::<FMA>(std::f64::consts::FRAC_2_PI, ROUND);
    let n = biased - ROUND;
    let first = Pair::sum((-n).fma::<FMA>(FRAC_PI_2[0], x), -n * FRAC_PI_2[1]);
    let second = Pair::sum(first.hi, -n * FRAC_PI_2[2]);
    let low = (-n).fma::<FMA>(FRAC_PI_2[3], first.lo + second.lo);
    let Pair { hi: r, lo } = Pair::fast_sum(second.hi, low);

    let z = r * r;
    let s = polynomial!(
        FMA,
        z,
        -0.16666666666666632,
        0.00833333333332247,
        -0.00019841269829831012,
        2.7557313694356438e-06,
        -2.505075781224976e-08,
        1.589674562591022e-10
    );
    let c = polynomial!(
        FMA,
        z,
        0.0416666666666666,
        -0.0013888888888874463,
        2.480158728965968e-05,
        -2.7557314396427813e-07,
        2.0875728521098728e-09,
        -1.1359888805059638e-11
    );
    let half = 0.5 * z;
    // sin(r + lo) = sin r + lo cos r, cos(r + lo) = cos r - lo sin r
    let sine = Pair { hi: r, lo: (r * z).fma::<FMA>(s, lo - lo * half) };
    let cosine = Pair::fast_sum(1.0, -half).plus_small((z * z).fma::<FMA>(c, -r * lo));
    (sine, cosine, biased.to_bits())
}

/// `value` with its sign flipped if bit 1 of `quadrant` is set.
#[inline(always)]
fn signed(value: f64, quadrant: u64) -> f64 {
    f64::from_bits(value.to_bits() ^ ((quadrant & 2) << 62))
}

impl Trigonometric for f64 {
    #[inline(always)]
    fn sin<const FMA: bool>(self) -> f64 {
        let (sine, cosine, n) = turn::<FMA>(self);
        let value = signed(Pair::select(n & 1 == 0, sine, cosine).rounded(), n);
        if self.abs() < f64::TINY { self } else { value }
    }

    #[inline(always)]
    fn cos<const FMA: bool>(self) -> f64 {
        let (sine, cosine, n) = turn::<FMA>(self);
        signed(Pair::select(n & 1 == 0, cosine, sine).rounded(), n.wrapping_add(n & 1))
    }

    #[inline(always)]
    fn tan<const FMA: bool>(self) -> f64 {
        let (sine, cosine, n) = turn::<FMA>(self);
        let even = n & 1 == 0;
        let top = Pair::select(even, sine, cosine.negated());
        let bottom = Pair::select(even, cosine, sine).normalised();
        let value = top.over::<FMA>(bottom).rounded();
        if self.abs() < f64::TINY { self } else { value }
    }

    #[inline(always)]
    fn is_far(self) -> bool {
        self.abs() > FAR
    }
}

/// [`turn`] for an `f32`: in `f64` two parts of pi/2 and three terms suffice.
#[inline(always)]
fn turn_f32<const FMA: bool>(x: f32) -> (f64, f64, u64) {
    let x = f64::from(x);
    let biased = x.fma::<FMA>(std::f64::consts::FRAC_2_PI, ROUND);
    let n = biased - ROUND;
    let r = (-n).fma::<FMA>(6.077100506506192e-11, (-n).fma::<FMA>(FRAC_PI_2[0], x));
    let z = r * r;
    let s = polynomial!(FMA, z, -0.16666655000031796, 0.008332181253720332, -0.00019517683540836453);
    let c = polynomial!(FMA, z, 0.04166664680981519, -0.0013887364628316, 2.443810928280071e-05);
    let cosine = z.fma::<FMA>(z.fma::<FMA>(c, -0.5), 1.0);
    ((r * z).fma::<FMA>(s, r), cosine, biased.to_bits())
}

impl Trigonometric for f32 {
    #[inline(always)]
    fn sin<const FMA: bool>(self) -> f32 {
        let (sine, cosine, n) = turn_f32::<FMA>(self);
        let value = signed(if n & 1 == 0 { sine } else { cosine }, n) as f32;
        if self.abs() < f32::TINY { self } else { value }
    }

    #[inline(always)]
    fn cos<const FMA: bool>(self) -> f32 {
        let (sine, cosine, n) = turn_f32::<FMA>(self);
        signed(if n & 1 == 0 { cosine } else { sine }, n.wrapping_add(n & 1)) as f32
    }

    #[inline(always)]
    fn tan<const FMA: bool>(self) -> f32 {
        let (sine, cosine, n) = turn_f32::<FMA>(self);
        let even = n & 1 == 0;
        let value = if even { sine } else { -cosine } / if even { cosine } else { sine };
        if self.abs() < f32::TINY { self } else { value as f32 }
    }

    #[inline(always)]
    fn is_far(self) -> bool {
        self.abs() > FAR as f32
    }
}
