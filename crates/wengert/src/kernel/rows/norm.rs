//! Normalisation of rows: layer norm (mean and deviation) and RMS norm (root of the mean square), with cotangents.
//!
//! Both are `y = (x - mean) * scale * weight + bias`; RMS norm has mean 0 throughout.

use super::{check, few, piece, sum_of, sum_slice, vectorised};
use crate::kernel::lanes::put;
use crate::kernel::real::Real;
use crate::kernel::threads;

/// What the forward pass keeps of each row for the backward pass.
#[derive(Debug)]
pub struct Moments<'a, T> {
    /// Mean of each row; empty for RMS norm.
    pub mean: &'a mut [T],
    /// Reciprocal of the deviation of each row, `eps` included.
    pub scale: &'a mut [T],
}

/// Layer norm: `y = (x - mean) / sqrt(variance + eps) * weight + bias` with the biased variance, in two passes.
///
/// x `[rows, n]`, weight and bias `[n] ->` y `[rows, n]` and the [`Moments`] `[rows]`. With `moments.mean` empty this
/// is RMS norm: `y = x / sqrt(mean of x^2 + eps) * weight + bias`.
///
/// # Panics
/// If the lengths do not fit.
pub fn norm<T: Real>(
    x: &[T],
    n: usize,
    eps: T,
    weight: Option<&[T]>,
    bias: Option<&[T]>,
    y: &mut [T],
    moments: Moments<'_, T>,
) {
    check(n, x, y);
    let rows = moments.scale.len();
    assert_eq!(x.len(), n * rows);
    assert!(moments.mean.is_empty() || moments.mean.len() == rows);
    assert!([weight, bias].iter().flatten().all(|slice| slice.len() == n));
    if let Some(piece) = piece(x.len(), n) {
        let rows = piece / n;
        let mut means = moments.mean.chunks_mut(rows);
        let pieces = x.chunks(piece).zip(y.chunks_mut(piece)).zip(moments.scale.chunks_mut(rows));
        let pieces =
            pieces.map(|((x, y), scale)| (x, y, Moments { mean: means.next().unwrap_or_default(), scale }));
        return threads::each(pieces, |(x, y, moments)| norm_rows(x, n, eps, weight, bias, y, moments));
    }
    norm_rows(x, n, eps, weight, bias, y, moments);
}

fn norm_rows<T: Real>(
    x: &[T],
    n: usize,
    eps: T,
    weight: Option<&[T]>,
    bias: Option<&[T]>,
    y: &mut [T],
    moments: Moments<'_, T>,
) {
    vectorised!(norm_kernel::<T>; T: Real; x: &'a [T], n: usize, eps: T, weight: Option<&'a [T]>, bias: Option<&'a [T]>, y: &'a mut [T], moments: Moments<'a, T>);
}

#[inline(always)]
fn norm_kernel<T: Real>(
    x: &[T],
    n: usize,
    eps: T,
    weight: Option<&[T]>,
    bias: Option<&[T]>,
    y: &mut [T],
    moments: Moments<'_, T>,
) {
    if few::are_few(n) {
        return few::norm(x, n, eps, weight, bias, y, moments);
    }
    let reciprocal = T::one() / T::of(n as f64);
    for (i, row_scale) in moments.scale.iter_mut().enumerate() {
        let (x, y) = (&x[i * n..][..n], &mut y[i * n..][..n]);
        let mut mean = T::zero();
        if let Some(row_mean) = moments.mean.get_mut(i) {
            mean = sum_slice(x) * reciprocal;
            *row_mean = mean;
        }
        let variance = sum_of([x], |[x]| (x - mean) * (x - mean)) * reciprocal;
        let scale = T::one() / (variance + eps).sqrt();
        *row_scale = scale;
        let z = |x: T| (x - mean) * scale;
        match (weight, bias) {
            (Some(weight), Some(bias)) => put(y, [x, weight, bias], false, |[x, w, b]| z(x) * w + b),
            (Some(weight), None) => put(y, [x, weight], false, |[x, w]| z(x) * w),
            (None, Some(bias)) => put(y, [x, bias], false, |[x, b]| z(x) + b),
            (None, None) => put(y, [x], false, |[x]| z(x)),
        }
    }
}

/// Where [`norm_cotangent`] puts its results; parts that are `None` are not computed.
#[derive(Debug)]
pub struct Cotangents<'a, T> {
    /// `[rows, n]`.
    pub x: Option<&'a mut [T]>,
    /// Add to `x` instead of overwriting it.
    pub accumulate: bool,
    /// `[n]`, added to.
    pub weight: Option<&'a mut [T]>,
    /// `[n]`, added to.
    pub bias: Option<&'a mut [T]>,
}

