//! What is done to the elements of slices side by side, [`LANES`] at a time, to be inlined into a kernel of one level.
//!
//! Where a slice is no multiple of that long, its last elements come in a whole vector too: one that begins before the
//! others end.

use crate::kernel::real::Real;

/// Elements side by side: partial results of a reduction.
pub const LANES: usize = 16;
/// Elements of long slices that are changed in one go.
const MANY: usize = 4 * LANES;

/// All lanes joined.
///
/// Without a loop over widths, which would not be unrolled and so go one number at a time; and out of the compiler's sight,
/// which else splits the lanes of the loop before it into pairs, as they are joined here in the end.
#[inline(always)]
fn joined<T: Copy>(lanes: [T; LANES], join: impl Fn(T, T) -> T) -> T {
    let lanes = std::hint::black_box(lanes);
    let eight: [T; 8] = std::array::from_fn(|i| join(lanes[i], lanes[i + 8]));
    let four: [T; 4] = std::array::from_fn(|i| join(eight[i], eight[i + 4]));
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
    let from = from.map(|x| &x[..len]);
    if len < LANES {
        return (0..len).fold(start, |result, i| join(result, term(from.map(|x| x[i]))));
    }
    // Known to be below `LANES`, it would make the first lane and the last another case than those between.
    let (whole, rest) = (len / LANES, std::hint::black_box(len % LANES));
    let vectors = from.map(|x| &x.as_chunks::<LANES>().0[..whole]);
    let mut lanes = [start; LANES];
    for k in 0..whole {
        let vectors = vectors.map(|x| x[k]);
        for i in 0..LANES {
            lanes[i] = join(lanes[i], term(std::array::from_fn(|n| vectors[n][i])));
        }
    }
    if rest > 0 {
        let last = from.map(last_of);
        for i in 0..LANES {
            let new = term(last.map(|x| x[i]));
            lanes[i] = join(lanes[i], if i + rest < LANES { start } else { new });
        }
    }
    joined(lanes, join)
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
    let from = from.map(|x| &x[..len]);
    // As it was before the vector in front of it is overwritten.
    let last = *last_of(out);
    let many = len - len % MANY;
    for (k, out) in out.as_chunks_mut::<MANY>().0.iter_mut().enumerate() {
        // Else the compiler would go along this loop, by gathers, not along the vector.
        let k = std::hint::black_box(k);
        *out = vector(out, from.map(|x| &x.as_chunks().0[k]), &value);
    }
    for at in (many..len).step_by(LANES) {
        let at = std::hint::black_box(at);
        let first = at.min(len - LANES);
        let now = if first == at { chunk(out, at) } else { &last };
        let new = vector(now, from.map(|x| chunk(x, first)), &value);
        *out[first..].first_chunk_mut().expect("a whole vector") = new;
    }
}

#[inline(always)]
fn vector<T: Real, const N: usize, const W: usize>(
    out: &[T; W],
    from: [&[T; W]; N],
    value: &impl Fn(T, [T; N]) -> T,
) -> [T; W] {
    // Copies: what is written cannot be what is still to be read.
    let (now, from) = (*out, from.map(|x| *x));
    let mut new = [T::zero(); W];
    for i in 0..W {
        new[i] = value(now[i], std::array::from_fn(|n| from[n][i]));
    }
    new
}

#[inline(always)]
fn chunk<T>(x: &[T], first: usize) -> &[T; LANES] {
    x[first..].first_chunk().expect("a whole vector")
}

#[inline(always)]
fn last_of<T>(x: &[T]) -> &[T; LANES] {
    x.last_chunk().expect("as long as a vector")
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
