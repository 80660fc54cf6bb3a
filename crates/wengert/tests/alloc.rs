//! A training loop in steady state takes nothing from the heap.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ndarray::{Array2, Array4};
use wengert::functional::jacobian;
use wengert::op::{ConvOptions, MaxPoolOptions};
use wengert::prelude::*;

struct Counting;

thread_local! {
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    let _ = TAKEN.try_with(|taken| taken.set(taken.get() + 1));
}

// SAFETY: everything is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(place, layout, size) }
    }
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of this thread in steps 3.. of a training loop.
fn in_steady_state(mut g: Graph, params: &[Var], step: impl Fn(&Graph) -> Var) -> usize {
    let base = g.mark();
    let mut before = 0;
    for k in 0..10 {
        if k == 3 {
            before = TAKEN.get();
        }
        let loss = step(&g);
        g.backward(loss).unwrap();
        g.update(params, |w, dw| w.scaled_add(-0.01, &dw)).unwrap();
        g.zero_grad();
        g.rewind(base);
    }
    TAKEN.get() - before
}

fn matrix(rows: usize, columns: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, columns), |(i, j)| ((i * 7 + j * 3) % 11) as f64 / 11.0 - 0.45)
}

#[test]
fn a_network_allocates_nothing() {
    let g = Graph::new();
    let (w1, b1) = (g.leaf(matrix(3, 16)), g.leaf(matrix(1, 16)));
    let (w2, b2) = (g.leaf(matrix(16, 1)), g.leaf(0.1));
    let (x, t) = (matrix(32, 3), matrix(32, 1));
    let taken = in_steady_state(g, &[w1, b1, w2, b2], |g| {
        let (x, t) = (g.constant(&x), g.constant(&t));
        let h = g.relu(g.matmul(x, w1) + b1);
        let p = g.matmul(h, w2) + b2;
        g.mean((p - t).square())
    });
    assert_eq!(taken, 0);
}

#[test]
fn formulas_and_numbers_allocate_nothing() {
    let g = Graph::new();
    let (a, v) = (g.leaf(0.7), g.leaf(matrix(4, 100)));
    let taken = in_steady_state(g, &[a, v], |g| {
        let y = g.eval((a * v).tanh() * v.sigmoid() + (-v * v).exp());
        let z = g.eval((a.sin() * a + 1).exp() * g.sum(y));
        let w = g.eval(v.relu() * a);
        g.eval(z * a + g.mean(w))
    });
    assert_eq!(taken, 0);
}

/// Long enough for rows, columns and numbers within a formula to be computed apart.
#[test]
fn parts_of_formulas_allocate_nothing() {
    let g = Graph::new();
    let params = [g.leaf(0.7), g.leaf(matrix(50, 100)), g.leaf(matrix(50, 1)), g.leaf(matrix(1, 100))];
    let taken = in_steady_state(g, &params, |g| {
        let [a, x, column, row] = params;
        let y = g.eval((x - row.tanh()) * (column * column + 1e-3).rsqrt() * a.exp() + (a * a).sin());
        g.eval(1e-3 * g.mean(g.sum_axes((y * row.cos()).square(), &[1])) + g.mean(g.roll(x, &[7], &[1])))
    });
    assert_eq!(taken, 0);
}

/// Long enough for totals of the same arrays to be computed and swept together.
#[test]
fn totals_that_wait_for_each_other_allocate_nothing() {
    let g = Graph::new();
    let (a, b) = (g.leaf(matrix(100, 90)), g.leaf(matrix(100, 90)));
    let taken = in_steady_state(g, &[a, b], |g| {
        let rows = [g.sum_axes(a * b, &[1]), g.sum_axes(a * a, &[1])];
        let losses = [g.sum((a - b).square()), g.mean(a.abs()), g.mean(rows[0] / (rows[1] + 1))];
        g.eval(losses[0] + 0.1 * losses[1] - losses[2])
    });
    assert_eq!(taken, 0);
}

#[test]
fn arrays_that_wait_allocate_nothing() {
    let g = Graph::new();
    let x = g.leaf(matrix(100, 90));
    let taken = in_steady_state(g, &[x], |g| {
        let [a, b] = [(1, 0), (-1, 1)].map(|(by, axis)| g.roll(x, &[by], &[axis]));
        let near = g.sum((a + b - 2.0 * x).square());
        let copied = g.sum(g.softmax(b, 1));
        g.eval(near + copied)
    });
    assert_eq!(taken, 0);
}

/// Ops by methods, which formulas and totals take up; what others read; arrays read more than once.
#[test]
fn ops_that_are_taken_up_allocate_nothing() {
    let g = Graph::new();
    let (a, b, row) = (g.leaf(matrix(100, 90)), g.leaf(matrix(100, 90)), g.leaf(matrix(1, 90)));
    let taken = in_steady_state(g, &[a, b, row], |g| {
        let d = g.sub(a, b);
        let near = g.mean(g.square(d)) + g.mean(g.abs(d));
        let layer = |x: Var| g.tanh(g.add(g.mul(x, b), row));
        let deep = (0..12).fold(a, |x, _| g.add(x, layer(x)));
        let e = g.exp(g.neg(g.square(deep)));
        let shares = g.div(e, g.unsqueeze(g.sum_axes(e, &[1]), 1));
        g.eval(near + g.sum(g.matmul(shares, g.t(d))) * 1e-3)
    });
    assert_eq!(taken, 0);
}

