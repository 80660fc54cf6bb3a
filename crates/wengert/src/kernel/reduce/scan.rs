//! Scans along the middle of row-major `[outer, n, inner]`.

use crate::kernel::real::Real;

/// In place: `y_k = join(y_{k-1}, y_k)`, or from the end.
pub fn running<T: Real>(y: &mut [T], n: usize, inner: usize, reverse: bool, join: impl Fn(T, T) -> T) {
    if y.is_empty() {
        return;
    }
    for block in y.chunks_exact_mut(n * inner) {
        for k in 1..n {
            let (from, to) = if reverse { (n - k, n - k - 1) } else { (k - 1, k) };
            if inner == 1 {
                block[to] = join(block[from], block[to]);
                continue;
            }
            let (low, high) = block.split_at_mut(from.max(to) * inner);
            let low = &mut low[from.min(to) * inner..][..inner];
            let (from, to) = if reverse { (&high[..inner], low) } else { (&*low, &mut high[..inner]) };
            to.iter_mut().zip(from).for_each(|(to, from)| *to = join(*from, *to));
        }
    }
}

/// `e_0 = first`, `e_{k+1} = a_k e_k + b_k` (`b` 0 if not given), or from the end.
pub fn recurrence<T: Real>(
    a: &[T],
    b: Option<&[T]>,
    n: usize,
    inner: usize,
    reverse: bool,
    first: T,
    e: &mut [T],
) {
    if e.is_empty() {
        return;
    }
    for start in (0..e.len()).step_by(n * inner) {
        for step in 0..n {
            let row = |step: usize| start + inner * if reverse { n - 1 - step } else { step };
            let to = row(step);
            if step == 0 {
                e[to..][..inner].fill(first);
                continue;
            }
            let from = row(step - 1);
            for c in 0..inner {
                let product = a[from + c] * e[from + c];
                e[to + c] = b.map_or(product, |b| product + b[from + c]);
            }
        }
    }
}
