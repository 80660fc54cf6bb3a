//! Every function against its reference file, to the bound that its documentation states.

use std::path::Path;

use super::*;
use crate::kernel::level::FUSED;
use crate::kernel::number::{Number, math};

/// As in loops over arrays.
fn logit_of(x: f64) -> f64 {
    math::logit(Number::<f64, FUSED>(x)).0
}

/// As in loops over arrays.
fn entr_of(x: f64) -> f64 {
    math::entr(Number::<f64, FUSED>(x)).0
}

/// Size of the last place of `x`, that of the smallest normal number for anything below.
pub(crate) fn ulp(x: f64) -> f64 {
    let exponent = ((x.to_bits() >> 52) & 0x7ff) as i32;
    f64::from_bits(1) * dd::ldexp(1.0, exponent.max(1) - 1)
}

/// Largest error in ulp of the result (or of the scale, where the file gives one), and where.
fn worst(name: &str, arguments: usize, f: impl Fn(&[f64]) -> f64) -> (f64, Vec<f64>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/special").join(format!("{name}.txt"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut worst = (0.0, Vec::new());
    for line in text.lines() {
        let row: Vec<f64> = line
            .split(' ')
            .map(|word| f64::from_bits(u64::from_str_radix(word, 16).expect("hex digits")))
            .collect();
        let (x, truth) = row.split_at(arguments);
        let got = f(x);
        let scale = truth.get(2).map_or(truth[0].abs(), |s| s.max(truth[0].abs()));
        let error = if got == truth[0] && truth[0].is_infinite() {
            0.0
        } else {
            ((got - truth[0]) - truth[1]).abs() / ulp(scale)
        };
        if error.is_nan() || error > worst.0 {
            worst = (error, x.to_vec());
        }
    }
    worst
}

fn check(name: &str, bound: f64, f: impl Fn(f64) -> f64) {
    report(name, bound, worst(name, 1, |x| f(x[0])));
}

fn check2(name: &str, bound: f64, f: impl Fn(f64, f64) -> f64) {
    report(name, bound, worst(name, 2, |x| f(x[0], x[1])));
}

fn report(name: &str, bound: f64, (error, at): (f64, Vec<f64>)) {
    println!("{name} {error:.2} at {at:?}");
    assert!(error <= bound, "{name}: error {error} ulp at {at:?}, documented {bound}");
}

#[test]
fn polygamma_gap() {
    let worst = worst("polygamma_gap", 3, |x| super::polygamma_gap(x[0] as u32, x[1], x[2]));
    report("polygamma_gap", 4.0, worst);
}

