//! 1 / Gamma and ln Gamma in double-double, for prefactors and for lgamma near its negative zeros.
//!
//! `1 / Gamma(1 + z)` is entire: its Taylor series about 0 (DLMF 5.7.1), in double-double, reaches 1e-31 on
//! [-1/2, 1/2] with 32 terms, and the recurrence does the rest.

use super::dd::{Dd, two_sum};
use super::digamma::digamma;
use super::lgamma::stirling;

/// `ln(2 pi) / 2`.
const HALF_LN_2_PI: Dd = Dd { hi: 0.9189385332046728, lo: -3.878294158067242e-17 };

/// `1 / Gamma(x)`, relative error about 1e-30, for `|x| <= 40`.
pub(crate) fn rgamma(x: f64) -> Dd {
    rgamma_to::<32>(x)
}

/// As [`rgamma`], relative error about 1e-20.
pub(crate) fn rgamma_briefly(x: f64) -> Dd {
    rgamma_to::<6>(x)
}

/// [`rgamma`] with `EXACT` terms of the series in double-double.
fn rgamma_to<const EXACT: usize>(x: f64) -> Dd {
    let n = x.round();
    // Exact, as is each factor k + z below.
    let z = x - n;
    let (exact, rest) = RGAMMA.split_at(EXACT);
    let rest = rest.iter().rev().fold(0.0, |sum, (hi, _)| sum * z + hi);
    let at_one = exact.iter().rev().fold(Dd::from(rest), |sum, &(hi, lo)| sum.times(z) + Dd { hi, lo });
    let n = n as i32;
    if n >= 1 {
        at_one / (1..n).fold(Dd::from(1.0), |product, k| product * two_sum(f64::from(k), z))
    } else {
        (n..=0).fold(at_one, |product, k| product * two_sum(f64::from(k), z))
    }
}

/// `ln Gamma(z)` for `z > 0`: absolute error about 1e-18 or `1e-31 z ln z`, whichever is more.
pub(crate) fn log_gamma(z: Dd) -> Dd {
    if z.hi < 10.0 {
        let main = -rgamma(z.hi).ln();
        if z.lo == 0.0 { main } else { main + Dd::from(z.lo * digamma(z.hi)) }
    } else {
        (z - Dd::from(0.5)) * z.ln() - z + HALF_LN_2_PI + Dd::from(stirling(z.hi))
    }
}

const RGAMMA: [(f64, f64); 32] = [
    (1.0, 0.0),
    (0.5772156649015329, -4.942915152430645e-18),
    (-0.6558780715202539, 2.137185197068536e-17),
    (-0.04200263503409524, 1.4920306285650505e-18),
    (0.16653861138229148, 1.0189144546842026e-17),
    (-0.04219773455554433, -3.3579992682480134e-18),
    (-0.009621971527876973, -5.300031368830263e-19),
    (0.0072189432466631, -3.6006537063394283e-19),
    (-0.0011651675918590652, 5.659947853880981e-20),
    (-0.00021524167411495098, 2.3758686180729364e-21),
    (0.0001280502823881162, -9.359124499198967e-21),
    (-2.013485478078824e-05, 3.0488773972037385e-23),
    (-1.2504934821426706e-06, -2.66214092271898e-23),
    (1.133027231981696e-06, -4.622235212104869e-23),
    (-2.056338416977607e-07, -3.0061601618645134e-24),
    (6.116095104481416e-09, -2.693458298171306e-25),
    (5.002007644469223e-09, -1.538123614056751e-26),
    (-1.18127457048702e-09, -1.0052356155716208e-25),
    (1.0434267116911005e-10, -2.9298419956825035e-27),
    (7.782263439905071e-12, 4.397255556595848e-28),
    (-3.696805618642206e-12, 2.7050034921703885e-28),
    (5.100370287454476e-13, 2.253001461085878e-29),
    (-2.0583260535665066e-14, -1.4747481491954336e-30),
    (-5.348122539423018e-15, -1.6208384686356568e-31),
    (1.2267786282382608e-15, -5.072915146023867e-32),
    (-1.1812593016974588e-16, 6.422257838149681e-33),
    (1.1866922547516004e-18, -4.2037265494226014e-35),
    (1.4123806553180319e-18, -7.576946701116294e-35),
    (-2.29874568443537e-19, 1.3335481917069145e-36),
    (1.7144063219273374e-20, 5.230715150426935e-38),
    (1.337351730493693e-22, 2.6434059649079228e-39),
    (-2.0542335517666728e-22, 3.6856892424568953e-39),
];
