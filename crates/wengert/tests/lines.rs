//! Every recording method of a graph notes the line that it was called from: in its nodes and in its errors.

mod methods;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ndarray::{Array1, Array2, Array3, Array4, array};
use rand::{SeedableRng, rngs::SmallRng};
use smallvec::SmallVec;
use wengert::graph::{ClassOptions, HeadWeights};
use wengert::op::{
    Attention, AvgPoolOptions, ConvOptions, ConvTransposeOptions, ConvolveMode, Indexing, Interpolation,
    MaxPoolOptions, PadMode, Reduction, Slice, TriangularSolve,
};
use wengert::prelude::*;

/// What a recording method returns.
trait Outcome {
    /// The handles, or the message of the refusal.
    fn vars(self) -> Result<Vec<Var>, String>;
}
impl Outcome for Var {
    fn vars(self) -> Result<Vec<Var>, String> {
        Ok(vec![self])
    }
}
impl Outcome for (Var, Var) {
    fn vars(self) -> Result<Vec<Var>, String> {
        Ok(vec![self.0, self.1])
    }
}
impl Outcome for (Var, Var, Var) {
    fn vars(self) -> Result<Vec<Var>, String> {
        Ok(vec![self.0, self.1, self.2])
    }
}
impl Outcome for Vec<Var> {
    fn vars(self) -> Result<Vec<Var>, String> {
        Ok(self)
    }
}
impl<const N: usize> Outcome for SmallVec<[Var; N]>
where
    [Var; N]: smallvec::Array<Item = Var>,
{
    fn vars(self) -> Result<Vec<Var>, String> {
        Ok(self.into_vec())
    }
}
impl<O: Outcome> Outcome for wengert::Result<O> {
    fn vars(self) -> Result<Vec<Var>, String> {
        self.map_err(|error| error.to_string())?.vars()
    }
}

/// The handles that a call returns, or what it says as it refuses, be it by a panic or by an `Err`.
fn outcome<O: Outcome>(call: impl FnOnce() -> O) -> Result<Vec<Var>, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(outcome) => outcome.vars(),
        Err(payload) => Err(payload.downcast_ref::<String>().cloned().unwrap_or_default()),
    }
}

/// The methods called so far, on one graph, and what was wrong with them.
struct Walk {
    g: Graph,
    seen: BTreeSet<String>,
    failures: Vec<String>,
}

impl Walk {
    /// Holds the results of a good call, and all nodes from `before` on, to `line`.
    fn recorded(&mut self, name: &str, before: usize, outcome: Result<Vec<Var>, String>, line: u32) {
        self.seen.insert(name.into());
        let vars = match outcome {
            Ok(vars) => vars,
            Err(message) => return self.failures.push(format!("{line}: {name} refuses: {message}")),
        };
        let g = &self.g;
        for v in vars.into_iter().chain(g.nodes().skip(before)) {
            let at = g.line(v);
            if (at.file(), at.line()) != (file!(), line) {
                self.failures.push(format!("{line}: {name} notes {at} in its `{}`", g.op(v)));
            }
        }
    }

    /// Holds the message of a bad call to `line`.
    fn refused(&mut self, name: &str, outcome: Result<Vec<Var>, String>, line: u32) {
        match outcome {
            Ok(_) => self.failures.push(format!("{line}: {name} takes what it should refuse")),
            Err(message) if message.ends_with(&format!("(at {}:{line})", file!())) => {}
            Err(message) => self.failures.push(format!("{line}: {name} says: {message}")),
        }
    }
}