/// Cotangents of [`norm`], with `z = (x - mean) scale` and `z_bar = y_bar weight`:
/// `x_bar = scale (z_bar - mean(z_bar) - z mean(z_bar z))`, `weight_bar += sum y_bar z`, `bias_bar += sum y_bar`.
///
/// `mean` empty as in [`norm`]: then the term `mean(z_bar)` is absent. One pass over the rows.
///
/// # Panics
/// If the lengths do not fit.
pub fn norm_cotangent<T: Real>(
    x: &[T],
    n: usize,
    mean: &[T],
    scale: &[T],
    weight: Option<&[T]>,
    y_bar: &[T],
    out: Cotangents<'_, T>,
) {
    check(n, x, y_bar);
    assert_eq!(x.len(), n * scale.len());
    assert!(mean.is_empty() || mean.len() == scale.len());
    assert!(out.x.as_ref().is_none_or(|x_bar| x_bar.len() == x.len()));
    assert!(weight.is_none_or(|weight| weight.len() == n));
    assert!([&out.weight, &out.bias].iter().all(|bar| bar.as_ref().is_none_or(|bar| bar.len() == n)));
    if let Some(piece) = piece(x.len(), n) {
        let rows = piece / n;
        let Cotangents { x: x_bar, accumulate, weight: weight_bar, bias } = out;
        let mut means = mean.chunks(rows);
        let mut x_bars = x_bar.into_iter().flat_map(|x_bar| x_bar.chunks_mut(piece));
        let pieces = x.chunks(piece).zip(y_bar.chunks(piece)).zip(scale.chunks(rows)).map_while(
            |((x, y_bar), scale)| {
                let out = Cotangents { x: Some(x_bars.next()?), accumulate, weight: None, bias: None };
                Some((x, means.next().unwrap_or_default(), scale, y_bar, out))
            },
        );
        // What is summed over the rows is one piece of its own: the same sum as on one thread.
        let sums = (x, mean, scale, y_bar, Cotangents { x: None, accumulate, weight: weight_bar, bias });
        return threads::each(std::iter::once(sums).chain(pieces), |(x, mean, scale, y_bar, out)| {
            norm_cotangent_rows(x, n, mean, scale, weight, y_bar, out);
        });
    }
    norm_cotangent_rows(x, n, mean, scale, weight, y_bar, out);
}

fn norm_cotangent_rows<T: Real>(
    x: &[T],
    n: usize,
    mean: &[T],
    scale: &[T],
    weight: Option<&[T]>,
    y_bar: &[T],
    out: Cotangents<'_, T>,
) {
    vectorised!(norm_cotangent_kernel::<T>; T: Real; x: &'a [T], n: usize, mean: &'a [T], scale: &'a [T], weight: Option<&'a [T]>, y_bar: &'a [T], out: Cotangents<'a, T>);
}

#[inline(always)]
fn norm_cotangent_kernel<T: Real>(
    x: &[T],
    n: usize,
    mean: &[T],
    scale: &[T],
    weight: Option<&[T]>,
    y_bar: &[T],
    mut out: Cotangents<'_, T>,
) {
    if few::are_few(n) {
        return few::norm_cotangent(x, n, mean, scale, weight, y_bar, out);
    }
    for (i, &scale) in scale.iter().enumerate() {
        let (x, y_bar) = (&x[i * n..][..n], &y_bar[i * n..][..n]);
        let row = Row { x, y_bar, mean: mean.get(i).copied(), scale };
        if let Some(weight_bar) = out.weight.as_deref_mut() {
            row.add_weight_bar(weight_bar);
        }
        if let Some(bias_bar) = out.bias.as_deref_mut() {
            put(bias_bar, [y_bar], true, |[y_bar]| y_bar);
        }
        if let Some(x_bar) = out.x.as_deref_mut() {
            row.put_x_bar(weight, out.accumulate, &mut x_bar[i * n..][..n]);
        }
    }
}

/// One row of the backward pass; `mean` is `None` for RMS norm.
struct Row<'a, T> {
    x: &'a [T],
    y_bar: &'a [T],
    mean: Option<T>,
    scale: T,
}

impl<T: Real> Row<'_, T> {
    #[inline(always)]
    fn add_weight_bar(&self, weight_bar: &mut [T]) {
        let (mean, scale) = (self.mean.unwrap_or(T::zero()), self.scale);
        put(weight_bar, [self.x, self.y_bar], true, |[x, y_bar]| y_bar * ((x - mean) * scale));
    }

    #[inline(always)]
    fn put_x_bar(&self, weight: Option<&[T]>, accumulate: bool, x_bar: &mut [T]) {
        match weight {
            Some(weight) => {
                self.x_bar([self.x, self.y_bar, weight], |[_, y_bar, w]| y_bar * w, accumulate, x_bar)
            }
            None => self.x_bar([self.x, self.y_bar], |[_, y_bar]| y_bar, accumulate, x_bar),
        }
    }

    #[inline(always)]
    fn x_bar<const N: usize>(
        &self,
        from: [&[T]; N],
        z_bar: impl Fn([T; N]) -> T + Copy,
        accumulate: bool,
        x_bar: &mut [T],
    ) {
        let reciprocal = T::one() / T::of(self.x.len() as f64);
        let (mean, scale) = (self.mean.unwrap_or(T::zero()), self.scale);
        let z = |from: [T; N]| (from[0] - mean) * scale;
        let along = sum_of(from, |from| z(from) * z_bar(from)) * reciprocal;
        let across = if self.mean.is_some() { sum_of(from, z_bar) * reciprocal } else { T::zero() };
        put(x_bar, from, accumulate, |from| scale * (z_bar(from) - across - z(from) * along));
    }
}
