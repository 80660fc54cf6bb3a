//! Every row of the table against references to 16 bits past the last place, against std on random bit patterns, and as
//! vector code against itself.

use std::fmt::{Debug, Write};

use super::{Elementary, Row};

/// A format with the table's rows; implemented by the table.
pub(super) trait Tested: Bits {
    const ROWS: &'static [Row<Self>];
}

pub(super) trait Bits: Copy + Debug + PartialEq + Elementary + 'static {
    const SUFFIX: &'static str;
    const SPECIAL: &'static [Self];

    /// The low bits of a random word.
    fn pattern(bits: u64) -> Self;
    /// Consecutive integers for consecutive numbers, both zeros at 0.
    fn ordinal(self) -> i64;
    fn as_f64(self) -> f64;
    fn nearest(x: f64) -> Self;
    /// How far `self` is from `x` in units of its last place, both finite.
    fn ulp_from(self, x: f64) -> f64;
}

macro_rules! bits {
    ($t:ident, $bits:ident) => {
        impl Bits for $t {
            const SUFFIX: &'static str = stringify!($t);
            const SPECIAL: &'static [$t] = &[
                0.0,
                -0.0,
                1.0,
                -1.0,
                0.5,
                -0.5,
                2.0,
                -2.0,
                3.0,
                -3.0,
                2.5,
                -2.5,
                100.0,
                -100.0,
                1e4,
                -1e4,
                $t::INFINITY,
                $t::NEG_INFINITY,
                $t::NAN,
                $t::MAX,
                $t::MIN,
                $t::MIN_POSITIVE,
                -$t::MIN_POSITIVE,
                $t::EPSILON,
                -$t::EPSILON,
                $t::from_bits(1),
                -$t::from_bits(1),
                1.0 + $t::EPSILON,
                1.0 - $t::EPSILON / 2.0,
            ];
            fn pattern(bits: u64) -> Self {
                $t::from_bits(bits as $bits)
            }
            fn ordinal(self) -> i64 {
                let magnitude = self.abs().to_bits() as i64;
                if self < 0.0 { -magnitude } else { magnitude }
            }
            fn as_f64(self) -> f64 {
                self as f64
            }
            fn nearest(x: f64) -> Self {
                x as $t
            }
            fn ulp_from(self, x: f64) -> f64 {
                let nearest = x as $t;
                let above = (nearest.abs().to_bits() + 1).min($t::MAX.to_bits());
                let unit = $t::from_bits(above) as f64 - $t::from_bits(above - 1) as f64;
                (self.ordinal() - nearest.ordinal()) as f64 + (nearest as f64 - x) / unit
            }
        }
    };
}
bits!(f32, u32);
bits!(f64, u64);

/// Runs `op` as vector code at one of [`LEVELS`]; false where the machine does not have it.
#[inline(always)]
pub(super) fn vectorize(level: &str, op: impl FnOnce()) -> bool {
    #[cfg(target_arch = "x86_64")]
    match level {
        "AVX2" => return pulp::x86::V3::try_new().map(|simd| simd.vectorize(op)).is_some(),
        "AVX-512" => return pulp::x86::V4::try_new().map(|simd| simd.vectorize(op)).is_some(),
        _ => {}
    }
    let _ = (level, op);
    false
}

const LEVELS: [&str; 2] = ["AVX2", "AVX-512"];

/// Arguments with the exact result cut off after its last place, and the next 16 bits as a fraction of a unit.
fn references<T: Bits>(name: &str) -> Vec<(Vec<T>, T, f64)> {
    let file = format!("{}/tests/data/math/{name}_{}.txt", env!("CARGO_MANIFEST_DIR"), T::SUFFIX);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{file}: {e}"));
    let hex = |word: &str| u64::from_str_radix(word, 16).expect("a hexadecimal number");
    text.lines()
        .map(|line| {
            let words: Vec<u64> = line.split(' ').map(hex).collect();
            let (fraction, numbers) = words.split_last().expect("a line has numbers");
            let (cut, arguments) = numbers.split_last().expect("a line has a result");
            let arguments = arguments.iter().map(|&bits| T::pattern(bits)).collect();
            (arguments, T::pattern(*cut), *fraction as f64 / 65536.0)
        })
        .collect()
}

