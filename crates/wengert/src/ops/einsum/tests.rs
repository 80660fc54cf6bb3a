use ndarray::{ArrayD, IxDyn};

use super::equation::Equation;
use crate::error::ErrorKind;
use crate::graph::Graph;
use crate::op::Einsum;
use crate::var::Var;

fn numbers(shape: &[usize], seed: usize) -> ArrayD<f64> {
    let mut state = seed as u64 + 1;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1 << 24) as f64 - 0.5
    })
}

/// The definition: a loop over every value of every index.
fn plain(equation: &str, operands: &[ArrayD<f64>]) -> ArrayD<f64> {
    let shapes: Vec<&[usize]> = operands.iter().map(|x| x.shape()).collect();
    let e = Equation::new(equation.as_bytes(), &shapes).unwrap();
    let mut labels: Vec<u8> = e.inputs.iter().flatten().copied().collect();
    labels.sort_unstable();
    labels.dedup();
    let lengths: Vec<usize> = labels.iter().map(|&l| e.length(l)).collect();
    let shape: Vec<usize> = e.output.iter().map(|&l| e.length(l)).collect();
    let mut y = ArrayD::zeros(IxDyn(&shape));
    for index in ndarray::indices(IxDyn(&lengths)) {
        let value = |l: &u8| index[labels.iter().position(|m| m == l).unwrap()];
        let at = |x: &ArrayD<f64>, own: &[u8]| {
            own.iter().zip(x.shape()).map(|(l, &n)| if n == 1 { 0 } else { value(l) }).collect::<Vec<_>>()
        };
        let product: f64 = operands.iter().zip(&e.inputs).map(|(x, own)| x[IxDyn(&at(x, own))]).product();
        let place: Vec<usize> = e.output.iter().map(value).collect();
        y[IxDyn(&place)] += product;
    }
    y
}

