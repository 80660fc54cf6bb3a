//! What the tests of this family share: seeded matrices and norms.

use crate::kernel::gemm::Strided;
use crate::kernel::real::Real;

/// A seeded stream of numbers (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// Uniform in `[-1, 1)`.
    pub fn number(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub fn vector<T: Real>(&mut self, len: usize) -> Vec<T> {
        (0..len).map(|_| T::of(self.number())).collect()
    }
}

/// The product of an `[m, k]` and a `[k, n]` matrix, summed in f64 entry by entry.
pub(crate) fn multiply<T: Real>([m, n, k]: [usize; 3], a: Strided<'_, T>, b: Strided<'_, T>) -> Vec<T> {
    let read = |x: &Strided<'_, T>, i, j| x.data[x.at(i, j).offset].as_f64();
    let entry = |i, j| (0..k).map(|p| read(&a, i, p) * read(&b, p, j)).sum();
    (0..m * n).map(|x| T::of(entry(x / n, x % n))).collect()
}

/// The Frobenius norm, in f64.
pub(crate) fn norm_of<T: Real>(a: &[T]) -> f64 {
    a.iter().map(|x| x.as_f64() * x.as_f64()).sum::<f64>().sqrt()
}

/// `|a - b| / (n eps |scale|)` in the Frobenius norm.
pub(crate) fn residual<T: Real>(a: &[T], b: &[T], n: usize, scale: &[T]) -> f64 {
    let difference: Vec<T> = a.iter().zip(b).map(|(&a, &b)| a - b).collect();
    let size = norm_of(scale).max(f64::MIN_POSITIVE) * T::epsilon().as_f64() * n.max(1) as f64;
    norm_of(&difference) / size
}

/// The identity matrix.
pub(crate) fn identity<T: Real>(n: usize) -> Vec<T> {
    (0..n * n).map(|i| if i % (n + 1) == 0 { T::one() } else { T::zero() }).collect()
}

/// Runs a check on every size, each with its own seed.
pub(crate) fn both(check: impl Fn(&mut Random, usize), sizes: &[usize]) {
    for (seed, &n) in sizes.iter().enumerate() {
        check(&mut Random::new(seed as u64 + 1), n);
    }
}
