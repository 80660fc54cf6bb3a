//! The log likelihood of a sequence under layers of LSTM cells whose every product is elementwise.

use ndarray::{Array2, Array3, ArrayD};
use wengert::prelude::*;

use super::{Draw, Objective};

/// Layers of `[8, b]` weights and biases, and three rows that lead in and out.
pub struct Lstm {
    layers: Array3<f64>,
    ends: Array2<f64>,
    state: Array3<f64>,
    sequence: Array2<f64>,
}

impl Lstm {
    pub fn new(l: usize, c: usize, b: usize, seed: u64) -> Self {
        let mut draw = Draw::new(seed);
        let layers = Array3::from_shape_simple_fn((l, 8, b), || 2.0 * draw.centred());
        let ends = Array2::from_shape_simple_fn((3, b), || 2.0 * draw.centred());
        let state = Array3::from_shape_simple_fn((l, 2, b), || 2.0 * draw.centred());
        let sequence = Array2::from_shape_simple_fn((c, b), || (draw.uniform() >= 0.5).into());
        Lstm { layers, ends, state, sequence }
    }
}

impl Objective for Lstm {
    fn parameters(&self) -> Vec<ArrayD<f64>> {
        vec![self.layers.clone().into_dyn(), self.ends.clone().into_dyn()]
    }

    fn constants(&self, g: &Graph) -> Vec<Var> {
        vec![g.constant(&self.state), g.constant(&self.sequence)]
    }

    fn record(&self, g: &Graph, params: &[Var], data: &[Var]) -> Var {
        let (&[layers, ends], &[state, sequence]) = (params, data) else { unreachable!("as recorded") };
        let (l, steps) = (self.layers.dim().0, self.sequence.nrows() - 1);
        let rows = |x: Var, k: usize| g.select(x, 0, k as isize);
        let weights: Vec<[Var; 8]> =
            (0..l).map(|k| rows(layers, k)).map(|w| std::array::from_fn(|j| rows(w, j))).collect();
        let mut states: Vec<[Var; 2]> =
            (0..l).map(|k| rows(state, k)).map(|s| [rows(s, 0), rows(s, 1)]).collect();
        let inputs = g.eval(sequence * rows(ends, 0));
        let mut outputs = Vec::with_capacity(steps);
        for t in 0..steps {
            let mut x = rows(inputs, t);
            for (&[wf, wi, wo, wc, bf, bi, bo, bc], [h, s]) in weights.iter().zip(&mut states) {
                let kept = (x * wf + bf).sigmoid() * *s;
                *s = g.eval(kept + (*h * wi + bi).sigmoid() * (*h * wc + bc).tanh());
                *h = g.eval((x * wo + bo).sigmoid() * s.tanh());
                x = *h;
            }
            outputs.push(x);
        }
        let y = g.eval(g.stack(&outputs, 0) * rows(ends, 1) + rows(ends, 2));
        let normal = g.log(g.sum_keepdims(y.exp(), &[1]) + 2.0);
        let total = g.sum((y - normal) * g.slice(sequence, 0, 1..));
        g.eval(total * (-1.0 / (self.sequence.ncols() * steps) as f64))
    }

    fn plain(&self) -> f64 {
        let (c, b) = self.sequence.dim();
        let row =
            |a: &Array3<f64>, k: usize| a.outer_iter().nth(k).expect("a layer").iter().copied().collect();
        let weights: Vec<Vec<f64>> = (0..self.layers.dim().0).map(|k| row(&self.layers, k)).collect();
        let mut states: Vec<Vec<f64>> = (0..weights.len()).map(|k| row(&self.state, k)).collect();
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let (mut x, mut total) = (vec![0.0; b], 0.0);
        for t in 0..c - 1 {
            (0..b).for_each(|j| x[j] = self.sequence[[t, j]] * self.ends[[0, j]]);
            for (w, state) in weights.iter().zip(&mut states) {
                let (h, s) = state.split_at_mut(b);
                for j in 0..b {
                    let gate = |of: f64, k: usize| of * w[k * b + j] + w[(k + 4) * b + j];
                    let (forget, add) = (sigmoid(gate(x[j], 0)), sigmoid(gate(h[j], 1)));
                    s[j] = s[j] * forget + add * gate(h[j], 3).tanh();
                    h[j] = sigmoid(gate(x[j], 2)) * s[j].tanh();
                    x[j] = h[j];
                }
            }
            (0..b).for_each(|j| x[j] = x[j] * self.ends[[1, j]] + self.ends[[2, j]]);
            let normal = (2.0 + x.iter().map(|y| y.exp()).sum::<f64>()).ln();
            total += (0..b).map(|j| self.sequence[[t + 1, j]] * (x[j] - normal)).sum::<f64>();
        }
        -total / (b * (c - 1)) as f64
    }
}
