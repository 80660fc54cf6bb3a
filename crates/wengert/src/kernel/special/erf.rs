//! The error function, its complement, and the complement scaled by `e^(x^2)`.
//!
//! Below 1 (in magnitude) erf is `x + x P(x^2)`. Everything else rests on `erfcx(x) = e^(x^2) erfc(x)`, which
//! has no exponential in it: a polynomial on each of [0, 1/2], [1/2, 1], [1, 2], [2, 4], [4, 8], and beyond
//! `P(1 / x^2) / (x sqrt(pi))` (DLMF 7.12.1, economised). `e^(-x^2)` is taken from the exact square.
//!
//! # References
//! DLMF 7.2, 7.6, 7.12. Coefficients: `tests/data/special/coefficients.py`.

use super::dd::two_prod;
use super::poly::horner;

const FRAC_1_SQRT_PI: f64 = std::f64::consts::FRAC_2_SQRT_PI / 2.0;

/// Error function `2 / sqrt(pi) integral_0^x e^(-t^2) dt`.
///
/// Every `x`; odd, `erf(+-0) = +-0`, `erf(+-inf) = +-1`. Error at most 1.0 ulp.
pub(crate) fn erf(x: f64) -> f64 {
    let a = x.abs();
    if a < 1.0 {
        x + x * horner(&ERF, x * x)
    } else if a < 6.0 {
        (1.0 - erfc(a)).copysign(x)
    } else if x.is_nan() {
        x
    } else {
        1f64.copysign(x)
    }
}

/// Complementary error function `1 - erf(x)`, relative accuracy in the far tail and into the subnormals.
///
/// Every `x`; 0 from 27.3 on. Error at most 3.0 ulp.
pub(crate) fn erfc(x: f64) -> f64 {
    if x < 0.5 {
        if x < -6.0 {
            2.0
        } else if x < -1.0 {
            2.0 - erfc(-x)
        } else {
            1.0 - erf(x)
        }
    } else if x < 28.0 {
        scaled_by_gauss(x, erfcx(x))
    } else if x.is_nan() {
        x
    } else {
        0.0
    }
}

/// Scaled complementary error function `e^(x^2) erfc(x)`.
///
/// Every `x`; `1 / (x sqrt(pi))` for large `x`, infinite below -26.6. Error at most 2.0 ulp.
pub(crate) fn erfcx(x: f64) -> f64 {
    if x < 0.0 {
        if x < -26.7 {
            return f64::INFINITY;
        }
        let square = two_prod(x, x);
        if x > -1.0 {
            return square.exp() * (1.0 - erf(x));
        }
        // Half of 2 e^(x^2) would overflow first.
        let half = (square.hi - 1.0).exp();
        return (half + half * square.lo) * (2.0 * std::f64::consts::E) - erfcx(-x);
    }
    if x < 0.5 {
        horner(&ERFCX_HALF, 4.0 * x - 1.0)
    } else if x < 1.0 {
        horner(&ERFCX_1, 4.0 * x - 3.0)
    } else if x < 2.0 {
        horner(&ERFCX_2, 2.0 * x - 3.0)
    } else if x < 4.0 {
        horner(&ERFCX_4, x - 3.0)
    } else if x < 8.0 {
        horner(&ERFCX_8, 0.5 * x - 3.0)
    } else {
        let r = 1.0 / x;
        horner(&ERFCX_TAIL, r * r) * FRAC_1_SQRT_PI / x
    }
}

/// `ln erfc(x)`, finite long after erfc itself has underflowed.
///
/// Every `x`. Error at most 2.5 ulp.
pub(crate) fn log_erfc(x: f64) -> f64 {
    if x < 0.5 {
        (-erf(x)).ln_1p()
    } else if x < 1e150 {
        let square = two_prod(x, x);
        -square.hi - (square.lo - erfcx(x).ln())
    } else {
        -(x * x)
    }
}

/// `e^(-x^2) y`, for `y` that is a normal number and a product that need not be.
pub(super) fn scaled_by_gauss(x: f64, y: f64) -> f64 {
    let square = two_prod(x, x);
    if square.hi > 600.0 {
        // 100 is on the grid of the square here, so the shift is exact.
        let e = (100.0 - square.hi).exp();
        (e - e * square.lo) * y * (-100f64).exp()
    } else {
        let e = (-square.hi).exp();
        (e - e * square.lo) * y
    }
}

