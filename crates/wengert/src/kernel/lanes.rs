//! What is done to the elements of slices side by side, [`LANES`] at a time, to be inlined into a kernel of one level.
//!
//! Where a slice is no multiple of that long, its last elements come in a whole vector too: one that begins before the
//! others end.

use crate::kernel::real::Real;

/// Elements side by side: partial results of a reduction.
pub const LANES: usize = 16;
/// Elements of long slices that are changed in one go: of twice as many, f64 fills all registers of AVX2, and vectors go by
/// way of the stack.
const MANY: usize = 2 * LANES;

/// All lanes joined.
///
/// Without a loop over widths, which would not be unrolled and so go one number at a time; and out of the compiler's sight,
/// which else splits the lanes of the loop before it into pairs, as they are joined here in the end.
#[inline(always)]
fn joined<T: Copy>(lanes: [T; LANES], join: impl Fn(T, T) -> T) -> T {
    let lanes = std::hint::black_box(lanes);
    let (mut eight, mut four) = ([lanes[0]; 8], [lanes[0]; 4]);
    for i in 0..8 {
        eight[i] = join(lanes[i], lanes[i + 8]);
    }
    for i in 0..4 {
        four[i] = join(eight[i], eight[i + 4]);
    }
    join(join(four[0], four[2]), join(four[1], four[3]))
}

/// `term` of the elements of slices of one length, joined in any order; `start` has to be neutral.
#[inline(always)]
pub fn fold<T: Real, const N: usize>(
    from: [&[T]; N],
    start: T,
    term: impl Fn([T; N]) -> T,
    join: impl Fn(T, T) -> T,
) -> T {
    let len = from[0].len();
    let from = heads(from, len);
    if len < LANES {
        let mut result = start;
        for i in 0..len {
            let mut x = [start; N];
            for n in 0..N {
                x[n] = from[n][i];
            }
            result = join(result, term(x));
        }
        return result;
    }
    // Known to be below `LANES`, it would make the first lane and the last another case than those between.
    let (whole, rest) = (len / LANES, std::hint::black_box(len % LANES));
    let vectors = chunks::<T, N, LANES>(from, whole);
    let mut lanes = [start; LANES];
    for k in 0..whole {
        let x = nth(&vectors, k);
        for i in 0..LANES {
            lanes[i] = join(lanes[i], term(lane(&x, i)));
        }
    }
    if rest > 0 {
        let last = starting(&from, len - LANES);
        for i in 0..LANES {
            let new = term(lane(&last, i));
            lanes[i] = join(lanes[i], if i + rest < LANES { start } else { new });
        }
    }
    joined(lanes, join)
}

/// The sum of `lanes` and of `term` of the last `len` elements of slices, which have at least [`LANES`].
#[inline(always)]
pub fn sum_onto<T: Real, const N: usize>(
    mut lanes: [T; LANES],
    from: [&[T]; N],
    len: usize,
    term: impl Fn([T; N]) -> T,
) -> T {
    let all = from[0].len();
    let from = heads(from, all);
    let (first, rest) = (all - len, len % LANES);
    for k in 0..len / LANES {
        let x = starting(&from, first + k * LANES);
        (0..LANES).for_each(|i| lanes[i] += term(lane(&x, i)));
    }
    if rest > 0 {
        let (last, rest) = (starting(&from, all - LANES), std::hint::black_box(rest));
        for i in 0..LANES {
            let new = term(lane(&last, i));
            lanes[i] += if i + rest < LANES { T::zero() } else { new };
        }
    }
    joined(lanes, |a, b| a + b)
}

/// `out[i] = value(x[i], ..)`, or added to it, for no elements or at least [`LANES`].
#[inline(always)]
pub fn put<T: Real, const N: usize>(
    out: &mut [T],
    from: [&[T]; N],
    accumulate: bool,
    value: impl Fn([T; N]) -> T,
) {
    if accumulate {
        change(out, from, |out, x| out + value(x));
    } else {
        change(out, from, |_, x| value(x));
    }
}