/// `row!(walk, name, good, bad, ..)`: the good call notes this line; each bad one reports it.
macro_rules! row {
    ($walk:ident, $name:ident, $good:expr $(, $bad:expr)*) => {{
        let before = $walk.g.nodes().count();
        let done = outcome(|| $good(&$walk.g));
        $walk.recorded(stringify!($name), before, done, line!());
        $(
            let done = outcome(|| $bad(&$walk.g));
            $walk.refused(stringify!($name), done, line!());
        )*
    }};
}
/// `call!(walk, name(good args) (bad args) ..)`
macro_rules! call {
    ($walk:ident, $name:ident ($($good:expr),*) $(($($bad:expr),*))*) => {
        row!($walk, $name, |g: &Graph| g.$name($($good),*) $(, |g: &Graph| g.$name($($bad),*))*)
    };
}
/// Methods that take the same arguments.
macro_rules! each {
    ($walk:ident ($a:expr) ($b:expr) $($name:ident)*) => { $( call!($walk, $name($a)($b)); )* };
    ($walk:ident ($a:expr, $p:expr) ($b:expr, $q:expr) $($name:ident)*) => { $( call!($walk, $name($a, $p)($b, $q)); )* };
}

#[test]
#[rustfmt::skip]
fn every_method_notes_its_line() {
    let mut w = Walk { g: Graph::new(), seen: BTreeSet::new(), failures: Vec::new() };
    let f = Graph::<f64>::new().leaf(2.0);
    let (x, wide) = (w.g.leaf(Array2::from_elem((2, 3), 0.5)), w.g.leaf(Array1::from_elem(4, 0.5)));
    elementwise(&mut w, x, wide, f);
    reductions(&mut w, x, wide, f);
    axes(&mut w, x, wide, f);
    arrangements(&mut w, x, wide, f);
    orders_and_places(&mut w, x, wide, f);
    matrices(&mut w, x, wide, f);
    networks(&mut w, x, wide, f);
    losses(&mut w, x, wide, f);
    densities(&mut w, x, wide, f);
    inputs_and_derivatives(&mut w, x, wide, f);
    assert!(w.failures.is_empty(), "{:#?}", w.failures);
    let missing: Vec<_> = methods::recording().difference(&w.seen).cloned().collect();
    assert!(missing.is_empty(), "methods that are not in this walk: {missing:?}");
}

