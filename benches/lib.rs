//! Shared pieces of the benchmarks: deterministic data, a chain, a network, and the objectives of ADBench.

#[path = "adbench/mod.rs"]
pub mod adbench;

use ndarray::{ArrayD, IxDyn};
use wengert::Engine;
use wengert::prelude::*;

/// An array of numbers between -1 and 1, the same at every run.
pub fn data<T: Engine>(seed: u64, shape: &[usize], scale: f64) -> ArrayD<T> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ArrayD::from_shape_fn(IxDyn(shape), |_| {
        state = state.wrapping_add(0xD1B5_4A32_D192_ED03);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        T::of(((z >> 11) as f64 / (1u64 << 53) as f64 * 2.0 - 1.0) * scale)
    })
}

/// `ops` alternating products and sums on `x`.
pub fn chain<T: Engine>(g: &Graph<T>, [mut x, a, b]: [Var; 3], ops: usize) -> Var {
    for k in 0..ops {
        x = if k % 2 == 0 { g.eval(x * a) } else { g.eval(x + b) };
    }
    x
}

/// A network with its data: the parameters, the input, and the targets.
pub struct Mlp {
    /// Weights and biases, in turns.
    pub params: Vec<Var>,
    input: Var,
    targets: Var,
}

impl Mlp {
    /// Layers of the given sizes, at a batch of `batch`.
    pub fn new<T: Engine>(g: &Graph<T>, sizes: &[usize], batch: usize) -> Self
    where
        ArrayD<T>: wengert::graph::Source<T>,
    {
        let mut params = Vec::new();
        for (k, pair) in sizes.windows(2).enumerate() {
            let scale = 1.0 / (pair[0] as f64).sqrt();
            params.push(g.leaf(data::<T>(10 + 2 * k as u64, pair, scale)));
            params.push(g.leaf(data::<T>(11 + 2 * k as u64, &pair[1..], scale)));
        }
        let classes = sizes[sizes.len() - 1] as i64;
        let targets: Vec<i64> = (0..batch as i64).map(|k| k * 7 % classes).collect();
        Mlp { params, input: g.constant(data::<T>(1, &[batch, sizes[0]], 1.0)), targets: g.indices(targets) }
    }

    /// The loss.
    pub fn loss<T: Engine>(&self, g: &Graph<T>) -> Var {
        let mut h = self.input;
        let layers = self.params.len() / 2;
        for (k, layer) in self.params.chunks(2).enumerate() {
            let z = g.eval(g.matmul(h, layer[0]) + layer[1]);
            h = if k + 1 < layers { g.relu(z) } else { z };
        }
        g.cross_entropy(h, self.targets)
    }
}
