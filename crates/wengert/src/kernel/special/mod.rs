//! Special functions of `f64`, one scalar at a time, to a few ulp over their whole domain.
//!
//! Pure Rust over the standard library's elementary functions. `f32` callers convert, evaluate and round.
//! Every doc states the largest error measured against the points in `tests/data/special` (or `tests/data/rows`), which
//! `generate.py` there made with arbitrary precision; the tests hold each function to that bound. Tables of
//! coefficients are printed by `coefficients.py` there.
//!
//! Absent on purpose: vectorised forms (the elementwise kernels have their own), complex arguments, real
//! orders of the Bessel functions.

// Not every function has its op yet.
#![allow(dead_code)]

mod bessel;
mod beta;
mod betainc;
mod dd;
mod differences;
mod digamma;
mod erf;
mod erfinv;
mod gammainc;
mod lgamma;
mod logs;
mod ndtr;
mod poly;
mod polygamma;
mod rgamma;
mod sinc;
mod slopes;
mod temme;
mod trig;
mod trigamma;
mod zeta;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use self::tests::ulp;

// Not every function has its op yet.
#[allow(unused_imports)]
pub(crate) use self::{
    bessel::{i0, i0e, i1, i1e, iv, ive, ive_derivative},
    beta::betaln,
    betainc::{betainc, betainc_dx},
    differences::{digamma_gap, erfcx_derivative, polygamma_gap, tanhshrink},
    digamma::digamma,
    erf::{erf, erfc, erfcx, log_erfc},
    erfinv::{erfcinv, erfinv},
    gammainc::{gammainc, gammainc_da, gammainc_dx, gammaincc, log_digamma_gap},
    lgamma::{gamma_sign, lgamma, lgamma1p},
    logs::{log1mexp, logaddexp, logsubexp, xlog1py, xlogy},
    ndtr::{log_ndtr, ndtr, ndtri},
    polygamma::{polygamma, trigamma},
    sinc::{sinc, sinc_derivative},
    zeta::zeta,
};
