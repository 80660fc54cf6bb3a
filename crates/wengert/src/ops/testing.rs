//! Derivatives of an op held against each other and against central differences, at first and second order.

use ndarray::ArrayD;

use crate::{Expr, Graph, Var};

/// A smooth function of leaves, whose second derivative is tested too.
pub type Program<'a> = dyn Fn(&Graph, &[Var]) -> Var + 'a;

/// Reproducible numbers in -1..1.
pub fn random(seed: u64, shape: &[usize]) -> ArrayD<f64> {
    let mut state = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    ArrayD::from_shape_simple_fn(shape, || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    })
}

/// `sum(sin(program) c)`: nothing of it vanishes at second order.
fn loss(program: &Program<'_>, g: &Graph, x: &[Var]) -> Var {
    let y = program(g, x);
    let c = g.constant(random(99, &g.shape(y)));
    g.sum(y.sin() * c)
}

fn value(program: &Program<'_>, x: &[ArrayD<f64>]) -> f64 {
    let g = Graph::new();
    let leaves: Vec<Var> = x.iter().map(|x| g.leaf(x.clone())).collect();
    g.item(loss(program, &g, &leaves))
}

fn gradients(program: &Program<'_>, x: &[ArrayD<f64>]) -> Vec<ArrayD<f64>> {
    let mut g = Graph::new();
    let leaves: Vec<Var> = x.iter().map(|x| g.leaf(x.clone())).collect();
    let y = loss(program, &g, &leaves);
    g.backward(y).unwrap();
    leaves.iter().map(|&v| g.grad(v).unwrap().to_owned()).collect()
}

fn moved(x: &[ArrayD<f64>], v: &[ArrayD<f64>], by: f64) -> Vec<ArrayD<f64>> {
    x.iter().zip(v).map(|(x, v)| x + &(v * by)).collect()
}

fn close(what: &str, have: &ArrayD<f64>, want: &ArrayD<f64>, tolerance: f64) {
    assert_eq!(have.shape(), want.shape(), "{what}");
    for (have, want) in have.iter().zip(want) {
        assert!((have - want).abs() <= tolerance * (1.0 + want.abs()), "{what}: {have} against {want}");
    }
}

/// Holds `backward`, `gradient`, `tangent` and the second order of `program` at random leaves of `shapes` to each other.
pub fn check_derivatives(shapes: &[&[usize]], program: &Program<'_>) {
    const STEP: f64 = 1e-4;
    let x: Vec<_> = shapes.iter().enumerate().map(|(k, shape)| random(k as u64, shape)).collect();
    let v: Vec<_> = shapes.iter().enumerate().map(|(k, shape)| random(50 + k as u64, shape)).collect();
    let first = gradients(program, &x);

    let g = Graph::new();
    let leaves: Vec<Var> = x.iter().map(|x| g.leaf(x.clone())).collect();
    let y = loss(program, &g, &leaves);
    let recorded = g.gradient(y, &leaves).unwrap();
    for (want, &have) in first.iter().zip(&recorded) {
        close("gradient against backward", &g.value(have).to_owned(), want, 1e-12);
    }
    let [ahead, behind] = [STEP, -STEP].map(|by| moved(&x, &v, by));
    let slope = (value(program, &ahead) - value(program, &behind)) / (2.0 * STEP);
    let along: f64 = first.iter().zip(&v).map(|(g, v)| (g * v).sum()).sum();
    assert!((slope - along).abs() <= 1e-6 * (1.0 + slope.abs()), "difference {slope}, gradient {along}");

    let dots: Vec<Var> = v.iter().map(|v| g.constant(v.clone())).collect();
    let pairs: Vec<(Var, Var)> = leaves.iter().copied().zip(dots.iter().copied()).collect();
    let tangent = g.item(g.tangent(y, &pairs).unwrap());
    assert!((tangent - along).abs() <= 1e-12 * (1.0 + along.abs()), "tangent {tangent}, gradient {along}");

    let parts = recorded.iter().zip(&dots).map(|(&g_x, &v)| g.sum(g_x * v));
    let inner = parts.reduce(|sum, part| g.eval(sum + part)).unwrap();
    let second = g.gradient(inner, &leaves).unwrap();
    let (ahead, behind) = (gradients(program, &ahead), gradients(program, &behind));
    for ((&have, ahead), behind) in second.iter().zip(&ahead).zip(&behind) {
        let want = (ahead - behind) / (2.0 * STEP);
        close("second order against differences", &g.value(have).to_owned(), &want, 1e-6);
    }
}
