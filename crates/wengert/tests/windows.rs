//! Truncated back-propagation through time, against one graph in which the state is cut off between windows.

use ndarray::{Array, ArrayD, IxDyn};
use wengert::functional::truncated_bptt;
use wengert::prelude::*;

fn numbers(seed: usize, shape: &[usize]) -> ArrayD<f64> {
    let mut k = seed;
    Array::from_shape_simple_fn(IxDyn(shape), || {
        k += 1;
        (k as f64 * 0.7).sin() * 0.8
    })
}

const STEPS: usize = 6;

/// The loss of some steps of an LSTM, and the state behind them.
fn steps(g: &Graph, w: &[Var], inputs: &[ArrayD<f64>], mut state: (Var, Var)) -> (Var, (Var, Var)) {
    let mut loss = g.constant(0.0);
    for x in inputs {
        state = g.lstm_cell(g.constant(x), state, w[0], w[1], Some((w[2], w[3])));
        loss = g.eval(loss + g.mean(state.0.square()));
    }
    (loss, state)
}

fn leaves(g: &Graph) -> Vec<Var> {
    [&[12, 2][..], &[12, 3], &[12], &[12]].iter().zip(1..).map(|(s, k)| g.leaf(numbers(k, s))).collect()
}

#[test]
fn windows_are_one_graph_cut_between_them() {
    let inputs: Vec<_> = (0..STEPS).map(|t| numbers(10 * t, &[4, 2])).collect();
    for length in [1, 2, 4, STEPS] {
        let mut g = Graph::new();
        let w = leaves(&g);
        let mut state = (g.constant(numbers(3, &[4, 3])), g.constant(numbers(5, &[4, 3])));
        let mut total = g.constant(0.0);
        for window in inputs.chunks(length) {
            let (loss, behind) = steps(&g, &w, window, state);
            total = g.eval(total + loss);
            state = (g.detach(behind.0), g.detach(behind.1));
        }
        g.backward(total).unwrap();

        let mut h = Graph::new();
        let v = leaves(&h);
        let (count, mut losses) = (h.node_count(), Vec::new());
        let last = truncated_bptt(
            &mut h,
            inputs.chunks(length),
            vec![numbers(3, &[4, 3]), numbers(5, &[4, 3])],
            |g, window, state| {
                let (loss, behind) = steps(g, &v, window, (state[0], state[1]));
                (loss, vec![behind.0, behind.1])
            },
            |_, loss| {
                losses.push(loss);
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(h.node_count(), count);
        assert!((losses.iter().sum::<f64>() - g.item(total)).abs() < 1e-14);
        assert!(
            (&last[0] - &g.value(state.0))
                .iter()
                .chain(&(&last[1] - &g.value(state.1)))
                .all(|d| d.abs() < 1e-14)
        );
        for (&w, &v) in w.iter().zip(&v) {
            let off = &g.grad(w).unwrap() - &h.grad(v).unwrap();
            assert!(off.iter().all(|d: &f64| d.abs() < 1e-14), "windows of {length}");
        }
    }
}

#[test]
fn what_is_refused_ends_it_and_leaves_the_graph_as_it_was() {
    let mut g = Graph::new();
    let w = g.leaf(2.0);
    let (count, mut seen) = (g.node_count(), 0);
    let refused = truncated_bptt(
        &mut g,
        [1.0, 2.0, 3.0],
        vec![],
        |g, x, _| (if x == 2.0 { g.constant(x) } else { g.eval(w * x) }, vec![]),
        |_, _| {
            seen += 1;
            Ok(())
        },
    );
    assert!(refused.is_err());
    assert_eq!((g.node_count(), seen, g.grad(w).map(|d| d.sum())), (count, 1, Some(1.0)));
}