const ERF: [f64; 14] = [
    0.1283791670955126,
    -0.37612638903183754,
    0.1128379167095512,
    -0.026866170645129854,
    0.005223977625423455,
    -0.0008548327021945428,
    0.00012055332903350668,
    -1.4925647581008593e-05,
    1.6462045711013026e-06,
    -1.6364645854816389e-07,
    1.479243542696247e-08,
    -1.2164764337224506e-09,
    8.709755232851789e-11,
    -4.2320376764874594e-12,
];
const ERFCX_HALF: [f64; 15] = [
    0.7703465477309968,
    -0.18580147330750357,
    0.03653406715146833,
    -0.006219475256500871,
    0.0009473309967175951,
    -0.00013180360650103036,
    1.6990153963934394e-05,
    -2.050240193159812e-06,
    2.334361484360231e-07,
    -2.5233464615741175e-08,
    2.6025424930912117e-09,
    -2.5707122766063383e-10,
    2.4421504217927796e-11,
    -2.302590112247247e-12,
    2.0390042474930348e-13,
];
const ERFCX_1: [f64; 14] = [
    0.5069376502931449,
    -0.09199317291394885,
    0.014434883221955935,
    -0.0020286884686699707,
    0.0002609005567516252,
    -3.114966996112698e-05,
    3.4885738732085394e-06,
    -3.693562169321858e-07,
    3.7195450918192716e-08,
    -3.580145204643444e-09,
    3.3060433621918244e-10,
    -2.9402385351525456e-11,
    2.5856058450716995e-12,
    -2.149725594007929e-13,
];
const ERFCX_2: [f64; 17] = [
    0.3215854164543175,
    -0.08181145886628002,
    0.019037759963869347,
    -0.00411636316244566,
    0.0008360838095667822,
    -0.00016081117336992078,
    2.9470857452438927e-05,
    -5.1713286727694885e-06,
    8.723044760349276e-07,
    -1.4191186124333523e-07,
    2.232841288007105e-08,
    -3.4059387395134227e-09,
    5.046602976320114e-10,
    -7.257022501340536e-11,
    1.0198170166276311e-11,
    -1.5120450435636143e-12,
    2.0292151163761165e-13,
];
const ERFCX_4: [f64; 20] = [
    0.17900115118138996,
    -0.05437226000717287,
    0.01588437115987136,
    -0.004479431018372594,
    0.001223039052375977,
    -0.0003241255444964542,
    8.355413963931287e-05,
    -2.0989464464224638e-05,
    5.146436493577689e-06,
    -1.2333677056587265e-06,
    2.8926693017436393e-07,
    -6.646692586156175e-08,
    1.4977111542990704e-08,
    -3.312746819938391e-09,
    7.206569825011898e-10,
    -1.5396164337943972e-10,
    3.1649750343485987e-11,
    -6.540314781838702e-12,
    1.6649372607256146e-12,
    -3.357346034257376e-13,
];
const ERFCX_8: [f64; 22] = [
    0.09277656780053835,
    -0.030120706978104643,
    0.009657787464897682,
    -0.003059585555764018,
    0.0009580615952121846,
    -0.00029664123220980536,
    9.085053142899829e-05,
    -2.7531014702911937e-05,
    8.257487439219881e-06,
    -2.452046979683502e-06,
    7.210766392875884e-07,
    -2.1004717137015923e-07,
    6.062506288536908e-08,
    -1.7340585360678656e-08,
    4.913076211059935e-09,
    -1.3808806453670562e-09,
    3.8896163386294715e-10,
    -1.0766502543447741e-10,
    2.651140629516173e-11,
    -7.158040442015914e-12,
    3.2032954055530958e-12,
    -8.687274616448002e-13,
];
const ERFCX_TAIL: [f64; 10] = [
    1.0,
    -0.4999999999999937,
    0.7499999999866765,
    -1.8749999889538358,
    6.562495332738416,
    -29.530111182636563,
    162.25122157726724,
    -1039.667223677338,
    6974.055918167849,
    -34192.936770897024,
];