/// `out[i] = value(out[i], x[i], ..)`, for no elements or at least [`LANES`].
#[inline(always)]
pub fn change<T: Real, const N: usize>(out: &mut [T], from: [&[T]; N], value: impl Fn(T, [T; N]) -> T) {
    let len = out.len();
    if len == 0 {
        return;
    }
    let from = heads(from, len);
    // As it was before the vector in front of it is overwritten.
    let last = *chunk(out, len - LANES);
    let many = len - len % MANY;
    let vectors = chunks::<T, N, MANY>(from, len / MANY);
    for (k, out) in out.as_chunks_mut::<MANY>().0.iter_mut().enumerate() {
        // Else the compiler would go along this loop, by gathers, not along the vector.
        let k = std::hint::black_box(k);
        *out = vector(out, &nth(&vectors, k), &value);
    }
    for at in (many..len).step_by(LANES) {
        let at = std::hint::black_box(at);
        let first = at.min(len - LANES);
        let now = if first == at { chunk(out, at) } else { &last };
        let new = vector(now, &starting(&from, first), &value);
        *out[first..].first_chunk_mut().expect("a whole vector") = new;
    }
}

#[inline(always)]
fn vector<T: Real, const N: usize, const W: usize>(
    out: &[T; W],
    from: &[[T; W]; N],
    value: &impl Fn(T, [T; N]) -> T,
) -> [T; W] {
    // A copy, as `from` is: what is written cannot be what is still to be read.
    let now = *out;
    let mut new = [T::zero(); W];
    for i in 0..W {
        new[i] = value(now[i], lane(from, i));
    }
    new
}

// Loops in functions of the element's type alone: `map` over an array is six functions for each closure it is given, and
// what is folded and changed has hundreds of them.

/// The first `len` elements of each slice.
#[inline(always)]
fn heads<T, const N: usize>(mut from: [&[T]; N], len: usize) -> [&[T]; N] {
    for x in &mut from {
        *x = &x[..len];
    }
    from
}

/// The first `count` whole vectors of each slice.
#[inline(always)]
pub fn chunks<T, const N: usize, const W: usize>(from: [&[T]; N], count: usize) -> [&[[T; W]]; N] {
    let mut vectors: [&[[T; W]]; N] = [&[]; N];
    for n in 0..N {
        vectors[n] = &from[n].as_chunks().0[..count];
    }
    vectors
}

/// The `k`-th of each.
#[inline(always)]
pub fn nth<T: Real, const N: usize, const W: usize>(vectors: &[&[[T; W]]; N], k: usize) -> [[T; W]; N] {
    let mut to = [[T::zero(); W]; N];
    for n in 0..N {
        to[n] = vectors[n][k];
    }
    to
}

/// The vector of each slice that begins at `first`.
#[inline(always)]
fn starting<T: Real, const N: usize>(from: &[&[T]; N], first: usize) -> [[T; LANES]; N] {
    let mut to = [[T::zero(); LANES]; N];
    for n in 0..N {
        to[n] = *chunk(from[n], first);
    }
    to
}

/// The `i`-th of each.
#[inline(always)]
pub fn lane<T: Real, const N: usize, const W: usize>(x: &[[T; W]; N], i: usize) -> [T; N] {
    let mut lane = [T::zero(); N];
    for n in 0..N {
        lane[n] = x[n][i];
    }
    lane
}

#[inline(always)]
fn chunk<T>(x: &[T], first: usize) -> &[T; LANES] {
    x[first..].first_chunk().expect("a whole vector")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(len: usize, by: usize) -> Vec<f64> {
        (0..len).map(|i| ((i * by) % 23) as f64 - 11.0).collect()
    }

    #[test]
    fn every_length_is_folded_once() {
        for len in 0..100 {
            let [x, y, z] = [5, 7, 11].map(|by| numbers(len, by));
            let sum: f64 = (0..len).map(|i| x[i] * y[i] - z[i]).sum();
            let have = fold([&x[..], &y, &z], 0.0, |[x, y, z]| x * y - z, |a, b| a + b);
            assert_eq!(have, sum, "{len}");
            let most = x.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
            assert_eq!(fold([&x[..]], f64::NEG_INFINITY, |[x]| x, f64::max), most);
        }
    }

    #[test]
    fn every_length_is_changed_once() {
        for (len, accumulate) in (0..1).chain(LANES..200).flat_map(|len| [(len, false), (len, true)]) {
            let [x, y, z, out] = [5, 7, 11, 13].map(|by| numbers(len, by));
            let mut have = out.clone();
            put(&mut have, [&x[..], &y, &z], accumulate, |[x, y, z]| x * y - z);
            let want = (0..len).map(|i| x[i] * y[i] - z[i] + if accumulate { out[i] } else { 0.0 });
            assert!(want.eq(have), "{len} {accumulate}");
        }
    }
}