#[test]
fn long_scalar_code_allocates_nothing() {
    let g = Graph::new();
    let (x, y) = (g.leaf(0.3), g.leaf(0.7));
    let taken = in_steady_state(g, &[x, y], |g| {
        let step = |z: Var| g.eval(z.sin() * y + 0.1 * x.exp() - z / 3);
        (0..1000).fold(x, |z, _| step(z))
    });
    assert_eq!(taken, 0);
}

#[test]
fn an_evaluator_allocates_nothing_after_its_first_call() {
    let mut f = Evaluator::new(|g: &Graph, x: Var| g.sum((x * x + 1).log() * x));
    let (x, mut gradient) = ([0.5; 40], [0.0; 40]);
    f.value_and_grad_into(&x, &mut gradient).unwrap();
    f.value_and_grad_into(&x, &mut gradient).unwrap();
    let before = TAKEN.get();
    for k in 0..5 {
        f.value_and_grad_into(&[0.1 * k as f64; 40], &mut gradient).unwrap();
    }
    assert_eq!(TAKEN.get() - before, 0);
}

type Step = fn(&Graph, &[Var]) -> Var;

/// What else a step is made of, each with its sweep, on a `[6, 8]` matrix, its square, and a `[2, 3, 8, 8]` image.
#[rustfmt::skip]
const STEPS: &[(&str, Step)] = &[
    ("broadcast", |g, x| g.eval(x[0] * g.constant([0.5; 8]) + 1)),
    ("sum_axes", |g, x| g.sum_axes(x[0], &[0])),
    ("mean_keepdims", |g, x| g.mean_keepdims(x[0], &[1])),
    ("max", |g, x| g.max_axes(x[0], &[1])),
    ("var", |g, x| g.var_with(x[0], &[1], 1.0, false)),
    ("logsumexp", |g, x| g.logsumexp_axes(x[0], &[1])),
    ("softmax", |g, x| g.softmax(x[0], 1)),
    ("log_softmax", |g, x| g.log_softmax(x[0], 1)),
    ("transpose", |g, x| g.eval(g.t(x[0]) * 2)),
    ("reshape", |g, x| g.eval(g.reshape(x[0], &[8, 6]) * 2)),
    ("slice", |g, x| g.eval(g.slice(x[0], 0, 1..4) * 2)),
    ("select", |g, x| g.eval(g.select(x[0], 0, 1) * 2)),
    ("concat", |g, x| g.concat(&[x[0], x[1]], 0)),
    ("linear", |g, x| g.linear(x[0], x[1], None)),
    ("matmul", |g, x| g.matmul(x[0], x[1])),
    ("batched matmul", |g, x| g.matmul(x[2], x[1])),
    ("layer_norm", |g, x| g.layer_norm(x[0], &[8], None, None, 1e-5)),
    ("mse_loss", |g, x| g.mse_loss(x[0], g.broadcast_to(x[8], &[6, 8]))),
    ("cross_entropy", |g, x| g.cross_entropy(x[0], g.indices([0, 1, 2, 3, 4, 5]))),
    ("embedding", |g, x| g.embedding(x[0], g.indices([0, 5, 0]))),
    ("gather", |g, x| g.gather(x[0], g.reshape(g.indices([0, 1, 2, 3]), &[2, 2]), 0)),
    ("where", |g, x| g.where_(g.gt(x[0], 0.0), x[0], 0.0)),
    ("cumsum", |g, x| g.cumsum(x[0], 1)),
    ("conv2d", |g, x| g.conv2d(x[2], x[3], None, ConvOptions::default())),
    ("max_pool2d", |g, x| g.max_pool2d(x[2], [2, 2], MaxPoolOptions::default())),
    ("lstm_cell", |g, x| g.lstm_cell(x[4], (x[5], x[5]), x[6], x[7], None).0),
];

#[test]
fn steps_of_ops_allocate_nothing() {
    let mut bad = Vec::new();
    for (name, step) in STEPS {
        let g = Graph::new();
        let image =
            Array4::from_shape_fn((2, 3, 8, 8), |(i, j, k, l)| ((i + 2 * j + 3 * k + 5 * l) % 7) as f64);
        let kernel = Array4::from_elem((2, 3, 3, 3), 0.1);
        let x = [
            g.leaf(matrix(6, 8)),
            g.leaf(matrix(8, 8)),
            g.leaf(image),
            g.leaf(kernel),
            g.leaf(matrix(2, 3)),
            g.leaf(matrix(2, 4)),
            g.leaf(matrix(16, 3)),
            g.leaf(matrix(16, 4)),
            g.leaf(0.5),
        ];
        let all = g.leaf(1.0);
        let taken = in_steady_state(g, &[all], |g| g.eval(all * g.sum(step(g, &x))));
        if taken > 0 {
            bad.push(format!("{name}: {taken} in 7 steps"));
        }
    }
    assert!(bad.is_empty(), "steps that allocate:\n{}", bad.join("\n"));
}

/// Sweep after sweep of a Jacobian runs in the memory of the first.
#[test]
fn more_rows_take_no_more_allocations() {
    let x = matrix(1, 100);
    let taken = |rows: usize| {
        let before = TAKEN.get();
        let f = |g: &Graph, x: &[Var]| {
            let h = g.softmax(g.eval(x[0].tanh() * x[0]), -1);
            let first = g.slice(g.cumsum(h, 1), 1, 7..8);
            g.sin(g.broadcast_to(first, &[1, rows]))
        };
        jacobian(f, &[&x]).unwrap();
        TAKEN.get() - before
    };
    taken(64);
    let (few, many) = (taken(64), taken(640));
    assert!(many <= few, "{few} for 64 rows, {many} for 640");
}