fn worst<T: Bits>(references: &[(Vec<T>, T, f64)], function: fn(&[T]) -> T) -> (f64, String) {
    let mut worst = (0.0, String::new());
    for (arguments, cut, fraction) in references {
        let value = function(arguments);
        let sign = if cut.as_f64().is_sign_negative() { -1 } else { 1 };
        let mut error = ((sign * (value.ordinal() - cut.ordinal())) as f64 - fraction).abs();
        if value.as_f64().is_nan() || value.as_f64().is_sign_negative() != (sign < 0) {
            error = f64::INFINITY;
        }
        if error > worst.0 {
            worst = (error, format!("at {arguments:?}: {value:?}, cut-off reference {cut:?}"));
        }
    }
    worst
}

fn within_bounds<T: Tested>() {
    let mut failures = String::new();
    for row in T::ROWS {
        let references = references::<T>(row.name);
        let (plain, fused) = (worst(&references, row.plain), worst(&references, row.fused));
        println!("{:>15} {}: {:.3} plain, {:.3} fused", row.name, T::SUFFIX, plain.0, fused.0);
        for (error, place) in [plain, fused] {
            if error > row.bound {
                writeln!(failures, "{}: {error:.3} > {} ulp {place}", row.name, row.bound).unwrap();
            }
        }
    }
    assert!(failures.is_empty(), "{}\n{failures}", T::SUFFIX);
}

#[test]
fn f64_within_bounds_of_the_exact_result() {
    within_bounds::<f64>();
}

#[test]
fn f32_within_bounds_of_the_exact_result() {
    within_bounds::<f32>();
}

/// `exp_low` on the arguments of `exp` that it is for.
fn low_within_bounds<T: Tested>() {
    let row = T::ROWS.iter().find(|row| row.name == "exp").expect("a row");
    let mut references = references::<T>("exp");
    references.retain(|(arguments, ..)| arguments[0].as_f64() < 20.0);
    assert!(references.len() > 100);
    for function in [|x: &[T]| x[0].exp_low::<false>(), |x: &[T]| x[0].exp_low::<true>()] {
        let (error, place) = worst(&references, function);
        assert!(error <= row.bound, "{}: {error:.3} > {} ulp {place}", T::SUFFIX, row.bound);
        let at = |x: f64| function(&[T::nearest(x)]).as_f64();
        assert!(at(f64::NAN).is_nan());
        for x in [f64::NEG_INFINITY, -1e300, -1e30, -1e9, -1e5, -1e4, -760.0] {
            assert_eq!(at(x), 0.0, "{x}");
        }
    }
}

#[test]
fn the_exponential_of_what_is_not_large_is_within_bounds() {
    low_within_bounds::<f64>();
    low_within_bounds::<f32>();
}

type Standard = fn(&[f64]) -> f64;

