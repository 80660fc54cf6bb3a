//! Every row of the table, value and partials, against its references: as vector code, as scalar code, in both types.
//!
//! A row without a reference file fails. Errors are in ulp of the true result, or of the terms that cancel in it where the
//! file gives their size.

use std::path::Path;

use super::*;
use crate::kernel::level::SCALAR;
use crate::kernel::number::{binary_primal, tuned_primal, unary_primal};
use crate::kernel::special::ulp;
use crate::words::{binary_partial, tuned_partial, unary_partial};

/// What value and partials are off by at most.
const BOUND: f64 = 4.0;

#[derive(Clone, Copy)]
enum Row {
    Unary(Unary),
    Tuned(Tuned),
    Binary(Binary),
}

impl Row {
    fn name(self) -> &'static str {
        match self {
            Row::Unary(op) => op.name(),
            Row::Tuned(op) => op.name(),
            Row::Binary(op) => op.name(),
        }
    }

    fn arguments(self) -> usize {
        if matches!(self, Row::Binary(_)) { 2 } else { 1 }
    }
}

struct Point {
    x: Vec<f64>,
    p: Params,
    /// Value, then partials: the two parts of the number, and the size of what cancels in it.
    truth: Vec<[f64; 3]>,
}

fn points(row: Row) -> Vec<Point> {
    let file = format!("tests/data/rows/{}.txt", row.name());
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file));
    let text = text.unwrap_or_else(|e| panic!("{file}: {e}; every row needs references (generate.py there)"));
    let number = |word: &str| f64::from_bits(u64::from_str_radix(word, 16).expect("hex digits"));
    let point = |line: &str| {
        let words: Vec<f64> = line.split(' ').map(number).collect();
        let (x, rest) = words.split_at(row.arguments());
        let (p, truth) = rest.split_at(rest.len() - 3 * (1 + row.arguments()));
        let p = [0, 1].map(|k| p.get(k).copied().unwrap_or(0.0));
        Point { x: x.to_vec(), p, truth: truth.chunks(3).map(|t| [t[0], t[1], t[2]]).collect() }
    };
    text.lines().map(point).collect()
}

/// Value and partials by the loops over slices.
fn swept<T: Functions>(row: Row, x: &[T], p: Params) -> Vec<T> {
    let (a, b, one) = ([x[0]; 9], [*x.last().expect("an argument"); 9], [T::one(); 9]);
    let (mut y, mut da, mut db) = ([T::zero(); 9], [T::zero(); 9], [T::zero(); 9]);
    match row {
        Row::Unary(_) | Row::Tuned(_) => {
            let op = if let Row::Unary(op) = row { Map::Unary(op) } else { Map::Tuned(tuned(row), p) };
            map_forward(op, &a, &mut y);
            map_vjp(op, &a, &y, &one, &mut da, false);
            vec![y[3], da[3]]
        }
        Row::Binary(op) => {
            zip_forward(op, &a, &b, &mut y);
            zip_vjp(op, 0, [&a, &b], &y, &one, &mut da, false);
            zip_vjp(op, 1, [&a, &b], &y, &one, &mut db, false);
            vec![y[3], da[3], db[3]]
        }
    }
}

fn tuned(row: Row) -> Tuned {
    match row {
        Row::Tuned(op) => op,
        _ => unreachable!("asked of rows with attributes only"),
    }
}

/// Value and partials of single numbers.
fn single<T: Functions>(row: Row, x: &[T], p: Params) -> Vec<T> {
    let number = |k: usize| Number::<T, SCALAR>(x[k]);
    let all = match row {
        Row::Unary(op) => {
            let y = unary_primal(op, number(0));
            vec![y, unary_partial(op, number(0), y)]
        }
        Row::Tuned(op) => {
            let y = tuned_primal(op, p, number(0));
            vec![y, tuned_partial(op, p, number(0), y)]
        }
        Row::Binary(op) => {
            let y = binary_primal(op, number(0), number(1));
            vec![
                y,
                binary_partial(op, 0, number(0), number(1), y),
                binary_partial(op, 1, number(0), number(1), y),
            ]
        }
    };
    all.into_iter().map(|y| y.0).collect()
}

