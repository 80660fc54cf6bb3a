//! Digamma: the logarithmic derivative of Gamma.
//!
//! On [1, 2] `(x - x0) P(x)` with the positive root x0 = 1.4616... to twice the precision, polynomials on [2,
//! 4] and [4, 8], the asymptotic series (DLMF 5.11.2) beyond; one step of the recurrence below 1, reflection
//! below 0.
//!
//! # References
//! DLMF 5.5.2, 5.5.4, 5.11.2. Coefficients: `tests/data/special/coefficients.py`.

use super::poly::horner;
use super::trig::pi_cot_pi;

/// The positive root, rounded, and what the rounding left.
const ROOT: f64 = 1.461_632_144_968_362_2;
const ROOT_LO: f64 = 9.549_995_429_965_697e-17;

/// Derivative of `ln Gamma(x)`.
///
/// `digamma(+-0) = -+inf`; NaN at the negative integers and at -inf. Error at most 2.5 ulp for `x > 0`, and
/// for `x < 0` the same in ulps of the larger of the result and its two terms, `pi cot(pi x)` and
/// `digamma(-x)` (one irrational root between each two poles).
pub(crate) fn digamma(x: f64) -> f64 {
    if x < 1.0 {
        if x > 0.0 {
            shifted(x) - 1.0 / x
        } else if x == 0.0 {
            f64::INFINITY.copysign(-x)
        } else if x == x.floor() {
            f64::NAN
        } else if x > -1.0 {
            // digamma(1 - x) - pi cot(pi x), with the pole 1 / x kept apart from the rest.
            shifted(-x) - pi_cot_pi(x)
        } else {
            (digamma(-x) - 1.0 / x) - pi_cot_pi(x)
        }
    } else if x < 2.0 {
        shifted(x - 1.0)
    } else if x < 4.0 {
        horner(&PSI_4, x - 3.0)
    } else if x < 8.0 {
        horner(&PSI_8, 0.5 * x - 3.0)
    } else {
        x.ln() - log_minus_digamma(x)
    }
}

/// `ln x - digamma(x)` for `x >= 8`: the asymptotic series, economised.
pub(crate) fn log_minus_digamma(x: f64) -> f64 {
    let r = 1.0 / x;
    let r2 = r * r;
    0.5 * r + r2 * horner(&PSI_TAIL, r2)
}

/// `digamma(1 + z)` for z in [0, 1].
fn shifted(z: f64) -> f64 {
    ((z - (ROOT - 1.0)) - ROOT_LO) * horner(&PSI_2, 2.0 * z - 1.0)
}

const PSI_2: [f64; 23] = [
    0.9510558760318328,
    -0.2118137106407303,
    0.06013562106019684,
    -0.018550615381735008,
    0.005936795278301761,
    -0.0019350666648613071,
    0.0006368880303865817,
    -0.00021074841138175561,
    6.995018825112794e-05,
    -2.3258242519113285e-05,
    7.741234508636364e-06,
    -2.578093954045772e-06,
    8.589060721930695e-07,
    -2.863161166883193e-07,
    9.543298288278275e-08,
    -3.162911147408454e-08,
    1.0527692435026686e-08,
    -3.7083753242807277e-09,
    1.2469984616707403e-09,
    -2.7580994814377e-10,
    8.734528429142953e-11,
    -8.50550766013261e-11,
    2.918622732168261e-11,
];
const PSI_4: [f64; 23] = [
    0.9227843350984671,
    0.39493406684822646,
    -0.07705690315959438,
    0.019823233711134786,
    -0.005677755143365974,
    0.001718061984537093,
    -0.000536777381996082,
    0.00017110619689750988,
    -5.526782538179301e-05,
    1.8012634726274093e-05,
    -5.9073580622982785e-06,
    1.9459005362313045e-06,
    -6.430210504939172e-07,
    2.1305020420720545e-07,
    -7.06908916015698e-08,
    2.3350840643755013e-08,
    -7.752580403428603e-09,
    2.72490887509844e-09,
    -9.150167991130823e-10,
    2.02412568359181e-10,
    -6.404283837950141e-11,
    6.224200096242946e-11,
    -2.1350680305284396e-11,
];
const PSI_8: [f64; 22] = [
    1.7061176684318005,
    0.3626459114742307,
    -0.06557946449022778,
    0.015770437590338363,
    -0.004255460894790308,
    0.0012217359029660475,
    -0.0003644707093436099,
    0.00011156718102956266,
    -3.478154611240714e-05,
    1.0990438468765597e-05,
    -3.5084740107150092e-06,
    1.1289255799657864e-06,
    -3.656172949291608e-07,
    1.1898655450182111e-07,
    -3.872095018731703e-08,
    1.2678631056186348e-08,
    -4.353244207793524e-09,
    1.4452051124027413e-09,
    -3.383872210035605e-10,
    1.069057513708437e-10,
    -9.373386830662109e-11,
    3.199496483954889e-11,
];
const PSI_TAIL: [f64; 8] = [
    0.08333333333333333,
    -0.008333333333331699,
    0.003968253966035158,
    -0.004166665515060362,
    0.0075754623865468135,
    -0.021051291610586154,
    0.08003408241596255,
    -0.2996207022597927,
];
