//! Which kernel a product goes to.
//!
//! Thresholds were measured on one core, with AVX-512 kernels; they depend on shapes and strides alone.

use super::raw::{Gemm, Product};
use super::{Strided, StridedMut, Threads};

/// Multiply-adds up to which the direct kernel beats the packed one, where rows of `b` are contiguous.
const SMALL: usize = 112 * 112 * 112;
/// Rows up to which copying `b` takes longer than it saves.
const FLAT: usize = 32;
/// Products with an outer dimension up to this are bound by memory.
const THIN: usize = 4;
/// Rows or columns up to which a result is one dot product after the other.
const DOTTED: usize = 8;
/// Multiply-adds from which threads pay.
const THREADED: usize = 1 << 21;
/// Rows of `b` that a thin product walks at once, so that few pages are open at a time.
const ROWS_AT_ONCE: usize = 32;

/// `c = beta c + alpha a b`.
///
/// `a: [m, k]`, `b: [k, n]`, `c: [m, n]`, sizes as `[m, n, k]`. `c` is not read where `beta` is 0, and neither
/// `a` nor `b` where `alpha` is 0. O(m n k).
///
/// # Panics
/// If an operand reaches outside its slice, or elements of `c` overlap.
pub fn gemm<T: Gemm>(
    size: [usize; 3],
    alpha: T,
    a: Strided<'_, T>,
    b: Strided<'_, T>,
    beta: T,
    c: StridedMut<'_, T>,
    threads: Threads,
) {
    run(Product::new(size, alpha, a, b, beta, c), threads);
}

/// Runs a checked product.
pub(super) fn run<T: Gemm>(product: Product<'_, T>, threads: Threads) {
    let [m, n, _] = product.size();
    if m == 0 || n == 0 {
        return;
    }
    if product.only_scales() {
        return product.scale();
    }
    let mut p = product.tidy();
    let [_, _, [_, c_step]] = p.strides();
    if c_step != 1 {
        p = p.t().tidy();
    }
    let [m, n, k] = p.size();
    let [[a_row, a_col], [b_row, b_col], [_, c_step]] = p.strides();
    // Few rows of `a` are copied sooner than columns of `b`: then rows of `b` go past them, and the result is turned.
    let turned =
        b_row == 1 && b_col != 1 && a_col == 1 && (DOTTED + 1..=FLAT).contains(&m) && n.min(k) > 2 * FLAT;
    if turned {
        return p.t().tidy().apart(|p| run(p, threads));
    }
    if c_step != 1 {
        return p.apart(|p| run(p, threads));
    }
    let work = m.saturating_mul(n).saturating_mul(k);
    let direct = b_col == 1 && (work <= SMALL || m <= FLAT) || m.min(n).min(k) <= THIN;
    // Sums of one product each are rows times a number.
    let dots = a_col == 1 && b_row == 1 && k > 1;
    if dots && (n == 1 || m == 1 || (n.min(m) <= DOTTED && k >= 32)) {
        p.dots();
    } else if n == 1 && a_row == 1 {
        let q = p.t().tidy();
        if q.strides()[2][1] == 1 { thin(q) } else { p.direct() }
    } else if b_col == 1 && direct {
        if work < THREADED || m <= THIN { thin(p) } else { p.shared(threads.0, Product::direct) }
    } else if direct {
        T::with_scratch(|scratch| {
            let p = p.pack_b(scratch).tidy();
            if n == 1 && a_col == 1 { p.dots() } else { p.direct() }
        });
    } else if work < THREADED {
        p.packed();
    } else {
        p.shared(threads.0, Product::packed);
    }
}

/// The direct kernel, over slabs of the inner dimension where there are too few rows to reuse `b` from cache.
fn thin<T: Gemm>(p: Product<'_, T>) {
    let [m, n, k] = p.size();
    if m > THIN || n * k <= 1 << 15 {
        return p.direct();
    }
    for from in (0..k).step_by(ROWS_AT_ONCE) {
        p.inner(from, ROWS_AT_ONCE.min(k - from)).direct();
    }
}