/// The error of `got` in ulp of `T`; results too small to be normal may be flushed to 0.
fn error<T: Functions>(got: T, [hi, lo, scale]: [f64; 3]) -> f64 {
    let (got, largest, least) = (got.as_f64(), T::max_value().as_f64(), T::min_positive_value().as_f64());
    let size = hi.abs().max(scale);
    // An f32 has 29 bits fewer.
    let unit = ulp(size) * (T::epsilon().as_f64() / f64::EPSILON);
    match (got - hi) - lo {
        _ if got == hi && hi.is_infinite() || hi.abs() > 0.999 * largest && got.abs() > 0.998 * largest => {
            0.0
        }
        off if size < least => off.abs() / least,
        off => off.abs() / unit.max(least * T::epsilon().as_f64()),
    }
}

fn walk<T: Functions>(row: Row, failures: &mut Vec<String>) {
    let mut worst = vec![(0.0, String::new()); 1 + row.arguments()];
    for Point { x, p, truth } in points(row) {
        let rounded: Vec<T> = x.iter().map(|&x| T::of(x)).collect();
        if rounded.iter().zip(&x).any(|(r, x)| r.as_f64() != *x) || p.iter().any(|&p| T::of(p).as_f64() != p)
        {
            continue;
        }
        // A partial that is made from a value which is not normal has no more digits than that.
        let least = T::min_positive_value().as_f64();
        let counted = if truth[0][0] != 0.0 && truth[0][0].abs() < least { 1 } else { truth.len() };
        for found in [swept(row, &rounded, p), single(row, &rounded, p)] {
            for ((found, &truth), worst) in found.into_iter().zip(&truth).zip(&mut worst).take(counted) {
                let error = error(found, truth);
                if error.is_nan() || error > worst.0 {
                    *worst = (error, format!("at {x:?} {p:?}: {found:e}, not {:e}", truth[0]));
                }
            }
        }
    }
    for (k, (error, at)) in worst.into_iter().enumerate() {
        let what = if k == 0 { "value".into() } else { format!("partial {}", k - 1) };
        let line = format!("{} {} {what}: {error:.2} ulp {at}", row.name(), std::any::type_name::<T>());
        println!("{line}");
        if error.is_nan() || error > BOUND {
            failures.push(line);
        }
    }
}

#[test]
fn every_row_is_accurate_over_its_whole_domain() {
    let unary = Unary::ALL.iter().map(|&op| Row::Unary(op));
    let tuned = Tuned::ALL.iter().map(|&op| Row::Tuned(op));
    let binary = Binary::ALL.iter().map(|&op| Row::Binary(op));
    let mut failures = Vec::new();
    for row in unary.chain(tuned).chain(binary) {
        walk::<f64>(row, &mut failures);
        walk::<f32>(row, &mut failures);
    }
    assert!(failures.is_empty(), "{} bounds are broken:\n{}", failures.len(), failures.join("\n"));
}

/// Where value or partial is one number from somewhere on, it is that number at infinity, too.
fn level_off<T: Functions>(row: Row, failures: &mut Vec<String>) {
    let mut attributes: Vec<Params> = points(row).iter().map(|point| point.p).collect();
    attributes.dedup();
    for p in attributes {
        for sign in [T::one(), -T::one()] {
            let at = |x: T| [swept(row, &[x * sign], p), single(row, &[x * sign], p)].concat();
            let far = T::max_value().sqrt();
            let (further, most, end) = (at(far * T::of(1e3)), at(T::max_value()), at(T::infinity()));
            for (k, far) in at(far).into_iter().enumerate() {
                if far == further[k] && !(most[k] == far && end[k] == far) {
                    let (name, what) = (row.name(), ["value", "partial"][k % 2]);
                    failures.push(format!(
                        "{name} {p:?} at {sign} infinity: {what} {}, {}, not {far}",
                        most[k], end[k]
                    ));
                }
            }
        }
    }
}

#[test]
fn every_row_levels_off_at_infinity() {
    let mut failures = Vec::new();
    let unary = Unary::ALL.iter().map(|&op| Row::Unary(op));
    let rows = unary.chain(Tuned::ALL.iter().map(|&op| Row::Tuned(op)));
    // These have poles all the way down.
    for row in rows.filter(|row| !matches!(row.name(), "digamma" | "polygamma")) {
        level_off::<f64>(row, &mut failures);
        level_off::<f32>(row, &mut failures);
    }
    failures.dedup();
    assert!(failures.is_empty(), "{} rows do not:\n{}", failures.len(), failures.join("\n"));
}
