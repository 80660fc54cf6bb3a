//! When a result agrees with what is expected of it.

use crate::case::{Array, Data, Tolerance};
use crate::evaluate::Found;

/// How far element `k` of a part may be off.
pub(crate) type Slack<'a> = &'a dyn Fn(usize) -> f64;

impl Tolerance {
    /// `atol + rtol * |want|`, times the factor of the part.
    pub fn at(&self, want: f64, factor: f64) -> f64 {
        factor * (self.atol + self.rtol * want.abs())
    }
}

/// The first disagreement of a part, in words. `slack` is added to the tolerance.
pub(crate) fn disagreement(
    found: &Found<'_>,
    tolerance: Tolerance,
    signed_zero: bool,
    slack: Slack<'_>,
) -> Option<String> {
    let part = &found.part;
    let (want, got) = match (found.want, &found.got) {
        (None, None) => return None,
        // No gradient stands for zeros, on either side.
        (Some(want), None) => (want.clone(), zeros(want)),
        (None, Some(got)) => (zeros(got), got.clone()),
        (Some(want), Some(got)) => (want.clone(), got.clone()),
    };
    if want.shape != got.shape {
        return Some(format!("{part}: shape: want {:?}, got {:?}", want.shape, got.shape));
    }
    if let (Data::Real(want), Data::Real(got)) = (&want.data, &got.data) {
        for (k, (&w, &g)) in want.iter().zip(got).enumerate() {
            let allowed = tolerance.at(w, found.factor) + slack(k);
            if !agrees(w, g, allowed, signed_zero) {
                let n = want.len();
                return Some(format!("{part}[{k}] of {n}: want {w:?}, got {g:?}, allowed {allowed:.1e}"));
            }
        }
        return None;
    }
    (want.data != got.data).then(|| format!("{part}: want {:?}, got {:?}", want.data, got.data))
}

fn zeros(like: &Array) -> Array {
    Array { shape: like.shape.clone(), data: Data::Real(vec![0.0; like.len()]) }
}

fn agrees(want: f64, got: f64, allowed: f64, signed_zero: bool) -> bool {
    if signed_zero && want == 0.0 && got == 0.0 {
        return want.is_sign_negative() == got.is_sign_negative();
    }
    if want.is_finite() && allowed.is_infinite() {
        return true;
    }
    if want.is_nan() || got.is_nan() {
        return want.is_nan() && got.is_nan();
    }
    want == got || (want.is_finite() && (got - want).abs() <= allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement() {
        let inf = f64::INFINITY;
        assert!(agrees(1.0, 1.0 + 1e-10, 1e-9, false) && !agrees(1.0, 1.1, 1e-9, false));
        assert!(agrees(f64::NAN, f64::NAN, 0.0, false) && !agrees(f64::NAN, 1.0, inf, false));
        assert!(
            agrees(inf, inf, 0.0, false) && !agrees(inf, -inf, inf, false) && !agrees(inf, 1.0, inf, false)
        );
        assert!(!agrees(1.0, inf, 1.0, false) && !agrees(1.0, f64::NAN, 1.0, false));
        assert!(
            agrees(0.0, -0.0, 0.0, false) && !agrees(0.0, -0.0, 1.0, true) && agrees(-0.0, -0.0, 0.0, true)
        );
    }
}
