//! Modified Bessel functions of the first kind, plain and scaled by `e^-|x|`.
//!
//! Order 0 and 1: a polynomial in `x^2 / 4` up to 4, then `sqrt(x) e^-x I_n(x)` by polynomials on [4, 8], [8,
//! 16] and, in `1 / x`, beyond. The scaled pair is closed under differentiation: `i0e' = i1e - sign(x) i0e`,
//! and `ive(n)' = (ive(n-1) + ive(n+1)) / 2 - sign(x) ive(n)`.
//!
//! # References
//! DLMF 10.25.2, 10.29.1, 10.40.1. Coefficients: `tests/data/special/coefficients.py`.

use super::dd::Dd;
use super::poly::horner;
use super::slopes::{i0e_slope, i1e_slope};

/// `I_0(x)`. Every `x`; even, infinite beyond 713.98. Error at most 1.5 ulp.
pub(crate) fn i0(x: f64) -> f64 {
    let a = x.abs();
    if a <= 4.0 { horner(&I0_SMALL, 0.25 * a * a) } else { grown(a, large0(a)) }
}

/// `e^-|x| I_0(x)`. Every `x`; even, 0 at infinity. Error at most 2.5 ulp.
pub(crate) fn i0e(x: f64) -> f64 {
    let a = x.abs();
    if a <= 4.0 { horner(&I0_SMALL, 0.25 * a * a) * (-a).exp() } else { large0(a) / a.sqrt() }
}

/// `I_1(x)`. Every `x`; odd. Error at most 1.5 ulp.
pub(crate) fn i1(x: f64) -> f64 {
    let a = x.abs();
    if a <= 4.0 { x * horner(&I1_SMALL, 0.25 * a * a) } else { grown(a, large1(a)).copysign(x) }
}

/// `e^-|x| I_1(x)`. Every `x`; odd. Error at most 3.0 ulp.
pub(crate) fn i1e(x: f64) -> f64 {
    let a = x.abs();
    if a <= 4.0 {
        x * horner(&I1_SMALL, 0.25 * a * a) * (-a).exp()
    } else {
        (large1(a) / a.sqrt()).copysign(x)
    }
}

/// `e^-|x| I_n(x)` for integer `n`, by the recurrence run downwards (Miller) from `i0e`, or far out
/// asymptotically.
///
/// Every `x`. Error at most 3.0 ulp.
pub(crate) fn ive(n: u32, x: f64) -> f64 {
    match n {
        0 => return i0e(x),
        1 => return i1e(x),
        _ => {}
    }
    let a = x.abs();
    if a == 0.0 || a.is_infinite() {
        return 0.0;
    }
    let sign = if x < 0.0 && n % 2 == 1 { -1.0 } else { 1.0 };
    let order = f64::from(n);
    if a > 50.0 && a > 2.0 * order * order {
        return sign * far(order, a);
    }
    sign * i0e(a) * sequence(n as usize, a)[n as usize].round()
}

/// `I_n(x)` for integer `n`. Every `x`. Error at most 3.0 ulp.
pub(crate) fn iv(n: u32, x: f64) -> f64 {
    match n {
        0 => i0(x),
        1 => i1(x),
        _ => {
            let (a, scaled) = (x.abs(), ive(n, x));
            if a > 1e200 {
                return if n.is_multiple_of(2) { f64::INFINITY } else { f64::INFINITY.copysign(x) };
            }
            if a < 700.0 {
                a.exp() * scaled
            } else {
                // 64 is on the grid of a.
                (a - 64.0).exp() * scaled * 64f64.exp()
            }
        }
    }
}

/// The `k`-th derivative of `e^-|x| I_n(x)`, which is about `(-1 / x)^k` of it far out; at 0 that of `I_n`.
///
/// Every `x`. Error at most 4.0 ulp, its roots included, up to the third derivative.
///
/// Applied to `I_n / I_0` as a sequence in n, a derivative is `(I_(n-1) + I_(n+1)) / 2 - I_n`: in double-double, since almost
/// nothing is left of that.
pub(crate) fn ive_derivative(n: u32, k: u32, x: f64) -> f64 {
    let (a, order) = (x.abs(), f64::from(n));
    match (n, k) {
        (_, 0) => return ive(n, x),
        (0, 1) => return i0e_slope(x),
        (1, 1) => return i1e_slope(x),
        _ => {}
    }
    let sign = if x < 0.0 && (n + k) % 2 == 1 { -1.0 } else { 1.0 };
    if a.is_infinite() {
        return 0.0;
    }
    if a > 50.0 && a > 2.0 * order * order {
        return sign * far_derivative(order, f64::from(k), a);
    }
    let last = n as usize + k as usize;
    let mut sequence = sequence(last, a);
    let lost = Dd::from(if a == 0.0 { 0.0 } else { 1.0 });
    for step in 0..k as usize {
        let moved =
            |i: usize| (sequence[i.abs_diff(1)] + sequence[i + 1]) * Dd::from(0.5) - sequence[i] * lost;
        sequence = (0..last - step).map(moved).collect();
    }
    sign * i0e(a) * sequence[n as usize].round()
}