#[rustfmt::skip]
fn elementwise(w: &mut Walk, x: Var, wide: Var, f: Var) {
    each!(w (x) (f) neg exp exp2 expm1 log log2 log10 log1p sqrt rsqrt cbrt square reciprocal sin cos tan asin acos atan);
    each!(w (x) (f) sinh cosh tanh sech asinh acosh atanh sigmoid logsigmoid softsign relu silu mish selu abs sign);
    each!(w (x) (f) floor ceil round trunc erf erfc gaussian ndtr lgamma digamma softplus gelu gelu_tanh gelu_gate sigmoid_prime tanh_prime);
    each!(w (x) (f) logit log1mexp entr sinc tanhshrink half_gaussian erfcx erfinv log_ndtr ndtri i0 i1 i0e i1e);
    each!(w (x) (f) relu6 deg2rad rad2deg hardsigmoid hardswish isnan isinf isfinite);
    each!(w (x * 2.0 + x) (x + wide) sin eval);
    each!(w (x, x) (x, wide) fmax fmin remainder fmod floor_divide copysign heaviside prelu logaddexp2 xlogy xlog1py betaln);
    each!(w (x, x) (x, wide) sigmoid_gap sigmoid2_gap digamma_gap log_digamma_gap gammainc gammaincc gammainc_dx zeta);
    each!(w (x, 0.5) (f, 0.5) celu hardshrink softshrink logit_with);
    call!(w, threshold(x, 0.5, 1.0)(f, 0.5, 1.0));
    call!(w, hardtanh(x, 0.0, 1.0)(f, 0.0, 1.0));
    call!(w, lerp(x, x, 0.3)(x, wide, 0.3));
    call!(w, addcmul(x, x, x, 2.0)(x, x, wide, 2.0));
    call!(w, betainc(x, x, x)(x, wide, x));
    each!(w (x, x) (x, wide) add sub mul div pow maximum minimum atan2 hypot logaddexp eq ne lt le gt ge);
    each!(w (x, 0.5) (x, f) add sub mul div pow maximum minimum atan2 hypot logaddexp eq ne lt le gt ge);
    call!(w, powi(x, 3)(f, 3));
    call!(w, powf(x, 1.5)(f, 1.5));
    call!(w, clamp(x, 0.0, 1.0)(f, 0.0, 1.0));
    call!(w, leaky_relu(x, 0.1)(f, 0.1));
    call!(w, elu(x, 0.1)(f, 0.1));
    call!(w, softplus_with(x, 1.0, 20.0)(f, 1.0, 20.0));
    call!(w, polygamma(x, 1)(f, 1));
    call!(w, eval((x.sin() + 1.0) * x)((x.sin() + 1.0) * wide)(x.sin() + f));
    let m = w.g.mask([true, false, true]);
    call!(w, where_(m, x, x * 2.0)(m, x, wide)(x, x, x)(f, x, x));
    row!(w, where_strong, |g: &Graph| g.where_strong(m, &[x], |g, x| g.log(x[0]), |_, x| x[0]), |g: &Graph| g.where_strong(x, &[x], |_, x| x[0], |_, x| x[0]));
    let wrong = w.g.mask([true, false]);
    call!(w, masked_fill(x, m, 0.0)(x, wrong, 0.0)(f, m, 0.0));
    call!(w, nan_to_num(x, 0.0, 1.0, -1.0)(f, 0.0, 1.0, -1.0));
    each!(w (m, m) (m, wrong) logical_and logical_or logical_xor);
    each!(w (m) (x) logical_not any all);
    each!(w (m, &[0]) (m, &[1]) any_axes all_axes);
    call!(w, detach(x)(f));
    call!(w, straight_through(x, x)(x, wide)(f, x));
    call!(w, scale_gradient(x, 2.0)(f, 2.0));
    call!(w, gradient_reversal(x, 2.0)(f, 2.0));
    call!(w, map(x, |x| x * x, |x, _| 2.0 * x)(f, |x| x, |_, _| 1.0));
    row!(w, custom, |g: &Graph| g.custom("twice", &[x], |x| Ok(&x[0] * 2.0), |g, _, _, y| Ok(vec![Some(g.eval(2.0 * y))])), |g: &Graph| g.custom("no", &[x], |_| Err("no".into()), |_, _, _, _| Ok(vec![None])));
    row!(w, checkpoint, |g: &Graph| g.checkpoint(&[x], |g, x| g.sum(x[0])), |g: &Graph| g.checkpoint(&[f], |g, x| g.sum(x[0])));
    row!(w, implicit_solve, |g: &Graph| g.implicit_solve(&[x], |p| Ok(p[0].to_owned()), |g, y, p| g.eval(y - p[0])), |g: &Graph| g.implicit_solve(&[f], |p| Ok(p[0].to_owned()), |g, y, p| g.eval(y - p[0])));
    w.seen.insert("apply_custom".into()); // By `custom`.
}

#[rustfmt::skip]
fn reductions(w: &mut Walk, x: Var, wide: Var, f: Var) {
    each!(w (x) (f) sum mean prod max min var std norm logsumexp argmax argmin);
    each!(w (x * x) (x * wide) sum mean prod max min var std norm logsumexp argmax argmin);
    each!(w (x.sin() * 2.0) (x.sin() * f) sum mean prod max min var std norm logsumexp);
    each!(w (x, &[1]) (x, &[2]) sum_axes mean_axes prod_axes max_axes min_axes var_axes std_axes norm_axes logsumexp_axes);
    each!(w (x, &[0]) (x, &[-3]) sum_keepdims mean_keepdims prod_keepdims max_keepdims min_keepdims var_keepdims std_keepdims);
    each!(w (x, &[0]) (x, &[-3]) norm_keepdims logsumexp_keepdims);
    each!(w (x) (f) count_nonzero nansum nanmean);
    call!(w, average(x, x, &[0])(x, x, &[2])(x, wide, &[0])(f, x, &[0]));
    each!(w (x, &[0]) (x, &[2]) count_nonzero_axes nansum_axes nanmean_axes);
    call!(w, var_with(x, &[0], 1.0, true)(x, &[9], 1.0, true));
    call!(w, std_with(x, &[0], 1.0, true)(x, &[9], 1.0, true));
    call!(w, norm_with(x, 1.0, &[0], true)(x, 1.0, &[9], true));
    each!(w (x, 1) (x, 2) argmax_axis argmin_axis cumsum cumprod logcumsumexp softmax log_softmax softmin);
    let even = w.g.leaf(Array2::ones((2, 4)));
    call!(w, glu(even, 1)(x, 1)(f, 0));
    call!(w, normalize(x, 2.0, 1, 1e-12)(x, 2.0, 2, 1e-12));
}

