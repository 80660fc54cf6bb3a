//! Every pair of shapes of rank 3 at most with lengths 0 to 3, values and gradients, against an element-by-element model.

use ndarray::{ArrayD, ArrayViewD, IxDyn};
use wengert::op::{Binary, Op};
use wengert::prelude::*;
use wengert::{ErrorKind, Result};

fn shapes() -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    let mut last = all.clone();
    for _ in 0..3 {
        last = last.iter().flat_map(|s| (0..4).map(move |n| [&s[..], &[n]].concat())).collect();
        all.extend(last.clone());
    }
    all
}

/// NumPy's rule: lengths from the end are equal, or one of them is 1 or missing.
fn joint(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let length = |s: &[usize], k: usize| (k + s.len()).checked_sub(rank).map_or(1, |k| s[k]);
    let join = |k| match (length(a, k), length(b, k)) {
        (m, n) if m == n => Some(m),
        (1, n) | (n, 1) => Some(n),
        _ => None,
    };
    (0..rank).map(join).collect()
}

fn numbers(shape: &[usize], seed: usize) -> ArrayD<f64> {
    let len = shape.iter().product::<usize>();
    let value = |k: usize| ((k * 37 + seed * 11) % 29) as f64 / 7.0 - 2.1;
    ArrayD::from_shape_vec(IxDyn(shape), (0..len).map(value).collect()).unwrap()
}

/// `full` summed over what `shape` was repeated along.
fn summed_back(full: &ArrayD<f64>, shape: &[usize]) -> ArrayD<f64> {
    let mut back = ArrayD::zeros(IxDyn(shape));
    for (index, value) in full.indexed_iter() {
        let own: Vec<usize> = (0..shape.len())
            .map(|k| if shape[k] == 1 { 0 } else { index[full.ndim() - shape.len() + k] })
            .collect();
        back[&own[..]] += value;
    }
    back
}

fn close(have: ArrayViewD<'_, f64>, want: &ArrayD<f64>, what: &str) {
    assert_eq!(have.shape(), want.shape(), "{what}");
    assert!(have.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-12), "{what}: {have} against {want}");
}

#[test]
fn every_pair_of_small_shapes() -> Result<()> {
    let shapes = shapes();
    let mut fitting = 0;
    for sa in &shapes {
        for sb in &shapes {
            let mut g = Graph::new();
            let (va, vb) = (numbers(sa, 1), numbers(sb, 2));
            let (a, b) = (g.leaf(&va), g.leaf(&vb));
            let Some(all) = joint(sa, sb) else {
                let error = g.try_apply(&Op::Binary(Binary::Mul), &[a, b]).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ShapeMismatch, "{sa:?} {sb:?}");
                continue;
            };
            fitting += 1;
            let (fa, fb) = (va.broadcast(&all[..]).unwrap(), vb.broadcast(&all[..]).unwrap());
            let y_bar = numbers(&all, 3);
            let product = g.mul(a, b);
            close(g.value(product), &(&fa * &fb), "product");
            g.backward_with(product, &y_bar)?;
            let [want_a, want_b] = [summed_back(&(&y_bar * &fb), sa), summed_back(&(&y_bar * &fa), sb)];
            close(g.grad(a).unwrap(), &want_a, &format!("{sa:?} of {sa:?} {sb:?}"));
            close(g.grad(b).unwrap(), &want_b, &format!("{sb:?} of {sa:?} {sb:?}"));
            // The same by a fused formula, and by recorded ops.
            g.zero_grad();
            let formula = g.eval(a * b + 2 * b);
            close(g.value(formula), &(&fa * &fb + 2.0 * &fb), "formula");
            g.backward_with(formula, &y_bar)?;
            close(g.grad(a).unwrap(), &want_a, "formula, first");
            let want_b = &want_b + &(2.0 * &summed_back(&y_bar, sb));
            close(g.grad(b).unwrap(), &want_b, "formula, second");
            let seed = g.constant(&y_bar);
            let recorded = g.gradient_with(formula, seed, &[a, b])?;
            close(g.value(recorded[0]), &want_a, "recorded, first");
            close(g.value(recorded[1]), &want_b, "recorded, second");
        }
    }
    assert!(fitting > 1500, "{fitting} pairs fit");
    Ok(())
}
