//! Products and factorisations of matrices.

use super::{Sample, Value, array, numbers, real, within};
use crate::op::*;

/// A well-conditioned matrix, or several.
fn matrix(shape: &[usize]) -> Value {
    let Value::Real(mut x) = within(-0.8, 0.9, shape) else { unreachable!("numbers") };
    let rank = shape.len();
    for (index, x) in x.indexed_iter_mut() {
        if index[rank - 2] == index[rank - 1] {
            *x += 2.0 + 0.9 * index[rank - 1] as f64;
        }
    }
    Value::Real(x)
}

fn on_matrices(op: impl Into<Op>) -> Vec<Sample> {
    let op = op.into();
    let shapes: [&[usize]; 4] = [&[1, 1], &[2, 2], &[3, 3], &[2, 3, 3]];
    shapes.iter().map(|shape| Sample::new(op.clone(), vec![matrix(shape)])).collect()
}

fn on(op: impl Into<Op>, shapes: &[&[usize]]) -> Vec<Sample> {
    let op = op.into();
    shapes.iter().map(|shape| Sample::new(op.clone(), vec![matrix(shape)])).collect()
}

fn solves(op: impl Into<Op>) -> Vec<Sample> {
    let op = op.into();
    let pairs: [[&[usize]; 2]; 4] =
        [[&[2, 2], &[2]], [&[3, 3], &[3, 2]], [&[2, 2, 2], &[2, 2, 1]], [&[2, 2], &[2, 2]]];
    pairs.iter().map(|[a, b]| Sample::new(op.clone(), vec![matrix(a), real(b)])).collect()
}

pub(super) fn samples(op: &Op) -> Option<Vec<Sample>> {
    products(op).or_else(|| factorisations(op))
}

fn products(op: &Op) -> Option<Vec<Sample>> {
    Some(match op {
        Op::MatMul(_) => {
            let pairs: [[&[usize]; 2]; 9] = [
                [&[2, 3], &[3, 2]],
                [&[3], &[3]],
                [&[2, 3], &[3]],
                [&[3], &[3, 2]],
                [&[2, 2, 3], &[3, 2]],
                [&[2, 1, 2, 3], &[3, 3, 2]],
                [&[2, 2], &[2, 2]],
                [&[2, 0], &[0, 3]],
                [&[0, 2], &[2, 3]],
            ];
            pairs.iter().map(|[a, b]| Sample::new(MatMul {}, vec![real(a), within(-0.6, 1.1, b)])).collect()
        }
        Op::Dot(_) => vec![
            Sample::new(Dot {}, vec![real(&[4]), within(0.1, 1.0, &[4])]),
            Sample::new(Dot {}, vec![real(&[0]), real(&[0])]),
        ],
        Op::Outer(_) => vec![
            Sample::new(Outer {}, vec![real(&[3]), within(0.1, 1.0, &[2])]),
            Sample::new(Outer {}, vec![real(&[2]), within(0.1, 1.0, &[2])]),
        ],
        Op::Einsum(_) => {
            let einsum = |equation: &str, shapes: &[&[usize]]| {
                let arg = |(k, shape): (usize, &&[usize])| within(-0.9 + 0.1 * k as f64, 1.2, shape);
                let op = Einsum { equation: equation.as_bytes().into() };
                Sample::new(op, shapes.iter().enumerate().map(arg).collect())
            };
            vec![
                einsum("ij,jk->ik", &[&[2, 3], &[3, 2]]),
                einsum("ii->i", &[&[3, 3]]),
                einsum("ii", &[&[3, 3]]),
                einsum("ijk->j", &[&[2, 3, 2]]),
                einsum("i,j,k->kji", &[&[2], &[3], &[2]]),
                einsum("...ij,...jk->...ik", &[&[2, 2, 3], &[1, 3, 2]]),
                einsum("ij,ij,ij->", &[&[2, 2], &[2, 2], &[2, 2]]),
            ]
        }
        Op::Kron(_) => vec![Sample::new(Kron {}, vec![real(&[2, 3]), within(0.1, 1.0, &[2, 2])])],
        Op::MatrixPower(_) => {
            [0, 1, 2, 5].iter().flat_map(|&n| on(MatrixPower { n }, &[&[2, 2], &[2, 2, 2]])).collect()
        }
        Op::Expm(_) => on(Expm {}, &[&[1, 1], &[2, 2], &[2, 2, 2]]),
        _ => return None,
    })
}

fn factorisations(op: &Op) -> Option<Vec<Sample>> {
    Some(match op {
        Op::Inverse(_) => on_matrices(Inverse {}),
        Op::InverseTransposed(_) => on_matrices(InverseTransposed {}),
        Op::Det(_) => {
            let mut all = on_matrices(Det {});
            all.push(Sample::new(Det {}, vec![array(&[2, 2], &[1.0, 2.0, 2.0, 4.0])]));
            all
        }
        Op::SlogDet(_) => on_matrices(SlogDet {}),
        Op::Cofactor(_) => on_matrices(Cofactor {}),
        Op::CofactorTangent(_) => {
            vec![Sample::new(CofactorTangent {}, vec![matrix(&[3, 3]), real(&[3, 3])])]
        }
        Op::Cholesky(_) => on_matrices(Cholesky {}).into_iter().map(Sample::symmetric).collect(),
        Op::LogDetSpd(_) => on_matrices(LogDetSpd {}).into_iter().map(Sample::symmetric).collect(),
        Op::Eigh(_) => on_matrices(Eigh {}).into_iter().map(|s| s.symmetric().sign_free()).collect(),
        Op::Svd(_) => {
            on(Svd {}, &[&[2, 2], &[3, 2], &[2, 3], &[2, 3, 3]]).into_iter().map(Sample::sign_free).collect()
        }
        Op::Qr(_) => on(Qr {}, &[&[2, 2], &[3, 2], &[2, 3, 3]]).into_iter().map(Sample::sign_free).collect(),
        Op::LuFactor(_) => on(LuFactor {}, &[&[2, 2], &[2, 3, 3]]),
        Op::Solve(_) => solves(Solve {}),
        Op::SolveTransposed(_) => solves(SolveTransposed {}),
        Op::TriangularSolve(_) => (0..8)
            .flat_map(|k| {
                let (lower, transpose, unit_diagonal) = (k & 1 == 0, k & 2 == 0, k & 4 == 0);
                solves(TriangularSolve { lower, transpose, unit_diagonal })
            })
            .collect(),
        Op::CholeskySolve(_) => {
            vec![Sample::new(CholeskySolve {}, vec![real(&[2, 2]), matrix(&[2, 2])]).distinct()]
        }
        Op::InverseGaps(_) => vec![
            Sample::new(InverseGaps { sums: false }, vec![numbers(&[0.5, 1.0, 2.5])]),
            Sample::new(InverseGaps { sums: true }, vec![numbers(&[0.5, 1.0, 2.5])]),
        ],
        Op::Pinv(_) => on(Pinv { rtol: None }, &[&[2, 2], &[3, 2], &[2, 3]]),
        Op::Lstsq(_) => vec![
            Sample::new(Lstsq { rtol: None }, vec![matrix(&[3, 2]), real(&[3, 2])]),
            Sample::new(Lstsq { rtol: None }, vec![matrix(&[3, 2]), real(&[3])]),
        ],
        _ => return None,
    })
}