#[rustfmt::skip]
fn axes(w: &mut Walk, x: Var, wide: Var, f: Var) {
    call!(w, reshape(x, &[3, -1])(x, &[4, -1]));
    call!(w, flatten(x)(f));
    call!(w, permute(x, &[1, 0])(x, &[1, 1]));
    call!(w, transpose(x, 0, 1)(x, 0, 2));
    call!(w, swapaxes(x, 0, 1)(x, 0, 2));
    call!(w, t(x)(wide));
    call!(w, broadcast_to(x, &[4, 2, 3])(x, &[4]));
    call!(w, squeeze(x)(f));
    call!(w, squeeze_axes(x, &[])(x, &[0]));
    call!(w, unsqueeze(x, 0)(x, 9));
    call!(w, slice(x, 1, 0..2)(x, 2, 0..2));
    call!(w, slice_step(x, 1, .., 2)(x, 1, .., 0));
    call!(w, narrow(x, 1, 1, 2)(x, 1, 2, 2)(f, 0, 0, 0));
    call!(w, select(x, 1, 0)(x, 1, 3));
    call!(w, split(x, &[1, 2], 1)(x, &[1, 1], 1));
    call!(w, concat(&[x, x], 0)(&[x, wide], 0));
    call!(w, stack(&[x, x], 0)(&[x, wide], 0));
    call!(w, pad(x, &[(1, 1), (0, 0)], 0.0)(x, &[(1, 1), (0, 0), (0, 0)], 0.0));
    call!(w, pad_with(x, &[(1, 1), (0, 0)], PadMode::Edge)(x, &[(1, 1), (0, 0), (0, 0)], PadMode::Edge));
    call!(w, flip(x, &[0])(x, &[2]));
    call!(w, roll(x, &[1], &[0])(x, &[1], &[2]));
    call!(w, tril(x, 0)(wide, 0));
    call!(w, triu(x, 0)(wide, 0));
    call!(w, diag(wide, 0)(f, 0));
    call!(w, trace(x)(wide));
    call!(w, tile(x, &[2, 1])(f, &[2]));
    call!(w, repeat_interleave(x, 2, 1)(x, 2, 2));
    let (i, far, grid) = (w.g.indices([0, 1]), w.g.indices([7]), w.g.indices(array![[0, 1, 0]]));
    call!(w, index_select(x, i, 0)(x, far, 0)(x, x, 0));
    call!(w, gather(x, grid, 0)(x, i, 0));
    let row = w.g.leaf(Array2::ones((1, 3)));
    call!(w, scatter_add(x, grid, row, 0)(x, i, row, 0));
    call!(w, embedding(x, i)(x, far));
}

#[rustfmt::skip]
fn arrangements(w: &mut Walk, x: Var, wide: Var, f: Var) {
    each!(w (x) (f) identity ravel);
    call!(w, expand_dims(x, 0)(x, 9));
    call!(w, atleast_nd(x, 3)(f, 3));
    call!(w, moveaxis(x, &[0], &[1])(x, &[0], &[2])(x, &[0], &[]));
    call!(w, chunk(x, 2, 1)(x, 0, 1)(x, 2, 2));
    call!(w, array_split(x, 2, 1)(x, 0, 1)(f, 2, 2));
    call!(w, meshgrid(&[wide, wide], Indexing::Xy)(&[wide, x], Indexing::Xy)(&[f], Indexing::Ij));
    call!(w, diagonal(x, 1, 0, 1)(x, 0, 0, 2)(x, 0, 1, -1));
    call!(w, diag_embed(x, -1, 0, 2)(x, 0, 0, 3)(f, 0, 0, 1));
    call!(w, rot90(x, 1, 0, 1)(x, 1, 0, 0));
    call!(w, hstack(&[x, x])(&[x, wide])(&[]));
    call!(w, vstack(&[wide, wide])(&[x, wide])(&[]));
}

