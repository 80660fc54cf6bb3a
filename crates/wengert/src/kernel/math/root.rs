//! Cube root and hypotenuse.

use super::format::{DOWN, Format, UP};
use super::pair::Pair;
use super::polynomial;

pub trait Root: Format {
    fn cbrt<const FMA: bool>(self) -> Self;
    fn hypot<const FMA: bool>(self, other: Self) -> Self;
}

/// `(n, m, w)` with `a = 2^(3 n) m`, m in [0.35, 2.83), and `w = m^(-1/3)` to 50 bits by one step of order four.
#[inline(always)]
fn inverse_cbrt<const FMA: bool>(a: f64) -> (f64, f64, f64) {
    let (k, m) = a.split();
    let n = k.fma::<FMA>(1.0 / 3.0, f64::ROUND);
    let rest = k - 3.0 * (n - f64::ROUND);
    let w = polynomial!(
        FMA,
        m,
        1.8768659236062308,
        -1.8711983085697328,
        1.5750533922066579,
        -0.7111832433347373,
        0.13044185532937408
    );
    // 2^rest and its inverse cube root, for rest = -1, 0, 1
    let (unit, root) = if rest < 0.0 { (0.5, 1.2599210498948732) } else { (1.0, 1.0) };
    let (unit, root) = if rest > 0.0 { (2.0, 0.7937005259840998) } else { (unit, root) };
    let (m, w) = (m * unit, w * root);
    let miss = (-m * w).fma::<FMA>(w * w, 1.0);
    let step = polynomial!(FMA, miss, 1.0 / 3.0, 2.0 / 9.0, 14.0 / 81.0);
    (n, m, (w * miss).fma::<FMA>(step, w))
}

impl Root for f64 {
    #[inline(always)]
    fn cbrt<const FMA: bool>(self) -> f64 {
        let a = self.abs();
        let small = a < f64::MIN_POSITIVE;
        let (n, m, w) = inverse_cbrt::<FMA>(if small { a * f64::RAISE.0 } else { a });
        let w2 = w * w;
        let y = m * w2;
        let square = Pair::product::<FMA>(y, y);
        let cube = Pair::product::<FMA>(square.hi, y);
        let miss = (m - cube.hi) - square.lo.fma::<FMA>(y, cube.lo);
        let y = (miss * w2).fma::<FMA>(1.0 / 3.0, y);
        let value = y * (if small { n - f64::RAISE.1 / 3.0 } else { n }).power_of_two();
        let regular = (a > 0.0) & (a < f64::INFINITY);
        if regular { value.copysign(self) } else { self }
    }

    #[inline(always)]
    fn hypot<const FMA: bool>(self, other: f64) -> f64 {
        let (a, b) = (self.abs(), other.abs());
        let larger = if a > b { a } else { b };
        let (scale, back) = if larger > 1e150 { (DOWN, UP) } else { (1.0, 1.0) };
        let (scale, back) = if larger < 1e-140 { (UP, DOWN) } else { (scale, back) };
        let (x, y) = (a * scale, b * scale);
        let value = x.fma::<FMA>(x, y * y).sqrt() * back;
        if (a == f64::INFINITY) | (b == f64::INFINITY) { f64::INFINITY } else { value }
    }
}

impl Root for f32 {
    #[inline(always)]
    fn cbrt<const FMA: bool>(self) -> f32 {
        let (n, m, w) = inverse_cbrt::<FMA>(f64::from(self.abs()));
        let value = ((m * w) * w * n.power_of_two()) as f32;
        let regular = (self.abs() > 0.0) & (self.abs() < f32::INFINITY);
        if regular { value.copysign(self) } else { self }
    }

    #[inline(always)]
    fn hypot<const FMA: bool>(self, other: f32) -> f32 {
        let (x, y) = (f64::from(self), f64::from(other));
        let value = x.fma::<FMA>(x, y * y).sqrt() as f32;
        let infinite = (self.abs() == f32::INFINITY) | (other.abs() == f32::INFINITY);
        if infinite { f32::INFINITY } else { value }
    }
}