macro_rules! references {
    ($($name:ident: $check:ident($bound:expr, $f:expr);)*) => {
        $(#[test] fn $name() { $check(stringify!($name), $bound, $f); })*
    };
}

references! {
    erf: check(1.0, super::erf);
    erfc: check(3.0, super::erfc);
    erfcx: check(2.0, super::erfcx);
    log_erfc: check(2.5, super::log_erfc);
    erfinv: check(3.5, super::erfinv);
    erfcinv: check(4.0, super::erfcinv);
    ndtr: check(3.5, super::ndtr);
    log_ndtr: check(3.5, super::log_ndtr);
    ndtri: check(3.5, super::ndtri);
    lgamma: check(2.5, super::lgamma);
    digamma: check(2.5, super::digamma);
    trigamma: check(2.0, super::trigamma);
    polygamma: check2(2.0, |n, x| super::polygamma(n as u32, x));
    polygamma_large: check2(2.0, |n, x| super::polygamma(n as u32, x));
    zeta: check2(2.0, super::zeta);
    betaln: check2(1.0, super::betaln);
    gammainc: check2(3.5, super::gammainc);
    gammaincc: check2(2.5, super::gammaincc);
    gammainc_da: check2(3.5, super::gammainc_da);
    gammainc_dx: check2(3.0, super::gammainc_dx);
    i0: check(1.5, super::i0);
    i1: check(1.5, super::i1);
    i0e: check(2.5, super::i0e);
    i1e: check(3.0, super::i1e);
    ive: check2(3.0, |n, x| super::ive(n as u32, x));
    sinc: check(2.5, super::sinc);
    sinc_derivative: check2(3.5, |k, x| super::sinc_derivative(k as u32, x));
    logit: check(1.5, logit_of);
    log1mexp: check(1.5, super::log1mexp);
    entr: check(1.5, entr_of);
    xlogy: check2(1.0, super::xlogy);
    xlog1py: check2(1.5, super::xlog1py);
    logaddexp: check2(1.5, super::logaddexp);
    logsubexp: check2(1.0, super::logsubexp);
}

#[test]
fn betainc() {
    report("betainc", 6.0, worst("betainc", 3, |x| super::betainc(x[0], x[1], x[2])));
}

#[test]
fn betainc_dx() {
    report("betainc_dx", 1.5, worst("betainc_dx", 3, |x| super::betainc_dx(x[0], x[1], x[2])));
}

#[test]
fn ends_of_the_domains() {
    const INF: f64 = f64::INFINITY;
    let expected = [
        ("erf(-inf)", super::erf(-INF), -1.0),
        ("erfc(inf)", super::erfc(INF), 0.0),
        ("erfc(-inf)", super::erfc(-INF), 2.0),
        ("erfcx(inf)", super::erfcx(INF), 0.0),
        ("erfcx(-inf)", super::erfcx(-INF), INF),
        ("log_erfc(inf)", super::log_erfc(INF), -INF),
        ("erfinv(1)", super::erfinv(1.0), INF),
        ("erfinv(-1)", super::erfinv(-1.0), -INF),
        ("erfcinv(0)", super::erfcinv(0.0), INF),
        ("erfcinv(2)", super::erfcinv(2.0), -INF),
        ("ndtr(-inf)", super::ndtr(-INF), 0.0),
        ("ndtr(inf)", super::ndtr(INF), 1.0),
        ("log_ndtr(-inf)", super::log_ndtr(-INF), -INF),
        ("log_ndtr(inf)", super::log_ndtr(INF), 0.0),
        ("ndtri(0)", super::ndtri(0.0), -INF),
        ("ndtri(1)", super::ndtri(1.0), INF),
        ("lgamma(0)", super::lgamma(0.0), INF),
        ("lgamma(-3)", super::lgamma(-3.0), INF),
        ("lgamma(-inf)", super::lgamma(-INF), INF),
        ("lgamma(inf)", super::lgamma(INF), INF),
        ("lgamma(max)", super::lgamma(f64::MAX), INF),
        ("1 / lgamma(1)", 1.0 / super::lgamma(1.0), INF),
        ("1 / lgamma(2)", 1.0 / super::lgamma(2.0), INF),
        ("digamma(0)", super::digamma(0.0), -INF),
        ("digamma(-0)", super::digamma(-0.0), INF),
        ("digamma(inf)", super::digamma(INF), INF),
        ("trigamma(0)", super::trigamma(0.0), INF),
        ("trigamma(-2)", super::trigamma(-2.0), INF),
        ("trigamma(inf)", super::trigamma(INF), 0.0),
        ("polygamma(2, 0)", super::polygamma(2, 0.0), -INF),
        ("polygamma(0, 0)", super::polygamma(0, 0.0), -INF),
        ("zeta(1, 2)", super::zeta(1.0, 2.0), INF),
        ("zeta(2, -1)", super::zeta(2.0, -1.0), INF),
        ("zeta(inf, 1)", super::zeta(INF, 1.0), 1.0),
        ("zeta(inf, 2)", super::zeta(INF, 2.0), 0.0),
        ("gammainc(2, 0)", super::gammainc(2.0, 0.0), 0.0),
        ("gammaincc(2, 0)", super::gammaincc(2.0, 0.0), 1.0),
        ("gammainc(2, inf)", super::gammainc(2.0, INF), 1.0),
        ("gammainc(0, 1)", super::gammainc(0.0, 1.0), 1.0),
        ("gammaincc(1e300, 1e300)", super::gammaincc(1e300, 1e300), 0.5),
        ("gammainc_da(2, 0)", super::gammainc_da(2.0, 0.0), 0.0),
        ("betainc(2, 3, 0)", super::betainc(2.0, 3.0, 0.0), 0.0),
        ("betainc(2, 3, 1)", super::betainc(2.0, 3.0, 1.0), 1.0),
        ("gammainc_dx(1, 0)", super::gammainc_dx(1.0, 0.0), 1.0),
        ("gammainc_dx(0.5, 0)", super::gammainc_dx(0.5, 0.0), INF),
        ("gammainc_dx(2, inf)", super::gammainc_dx(2.0, INF), 0.0),
        ("betainc_dx(1, 3, 0)", super::betainc_dx(1.0, 3.0, 0.0), 3.0),
        ("betainc_dx(2, 0.5, 1)", super::betainc_dx(2.0, 0.5, 1.0), INF),
        ("betaln(0, 1)", super::betaln(0.0, 1.0), INF),
        ("betaln(1, inf)", super::betaln(1.0, INF), -INF),
        ("i0(-inf)", super::i0(-INF), INF),
        ("i1(-inf)", super::i1(-INF), -INF),
        ("i0e(inf)", super::i0e(INF), 0.0),
        ("i1e(-inf)", super::i1e(-INF), 0.0),
        ("ive(3, inf)", super::ive(3, INF), 0.0),
        ("sinc(0)", super::sinc(0.0), 1.0),
        ("sinc(7)", super::sinc(7.0), 0.0),
        ("sinc(inf)", super::sinc(INF), 0.0),
        ("sinc'(0)", super::sinc_derivative(1, 0.0), 0.0),
        ("logit(0)", logit_of(0.0), -INF),
        ("logit(1)", logit_of(1.0), INF),
        ("log1mexp(0)", super::log1mexp(0.0), -INF),
        ("log1mexp(inf)", super::log1mexp(INF), 0.0),
        ("xlogy(0, 0)", super::xlogy(0.0, 0.0), 0.0),
        ("xlog1py(0, -1)", super::xlog1py(0.0, -1.0), 0.0),
        ("entr(0)", entr_of(0.0), 0.0),
        ("entr(-1)", entr_of(-1.0), -INF),
        ("logaddexp(inf, inf)", super::logaddexp(INF, INF), INF),
        ("logaddexp(-inf, -inf)", super::logaddexp(-INF, -INF), -INF),
        ("logaddexp(-inf, 3)", super::logaddexp(-INF, 3.0), 3.0),
        ("logaddexp(inf, -inf)", super::logaddexp(INF, -INF), INF),
        ("logsubexp(2, 2)", super::logsubexp(2.0, 2.0), -INF),
    ];
    for (what, got, want) in expected {
        assert_eq!(got, want, "{what}");
    }
    let nan = f64::NAN;
    let undefined = [
        ("erf", super::erf(nan)),
        ("erfc", super::erfc(nan)),
        ("erfcx", super::erfcx(nan)),
        ("log_erfc", super::log_erfc(nan)),
        ("erfinv", super::erfinv(nan)),
        ("erfinv(2)", super::erfinv(2.0)),
        ("erfcinv", super::erfcinv(nan)),
        ("erfcinv(-1)", super::erfcinv(-1.0)),
        ("erfcinv(3)", super::erfcinv(3.0)),
        ("ndtr", super::ndtr(nan)),
        ("log_ndtr", super::log_ndtr(nan)),
        ("ndtri", super::ndtri(nan)),
        ("lgamma", super::lgamma(nan)),
        ("gamma_sign(-2)", super::gamma_sign(-2.0)),
        ("digamma", super::digamma(nan)),
        ("digamma(-3)", super::digamma(-3.0)),
        ("digamma(-inf)", super::digamma(-INF)),
        ("trigamma", super::trigamma(nan)),
        ("polygamma(2, -1)", super::polygamma(2, -1.0)),
        ("zeta(0.5, 1)", super::zeta(0.5, 1.0)),
        ("zeta(2.5, -0.5)", super::zeta(2.5, -0.5)),
        ("betaln(-1, 2)", super::betaln(-1.0, 2.0)),
        ("gammainc", super::gammainc(nan, 1.0)),
        ("gammainc(-1, 1)", super::gammainc(-1.0, 1.0)),
        ("gammainc_da", super::gammainc_da(1.0, nan)),
        ("betainc", super::betainc(1.0, 1.0, nan)),
        ("betainc(1, 1, 2)", super::betainc(1.0, 1.0, 2.0)),
        ("i0", super::i0(nan)),
        ("i1", super::i1(nan)),
        ("i0e", super::i0e(nan)),
        ("i1e", super::i1e(nan)),
        ("ive", super::ive(4, nan)),
        ("sinc", super::sinc(nan)),
        ("sinc'", super::sinc_derivative(2, nan)),
        ("logit(2)", logit_of(2.0)),
        ("log1mexp(-1)", super::log1mexp(-1.0)),
        ("xlogy(0, nan)", super::xlogy(0.0, nan)),
        ("entr", entr_of(nan)),
        ("logaddexp", super::logaddexp(nan, 1.0)),
        ("logaddexp", super::logaddexp(1.0, nan)),
    ];
    for (what, got) in undefined {
        assert!(got.is_nan(), "{what} = {got}");
    }
    assert!(super::erf(-0.0).is_sign_negative() && super::i1(-0.0).is_sign_negative());
    assert_eq!(super::gamma_sign(-0.5), -1.0);
    assert_eq!(super::gamma_sign(-1.5), 1.0);
    assert_eq!(super::gamma_sign(3.0), 1.0);
}