#[rustfmt::skip]
fn orders_and_places(w: &mut Walk, x: Var, wide: Var, f: Var) {
    call!(w, sort(x, 1, false)(x, 2, false));
    call!(w, argsort(x, 1, false)(x, 2, false));
    call!(w, topk(x, 2, 1, true)(x, 4, 1, true)(f, 0, 0, true));
    call!(w, median(x)(f));
    call!(w, median_axis(x, 1)(x, 2));
    call!(w, quantile(x, 0.3, 1)(x, 1.3, 1)(x, 0.3, 2));
    each!(w (x, 1) (x, 2) cummax cummin);
    call!(w, diff(x, 1, 1)(x, 1, 2)(f, 1, 0));
    let (g, whole) = (&w.g, [Slice::default()]);
    let (i, far, grid, m) = (g.indices([0, 1]), g.indices([7]), g.indices(array![[0, 1, 0]]), g.mask([true, false, true]));
    let row = g.leaf(Array2::ones((1, 3)));
    call!(w, slice_assign(x, &whole, row)(x, &whole, wide)(f, &whole, row));
    call!(w, scatter(x, grid, row, 0)(x, i, row, 0));
    call!(w, index_add(x, i, x, 0)(x, far, row, 0)(x, i, wide, 0)(f, i, x, 0));
    call!(w, segment_sum(x, i, 3)(x, far, 3));
    call!(w, one_hot(i, 2)(far, 2)(x, 2));
    call!(w, masked_select(x, m)(wide, m)(x, x)(f, m));
    call!(w, take(x, grid)(x, far)(x, x));
    call!(w, take_along_axis(x, grid, 0)(x, i, 0));
}

#[rustfmt::skip]
fn matrices(w: &mut Walk, x: Var, wide: Var, f: Var) {
    let (a, zero) = (w.g.leaf(array![[2.0, 0.5], [0.5, 1.0]]), w.g.leaf(Array2::zeros((2, 2))));
    call!(w, matmul(a, x)(x, a));
    call!(w, dot(wide, wide)(wide, x));
    call!(w, outer(wide, wide)(wide, x));
    call!(w, linear(x, x, None)(x, a, None));
    call!(w, einsum("ij,jk->ik", &[a, x])("ij,jk->ik", &[x, a]));
    call!(w, inverse(a)(x)(zero));
    call!(w, solve(a, x)(x, a)(zero, x));
    call!(w, solve_triangular(a, x, true)(x, a, true)(zero, x, true));
    call!(w, solve_triangular_with(a, x, TriangularSolve::default())(x, a, TriangularSolve::default()));
    call!(w, lstsq(a, x)(x, wide));
    call!(w, pinv(x)(wide));
    call!(w, det(a)(x));
    call!(w, slogdet(a)(x));
    call!(w, logdet_spd(a)(x)(zero));
    call!(w, cholesky(a)(x)(zero));
    call!(w, cholesky_solve(x, a)(a, x)(x, zero));
    call!(w, eigh(a)(x));
    each!(w (a) (wide) svd svdvals);
    call!(w, tensordot(x, x, &[0], &[0])(x, x, &[0], &[1])(f, x, &[], &[]));
    call!(w, multi_dot(&[a, a, x])(&[a, x, a])(&[f]));
    call!(w, addmm(x, a, x, 1.0, 2.0)(wide, a, x, 1.0, 2.0)(f, a, x, 1.0, 2.0));
    let (pair, triple) = (w.g.leaf(Array1::ones(2)), w.g.leaf(Array1::ones(3)));
    call!(w, quad_form(pair, a)(wide, a)(pair, x)(f, a));
    call!(w, cross(x, triple, -1)(x, wide, -1)(x, x, 0)(f, x, 0));
    call!(w, qr(a)(wide));
    call!(w, lu_factor(a)(x)(zero));
    let (lu, rows) = w.g.lu_factor(a).unwrap();
    call!(w, lu_solve(lu, rows, pair)(lu, rows, triple)(x, rows, pair)(zero, rows, pair));
    call!(w, expm(a)(x));
    call!(w, matrix_power(a, 3)(x, 3));
    call!(w, matrix_power(a, -2)(zero, -2));
    call!(w, kron(a, x)(a, f));
}

