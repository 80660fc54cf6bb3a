use ndarray::{Array2, array};

use crate::op::*;
use crate::ops::testing::check_derivatives;
use crate::{ErrorKind, Graph};

#[test]
fn attention_has_derivatives_of_every_order() {
    let causal = Attention { is_causal: true, scale: Some(0.7) };
    check_derivatives(&[&[2, 3, 2], &[2, 4, 2], &[4, 3]], &|g, v| {
        g.scaled_dot_product_attention(v[0], v[1], v[2], None, causal.clone())
    });
    check_derivatives(&[&[3, 2], &[2, 4, 2], &[4, 1], &[3, 4]], &|g, v| {
        g.scaled_dot_product_attention(v[0], v[1], v[2], v[3], Attention::default())
    });
}

#[test]
fn a_query_that_sees_nothing_yields_zero_and_zero_gradients() {
    let mut g = Graph::new();
    let (q, k) = (g.leaf(array![[1.0], [2.0]]), g.leaf(array![[3.0], [4.0]]));
    let v = g.leaf(array![[5.0], [6.0]]);
    let mask = g.mask(array![[false, true], [false, true]]);
    // Together with the causal mask the first query sees no key, and the second one only key 1.
    let causal = Attention { is_causal: true, ..Attention::default() };
    let y = g.scaled_dot_product_attention(q, k, v, mask, causal);
    assert_eq!(g.value(y), array![[0.0], [6.0]].into_dyn());
    g.backward_with(y, Array2::ones((2, 1))).unwrap();
    assert_eq!(g.grad(q).unwrap(), array![[0.0], [0.0]].into_dyn());
    assert_eq!(g.grad(v).unwrap(), array![[0.0], [1.0]].into_dyn());
}

#[test]
fn cells_have_derivatives_of_every_order() {
    let (x, h, bias): (&[usize], &[usize], &[usize]) = (&[2, 3], &[2, 2], &[8]);
    check_derivatives(&[x, h, h, &[8, 3], &[8, 2], bias, bias], &|g, v| {
        let (h, c) = g.lstm_cell(v[0], (v[1], v[2]), v[3], v[4], Some((v[5], v[6])));
        g.eval(h * c)
    });
    check_derivatives(&[x, h, &[6, 3], &[6, 2]], &|g, v| g.gru_cell(v[0], v[1], v[2], v[3], None));
}

#[test]
fn what_does_not_fit_is_refused() {
    use ErrorKind::{DtypeMismatch, InvalidAttribute, RankMismatch, ShapeMismatch};
    let cases: Vec<(Op, Vec<&[usize]>, ErrorKind)> = vec![
        (Attention::default().into(), vec![&[2, 3], &[4, 3], &[2, 3]], ShapeMismatch),
        (Attention::default().into(), vec![&[2, 3], &[4, 2], &[4, 3]], ShapeMismatch),
        (Attention::default().into(), vec![&[3], &[4, 3], &[4, 3]], RankMismatch),
        (Attention::default().into(), vec![&[2, 2, 3], &[3, 4, 3], &[4, 3]], ShapeMismatch),
        (Attention::default().into(), vec![&[2, 3], &[4, 3], &[4, 3], &[5, 2, 4]], ShapeMismatch),
        (Attention::default().into(), vec![&[2, 3], &[4, 3]], InvalidAttribute),
        (GruCell {}.into(), vec![&[1, 2], &[1, 2], &[6, 3], &[6, 2]], ShapeMismatch),
        (GruCell {}.into(), vec![&[1, 2], &[2], &[6, 2], &[6, 2]], RankMismatch),
        (LstmCell {}.into(), vec![&[1, 2], &[1, 2], &[2, 2], &[8, 2], &[8, 2]], ShapeMismatch),
    ];
    for (op, shapes, kind) in cases {
        let g = Graph::new();
        let args: Vec<_> = shapes.iter().map(|&shape| g.leaf(ndarray::ArrayD::ones(shape))).collect();
        let error = g.try_apply(&op, &args).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    let g = Graph::new();
    let (q, mask) = (g.leaf(Array2::ones((2, 2))), g.indices(array![[0_i64]]));
    let error = g.try_apply(&Attention::default().into(), &[q, q, q, mask]).unwrap_err();
    assert_eq!(error.kind(), DtypeMismatch);
}