/// `I_j / I_0` for `j = 0..=last`.
///
/// Ratios `r_j = I_j / I_{j-1}` from far above: `1 / r_j = 2j / a + r_{j+1}`. No overflow, and errors contract. In
/// double-double, since every ratio would add a few ulp to the product.
fn sequence(last: usize, a: f64) -> Vec<Dd> {
    let mut ratios = vec![Dd::from(0.0); last + 1];
    let mut j = last + 30 + (10.0 * a.sqrt().min(a)) as usize;
    let (a, mut ratio) = (Dd::from(a), Dd::from(0.0));
    while j >= 1 {
        ratio = a / (Dd::from(2.0 * j as f64) + a * ratio);
        if j <= last {
            ratios[j] = ratio;
        }
        j -= 1;
    }
    ratios[0] = Dd::from(1.0);
    for j in 1..=last {
        ratios[j] = ratios[j] * ratios[j - 1];
    }
    ratios
}

/// `1 / sqrt(2 pi a) (1 - (4n^2 - 1) / (8a) + ...)`, DLMF 10.40.1, for `a > 2 n^2`.
fn far(order: f64, a: f64) -> f64 {
    far_sum(order, a, |_| 1.0) / (std::f64::consts::TAU * a).sqrt()
}

/// The `k`-th derivative of [`far`], term by term.
fn far_derivative(order: f64, k: f64, a: f64) -> f64 {
    let sign = if k % 2.0 == 1.0 { -1.0 } else { 1.0 };
    let weight = |j: f64| (0..k as u32).map(|i| j + 0.5 + f64::from(i)).product();
    sign * far_sum(order, a, weight) / a.powf(k) / (std::f64::consts::TAU * a).sqrt()
}

fn far_sum(order: f64, a: f64, weight: impl Fn(f64) -> f64) -> f64 {
    let (mut sum, mut term, mut k) = (weight(0.0), 1.0, 0.0);
    while k < 60.0 {
        k += 1.0;
        let odd = 2.0 * k - 1.0;
        term *= -(4.0 * order * order - odd * odd) / (8.0 * k * a);
        let weighted = weight(k) * term;
        sum += weighted;
        if f64::abs(weighted) < 1e-18 * f64::abs(sum) {
            break;
        }
    }
    sum
}

/// `e^a p / sqrt(a)`, in two steps where `e^a` alone would overflow.
fn grown(a: f64, p: f64) -> f64 {
    if a < 700.0 {
        a.exp() * (p / a.sqrt())
    } else if a < 715.0 {
        // 64 is on the grid of a.
        (a - 64.0).exp() * (p / a.sqrt()) * 64f64.exp()
    } else {
        a + f64::INFINITY
    }
}

fn large0(a: f64) -> f64 {
    if a < 8.0 {
        horner(&I0_8, 0.5 * a - 3.0)
    } else if a < 16.0 {
        horner(&I0_16, 0.25 * a - 3.0)
    } else {
        horner(&I0_TAIL, 1.0 / a)
    }
}

fn large1(a: f64) -> f64 {
    if a < 8.0 {
        horner(&I1_8, 0.5 * a - 3.0)
    } else if a < 16.0 {
        horner(&I1_16, 0.25 * a - 3.0)
    } else {
        horner(&I1_TAIL, 1.0 / a)
    }
}

