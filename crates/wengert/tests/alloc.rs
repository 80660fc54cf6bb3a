//! A training loop in steady state makes no heap allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ndarray::{Array1, Array2};
use wengert::prelude::*;

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

fn count() -> usize {
    COUNT.with(Cell::get)
}

#[allow(unsafe_code)]
// SAFETY: hands every request on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|c| c.set(c.get() + 1));
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = COUNT.try_with(|c| c.set(c.get() + 1));
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of each of the steps after the first few.
fn steady(mut step: impl FnMut()) -> usize {
    (0..3).for_each(|_| step());
    let before = count();
    (0..20).for_each(|_| step());
    count() - before
}

fn wave(rows: usize, columns: usize, k: f64) -> Array2<f64> {
    Array2::from_shape_fn((rows, columns), |(i, j)| ((i * columns + j) as f64 * k).sin())
}

#[test]
fn a_network_trains_without_allocating() {
    let mut g = Graph::new();
    let (w1, b1) = (g.leaf(wave(2, 10, 0.3)), g.leaf(Array1::zeros(10)));
    let (w2, b2) = (g.leaf(wave(10, 1, 0.7)), g.leaf(Array1::zeros(1)));
    let (input, target) = (wave(50, 2, 0.11), wave(50, 1, 0.13));
    let params = [w1, b1, w2, b2];
    let base = g.mark();
    let allocations = steady(|| {
        let (x, t) = (g.constant(input.view()), g.constant(target.view()));
        let h = g.relu(g.matmul(x, w1) + b1);
        let p = g.matmul(h, w2) + b2;
        let loss = g.mean((p - t).square());
        g.backward(loss).unwrap();
        g.update(&params, |w, dw| w.scaled_add(-0.1, &dw)).unwrap();
        g.zero_grad();
        g.rewind(base);
    });
    assert_eq!(allocations, 0);
}

#[test]
fn scalar_code_does_not_allocate() {
    let mut g = Graph::new();
    let (x, y) = (g.leaf(0.3), g.leaf(0.7));
    let base = g.mark();
    let allocations = steady(|| {
        let mut z = x;
        for _ in 0..1000 {
            z = g.eval(z.sin() * y + 0.1 * x.exp() - z / 3);
        }
        g.backward(z).unwrap();
        g.zero_grad();
        g.rewind(base);
    });
    assert_eq!(allocations, 0);
}

#[test]
fn formulas_and_reductions_do_not_allocate() {
    let mut g = Graph::new();
    let (x, row) = (g.leaf(wave(60, 40, 0.2)), g.leaf(Array1::linspace(-1.0, 1.0, 40)));
    let base = g.mark();
    let allocations = steady(|| {
        let y = g.eval((x * row).tanh() + x.sigmoid() * 0.5);
        let s = g.softmax(y, -1);
        let m = g.sum_axes(g.log(s), &[0]);
        let loss = g.eval(g.mean(m * row) + 0.1 * g.sum(x.square() * 0.5));
        g.backward(loss).unwrap();
        g.zero_grad();
        g.rewind(base);
    });
    assert_eq!(allocations, 0);
}
