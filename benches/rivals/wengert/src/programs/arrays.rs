//! Single ops of arrays and matrices, with what little a program puts around them.
use super::all;
use wengert::Engine;
use wengert::prelude::*;

pub fn sum_squares_last<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [x] = all(arrays);
    g.mean(g.sum_axes(x * x, &[1]).square())
}

pub fn sum_squares_first<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [x] = all(arrays);
    g.mean(g.sum_axes(x * x, &[0]).square())
}

pub fn row_column_tanh<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [x, row, column] = all(arrays);
    g.mean((x * row + column).tanh())
}

pub fn polynomial<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [c, x, y] = all(arrays);
    let c = |k| g.select(c, 0, k);
    let p = (0..5).rev().fold(c(5), |p, k| g.eval(p * x + c(k)));
    g.mean((p - y).square())
}

pub fn quadratic_form<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [x, a] = all(arrays);
    g.dot(x, g.matmul(a, x))
}

pub fn inverse_det<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [a, unit] = all(arrays);
    let a = g.eval(a + unit);
    g.eval(g.sum(g.inverse(a).unwrap().square()) + g.det(a))
}

pub fn systems<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [a, b, unit] = all(arrays);
    g.mean(g.solve(a + unit, b).unwrap().square())
}

pub fn cumulative_sums<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [x] = all(arrays);
    g.mean(g.cumsum(x, 1).square())
}

pub fn sorted_rows<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [x, weights] = all(arrays);
    let (sorted, _) = g.sort(x, 1, false);
    g.mean((sorted * weights).square())
}

pub fn largest_of_rows<T: Engine>(g: &Graph<T>, arrays: &[Var]) -> Var {
    let [x] = all(arrays);
    g.mean(g.max_axes(x, &[1]).square())
}
