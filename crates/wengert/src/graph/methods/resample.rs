//! Images and signals on other grids: means over parts, interpolation, patches as columns, convolution of vectors.

use ndarray::{Array1, ArrayD, aview1};

use crate::error::{ErrorKind, Refusal};
use crate::expr::Expr;
use crate::graph::methods::countable;
use crate::graph::{Engine, Graph};

use crate::op::*;
use crate::rule::Record;
use crate::shape::Shape;
use crate::term::Term;
use crate::var::Var;
use crate::words::Words;

fn refuse<R>(kind: ErrorKind, rule: String) -> Result<R, Refusal> {
    Err(Refusal::new(kind, rule))
}

/// Refuses an array that is not `[N, C, ..]` with as many more axes as `size` names, or has no elements to resample.
fn check_planes(x: &[usize], size: &[usize]) -> Result<(), Refusal> {
    if x.len() != size.len() + 2 {
        let rule = format!("the input must have {} axes, not {}", size.len() + 2, x.len());
        return refuse(ErrorKind::RankMismatch, rule);
    }
    match x[2..].iter().zip(size).position(|(&n, &m)| n == 0 && m > 0) {
        Some(k) => refuse(ErrorKind::ShapeMismatch, format!("axis {} has no elements", k + 2)),
        None => countable(&x[..2].iter().chain(size).copied().collect::<Shape>()),
    }
}

/// Patches of an image: kernel, padded lengths and numbers of patches for both axes.
struct Patches {
    kernel: [usize; 2],
    padded: [usize; 2],
    count: [usize; 2],
    options: ConvOptions<2>,
}

impl Patches {
    fn new(image: [usize; 2], kernel: [usize; 2], options: ConvOptions<2>) -> Result<Self, Refusal> {
        let ConvOptions { stride, padding, dilation, groups } = options;
        if groups != 1 {
            return refuse(
                ErrorKind::InvalidAttribute,
                format!("patches have no groups, and {groups} are given"),
            );
        }
        let (mut padded, mut count) = ([0; 2], [0; 2]);
        for k in 0..2 {
            if kernel[k] == 0 || stride[k] == 0 || dilation[k] == 0 {
                return refuse(
                    ErrorKind::InvalidAttribute,
                    "kernel, stride and dilation must be at least 1".into(),
                );
            }
            let reach = dilation[k].saturating_mul(kernel[k] - 1).saturating_add(1);
            padded[k] = image[k].saturating_add(padding[k].saturating_mul(2));
            if reach > padded[k] {
                let rule = format!("a patch of length {reach} does not fit an input of length {}", padded[k]);
                return refuse(ErrorKind::ShapeMismatch, rule);
            }
            count[k] = (padded[k] - reach) / stride[k] + 1;
        }
        Ok(Patches { kernel, padded, count, options })
    }

    fn entries(&self) -> usize {
        self.kernel[0].saturating_mul(self.kernel[1])
    }

    fn patches(&self) -> usize {
        self.count[0].saturating_mul(self.count[1])
    }

    /// Where in the padded image the entries of all patches lie: `[entry, patch]` in row-major order.
    fn positions(&self) -> Vec<i64> {
        let ConvOptions { stride, dilation, .. } = self.options;
        let at = |k: usize, entry: usize, patch: usize| entry * dilation[k] + patch * stride[k];
        let mut positions = Vec::with_capacity(self.entries() * self.patches());
        for entry in 0..self.entries() {
            for patch in 0..self.patches() {
                let row = at(0, entry / self.kernel[1], patch / self.count[1]);
                let column = at(1, entry % self.kernel[1], patch % self.count[1]);
                positions.push((row * self.padded[1] + column) as i64);
            }
        }
        positions
    }
}

