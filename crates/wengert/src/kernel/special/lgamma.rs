//! `ln |Gamma(x)|` and the sign of Gamma.
//!
//! Positive arguments: `(x - 1) P(x)` and `(x - 2) P(x)` about the two zeros, plain polynomials on [2.5, 4]
//! and [4, 8], Stirling's series beyond. Down to -36 the logarithm of 1 / Gamma taken in double-double,
//! through `ln_1p` where that is near 1, so the zeros keep their relative accuracy; then reflection (DLMF
//! 5.5.3), where the zeros lie closer to the poles than `f64` can resolve.
//!
//! # References
//! DLMF 5.5.3, 5.11.1. Coefficients: `tests/data/special/coefficients.py`.

use std::f64::consts::PI;

use super::poly::horner;
use super::rgamma::rgamma;
use super::trig::sin_cos_pi;

/// `ln |Gamma(x)|`.
///
/// Every `x`: infinite at 0, at the negative integers and at both infinities. Error at most 2.5 ulp, the
/// zeros at 1, at 2 and between the negative integers included; 1 and 2 give +0.
pub(crate) fn lgamma(x: f64) -> f64 {
    if x < 0.5 {
        if x > 0.0 { lgamma1p(x) - x.ln() } else { of_negative(x) }
    } else if x < 1.0 {
        (x - 1.0) * horner(&LGAMMA_1, 4.0 * x - 3.0)
    } else if x < 1.5 {
        (1.0 - x) * -horner(&LGAMMA_1H, 4.0 * x - 5.0)
    } else if x < 2.5 {
        (x - 2.0) * horner(&LGAMMA_2H, 2.0 * x - 4.0)
    } else if x < 4.0 {
        horner(&LGAMMA_4, (x - 3.25) / 0.75)
    } else if x < 8.0 {
        horner(&LGAMMA_8, 0.5 * x - 3.0)
    } else if x < 1e17 {
        (x - 0.5) * (x.ln() - 1.0) + (0.418_938_533_204_672_74 + stirling(x))
    } else {
        x * (x.ln() - 1.0)
    }
}

/// `ln Gamma(1 + z)` for `z > -1/2`, with the relative accuracy that `1 + z` would lose for small `z`.
pub(crate) fn lgamma1p(z: f64) -> f64 {
    if z.abs() >= 0.5 {
        lgamma(1.0 + z)
    } else if z < 0.0 {
        z * horner(&LGAMMA_1, 4.0 * z + 1.0)
    } else {
        z * horner(&LGAMMA_1H, 4.0 * z - 1.0)
    }
}

/// Sign of Gamma(x): 1 or -1.
///
/// That of the zero itself at `x = +-0`; NaN at the negative integers, at -inf and for NaN.
pub(crate) fn gamma_sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x == 0.0 {
        1f64.copysign(x)
    } else if x == x.floor() || x.is_nan() {
        f64::NAN
    } else if x.floor() % 2.0 == 0.0 {
        1.0
    } else {
        -1.0
    }
}

/// `ln Gamma(x) - ((x - 1/2) ln x - x + ln(2 pi) / 2)` for `x >= 8`: Stirling's series (DLMF 5.11.1),
/// economised.
pub(crate) fn stirling(x: f64) -> f64 {
    let r = 1.0 / x;
    r * horner(&STIRLING, r * r)
}

fn of_negative(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x == x.floor() {
        return f64::INFINITY;
    }
    if x < -36.0 {
        let (s, _) = sin_cos_pi(x);
        return -((s * x / PI).abs().ln() + lgamma(-x));
    }
    let r = rgamma(x).abs();
    if r.hi > 0.5 && r.hi < 2.0 {
        // The difference is rounded only after the leading digits have gone.
        -(r - 1.0.into()).round().ln_1p()
    } else {
        -r.hi.ln()
    }
}

const LGAMMA_1: [f64; 22] = [
    -0.8131238057251815,
    0.27273707406129066,
    -0.04499788189765983,
    0.01023788077252321,
    -0.002628859159031546,
    0.0007175147282113956,
    -0.0002031034124509697,
    5.8908233480014327e-05,
    -1.7388962460687364e-05,
    5.202372398817641e-06,
    -1.5730891121297114e-06,
    4.798240130416973e-07,
    -1.4744147845179635e-07,
    4.55818815126189e-08,
    -1.4127838098124681e-08,
    4.40728141816741e-09,
    -1.4267300594728965e-09,
    4.5153961911342946e-10,
    -1.0879413360732763e-10,
    3.321876030982053e-11,
    -2.472912135131441e-11,
    8.095178180195671e-12,
];
const LGAMMA_1H: [f64; 17] = [
    -0.3930873456872526,
    0.16563381231098723,
    -0.015967667997598377,
    0.0021370436482565265,
    -0.00032575197560731227,
    5.3115626701035375e-05,
    -9.016006916841804e-06,
    1.5712804665547746e-06,
    -2.789623711684023e-07,
    5.021291374072116e-08,
    -9.135289597299692e-09,
    1.6768644963703622e-09,
    -3.099004401245868e-10,
    5.6977512228137665e-11,
    -1.062731161647417e-11,
    2.3541246923689135e-12,
    -4.47959694738113e-13,
];
const LGAMMA_2H: [f64; 19] = [
    0.42278433509846713,
    0.16123351671205663,
    -0.016838075263299536,
    0.002572601053472542,
    -0.000461596939291756,
    9.032844784489912e-05,
    -1.8636779875052926e-05,
    3.981793088659667e-06,
    -8.716982449081134e-07,
    1.9425327031438992e-07,
    -4.387339030049162e-08,
    1.001249236957858e-08,
    -2.3043102744274226e-09,
    5.352455971471404e-10,
    -1.2481294697143873e-10,
    2.8075860826633894e-11,
    -6.566215046625873e-12,
    2.1270762170785405e-12,
    -5.117684453811745e-13,
];
const LGAMMA_4: [f64; 19] = [
    0.9358019311087253,
    0.7627431833011342,
    0.10119326914956935,
    -0.0090110353457188,
    0.0011922366180495113,
    -0.00018761292764700086,
    3.2532021938730597e-05,
    -5.997472585478716e-06,
    1.1526772790655477e-06,
    -2.282292041304471e-07,
    4.619793056979483e-08,
    -9.510005687922983e-09,
    1.9837100873050817e-09,
    -4.187298932274983e-10,
    8.905624165722756e-11,
    -1.8558221184304845e-11,
    3.981942138875189e-12,
    -1.1171412765145325e-12,
    2.46229344562061e-13,
];
const LGAMMA_8: [f64; 21] = [
    4.787491742782046,
    3.412235336863601,
    0.3626459114742303,
    -0.043719642993498294,
    0.007885218795182607,
    -0.0017021843576329305,
    0.0004072453007792428,
    -0.00010413449118884317,
    2.7891796932908233e-05,
    -7.729217198004184e-06,
    2.1980798746711358e-06,
    -6.379543447760466e-07,
    1.881770097479467e-07,
    -5.61462931860259e-08,
    1.6955585901868348e-08,
    -5.295583005076651e-09,
    1.6358208572363246e-09,
    -4.066957755425247e-10,
    1.225843250755625e-10,
    -8.248664162736955e-11,
    2.6688057556858816e-11,
];
const STIRLING: [f64; 8] = [
    0.08333333333333333,
    -0.002777777777777677,
    0.0007936507935137147,
    -0.0005952380241882842,
    0.0008417326650883537,
    -0.0019149788521470022,
    0.006208737504446519,
    -0.020866781772688452,
];