#[rustfmt::skip]
fn networks(w: &mut Walk, x: Var, wide: Var, f: Var) {
    let g = &w.g;
    let (line, image) = (g.leaf(Array3::ones((1, 2, 4))), g.leaf(Array4::ones((1, 2, 4, 4))));
    let (k1, k2) = (g.leaf(Array3::ones((2, 2, 2))), g.leaf(Array4::ones((2, 2, 2, 2))));
    call!(w, conv1d(line, k1, None, ConvOptions::default())(line, k2, None, ConvOptions::default()));
    call!(w, conv2d(image, k2, None, ConvOptions::default())(image, k1, None, ConvOptions::default()));
    call!(w, conv_transpose1d(line, k1, None, ConvTransposeOptions::default())(line, k2, None, ConvTransposeOptions::default()));
    call!(w, conv_transpose2d(image, k2, None, ConvTransposeOptions::default())(image, k1, None, ConvTransposeOptions::default()));
    call!(w, max_pool1d(line, [2], MaxPoolOptions::default())(line, [9], MaxPoolOptions::default()));
    call!(w, max_pool2d(image, [2, 2], MaxPoolOptions::default())(image, [9, 2], MaxPoolOptions::default()));
    call!(w, avg_pool2d(image, [2, 2], AvgPoolOptions::default())(image, [9, 2], AvgPoolOptions::default()));
    call!(w, avg_pool1d(line, [2], AvgPoolOptions::default())(line, [9], AvgPoolOptions::default()));
    call!(w, adaptive_avg_pool1d(line, [3])(image, [3]));
    call!(w, adaptive_avg_pool2d(image, [3, 2])(line, [3, 2])(f, [3, 2]));
    call!(w, interpolate(image, &[3, 5], Interpolation::Linear)(line, &[3, 5], Interpolation::Nearest));
    let deep = w.g.leaf(Array4::ones((1, 8, 1, 1)));
    call!(w, pixel_shuffle(deep, 2)(image, 2)(x, 1)(f, 1));
    call!(w, unfold(image, [2, 2], ConvOptions::default())(image, [9, 2], ConvOptions::default())(f, [2, 2], ConvOptions::default()));
    let columns = w.g.leaf(Array3::ones((1, 8, 9)));
    call!(w, fold(columns, [4, 4], [2, 2], ConvOptions::default())(columns, [5, 4], [2, 2], ConvOptions::default()));
    call!(w, convolve(wide, wide, ConvolveMode::Same)(wide, x, ConvolveMode::Same)(f, wide, ConvolveMode::Full));
    call!(w, instance_norm(image, None, None, 1e-5)(wide, None, None, 1e-5));
    call!(w, dropout(x, 0.5, &mut SmallRng::seed_from_u64(1))(x, 1.5, &mut SmallRng::seed_from_u64(1))(f, 0.5, &mut SmallRng::seed_from_u64(1)));
    let square = w.g.leaf(Array2::ones((2, 2)));
    call!(w, rope(square, 0, 1e4)(x, 0, 1e4)(wide, 0, 1e4)(f, 0, 1e4));
    let (into, back) = (w.g.leaf(Array2::ones((4, 3))), w.g.leaf(Array2::ones((3, 4))));
    let heads = HeadWeights { query: (into, None), key: (into, None), value: (into, None), output: (back, None) };
    call!(w, multi_head_attention(x, x, x, &heads, 2, None, false)(x, x, x, &heads, 3, None, false)(wide, x, x, &heads, 2, None, true)(x, x, f, &heads, 2, None, true));
    call!(w, layer_norm(x, &[3], None, None, 1e-5)(x, &[4], None, None, 1e-5));
    call!(w, rms_norm(x, &[3], None, 1e-5)(x, &[4], None, 1e-5));
    call!(w, batch_norm(x, None, None, 1e-5)(wide, None, None, 1e-5));
    call!(w, group_norm(image, 2, None, None, 1e-5)(image, 3, None, None, 1e-5));
    call!(w, scaled_dot_product_attention(x, x, x, None, Attention::default())(x, wide, x, None, Attention::default()));
    let g = &w.g;
    let (h, l_ih, l_hh) = (g.leaf(Array2::ones((2, 2))), g.leaf(Array2::ones((8, 3))), g.leaf(Array2::ones((8, 2))));
    let (g_ih, g_hh) = (g.leaf(Array2::ones((6, 3))), g.leaf(Array2::ones((6, 2))));
    call!(w, lstm_cell(x, (h, h), l_ih, l_hh, None)(x, (h, h), g_ih, l_hh, None));
    let (r_ih, r_hh) = (w.g.leaf(Array2::ones((2, 3))), w.g.leaf(Array2::ones((2, 2))));
    call!(w, rnn_cell(x, h, r_ih, r_hh, None)(x, h, r_hh, r_hh, None));
    call!(w, gru_cell(x, h, g_ih, g_hh, None)(f, h, g_ih, g_hh, None));
}