const I0_SMALL: [f64; 13] = [
    1.0,
    1.0,
    0.25000000000000006,
    0.027777777777777395,
    0.0017361111111122067,
    6.944444444258501e-05,
    1.9290123477033834e-06,
    3.9367597415908364e-08,
    6.151194678730469e-10,
    7.593807376734828e-12,
    7.59983010946657e-14,
    6.190920006393768e-16,
    5.081106464983038e-18,
];
const I1_SMALL: [f64; 12] = [
    0.5,
    0.25,
    0.04166666666666634,
    0.003472222222223757,
    0.000173611111107418,
    5.787037042278784e-06,
    1.3778659140674738e-07,
    2.460477717827604e-09,
    3.417216505223548e-11,
    3.799878601812261e-13,
    3.405176168450188e-15,
    3.048769093524644e-17,
];
const I0_8: [f64; 22] = [
    0.4082256718098091,
    -0.003516751748518846,
    0.0013637024996793275,
    -0.0005420329642866658,
    0.0002184602152042338,
    -8.712748347989633e-05,
    3.331230494646664e-05,
    -1.1818536070226406e-05,
    3.7587747508232648e-06,
    -1.0187093989398022e-06,
    2.0734475864434035e-07,
    -1.3380901769749488e-08,
    -1.4881587417871626e-08,
    1.0630256439764647e-08,
    -4.9225132620919686e-09,
    1.9067315584264692e-09,
    -6.774975817501938e-10,
    2.1952385491334998e-10,
    -5.6954528337969504e-11,
    1.6684320986807572e-11,
    -9.312200849120898e-12,
    2.770411775661142e-12,
];
const I0_16: [f64; 21] = [
    0.40331226094986455,
    -0.0015356968358914344,
    0.0005412281637065732,
    -0.00019137446678743383,
    6.792845586200295e-05,
    -2.42215616152295e-05,
    8.684998816934333e-06,
    -3.135631047438704e-06,
    1.141663638730356e-06,
    -4.1979010464743507e-07,
    1.5599098661007012e-07,
    -5.8524815170122677e-08,
    2.208976318660339e-08,
    -8.330845306579475e-09,
    3.1241620564304396e-09,
    -1.162527877277991e-09,
    4.123055101450891e-10,
    -1.3198388199225433e-10,
    4.6174112122759893e-11,
    -1.917448113137702e-11,
    4.5207171581840544e-12,
];
const I0_TAIL: [f64; 14] = [
    0.3989422804014327,
    0.04986778505018227,
    0.028050629087433398,
    0.029219406637217584,
    0.04474193333638929,
    0.09063824576682213,
    0.22554946922473554,
    0.8436033836320276,
    -3.3311273131563426,
    157.88498222783156,
    -2552.530407559273,
    29916.0360058891,
    -200163.87975327115,
    632673.7617713605,
];
const I1_8: [f64; 21] = [
    0.37244848995139895,
    0.009479615391587232,
    -0.0034405437018661653,
    0.0012704557981902602,
    -0.0004760862887862182,
    0.00017897931993521665,
    -6.621855956425989e-05,
    2.359010525768845e-05,
    -7.929829529730562e-06,
    2.471034937809213e-06,
    -7.012028516451682e-07,
    1.767947812666534e-07,
    -3.769771929433796e-08,
    5.8527339055445965e-09,
    -1.1100158755140963e-10,
    -4.100480742605126e-10,
    2.197524322105144e-10,
    -7.213712689576977e-11,
    2.4062488597129225e-11,
    -1.259780348143647e-11,
    3.6160573950670013e-12,
];
const I1_16: [f64; 22] = [
    0.386123659201314,
    0.004400463793983209,
    -0.0015133693758779753,
    0.0005215501550234976,
    -0.0001801775705012042,
    6.242485975633539e-05,
    -2.170387104042879e-05,
    7.578853096274678e-06,
    -2.6608224461598913e-06,
    9.403290013337814e-07,
    -3.348183355488408e-07,
    1.2014697625701292e-07,
    -4.3409112790212744e-08,
    1.5739501611652904e-08,
    -5.687163291528814e-09,
    2.0459876951661418e-09,
    -7.421336914518154e-10,
    2.561654476012181e-10,
    -7.353306504322941e-11,
    2.4691757272357324e-11,
    -1.3157972041672822e-11,
    3.6770462887106485e-12,
];
const I1_TAIL: [f64; 14] = [
    0.3989422804014327,
    -0.14960335515054066,
    -0.04675104848102654,
    -0.04090716884810406,
    -0.05752540447747647,
    -0.11077455732960476,
    -0.2668913559808196,
    -0.9595212878889057,
    3.371463834885743,
    -168.2623127258059,
    2707.571797113427,
    -31739.627097610133,
    212141.16505376494,
    -670503.0024795587,
];
