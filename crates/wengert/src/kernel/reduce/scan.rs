//! Scans along the middle of row-major `[outer, n, inner]`.

use crate::kernel::real::Real;
use crate::kernel::threads;

/// In place: `y_k = join(y_{k-1}, y_k)`, or from the end.
pub fn running<T: Real>(
    y: &mut [T],
    n: usize,
    inner: usize,
    reverse: bool,
    join: impl Fn(T, T) -> T + Copy + Sync,
) {
    if y.is_empty() {
        return;
    }
    let len = n * inner;
    match threads::units(y.len() / len, len) {
        Some(count) => threads::each(y.chunks_mut(count * len), |y| run(y, n, inner, reverse, join)),
        None => run(y, n, inner, reverse, join),
    }
}

fn run<T: Real>(y: &mut [T], n: usize, inner: usize, reverse: bool, join: impl Fn(T, T) -> T) {
    for block in y.chunks_exact_mut(n * inner) {
        if inner == 1 {
            match reverse {
                true => run_one(block.iter_mut().rev(), &join),
                false => run_one(block.iter_mut(), &join),
            }
            continue;
        }
        for k in 1..n {
            let (from, to) = if reverse { (n - k, n - k - 1) } else { (k - 1, k) };
            let (low, high) = block.split_at_mut(from.max(to) * inner);
            let low = &mut low[from.min(to) * inner..][..inner];
            let (from, to) = if reverse { (&high[..inner], low) } else { (&*low, &mut high[..inner]) };
            to.iter_mut().zip(from).for_each(|(to, from)| *to = join(*from, *to));
        }
    }
}

/// What is handed on stays in a register.
fn run_one<'y, T: Real>(mut y: impl Iterator<Item = &'y mut T>, join: impl Fn(T, T) -> T) {
    if let Some(first) = y.next() {
        y.fold(*first, |held, y| {
            *y = join(held, *y);
            *y
        });
    }
}

/// `x_bar_k = y_{k-1} s_k`, or added, with `s_k = y_bar_k + x_{k+1} s_{k+1}`: from a running product `y` of `x` back to `x`.
/// `s` is room for as many numbers as lie side by side.
pub fn product_back<T: Real>(
    [x, y, y_bar]: [&[T]; 3],
    (n, inner): (usize, usize),
    x_bar: &mut [T],
    accumulate: bool,
    s: &mut Vec<T>,
) {
    s.clear();
    s.resize(inner, T::zero());
    for start in (0..x.len()).step_by((n * inner).max(1)) {
        for k in (0..n).rev() {
            let row = |k: usize| start + k * inner..start + (k + 1) * inner;
            let (y_bar, x_bar) = (&y_bar[row(k)], &mut x_bar[row(k)]);
            match k + 1 < n {
                true => s
                    .iter_mut()
                    .zip(y_bar.iter().zip(&x[row(k + 1)]))
                    .for_each(|(s, (&b, &x))| *s = b + x * *s),
                false => s.copy_from_slice(y_bar),
            }
            let before = (k > 0).then(|| &y[row(k - 1)]);
            for (c, (to, &s)) in x_bar.iter_mut().zip(&*s).enumerate() {
                let value = before.map_or(s, |y| y[c] * s);
                *to = if accumulate { *to + value } else { value };
            }
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
    let len = n * inner;
    if let Some(count) = threads::units(e.len() / len, len) {
        return threads::each(e.chunks_mut(count * len).enumerate(), |(k, e)| {
            let [a, b] = [Some(a), b].map(|x| x.map(|x| &x[k * count * len..][..e.len()]));
            recur(a.expect("given"), b, n, inner, reverse, first, e);
        });
    }
    recur(a, b, n, inner, reverse, first, e);
}

fn recur<T: Real>(a: &[T], b: Option<&[T]>, n: usize, inner: usize, reverse: bool, first: T, e: &mut [T]) {
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