/// std's function and how many ulp of `f64` it may be off by itself.
fn standard(name: &str) -> Option<(Standard, f64)> {
    fn softplus(x: f64) -> f64 {
        x.max(0.0) + (-x.abs()).exp().ln_1p()
    }
    // std's own three lose digits or overflow.
    fn asinh(a: f64) -> f64 {
        let second = a * a / (1.0 + (1.0 + a * a).sqrt());
        if a > 1e18 { a.ln() + std::f64::consts::LN_2 } else { (a + second).ln_1p() }
    }
    fn acosh(x: f64) -> f64 {
        let t = x - 1.0;
        if x > 1e18 { x.ln() + std::f64::consts::LN_2 } else { (t + (t * (t + 2.0)).sqrt()).ln_1p() }
    }
    Some(match name {
        "exp" => (|a| a[0].exp(), 1.0),
        "exp2" => (|a| a[0].exp2(), 1.0),
        "expm1" => (|a| a[0].exp_m1(), 1.0),
        "log" => (|a| a[0].ln(), 1.0),
        "log2" => (|a| a[0].log2(), 1.0),
        "log10" => (|a| a[0].log10(), 1.5),
        "log1p" => (|a| a[0].ln_1p(), 1.0),
        "tanh" => (|a| a[0].tanh(), 2.0),
        "sinh" => (|a| a[0].sinh(), 1.5),
        "cosh" => (|a| a[0].cosh(), 1.5),
        "sech" => (|a| 2.0 * (-a[0].abs()).exp() / (1.0 + (-2.0 * a[0].abs()).exp()), 3.0),
        "sigmoid" => {
            (|a| if a[0] < 0.0 { a[0].exp() / (1.0 + a[0].exp()) } else { 1.0 / (1.0 + (-a[0]).exp()) }, 3.0)
        }
        "tanh_prime" => (|a| (2.0 * (-a[0].abs()).exp() / (1.0 + (-2.0 * a[0].abs()).exp())).powi(2), 4.0),
        "softplus" => (|a| if a[0].is_nan() { a[0] } else { softplus(a[0]) }, 3.0),
        "log_sigmoid" => (|a| if a[0].is_nan() { a[0] } else { -softplus(-a[0]) }, 3.0),
        "asinh" => (|a| asinh(a[0].abs()).copysign(a[0]), 3.0),
        "acosh" => (|a| if a[0] < 1.0 { f64::NAN } else { acosh(a[0]) }, 3.0),
        "atanh" => (|a| (0.5 * (2.0 * a[0].abs() / (1.0 - a[0].abs())).ln_1p()).copysign(a[0]), 3.0),
        "sin" => (|a| a[0].sin(), 1.0),
        "cos" => (|a| a[0].cos(), 1.0),
        "tan" => (|a| a[0].tan(), 1.0),
        "asin" => (|a| a[0].asin(), 1.0),
        "acos" => (|a| a[0].acos(), 1.0),
        "atan" => (|a| a[0].atan(), 1.0),
        "atan2" => (|a| a[0].atan2(a[1]), 1.0),
        "pow" => (|a| a[0].powf(a[1]), 1.0),
        "cbrt" => (|a| a[0].cbrt(), 1.0),
        "hypot" => (|a| a[0].hypot(a[1]), 1.0),
        _ => return None,
    })
}

