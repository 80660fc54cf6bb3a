//! Second partials of every row of the elementwise table against references (`tests/data/rows2/generate.py`), tails included.
//!
//! Errors are in ulp of the true number or, near a zero of it, of its size an eighth of the argument away.

use std::path::Path;

use wengert::Engine;
use wengert::op::{Binary, Op, Tuned, Unary};
use wengert::prelude::*;

/// What a second partial is off by at most, but for the rows of [`EXCEPTIONS`].
const BOUND: f64 = 8.0;

/// Next to a zero of the second partial, where its size an eighth of the argument away is small, too.
const EXCEPTIONS: &[(&str, f64)] = &[
    ("gelu", 12.0),
    ("gelu_tanh", 24.0),
    ("mish", 15.0),
    ("sigmoid_prime", 15.0),
    ("atan2", 15.0),
    ("pow", 15.0),
];

/// Arguments and attributes, and of each second partial the two parts and the size.
struct Point {
    x: Vec<f64>,
    p: [f64; 2],
    truth: Vec<[f64; 3]>,
}

fn points(name: &str, arguments: usize) -> Vec<Point> {
    let file = format!("{}/tests/data/rows2/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(Path::new(&file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    let number = |word: &str| f64::from_bits(u64::from_str_radix(word, 16).expect("hex digits"));
    let point = |line: &str| {
        let words: Vec<f64> = line.split(' ').map(number).collect();
        let (x, rest) = words.split_at(arguments);
        let (p, truth) = rest.split_at(rest.len() - 3 * arguments * (arguments + 1) / 2);
        let p = [0, 1].map(|k| p.get(k).copied().unwrap_or(0.0));
        Point { x: x.to_vec(), p, truth: truth.chunks(3).map(|t| [t[0], t[1], t[2]]).collect() }
    };
    text.lines().map(point).collect()
}

/// In units of the last place, of the least normal number below that.
fn error<T: Engine>(got: T, [hi, lo, size]: [f64; 3]) -> f64 {
    let (size, least, epsilon) =
        (hi.abs().max(size), T::min_positive_value().as_f64(), T::epsilon().as_f64());
    let exponent = if size > 0.0 { size.log2().floor() } else { -2000.0 };
    let unit = (exponent.exp2() * epsilon).max(least * epsilon);
    let off = ((got.as_f64() - hi) - lo).abs();
    if size < least / epsilon { off / least } else { off / unit }
}

/// The derivative; `None` where `y` is constant.
fn by<T: Engine>(g: &Graph<T>, y: Var, x: Var) -> Option<Var> {
    match g.gradient(y, &[x]) {
        Ok(derivative) => Some(derivative[0]),
        Err(error) if error.kind() == wengert::ErrorKind::NoGradientPath => None,
        Err(error) => panic!("{error}"),
    }
}

fn walk<T: Engine>(op: impl Fn([f64; 2]) -> Op, name: &str, arguments: usize, failures: &mut Vec<String>) {
    let bound = EXCEPTIONS.iter().find(|(row, _)| *row == name).map_or(BOUND, |(_, bound)| *bound);
    let pairs: &[(usize, usize)] = if arguments == 1 { &[(0, 0)] } else { &[(0, 0), (0, 1), (1, 1)] };
    let mut worst = vec![(0.0, String::new()); pairs.len()];
    for Point { x, p, truth } in points(name, arguments) {
        let exact = |x: &f64| T::of(*x).as_f64() == *x;
        if !(x.iter().all(exact) && p.iter().all(exact)) {
            continue;
        }
        let g = Graph::<T>::default();
        let leaves: Vec<Var> = x.iter().map(|&x| g.leaf(ndarray::arr0(T::of(x)))).collect();
        let y = g.try_apply(&op(p), &leaves).unwrap()[0];
        for ((&(k, l), truth), worst) in pairs.iter().zip(truth).zip(&mut worst) {
            if truth[0].is_nan() || truth[0].abs() > 1e-3 * T::max_value().as_f64() {
                continue;
            }
            let got = by(&g, y, leaves[k]).and_then(|first| by(&g, first, leaves[l]));
            let got = got.map_or(T::zero(), |second| g.item(second));
            let error = error(got, truth);
            if error.is_nan() || error > worst.0 {
                *worst = (error, format!("at {x:?} {p:?}: {got:e}, not {:e}", truth[0]));
            }
        }
    }
    for ((error, at), pair) in worst.into_iter().zip(pairs) {
        let line = format!("{name} {} {pair:?}: {error:.2} ulp {at}", std::any::type_name::<T>());
        println!("{line}");
        if error.is_nan() || error > bound {
            failures.push(line);
        }
    }
}

#[test]
fn second_partials_are_accurate_over_the_whole_domain() {
    let mut failures = Vec::new();
    for &op in Unary::ALL {
        walk::<f64>(|_| Op::Unary(op), op.name(), 1, &mut failures);
        walk::<f32>(|_| Op::Unary(op), op.name(), 1, &mut failures);
    }
    for &op in Tuned::ALL {
        walk::<f64>(|p| Op::Tuned(op, p), op.name(), 1, &mut failures);
        walk::<f32>(|p| Op::Tuned(op, p), op.name(), 1, &mut failures);
    }
    for &op in Binary::ALL {
        walk::<f64>(|_| Op::Binary(op), op.name(), 2, &mut failures);
        walk::<f32>(|_| Op::Binary(op), op.name(), 2, &mut failures);
    }
    assert!(failures.is_empty(), "{} bounds are broken:\n{}", failures.len(), failures.join("\n"));
}