#[rustfmt::skip]
fn losses(w: &mut Walk, x: Var, wide: Var, f: Var) {
    const SUM: Reduction = Reduction::Sum;
    each!(w (x, x) (x, wide) mse_loss l1_loss bce_loss bce_with_logits kl_div);
    call!(w, mse_loss_with(x, x, SUM)(x, f, SUM));
    call!(w, l1_loss_with(x, x, SUM)(x, f, SUM));
    call!(w, huber_loss(x, x, 1.0)(x, x, -1.0));
    call!(w, huber_loss_with(x, x, 1.0, SUM)(x, x, -1.0, SUM));
    call!(w, smooth_l1_loss(x, x, 1.0)(x, x, -1.0));
    call!(w, smooth_l1_loss_with(x, x, 1.0, SUM)(x, x, -1.0, SUM));
    call!(w, bce_loss_with(x, x, SUM)(x, f, SUM));
    call!(w, bce_with_logits_with(x, x, None, SUM)(x, x, Some(wide), SUM));
    call!(w, kl_div_with(x, x, SUM, true)(x, f, SUM, true));
    call!(w, gaussian_nll_loss(x, x, x, 1e-6, SUM)(x, x, wide, 1e-6, SUM));
    call!(w, poisson_nll_loss(x, x, SUM)(x, wide, SUM)(x, x, Reduction::BatchMean));
    call!(w, poisson_nll_loss_of_rate(x, x, 1e-8, SUM)(x, wide, 1e-8, SUM));
    call!(w, hinge_embedding_loss(x, x, 1.0, SUM)(x, wide, 1.0, SUM));
    call!(w, soft_margin_loss(x, x, SUM)(x, wide, SUM));
    call!(w, margin_ranking_loss(x, x, x, 0.1, SUM)(x, x, wide, 0.1, SUM));
    call!(w, cosine_similarity(x, x, 1, 1e-8)(x, wide, 1, 1e-8)(x, x, 2, 1e-8)(f, x, 1, 1e-8));
    call!(w, cosine_embedding_loss(x, x, 1.0, 0.1, SUM)(x, wide, 1.0, 0.1, SUM));
    call!(w, triplet_margin_loss(x, x, x, 0.1, SUM)(x, x, wide, 0.1, SUM));
    let (t, far, o) = (w.g.indices([0, 2]), w.g.indices([0, 3]), ClassOptions::default());
    each!(w (x, t) (x, far) cross_entropy nll_loss);
    call!(w, cross_entropy_with(x, t, o)(x, t, ClassOptions { weight: Some(wide), ..o }));
    call!(w, nll_loss_with(x, t, o)(x, far, o)(x, t, ClassOptions { label_smoothing: 0.1, ..o }));
}