/// A third any bits, a third within a few powers of two of 1, a third special numbers.
fn arguments<T: Bits>(count: usize, seed: u64) -> Vec<T> {
    let mut state = seed;
    let mut next = || {
        // splitmix64 (Steele, Lea and Flood, 2014)
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    (0..count)
        .map(|i| {
            let bits = next();
            match i % 3 {
                // A signalling NaN is outside what C99 says of hypot(inf, NaN) and pow(1, NaN).
                0 => Some(T::pattern(bits)).filter(|x| !x.as_f64().is_nan()).unwrap_or(T::nearest(f64::NAN)),
                1 => {
                    let sign = if bits & 1 == 0 { 1.0 } else { -1.0 };
                    T::nearest(sign * ((bits >> 11) as f64 / (1u64 << 53) as f64 * 24.0 - 14.0).exp2())
                }
                _ => T::SPECIAL[bits as usize % T::SPECIAL.len()],
            }
        })
        .collect()
}

fn agrees_with_std<T: Tested>(count: usize) {
    let (x, mut y) = (arguments::<T>(count, 1), arguments::<T>(count + 1, 2));
    y.rotate_left(1);
    let mut failures = String::new();
    for row in T::ROWS {
        let Some((standard, slack)) = standard(row.name) else { continue };
        let bound = row.bound + if T::SUFFIX == "f32" { 0.01 } else { slack };
        let (mut complaints, mut worst) = (Vec::new(), 0.0);
        let periodic = ["sin", "cos", "tan"].contains(&row.name);
        let mut fused = x.clone();
        // Hardware FMA where there is some: the same bits as software's, sooner.
        let fast = (row.sweep)("AVX2", &x, &y, &mut fused);
        for ((&x, &y), &fused) in x.iter().zip(&y).zip(&fused) {
            if periodic && x.is_far() {
                continue;
            }
            let exact = standard(&[x.as_f64(), y.as_f64()]);
            let fused = if fast { fused } else { (row.fused)(&[x, y]) };
            for value in [(row.plain)(&[x, y]), fused] {
                if exact.is_normal() && value.as_f64().is_normal() {
                    worst = f64::max(worst, value.ulp_from(exact).abs());
                }
                if let Some(complaint) = compare(value, exact, bound) {
                    complaints.push(format!("{}({x:?}, {y:?}): {value:?}, {complaint}", row.name));
                }
            }
        }
        println!("{:>15} {}: {worst:.3} ulp from std", row.name, T::SUFFIX);
        if !complaints.is_empty() {
            complaints.truncate(6);
            writeln!(failures, "{}", complaints.join("\n")).unwrap();
        }
    }
    assert!(failures.is_empty(), "{}\n{failures}", T::SUFFIX);
}

fn compare<T: Bits>(value: T, exact: f64, bound: f64) -> Option<String> {
    let expected = T::nearest(exact);
    let got = value.as_f64();
    if exact.is_nan() || got.is_nan() {
        return (exact.is_nan() != got.is_nan()).then(|| format!("not {expected:?}"));
    }
    if got.is_sign_negative() != exact.is_sign_negative() {
        return Some(format!("not {expected:?}: the sign"));
    }
    if exact == 0.0 || exact.is_infinite() {
        // std's f64 result may itself have left the range a moment before.
        let near = T::SUFFIX == "f64" && (value.ordinal() - expected.ordinal()).abs() <= 1;
        return (value != expected && !near).then(|| format!("not {expected:?}"));
    }
    let error = if expected.as_f64().is_infinite() {
        (value.ordinal() - expected.ordinal()) as f64
    } else {
        value.ulp_from(exact)
    };
    (error.abs() > bound).then(|| format!("not {expected:?}: {error:.2} ulp"))
}

#[test]
fn f64_agrees_with_std() {
    agrees_with_std::<f64>(1_000_000);
}

#[test]
fn f32_agrees_with_std() {
    agrees_with_std::<f32>(1_000_000);
}

/// LLVM may not contract or reassociate, so a loop of vector code gives the very bits of scalar code.
fn vector_code_is_the_same<T: Tested>() {
    let (x, y) = (arguments::<T>(3000, 3), arguments::<T>(3000, 4));
    for row in T::ROWS {
        for level in LEVELS {
            let mut swept = x.clone();
            if !(row.sweep)(level, &x, &y, &mut swept) {
                continue;
            }
            for ((&x, &y), &swept) in x.iter().zip(&y).zip(&swept) {
                let scalar = (row.fused)(&[x, y]);
                let same = swept == scalar || (swept.as_f64().is_nan() && scalar.as_f64().is_nan());
                assert!(same, "{} {level} at {x:?}, {y:?}: {swept:?}, {scalar:?}", row.name);
            }
        }
    }
}

#[test]
fn vector_code_gives_the_bits_of_scalar_code() {
    vector_code_is_the_same::<f32>();
    vector_code_is_the_same::<f64>();
}

#[test]
fn special_values_std_does_not_have() {
    fn check<T: Tested>() {
        for row in T::ROWS {
            let at = |x: f64| (row.plain)(&[T::nearest(x), T::nearest(1.0)]).as_f64();
            let expected: &[(f64, f64)] = match row.name {
                "erf" => &[(0.0, 0.0), (-0.0, -0.0), (f64::INFINITY, 1.0), (f64::NEG_INFINITY, -1.0)],
                "erfc" => &[(0.0, 1.0), (-0.0, 1.0), (f64::INFINITY, 0.0), (f64::NEG_INFINITY, 2.0)],
                "ndtr" => &[(0.0, 0.5), (f64::INFINITY, 1.0), (f64::NEG_INFINITY, 0.0), (-1e30, 0.0)],
                "exp_neg_square" => &[(0.0, 1.0), (f64::INFINITY, 0.0), (-1e30, 0.0), (1e-30, 1.0)],
                "sech" | "tanh_prime" => &[(f64::INFINITY, 0.0), (f64::NEG_INFINITY, 0.0), (1e4, 0.0)],
                _ => continue,
            };
            assert!(at(f64::NAN).is_nan(), "{}(NaN)", row.name);
            for &(x, y) in expected {
                assert_eq!(at(x).to_bits(), y.to_bits(), "{}({x})", row.name);
            }
        }
    }
    check::<f32>();
    check::<f64>();
}
