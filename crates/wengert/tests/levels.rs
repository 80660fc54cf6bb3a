//! Every dispatch level of the kernels, forced one after the other, gives the same results to within rounding.
//!
//! The level is chosen once in a process, so this test runs itself again for each, with `WENGERT_LEVEL` set.

use std::process::Command;

use ndarray::{Array, ArrayD, IxDyn};
use wengert::prelude::*;
use wengert::{Engine, Real};

/// Difference allowed between levels, relative to the largest number of an array, in units of the type's precision.
const BOUND: f64 = 64.0;

fn numbers<T: Real>(seed: u64, shape: &[usize]) -> ArrayD<T> {
    let mut state = seed;
    Array::from_shape_fn(IxDyn(shape), |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        T::of((state >> 40) as f64 / (1u64 << 23) as f64 - 1.0)
    })
}

/// Values and gradients of a program of kernels of every kind, one array a line.
fn results<T: Engine>() -> Vec<Vec<f64>> {
    let mut g = Graph::<T>::default();
    // The last two are large enough to be packed.
    let shapes: [&[usize]; 7] =
        [&[7, 37], &[37], &[37, 11], &[2, 3, 9, 9], &[4, 3, 3, 3], &[150, 170], &[170, 140]];
    let p: Vec<Var> = shapes.iter().zip(1..).map(|(s, seed)| g.leaf(numbers::<T>(seed, s))).collect();
    let [x, row, w, images, kernel, left, right] = p[..] else { unreachable!("seven inputs") };
    let waves = g.eval((x * row).sin() + (x - row).cos().exp() + x.tanh() * row.sigmoid() + x.erf());
    let logs = g.eval((x.square() + 1.0).log() + (row + 2.0).log1p() + x.softplus() + x.gelu());
    let h = g.layer_norm(waves + logs, &[37], row, row, 1e-5);
    let h = g.softmax(g.matmul(h, w), -1);
    let image = g.conv2d(images, kernel, None, Default::default());
    let image = g.max_pool2d(g.relu(image), [2, 2], Default::default());
    let eye: ArrayD<T> =
        Array::from_shape_fn(IxDyn(&[11, 11]), |at| if at[0] == at[1] { T::of(11.0) } else { T::zero() });
    let eye = g.constant(eye);
    let gram = g.eval(g.matmul(g.t(w), w) + eye);
    let factor = g.cholesky(gram).unwrap();
    let product = g.matmul(left, right);
    let loss = g.eval(g.sum(h.square()) + g.mean(image) + g.sum(factor) + g.logsumexp(logs));
    let loss = g.eval(loss + g.mean(product.square()));
    g.backward(loss).unwrap();
    let array = |a: ndarray::ArrayViewD<'_, T>| a.iter().map(|v| v.as_f64()).collect();
    let values = [waves, logs, h, image, factor, product, loss].map(|v| array(g.value(v)));
    values.into_iter().chain(p.iter().map(|v| array(g.grad(*v).unwrap()))).collect()
}

/// What the runs at forced levels print; nothing where no level is forced.
#[test]
fn results_of_the_forced_level() {
    if std::env::var_os("WENGERT_LEVEL").is_some() {
        for (dtype, arrays) in [("f64", results::<f64>()), ("f32", results::<f32>())] {
            for array in arrays {
                let words: Vec<String> = array.iter().map(|v| format!("{:x}", v.to_bits())).collect();
                println!("\n{dtype}: {}", words.join(" "));
            }
        }
    }
}

fn at(level: &str) -> Option<Vec<(String, Vec<f64>)>> {
    let run = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "results_of_the_forced_level", "--nocapture"])
        .env("WENGERT_LEVEL", level)
        .output()
        .unwrap();
    let text = String::from_utf8(run.stdout).unwrap();
    if !run.status.success() {
        let why = text + &String::from_utf8_lossy(&run.stderr);
        assert!(why.contains("not on this machine"), "{level}: {why}");
        return None;
    }
    let number = |word: &str| f64::from_bits(u64::from_str_radix(word, 16).unwrap());
    let lines =
        text.lines().filter_map(|line| line.split_once(": ")).filter(|(t, _)| ["f64", "f32"].contains(t));
    Some(lines.map(|(t, words)| (t.to_string(), words.split(' ').map(number).collect())).collect())
}

#[test]
fn levels_agree() {
    let plain = at("plain").expect("every machine has it");
    assert_eq!(plain.len(), 2 * 14);
    for level in ["avx2", "avx512"] {
        for ((dtype, plain), (_, other)) in plain.iter().zip(at(level).unwrap_or_default()) {
            let unit = if dtype == "f64" { f64::EPSILON } else { f64::from(f32::EPSILON) };
            let scale = plain.iter().fold(0.0f64, |most, v| most.max(v.abs()));
            for (a, b) in plain.iter().zip(other) {
                assert!(
                    (a - b).abs() <= BOUND * unit * scale,
                    "{level} {dtype}: {a} and {b} of at most {scale}"
                );
            }
        }
    }
}