impl<T: Engine> Graph<T> {
    fn index_term<'r>(&'r self, positions: &[i64]) -> Term<'r> {
        Term::new(self, self.indices_of(aview1(positions).into_dyn()))
    }

    /// Numbers for the positions of an axis of `ndim`.
    fn along_axis<'r>(&'r self, values: Vec<f64>, axis: usize, ndim: usize) -> Term<'r> {
        let mut shape = Shape::from_elem(1, ndim);
        shape[axis] = values.len();
        let values: ArrayD<T> = Array1::from_iter(values.into_iter().map(T::of)).into_dyn();
        Term::new(self, self.push_array(&values)).reshape(&shape)
    }

    /// Mean of each of `size` parts of the axis, as equal as they can be; parts may share an element.
    fn pooled<'r>(&'r self, x: Term<'r>, axis: usize, size: usize) -> Term<'r> {
        let n = x.shape()[axis];
        let part = |k: usize| k * n / size..((k + 1) * n).div_ceil(size);
        let sources: Vec<i64> = (0..size).flat_map(|k| part(k).map(|i| i as i64)).collect();
        let targets: Vec<i64> = (0..size).flat_map(|k| part(k).map(move |_| k as i64)).collect();
        let picked = x.apply(IndexSelect { axis: axis as isize }, &[self.index_term(&sources)]);
        let sums = picked.apply(IndexAdd { axis, len: size }, &[self.index_term(&targets)]);
        sums / self.along_axis((0..size).map(|k| part(k).len() as f64).collect(), axis, x.ndim())
    }

    fn interpolated<'r>(&'r self, x: Term<'r>, axis: usize, size: usize, how: Interpolation) -> Term<'r> {
        let n = x.shape()[axis];
        let pick = |at: Vec<i64>| x.apply(IndexSelect { axis: axis as isize }, &[self.index_term(&at)]);
        let at = |i: usize| match how {
            Interpolation::Nearest => (i * n / size) as f64,
            Interpolation::Linear => {
                ((i as f64 + 0.5) * n as f64 / size as f64 - 0.5).clamp(0.0, (n - 1) as f64)
            }
            Interpolation::LinearAligned if size == 1 => 0.0,
            Interpolation::LinearAligned => (i * (n - 1)) as f64 / (size - 1) as f64,
        };
        let low = pick((0..size).map(|i| at(i) as i64).collect());
        if how == Interpolation::Nearest {
            return low;
        }
        let high = pick((0..size).map(|i| (at(i) as i64 + 1).min(n as i64 - 1)).collect());
        let share = self.along_axis((0..size).map(|i| at(i).fract()).collect(), axis, x.ndim());
        low * (x.lit(1.0) - share) + high * share
    }

    /// Means of `size` parts of the length, as equal as they can be (neighbours may share an element), as in PyTorch.
    ///
    /// `[N, C, L] -> [N, C, size]`. Cotangent: that of each part is shared equally among its elements. O(len).
    ///
    /// # Panics
    /// If `x` has not 3 axes, or no elements to take a mean of.
    #[track_caller]
    pub fn adaptive_avg_pool1d(&self, x: impl Expr, size: [usize; 1]) -> Var {
        self.enter();
        self.adaptive("adaptive_avg_pool1d", x, &size)
    }

    /// Means of `size` parts of both axes: see [`Graph::adaptive_avg_pool1d`].
    ///
    /// `[N, C, H, W] -> [N, C, size]`.
    ///
    /// # Panics
    /// If `x` has not 4 axes, or no elements to take a mean of.
    #[track_caller]
    pub fn adaptive_avg_pool2d(&self, x: impl Expr, size: [usize; 2]) -> Var {
        self.enter();
        self.adaptive("adaptive_avg_pool2d", x, &size)
    }

    #[track_caller]
    fn adaptive(&self, op: &'static str, x: impl Expr, size: &[usize]) -> Var {
        let x = self.term_of(op, x);
        self.admit(op, &[x], check_planes(&x.shape(), size));
        size.iter().enumerate().fold(x, |x, (k, &size)| self.pooled(x, k + 2, size)).var()
    }

    /// The signal or image at another size.
    ///
    /// `[N, C, ..] -> [N, C, size]`. Cotangent: that of each value is shared by the elements it was mixed of. O(len).
    ///
    /// # Panics
    /// If `x` has not two axes more than `size` has entries, or no elements.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::op::Interpolation;
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let x = g.leaf(array![[[0.0, 4.0]]]);
    /// let y = g.interpolate(x, &[4], Interpolation::Linear);
    /// assert_eq!(g.value(y), array![[[0.0, 1.0, 3.0, 4.0]]].into_dyn());
    /// ```
    #[track_caller]
    pub fn interpolate(&self, x: impl Expr, size: &[usize], how: Interpolation) -> Var {
        self.enter();
        let x = self.term_of("interpolate", x);
        self.admit("interpolate", &[x], check_planes(&x.shape(), size));
        size.iter().enumerate().fold(x, |x, (k, &size)| self.interpolated(x, k + 2, size, how)).var()
    }

    /// Channels become pixels: each `scale x scale` channels a square of one channel, as in PyTorch.
    ///
    /// `[.., C scale^2, H, W] -> [.., C, H scale, W scale]`.
    ///
    /// # Panics
    /// If `x` has fewer than 3 axes, or `scale^2` does not divide the channels.
    #[track_caller]
    pub fn pixel_shuffle(&self, x: impl Expr, scale: usize) -> Var {
        self.enter();
        let x = self.term_of("pixel_shuffle", x);
        let all = x.shape();
        let square = scale.saturating_mul(scale);
        let check = match &all[..] {
            [batch @ .., channels, h, w] if square > 0 && channels % square == 0 => {
                Ok((batch, channels / square, *h, *w))
            }
            [_, .., channels, _, _] | [channels, _, _] => refuse(
                ErrorKind::ShapeMismatch,
                format!("{channels} channels are no squares of side {scale}"),
            ),
            _ => refuse(
                ErrorKind::RankMismatch,
                format!("the input must have 3 axes or more, not {}", all.len()),
            ),
        };
        let (batch, channels, h, w) = self.admit("pixel_shuffle", &[x], check);
        let with = |rest: &[usize]| -> Shape { batch.iter().chain(rest).copied().collect() };
        let n = batch.len();
        let order: Shape = (0..=n).chain([n + 3, n + 1, n + 4, n + 2]).collect();
        let pixels = x.reshape(&with(&[channels, scale, scale, h, w])).permute(&order);
        pixels.reshape(&with(&[channels, h * scale, w * scale])).var()
    }

    /// The patches that a convolution sees, as columns (im2col).
    ///
    /// `[N, C, H, W] -> [N, C Kh Kw, patches]`, patches in row-major order; `options` as for [`Graph::conv2d`], without groups.
    /// Cotangent: [`Graph::fold`] of `y_bar`. O(result).
    ///
    /// # Panics
    /// If `x` has not 4 axes, a patch does not fit, or a length is 0.
    #[track_caller]
    pub fn unfold(&self, x: impl Expr, kernel: [usize; 2], options: ConvOptions<2>) -> Var {
        self.enter();
        let x = self.term_of("unfold", x);
        let check = match x.shape()[..] {
            [n, c, h, w] => Patches::new([h, w], kernel, options).map(|patches| (n, c, patches)),
            _ => refuse(ErrorKind::RankMismatch, format!("the input must have 4 axes, not {}", x.ndim())),
        };
        let (n, c, patches) = self.admit("unfold", &[x], check);
        let [top, left] = options.padding.map(|p| (p as isize, p as isize));
        let widths = [(0, 0), (0, 0), top, left][..].into();
        let image = x.apply(Pad { widths, mode: PadMode::Constant, value: 0.0 }, &[]);
        let flat = image.reshape(&[n, c, patches.padded[0] * patches.padded[1]]);
        let picked = flat.apply(IndexSelect { axis: 2 }, &[self.index_term(&patches.positions())]);
        picked.reshape(&[n, c * patches.entries(), patches.patches()]).var()
    }

    /// Patches added up where they lie in an image of `size` (col2im): the adjoint of [`Graph::unfold`].
    ///
    /// `[N, C Kh Kw, patches] -> [N, C, H, W]`. O(len).
    ///
    /// # Panics
    /// If `x` has not 3 axes, or is not what `unfold` makes of images of that size.
    ///
    /// # Examples
    /// ```
    /// use ndarray::{Array4, array};
    /// use wengert::op::ConvOptions;
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let x = g.leaf(Array4::ones((1, 1, 2, 3)));
    /// let columns = g.unfold(x, [2, 2], ConvOptions::default());
    /// assert_eq!(g.shape(columns).to_vec(), [1, 4, 2]);
    /// let counts = g.fold(columns, [2, 3], [2, 2], ConvOptions::default());
    /// assert_eq!(g.value(counts), array![[[[1.0, 2.0, 1.0], [1.0, 2.0, 1.0]]]].into_dyn());
    /// ```
    #[track_caller]
    pub fn fold(&self, x: impl Expr, size: [usize; 2], kernel: [usize; 2], options: ConvOptions<2>) -> Var {
        self.enter();
        let x = self.term_of("fold", x);
        let check = Patches::new(size, kernel, options).and_then(|patches| match x.shape()[..] {
            [n, rows, columns] if rows % patches.entries() == 0 && columns == patches.patches() => {
                Ok((n, patches))
            }
            [_, rows, columns] => refuse(
                ErrorKind::ShapeMismatch,
                format!(
                    "images of {size:?} have {} patches of {} entries, not {columns} of {rows}",
                    patches.patches(),
                    patches.entries()
                ),
            ),
            _ => refuse(ErrorKind::RankMismatch, format!("the input must have 3 axes, not {}", x.ndim())),
        });
        let (n, patches) = self.admit("fold", &[x], check);
        let (c, [h, w]) = (x.shape()[1] / patches.entries(), patches.padded);
        let flat = x.reshape(&[n, c, patches.entries() * patches.patches()]);
        let sums = flat
            .apply(IndexAdd { axis: 2, len: h.saturating_mul(w) }, &[self.index_term(&patches.positions())]);
        let [top, left] = options.padding;
        sums.reshape(&[n, c, h, w]).slice(2, top, top + size[0]).slice(3, left, left + size[1]).var()
    }

    /// The convolution of two vectors, as `numpy.convolve`.
    ///
    /// `[n], [k] -> [n + k - 1]` for [`ConvolveMode::Full`]. Cotangents: correlations of `y_bar` with the other. O(n k).
    ///
    /// # Panics
    /// If an argument has not one axis, or no elements.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::op::ConvolveMode;
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let (x, y) = (g.leaf(array![1.0, 2.0, 3.0]), g.leaf(array![1.0, 10.0]));
    /// assert_eq!(g.value(g.convolve(x, y, ConvolveMode::Full)), array![1.0, 12.0, 23.0, 30.0].into_dyn());
    /// ```
    #[track_caller]
    pub fn convolve(&self, x: impl Expr, y: impl Expr, mode: ConvolveMode) -> Var {
        self.enter();
        let (x, y) = (self.term_of("convolve", x), self.term_of("convolve", y));
        let check = match (&x.shape()[..], &y.shape()[..]) {
            (&[n], &[k]) if n > 0 && k > 0 => Ok((n, k)),
            (&[_], &[_]) => refuse(ErrorKind::ShapeMismatch, "a vector has no elements".into()),
            _ => refuse(ErrorKind::RankMismatch, "takes two vectors".into()),
        };
        let (n, k) = self.admit("convolve", &[x, y], check);
        let (long, short, n, k) = if n < k { (y, x, k, n) } else { (x, y, n, k) };
        let padding = if mode == ConvolveMode::Valid { 0 } else { k - 1 };
        let kernel = short.apply(Flip { axes: [0][..].into() }, &[]).reshape(&[1, 1, k]);
        let conv = Conv::from(ConvOptions { padding: [padding], ..ConvOptions::default() });
        let all = long.reshape(&[1, 1, n]).apply(conv, &[kernel]);
        let all = all.reshape(&[all.shape()[2]]);
        match mode {
            ConvolveMode::Same => all.slice(0, (k - 1) / 2, (k - 1) / 2 + n).var(),
            _ => all.var(),
        }
    }
}
