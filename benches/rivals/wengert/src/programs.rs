//! The whole programs of `programs.txt`: value and gradient of each, as a user writes it.
mod arrays;
mod fields;
mod networks;
mod op_by_op;
mod recurrences;
mod statistics;

use super::common::{Built, labels, rnd};
use ndarray::{ArrayD, IxDyn};
use std::iter::repeat;
use wengert::Engine;
use wengert::prelude::*;

/// From the parameters in order, then the constants, to the loss.
type Program<T> = fn(&Graph<T>, &[Var]) -> Var;

/// The program of a row: that of its name up to the first number.
fn program<T: Engine>(name: &str) -> Option<Program<T>> {
    let words = name.split('_').take_while(|word| !word.starts_with(|c: char| c.is_ascii_digit()));
    Some(match &words.collect::<Vec<_>>().join("_")[..] {
        "mlp" => networks::mlp,
        "gelu_mlp" => networks::gelu_mlp,
        "logistic" => networks::logistic,
        "softmax_regression" => networks::softmax_regression,
        "autoencoder" => networks::autoencoder,
        "attention" => networks::attention,
        "convolutions" => networks::convolutions,
        "convolutions_in_line" => networks::convolutions_in_line,
        "layer_norm" => networks::layer_norm,
        "batch_norm" => networks::batch_norm,
        "embeddings" => networks::embeddings,
        "gru" => recurrences::gru,
        "lstm" => recurrences::lstm,
        "rnn" => recurrences::rnn,
        "forward_algorithm" => recurrences::forward_algorithm,
        "kalman" => recurrences::kalman,
        "runge_kutta" => recurrences::runge_kutta,
        "growth" => recurrences::growth,
        "lorenz" => recurrences::lorenz,
        "gaussian_process" => statistics::gaussian_process,
        "normal_cholesky" => statistics::normal_cholesky,
        "mixture" => statistics::mixture,
        "negative_binomial" => statistics::negative_binomial,
        "black_scholes" => statistics::black_scholes,
        "factorisation" => statistics::factorisation,
        "cosines" => statistics::cosines,
        "rosenbrock" => fields::rosenbrock,
        "heat" => fields::heat,
        "heat_plane" => fields::heat_plane,
        "laplacian" => fields::laplacian,
        "total_variation" => fields::total_variation,
        "pair_potential" => fields::pair_potential,
        "sum_squares_last" => arrays::sum_squares_last,
        "sum_squares_first" => arrays::sum_squares_first,
        "row_column_tanh" => arrays::row_column_tanh,
        "polynomial" => arrays::polynomial,
        "quadratic_form" => arrays::quadratic_form,
        "inverse_det" => arrays::inverse_det,
        "systems" => arrays::systems,
        "cumulative_sums" => arrays::cumulative_sums,
        "sorted_rows" => arrays::sorted_rows,
        "largest_of_rows" => arrays::largest_of_rows,
        "mse_ops" => op_by_op::mse_ops,
        "w3_ops" => op_by_op::w3_ops,
        "huber_ops" => op_by_op::huber_ops,
        "mlp_ops" => op_by_op::mlp_ops,
        "diffs" => op_by_op::diffs,
        "residual_ops" => op_by_op::residual_ops,
        "scan_ops" => op_by_op::scan_ops,
        _ => return None,
    })
}

/// What a row gives its program.
fn all<const N: usize>(arrays: &[Var]) -> [Var; N] {
    arrays.try_into().expect("as many arrays as the program takes")
}

/// The entries of a row of the table: parameters, constants.
fn row(name: &str) -> Option<[&'static str; 2]> {
    let table = include_str!("../../programs.txt").lines().filter(|line| !line.starts_with('#'));
    let mut rows = table.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    rows.find(|cells| cells[0] == name).map(|cells| [cells[2], cells[3]])
}

/// An entry such as `64x32*0.1+1` up to a sign, and the number behind that.
fn cut<'e>(entry: &'e str, signs: &[char], absent: f64) -> (&'e str, f64) {
    match entry.find(signs) {
        Some(k) => (&entry[..k], entry[k..].trim_start_matches(['*', '<']).parse().expect("a number")),
        None => (entry, absent),
    }
}

/// Records the array of an entry: the same numbers as `array` of py/programs.py.
fn record<T: Engine>(g: &Graph<T>, entry: &str, seed: u64, is_parameter: bool) -> Var {
    let (entry, shift) = cut(entry, &['+', '-'], 0.0);
    let (entry, scale) = cut(entry, &['*'], 1.0);
    let (entry, below) = cut(entry, &['<'], 0.0);
    let unit = entry.strip_prefix("eye");
    let shape: Vec<usize> = match unit.unwrap_or(entry) {
        "number" => vec![],
        size => size.split('x').map(|n| n.parse().expect("a length")).collect(),
    };
    let n = shape.iter().product();
    if below > 0.0 {
        let values = labels(seed, n, below as usize).into_iter().map(i64::from).collect();
        return g.indices(ArrayD::from_shape_vec(IxDyn(&shape), values).expect("a number for each element"));
    }
    let (values, shape) = match unit {
        Some(_) => ((0..n * n).map(|k| f64::from(k % (n + 1) == 0)).collect(), vec![n, n]),
        None => (rnd(seed, n), shape),
    };
    let values = super::array::<T>(&(values.iter().map(|v| shift + scale * v).collect(), shape));
    if is_parameter { g.leaf(values) } else { g.constant(values) }
}

/// Whether `name` is a row of the table.
pub fn is_one(name: &str) -> bool {
    row(name).is_some()
}

/// Value and gradients of the program `name`. None if there is no such row.
pub fn build<T: Engine + 'static>(name: &str) -> Option<Built> {
    let (loss_of, [parameters, constants]) = (program::<T>(name)?, row(name)?);
    let g = Graph::<T>::default();
    let entries = [(parameters, true), (constants, false)].into_iter();
    let entries = entries.flat_map(|(cell, is_parameter)| cell.split_whitespace().zip(repeat(is_parameter)));
    let arrays: Vec<Var> = (1..).zip(entries).map(|(seed, (entry, p))| record(&g, entry, seed, p)).collect();
    let parameters = arrays[..parameters.split_whitespace().count()].to_vec();
    Some(super::built(g, parameters, false, move |g| loss_of(g, &arrays)))
}
