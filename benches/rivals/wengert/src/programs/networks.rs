//! Networks, layers and regressions.
use super::all;
use wengert::Engine;
use wengert::op::ConvOptions;
use wengert::prelude::*;

pub fn mlp<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [layers @ .., weight, bias, x, target] = arrays else { unreachable!("a network has a last layer") };
    let x = layers.chunks(2).fold(*x, |x, layer| g.tanh(g.matmul(x, layer[0]) + layer[1]));
    g.mse_loss(g.matmul(x, *weight) + *bias, *target)
}

pub fn gelu_mlp<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [w1, b1, w2, b2, x] = all(arrays);
    let h = g.gelu(g.matmul(x, w1) + b1);
    g.mean((g.matmul(h, w2) + b2).square())
}

pub fn logistic<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [w, b, x, y] = all(arrays);
    g.bce_with_logits(g.matmul(x, w) + b, y)
}

pub fn softmax_regression<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [w, b, x, y] = all(arrays);
    g.cross_entropy(g.matmul(x, w) + b, y)
}

pub fn autoencoder<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [w1, b1, w2, b2, x] = all(arrays);
    let h = g.sigmoid(g.matmul(x, w1) + b1);
    g.mse_loss(g.matmul(h, w2) + b2, x)
}

pub fn attention<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [q, k, v] = all(arrays);
    let width = g.shape(q)[2] as f64;
    let scores = g.softmax(g.matmul(q, g.t(k)) / width.sqrt(), -1);
    g.mean(g.matmul(scores, v).square())
}

pub fn convolutions<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [w1, b1, w2, b2, x] = all(arrays);
    let options = ConvOptions { padding: [1, 1], ..ConvOptions::default() };
    let h = g.relu(g.conv2d(x, w1, b1, options));
    g.mean(g.conv2d(h, w2, b2, options).square())
}

pub fn convolutions_in_line<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [w1, b1, w2, b2, x] = all(arrays);
    let options = ConvOptions { padding: [2], ..ConvOptions::default() };
    let h = g.relu(g.conv1d(x, w1, b1, options));
    g.mean(g.conv1d(h, w2, b2, options).square())
}

fn normalised<T: Engine>(g: &Graph<T>, x: Var, axis: isize) -> Var {
    let centred = g.eval(x - g.mean_keepdims(x, &[axis]));
    g.eval(centred / (g.mean_keepdims(centred.square(), &[axis]) + 1e-5).sqrt())
}

pub fn layer_norm<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [x, gain, bias, target] = all(arrays);
    g.mean((normalised(g, x, 1) * gain + bias - target).square())
}

pub fn batch_norm<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [x, gain, bias, target] = all(arrays);
    g.mean((normalised(g, x, 0) * gain + bias - target).square())
}

pub fn embeddings<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [table, w, b, words, y] = all(arrays);
    let means = g.mean_axes(g.embedding(table, words), &[1]);
    g.cross_entropy(g.matmul(means, w) + b, y)
}