type Case = (&'static str, &'static [&'static [usize]]);
const CASES: &[Case] = &[
    ("ij,jk->ik", &[&[2, 3], &[3, 4]]),
    ("ij,jk->ki", &[&[2, 3], &[3, 4]]),
    ("ij,jk", &[&[2, 3], &[3, 4]]),
    ("ba", &[&[2, 3]]),
    ("bA,c", &[&[2, 3], &[2]]),
    ("ij->ij", &[&[2, 3]]),
    ("ii", &[&[3, 3]]),
    ("ii->i", &[&[3, 3]]),
    ("iii->i", &[&[3, 3, 3]]),
    ("iji->j", &[&[3, 2, 3]]),
    ("abab->ba", &[&[2, 3, 2, 3]]),
    ("ijk->", &[&[2, 3, 4]]),
    ("i,ij,j->", &[&[2], &[2, 3], &[3]]),
    ("ij,jk,kl,lm->im", &[&[2, 5], &[5, 3], &[3, 4], &[4, 2]]),
    ("ik,ij,jk->k", &[&[2, 3], &[2, 4], &[4, 3]]),
    ("bij,bjk->bik", &[&[2, 3, 4], &[2, 4, 2]]),
    ("bhqd,bhkd->bhqk", &[&[2, 3, 2, 4], &[2, 3, 5, 4]]),
    ("chw,dhw->cd", &[&[2, 3, 4], &[5, 3, 4]]),
    ("hcw,whd->dc", &[&[3, 2, 4], &[4, 3, 5]]),
    ("xay,byxc->cab", &[&[2, 3, 4], &[5, 4, 2, 2]]),
    ("i,j->ij", &[&[2], &[3]]),
    ("i,j->ji", &[&[2], &[3]]),
    ("i,i->i", &[&[3], &[3]]),
    ("bi,bi->b", &[&[2, 3], &[2, 3]]),
    (",i->i", &[&[], &[3]]),
    (",", &[&[], &[]]),
    ("ia,ib->b", &[&[3, 2], &[3, 4]]),
    ("...ij,...jk->...ik", &[&[2, 1, 2, 3], &[4, 3, 2]]),
    ("...i->...", &[&[2, 2, 3]]),
    ("...ii->...i", &[&[2, 3, 3]]),
    ("i...->i", &[&[2, 3, 4]]),
    ("i...", &[&[2, 3, 4]]),
    ("...,...->...", &[&[2, 1], &[3]]),
    ("...a,b...", &[&[2, 3], &[4, 2]]),
    ("i->...i", &[&[3]]),
    ("i,i->i", &[&[1], &[3]]),
    ("i,i->", &[&[1], &[3]]),
    ("ij,jk->ik", &[&[2, 1], &[3, 4]]),
    ("ij,jk->ik", &[&[2, 0], &[0, 4]]),
    ("ij,jk->ik", &[&[0, 3], &[3, 4]]),
    ("i,i->", &[&[1], &[0]]),
    (" i j , j k -> i k ", &[&[2, 3], &[3, 2]]),
];

#[test]
fn values_follow_the_definition() {
    for (equation, shapes) in CASES {
        let g = Graph::new();
        let operands: Vec<_> = shapes.iter().enumerate().map(|(k, s)| numbers(s, k)).collect();
        let vars: Vec<Var> = operands.iter().map(|x| g.leaf(x.clone())).collect();
        let y = g.einsum(equation, &vars);
        assert!(!vars.contains(&y), "{equation}: the result is a node of its own");
        let (have, want) = (g.value(y), plain(equation, &operands));
        assert_eq!(have.shape(), want.shape(), "{equation}");
        assert!(have.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-13), "{equation}: {have} {want}");
    }
}

/// An einsum is linear in each operand, so its cotangent is found exactly by one difference an element.
#[test]
fn gradients_follow_from_linearity() {
    for (equation, shapes) in CASES {
        let mut g = Graph::new();
        let operands: Vec<_> = shapes.iter().enumerate().map(|(k, s)| numbers(s, k)).collect();
        let vars: Vec<Var> = operands.iter().map(|x| g.leaf(x.clone())).collect();
        let y = g.einsum(equation, &vars);
        let seed = numbers(&g.shape(y), 77);
        let y_bar = g.constant(seed.clone());
        let recorded = g.gradient_with(y, y_bar, &vars).unwrap();
        g.backward_with(y, seed.clone()).unwrap();
        for (k, &v) in vars.iter().enumerate() {
            let want = ArrayD::from_shape_fn(IxDyn(shapes[k]), |at| {
                let mut one = operands.clone();
                one[k] = ArrayD::zeros(IxDyn(shapes[k]));
                one[k][&at] = 1.0;
                (plain(equation, &one) * &seed).sum()
            });
            for have in [g.grad(v).unwrap(), g.value(recorded[k])] {
                assert!(have.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-13), "{equation} to {k}");
            }
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    use ErrorKind::*;
    let cases: &[(&str, &[&[usize]], ErrorKind)] = &[
        ("ij,jk->ik", &[&[2, 3]], InvalidAttribute),
        ("ij->ik", &[&[2, 3]], InvalidAttribute),
        ("ij->ii", &[&[2, 2]], InvalidAttribute),
        ("i1->i", &[&[2, 2]], InvalidAttribute),
        ("i..j->ij", &[&[2, 2]], InvalidAttribute),
        ("...i...->i", &[&[2, 2]], InvalidAttribute),
        ("ij->i->j", &[&[2, 2]], InvalidAttribute),
        ("", &[], InvalidAttribute),
        ("ij,jk->ik", &[&[2, 3], &[2, 3]], ShapeMismatch),
        ("ii->i", &[&[2, 3]], ShapeMismatch),
        ("ii->i", &[&[1, 3]], ShapeMismatch),
        ("...i,...i->i", &[&[2, 3], &[4, 3]], ShapeMismatch),
        ("ijk->i", &[&[2, 3]], RankMismatch),
        ("i...jk->i", &[&[2, 3]], RankMismatch),
    ];
    let g = Graph::<f64>::new();
    for (equation, shapes, kind) in cases {
        let args: Vec<Var> = shapes.iter().map(|s| g.leaf(ArrayD::zeros(IxDyn(s)))).collect();
        let op = Einsum { equation: equation.as_bytes().into() };
        assert_eq!(g.try_apply(&op.into(), &args).unwrap_err().kind(), *kind, "{equation}");
    }
}
