//! Which kernel a product goes to.
//!
//! Thresholds were measured on one core, with AVX-512 kernels; they depend on shapes and strides alone.

use super::raw::{Gemm, Product};
use super::{Strided, StridedMut, Threads};

/// Multiply-adds of a product that is done before a kernel has been entered.
const TINY: usize = 64;
/// Multiply-adds up to which the direct kernel beats the packed one, where rows of `b` are contiguous.
const SMALL: usize = 112 * 112 * 112;
/// Rows up to which copying `b` takes longer than it saves.
const FLAT: usize = 32;
/// Products with an outer dimension up to this are bound by memory.
const THIN: usize = 4;
/// Rows or columns up to which a result is one dot product after the other.
const DOTTED: usize = 8;
/// Bytes of `b` that stay in the second-level cache.
const CACHED: usize = 1 << 20;
/// The same where columns would leave a fifth of their registers empty or more, and sums are long, but all columns together
/// not longer than this many bytes.
const DOTTED_LOOSE: usize = 24;
const NEAR: usize = 80 << 10;
/// Bytes of a register, and sums that fill so many of them.
const REGISTER: usize = 64;
const LONG: usize = 8;
/// Multiply-adds from which threads pay.
const THREADED: usize = 1 << 21;

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
    let [m, n, k] = product.size();
    if m.saturating_mul(n).saturating_mul(k) <= TINY {
        return product.plainly();
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
    let lanes = REGISTER / size_of::<T>();
    let near = k >= LONG * lanes && n * k * size_of::<T>() <= NEAR;
    let loose = n <= m.min(DOTTED_LOOSE) && 5 * n <= 4 * n.next_multiple_of(lanes) && near;
    if dots && (n == 1 || m == 1 || (n.min(m) <= DOTTED && k >= 32) || loose) {
        let p = if n > m { p.t() } else { p };
        if work < THREADED { p.dots() } else { p.shared(threads.0, Product::dots) }
    } else if n == 1 && a_row == 1 {
        let q = p.t().tidy();
        if q.strides()[2][1] == 1 { slabs(q, slab::<T>(q.size())) } else { p.direct() }
    } else if b_col == 1 && direct {
        // Before the result is cut, since sums depend on it.
        let slab = slab::<T>([m, n, k]);
        if work < THREADED || m <= THIN { slabs(p, slab) } else { p.shared(threads.0, |p| slabs(p, slab)) }
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

/// Rows of `b` that a product of few rows walks at a time, so that few pages are open at once where `b` has left the caches.
/// The fewer the rows of the result, the less it costs to come back to them.
fn slab<T>([m, n, k]: [usize; 3]) -> usize {
    if m > FLAT || n * k * size_of::<T>() <= CACHED { k } else { (3 * m).max(8) }
}

/// The direct kernel over slabs of the inner dimension.
fn slabs<T: Gemm>(p: Product<'_, T>, slab: usize) {
    let [.., k] = p.size();
    for from in (0..k).step_by(slab) {
        p.inner(from, slab.min(k - from)).direct();
    }
}