#[rustfmt::skip]
fn densities(w: &mut Walk, x: Var, wide: Var, f: Var) {
    each!(w (x, x) (x, wide) exponential_logpdf bernoulli_logits_logpmf poisson_logpmf dirichlet_logpdf);
    call!(w, normal_logpdf(x, x, x)(x, x, wide));
    call!(w, lognormal_logpdf(x, x, x)(x, x, wide));
    call!(w, laplace_logpdf(x, x, x)(x, x, wide));
    call!(w, cauchy_logpdf(x, x, x)(x, x, wide));
    call!(w, gamma_logpdf(x, x, x)(x, x, wide));
    call!(w, beta_logpdf(x, x, x)(x, x, wide));
    call!(w, binomial_logpmf(x, x, x)(x, x, wide));
    call!(w, negbinomial_logpmf(x, x, x)(x, x, wide));
    call!(w, student_t_logpdf(x, x, x, x)(x, x, x, wide));
    let (one, deep, classes) = (w.g.leaf(1.0), w.g.leaf(Array3::ones((2, 2, 3))), w.g.indices(array![[0, 1], [2, 0]]));
    let (square, batch) = (w.g.leaf(Array2::eye(3)), w.g.leaf(Array3::ones((2, 3, 3))));
    call!(w, categorical_logits_logpmf(classes, deep)(classes, x)(classes, f));
    call!(w, mvnormal_chol_logpdf(x, 0.0, square)(x, 0.0, wide)(wide, 0.0, square)(one, 0.0, square)(f, 0.0, square));
    call!(w, mvnormal_chol_logpdf(x, x, batch)(deep, 0.0, w.g.leaf(Array3::ones((3, 3, 3)))));
    row!(w, positive_transform, |g: &Graph| g.positive_transform(x).0, |g: &Graph| g.positive_transform(f));
    each!(w (x) (f) positive_inverse simplex_transform simplex_inverse ordered_transform ordered_inverse);
    call!(w, simplex_transform(x)(one));
    call!(w, interval_transform(x, 0.0, 1.0)(x, 1.0, 1.0));
    call!(w, interval_inverse(x, 0.0, 1.0)(f, 0.0, 1.0));
}

/// What a derivative records bears the lines of what it differentiates; only a refusal is the call's own.
#[rustfmt::skip]
fn inputs_and_derivatives(w: &mut Walk, x: Var, wide: Var, f: Var) {
    call!(w, leaf(1.0));
    call!(w, leaf([1.0, 2.0]));
    call!(w, constant(array![[1.0]]));
    each!(w (&[2, 3]) (&[usize::MAX]) zeros ones);
    call!(w, full(&[2], 0.5)(&[usize::MAX], 0.5));
    call!(w, eye(2)(usize::MAX));
    call!(w, arange(0.0, 2.0, 0.5)(0.0, 2.0, 0.0));
    call!(w, linspace(0.0, 2.0, 3)(0.0, 2.0, usize::MAX));
    call!(w, rand(&[2, 3], &mut SmallRng::seed_from_u64(1))(&[usize::MAX, 2], &mut SmallRng::seed_from_u64(1)));
    call!(w, randn(&[2, 3], &mut SmallRng::seed_from_u64(1))(&[usize::MAX, 2], &mut SmallRng::seed_from_u64(1)));
    call!(w, indices([1, 2]));
    call!(w, mask([true]));
    let (product, column) = (wengert::op::MatMul {}.into(), w.g.leaf(Array1::ones(3)));
    call!(w, try_apply(&product, &[x, column])(&product, &[x, wide]));
    let y = w.g.sum(x * x); call!(w, gradient(y, &[x])(x, &[x])(f, &[x])(y, &[f]));
    let y = w.g.sum(x * x); call!(w, gradient_with(y, y, &[x])(y, x, &[x])(y, f, &[x]));
    let y = w.g.sum(x * x); call!(w, tangent(y, &[(x, x)])(y, &[(x, wide)])(f, &[(x, x)])(y, &[(x, f)]));
}
