//! Ops that are formulas of others against PyTorch (value and gradients) and SciPy (log densities), by the cases in
//! `tests/data/formulas`; and their derivatives of first and second order against differences.

use std::path::Path;

use ndarray::{Array1, ArrayD, IxDyn, array};
use serde_json::Value;
use wengert::Engine;
use wengert::check::check_function;
use wengert::graph::Source;
use wengert::op::Reduction;
use wengert::prelude::*;

fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formulas").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).expect("a case a line")).collect()
}

/// An array from nested lists; infinities are strings.
fn nested(value: &Value) -> ArrayD<f64> {
    fn walk(value: &Value, depth: usize, shape: &mut Vec<usize>, out: &mut Vec<f64>) {
        match value {
            Value::Array(items) => {
                if shape.len() == depth {
                    shape.push(items.len());
                }
                items.iter().for_each(|item| walk(item, depth + 1, shape, out));
            }
            Value::String(text) => out.push(text.parse().expect("inf or nan")),
            number => out.push(number.as_f64().expect("a number")),
        }
    }
    let (mut shape, mut out) = (Vec::new(), Vec::new());
    walk(value, 0, &mut shape, &mut out);
    ArrayD::from_shape_vec(IxDyn(&shape), out).expect("lists of equal length")
}

fn list(value: &Value) -> Vec<ArrayD<f64>> {
    value.as_array().expect("a list").iter().map(nested).collect()
}

fn apply<T: Engine>(g: &Graph<T>, op: &str, x: &[Var], p: &[f64]) -> Var
where
    Array1<T>: Source<T>,
{
    let reduction = || [Reduction::Mean, Reduction::Sum, Reduction::None][p[p.len() - 1] as usize];
    let signs = || g.constant(array![1.0, -1.0, 1.0, -1.0].mapv(T::of));
    match op {
        "celu" => g.celu(x[0], p[0]),
        "hardshrink" => g.hardshrink(x[0], p[0]),
        "softshrink" => g.softshrink(x[0], p[0]),
        "threshold" => g.threshold(x[0], p[0], p[1]),
        "relu6" => g.relu6(x[0]),
        "hardtanh" => g.hardtanh(x[0], p[0], p[1]),
        "tanhshrink" => g.tanhshrink(x[0]),
        "hardsigmoid" => g.hardsigmoid(x[0]),
        "hardswish" => g.hardswish(x[0]),
        "sinc" => g.sinc(x[0]),
        "deg2rad" => g.deg2rad(x[0]),
        "rad2deg" => g.rad2deg(x[0]),
        "logit_with" => g.logit_with(x[0], p[0]),
        "erfinv" => g.erfinv(x[0]),
        "log_ndtr" => g.log_ndtr(x[0]),
        "entr" => g.entr(x[0]),
        "i0" => g.i0(x[0]),
        "i1" => g.i1(x[0]),
        "i0e" => g.i0e(x[0]),
        "i1e" => g.i1e(x[0]),
        "softmin" => g.softmin(x[0], -1),
        "glu" => g.glu(x[0], -1),
        "prelu" => g.prelu(x[0], x[1]),
        "lerp" => g.lerp(x[0], x[1], x[2]),
        "addcmul" => g.addcmul(x[0], x[1], x[2], p[0]),
        "remainder" => g.remainder(x[0], x[1]),
        "fmod" => g.fmod(x[0], x[1]),
        "fmax" => g.fmax(x[0], x[1]),
        "fmin" => g.fmin(x[0], x[1]),
        "copysign" => g.copysign(x[0], x[1]),
        "logaddexp2" => g.logaddexp2(x[0], x[1]),
        "xlogy" => g.xlogy(x[0], x[1]),
        "xlog1py" => g.xlog1py(x[0], x[1]),
        "nansum" => g.nansum(x[0]),
        "nanmean" => g.nanmean(x[0]),
        "nanmean_axes" => g.nanmean_axes(x[0], &[0]),
        "nan_to_num" => g.nan_to_num(x[0], p[0], p[1], p[2]),
        "normalize" => g.normalize(x[0], p[0], -1, 1e-12),
        "cosine_similarity" => g.cosine_similarity(x[0], x[1], -1, 1e-8),
        "gaussian_nll_loss" => g.gaussian_nll_loss(x[0], x[1], x[2], 1e-6, reduction()),
        "poisson_nll_loss" => g.poisson_nll_loss(x[0], x[1], reduction()),
        "poisson_nll_loss_of_rate" => g.poisson_nll_loss_of_rate(x[0], x[1], 1e-8, reduction()),
        "hinge_embedding_loss" => g.hinge_embedding_loss(x[0], signs(), 1.2, reduction()),
        "soft_margin_loss" => g.soft_margin_loss(x[0], signs(), reduction()),
        "margin_ranking_loss" => g.margin_ranking_loss(x[0], x[1], signs(), 0.3, reduction()),
        "cosine_embedding_loss" => g.cosine_embedding_loss(x[0], x[1], signs(), 0.1, reduction()),
        "triplet_margin_loss" => g.triplet_margin_loss(x[0], x[1], x[2], 0.4, reduction()),
        "normal_logpdf" => g.normal_logpdf(x[0], x[1], x[2]),
        "lognormal_logpdf" => g.lognormal_logpdf(x[0], x[1], x[2]),
        "exponential_logpdf" => g.exponential_logpdf(x[0], x[1]),
        "laplace_logpdf" => g.laplace_logpdf(x[0], x[1], x[2]),
        "cauchy_logpdf" => g.cauchy_logpdf(x[0], x[1], x[2]),
        "student_t_logpdf" => g.student_t_logpdf(x[0], x[1], x[2], x[3]),
        "gamma_logpdf" => g.gamma_logpdf(x[0], x[1], x[2]),
        "beta_logpdf" => g.beta_logpdf(x[0], x[1], x[2]),
        "poisson_logpmf" => g.poisson_logpmf(x[0], x[1]),
        "binomial_logpmf" => g.binomial_logpmf(x[0], x[1], x[2]),
        "negbinomial_logpmf" => g.negbinomial_logpmf(x[0], x[1], x[2]),
        "bernoulli_logits_logpmf" => g.bernoulli_logits_logpmf(x[0], x[1]),
        "dirichlet_logpdf" => g.dirichlet_logpdf(x[0], x[1]),
        "mvnormal_chol_logpdf" => g.mvnormal_chol_logpdf(x[0], x[1], x[2]),
        _ => panic!("{op} is not in the table of this test"),
    }
}

fn compare(what: &str, have: &ArrayD<f64>, want: &ArrayD<f64>, tolerance: f64, failures: &mut Vec<String>) {
    if have.shape() != want.shape() {
        return failures.push(format!("{what}: shape {:?}, not {:?}", have.shape(), want.shape()));
    }
    for (k, (h, w)) in have.iter().zip(want).enumerate() {
        if !(h == w || (h.is_nan() && w.is_nan()) || (h - w).abs() <= tolerance * w.abs().max(1.0)) {
            failures.push(format!("{what}: element {k} is {h}, not {w}"));
        }
    }
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let mut failures = Vec::new();
    for case in cases("torch.jsonl") {
        let op = case["op"].as_str().expect("a name");
        let p: Vec<f64> = case["attrs"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).collect();
        let mut g = Graph::new();
        let x: Vec<Var> = list(&case["args"]).iter().map(|x| g.leaf(x)).collect();
        let y = apply(&g, op, &x, &p);
        compare(op, &g.value(y).to_owned(), &nested(&case["value"]), 1e-13, &mut failures);
        g.backward_with(y, nested(&case["bar"])).unwrap();
        for (k, (x, want)) in x.iter().zip(list(&case["grads"])).enumerate() {
            let have = g.grad(*x).map_or_else(|| ArrayD::zeros(want.raw_dim()), |d| d.to_owned());
            compare(&format!("{op} {p:?} gradient {k}"), &have, &want, 1e-12, &mut failures);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn log_densities_are_those_of_scipy() {
    let mut failures = Vec::new();
    for case in cases("scipy.jsonl") {
        let op = case["op"].as_str().expect("a name");
        let g = Graph::new();
        let x: Vec<Var> = list(&case["args"]).iter().map(|x| g.leaf(x)).collect();
        let y = apply(&g, op, &x, &[]);
        compare(op, &g.value(y).to_owned(), &nested(&case["value"]), 1e-12, &mut failures);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// In single precision the results are those in double precision at the same arguments, but for rounding.
#[test]
fn single_precision_agrees_with_double() {
    let mut failures = Vec::new();
    for case in cases("torch.jsonl").into_iter().chain(cases("scipy.jsonl")) {
        let op = case["op"].as_str().expect("a name");
        let p: Vec<f64> = case["attrs"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).collect();
        let (mut g, mut h) = (Graph::<f32>::default(), Graph::new());
        let short: Vec<ArrayD<f32>> = list(&case["args"]).iter().map(|x| x.mapv(|x| x as f32)).collect();
        let x: Vec<Var> = short.iter().map(|x| g.leaf(x)).collect();
        let z: Vec<Var> = short.iter().map(|x| h.leaf(x.mapv(f64::from))).collect();
        let (y, w) = (apply(&g, op, &x, &p), apply(&h, op, &z, &p));
        compare(op, &g.value(y).mapv(f64::from), &h.value(w).to_owned(), 2e-4, &mut failures);
        let shape = IxDyn(&g.shape(y));
        g.backward_with(y, ArrayD::<f32>::ones(shape.clone())).unwrap();
        h.backward_with(w, ArrayD::<f64>::ones(shape)).unwrap();
        for (k, (x, z)) in x.into_iter().zip(z).enumerate() {
            let have = g.grad(x).map_or_else(|| ArrayD::zeros(IxDyn(&g.shape(x))), |d| d.mapv(f64::from));
            let want = h.grad(z).map_or_else(|| ArrayD::zeros(IxDyn(&h.shape(z))), |d| d.to_owned());
            compare(&format!("{op} {p:?} gradient {k}"), &have, &want, 2e-3, &mut failures);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Nothing in, nothing out; and arguments that do not lie row by row.
#[test]
fn empty_and_transposed_arguments() {
    let g = Graph::new();
    let none = g.leaf(ndarray::Array2::<f64>::zeros((0, 3)));
    for op in ["hardswish", "softmin", "tanhshrink"] {
        assert_eq!(&g.shape(apply(&g, op, &[none], &[]))[..], [0, 3], "{op}");
    }
    for op in ["normal_logpdf", "gamma_logpdf", "beta_logpdf", "binomial_logpmf", "lerp"] {
        assert_eq!(&g.shape(apply(&g, op, &[none, none, none], &[]))[..], [0, 3], "{op}");
    }
    let (x, log) = g.simplex_transform(none);
    assert_eq!((&g.shape(x)[..], &g.shape(log)[..]), (&[0, 4][..], &[0][..]));
    let root = g.leaf(ndarray::Array2::<f64>::eye(3));
    assert_eq!(&g.shape(g.mvnormal_chol_logpdf(none, 0.0, root))[..], [0]);
    let wide = array![[0.4, 1.3, 2.2], [0.7, 0.9, 3.1]];
    let (x, across) = (g.leaf(&wide), g.leaf(wide.t().as_standard_layout().into_owned()));
    let turned = g.t(across);
    let mut failures = Vec::new();
    for op in ["hardswish", "softmin", "nanmean", "normal_logpdf", "dirichlet_logpdf", "cosine_similarity"] {
        let (have, want) = (apply(&g, op, &[turned, x, x], &[]), apply(&g, op, &[x, x, x], &[]));
        compare(op, &g.value(have).to_owned(), &g.value(want).to_owned(), 1e-15, &mut failures);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn outside_of_the_support_no_gradient_passes() {
    for (op, args) in [
        ("lognormal_logpdf", vec![0.0, 0.3, 1.2]),
        ("exponential_logpdf", vec![-1.0, 2.0]),
        ("gamma_logpdf", vec![-1.0, 2.0, 3.0]),
        ("beta_logpdf", vec![1.5, 2.0, 3.0]),
        ("poisson_logpmf", vec![2.5, 3.0]),
        ("binomial_logpmf", vec![7.0, 5.0, 0.3]),
        ("negbinomial_logpmf", vec![-1.0, 5.0, 0.3]),
    ] {
        let mut g = Graph::new();
        let x: Vec<Var> = args.iter().map(|&x| g.leaf(x)).collect();
        let y = apply(&g, op, &x, &[]);
        g.backward(y).unwrap();
        assert_eq!(g.item(y), f64::NEG_INFINITY, "{op}");
        assert!(x.iter().all(|&x| g.grad(x).is_none_or(|d| d[[]] == 0.0)), "{op}");
    }
}

/// An op, its arguments and attributes.
type Subject = (&'static str, Vec<ArrayD<f64>>, Vec<f64>);

/// First and second derivatives by all the laws of `check_function`.
#[test]
fn derivatives_of_both_orders_agree_with_differences() {
    let (a, b) = (array![[0.4, 1.3, 2.2], [0.7, 0.9, 3.1]], array![0.8, 1.7, 0.6]);
    let p = array![[0.3], [0.6]];
    let smooth = ["normal_logpdf", "lognormal_logpdf", "cauchy_logpdf", "gamma_logpdf", "lerp"];
    let mut subjects: Vec<Subject> = smooth
        .into_iter()
        .map(|op| (op, vec![a.clone().into_dyn(), b.clone().into_dyn(), p.clone().into_dyn()], vec![]))
        .collect();
    let two = |op, attrs: &[f64]| (op, vec![a.clone().into_dyn(), b.clone().into_dyn()], attrs.to_vec());
    subjects.extend(["exponential_logpdf", "logaddexp2", "xlogy", "xlog1py", "prelu"].map(|op| two(op, &[])));
    subjects.push((
        "beta_logpdf",
        vec![p.clone().into_dyn(), a.clone().into_dyn(), b.clone().into_dyn()],
        vec![],
    ));
    subjects.push((
        "student_t_logpdf",
        [a.clone().into_dyn(), b.clone().into_dyn(), p.clone().into_dyn(), a.clone().into_dyn()].to_vec(),
        vec![],
    ));
    subjects.push((
        "laplace_logpdf",
        vec![a.clone().into_dyn(), array![0.1].into_dyn(), b.clone().into_dyn()],
        vec![],
    ));
    subjects.push(("bernoulli_logits_logpmf", vec![p.clone().into_dyn(), a.clone().into_dyn()], vec![]));
    subjects.push(("dirichlet_logpdf", vec![a.clone().into_dyn(), b.clone().into_dyn()], vec![]));
    subjects.push(("cosine_similarity", vec![a.clone().into_dyn(), b.clone().into_dyn()], vec![]));
    subjects.push((
        "addcmul",
        vec![a.clone().into_dyn(), b.clone().into_dyn(), p.clone().into_dyn()],
        vec![1.7],
    ));
    let root = array![[1.2, 0.0, 0.0], [0.4, 0.8, 0.0], [-0.3, 0.5, 1.1]];
    let roots = ndarray::stack![ndarray::Axis(0), root, &root * 1.3 + 0.1].into_dyn();
    subjects.push((
        "mvnormal_chol_logpdf",
        vec![a.clone().into_dyn(), b.clone().into_dyn(), root.into_dyn()],
        vec![],
    ));
    subjects.push(("mvnormal_chol_logpdf", vec![a.clone().into_dyn(), b.clone().into_dyn(), roots], vec![]));
    let one = |op, attrs: &[f64]| (op, vec![a.clone().into_dyn()], attrs.to_vec());
    subjects.extend(["hardswish", "nanmean", "nansum", "softmin"].map(|op| one(op, &[])));
    subjects.push(one("normalize", &[3.0]));
    subjects.push(("glu", vec![array![[0.3, -0.8], [1.1, 0.4]].into_dyn()], vec![]));
    for code in [0.0, 1.0, 2.0] {
        let (wide, other) = (
            array![[0.4, -1.3], [0.9, 2.2], [-0.7, 0.8], [1.6, -0.2]].into_dyn(),
            array![[1.4, 0.3], [0.2, -1.2], [0.5, 0.6], [-0.6, 1.2]].into_dyn(),
        );
        let (row, row2) = (array![0.4, -1.3, 0.9, 2.2].into_dyn(), array![1.1, 0.3, 0.2, 1.9].into_dyn());
        subjects.push(("gaussian_nll_loss", vec![row.clone(), row2.clone(), row2.clone() + 0.7], vec![code]));
        subjects.push(("poisson_nll_loss", vec![row.clone(), row2.clone()], vec![code]));
        subjects.push(("poisson_nll_loss_of_rate", vec![row2.clone(), row2.clone()], vec![code]));
        subjects.push(("hinge_embedding_loss", vec![row.clone()], vec![code]));
        subjects.push(("soft_margin_loss", vec![row.clone()], vec![code]));
        subjects.push(("margin_ranking_loss", vec![row, row2], vec![code]));
        subjects.push(("cosine_embedding_loss", vec![wide.clone(), other.clone()], vec![code]));
        subjects.push((
            "triplet_margin_loss",
            vec![wide.clone(), other.clone(), other + &wide * 0.3 + 0.4],
            vec![code],
        ));
    }
    for (op, args, attrs) in subjects {
        let inputs: Vec<&dyn Source<f64>> = args.iter().map(|x| x as &dyn Source<f64>).collect();
        let check = check_function(|g, x| vec![apply(g, op, x, &attrs)], &inputs, 5e-4).unwrap();
        assert!(check.holds(), "{op} {attrs:?}: {check}");
    }
    // Masses: counts stay, parameters move.
    let counts = array![0.0, 2.0, 5.0];
    for (op, args) in [
        ("poisson_logpmf", vec![array![0.7, 3.0, 4.0]]),
        ("binomial_logpmf", vec![array![6.0, 7.5, 9.0], array![0.3, 0.5, 0.9]]),
        ("negbinomial_logpmf", vec![array![0.6, 2.5, 9.0], array![0.3, 0.5, 0.9]]),
    ] {
        let inputs: Vec<&dyn Source<f64>> = args.iter().map(|x| x as &dyn Source<f64>).collect();
        let f = |g: &Graph, x: &[Var]| {
            let args: Vec<Var> = [g.constant(&counts)].into_iter().chain(x.iter().copied()).collect();
            vec![apply(g, op, &args, &[])]
        };
        let check = check_function(f, &inputs, 5e-4).unwrap();
        assert!(check.holds(), "{op}: {check}");
    }
}

#[test]
fn classes_by_their_logits() {
    let mut g = Graph::new();
    let logits = g.leaf(ndarray::Array3::from_shape_fn((2, 2, 3), |(i, j, k)| {
        (i + 2 * j) as f64 - 0.7 * (k * k) as f64
    }));
    let outcome = g.indices(array![[0, 2], [1, 1]]);
    let y = g.categorical_logits_logpmf(outcome, logits);
    let log_softmax = g.log_softmax(logits, -1);
    for (i, j, k) in [(0, 0, 0), (0, 1, 2), (1, 0, 1), (1, 1, 1)] {
        assert!((g.value(y)[[i, j]] - g.value(log_softmax)[[i, j, k]]).abs() < 1e-14);
    }
    g.backward_with(y, ndarray::Array2::ones((2, 2))).unwrap();
    assert!(g.grad(logits).unwrap().sum().abs() < 1e-14);
}

#[test]
fn masks_and_counts() {
    let g = Graph::new();
    let x = g.leaf(array![[1.0, f64::NAN, f64::INFINITY], [0.0, -2.0, f64::NEG_INFINITY]]);
    let bools = |v: Var| g.value_bool(v).iter().copied().collect::<Vec<_>>();
    assert_eq!(bools(g.isnan(x)), [false, true, false, false, false, false]);
    assert_eq!(bools(g.isinf(x)), [false, false, true, false, false, true]);
    assert_eq!(bools(g.isfinite(x)), [true, false, false, true, true, false]);
    let (a, b) = (g.mask(array![[true], [false]]), g.mask([true, false]));
    assert_eq!(bools(g.logical_and(a, b)), [true, false, false, false]);
    assert_eq!(bools(g.logical_or(a, b)), [true, true, true, false]);
    assert_eq!(bools(g.logical_xor(a, b)), [false, true, true, false]);
    assert_eq!(bools(g.logical_not(b)), [false, true]);
    let nan = g.isnan(x);
    assert_eq!((bools(g.any(nan)), bools(g.all(nan))), (vec![true], vec![false]));
    assert_eq!(bools(g.any_axes(nan, &[-1])), [true, false]);
    assert_eq!(bools(g.all_axes(g.isfinite(x), &[0])), [true, false, false]);
    let nothing = g.mask(Array1::<bool>::default(0));
    assert_eq!((bools(g.any(nothing)), bools(g.all(nothing))), (vec![false], vec![true]));
    assert_eq!(g.item(g.count_nonzero(x)), 5.0);
    assert_eq!(g.value(g.count_nonzero_axes(x, &[1])), array![3.0, 2.0].into_dyn());
}

/// What has no derivative is refused by name, at the order where it is missing, and not before.
#[test]
fn unknown_derivatives_are_refused() {
    let mut g = Graph::new();
    let (a, b, x) = (g.leaf(1.5), g.leaf(2.5), g.leaf(0.3));
    let y = g.betainc(a, b, x);
    let error = g.backward(y).unwrap_err();
    assert_eq!((error.kind(), error.op()), (wengert::ErrorKind::NotDifferentiable, "betainc"));
    let dx = g.constant(1.0);
    assert_eq!(g.tangent(y, &[(a, dx)]).unwrap_err().kind(), wengert::ErrorKind::NotDifferentiable);
    let y = g.betainc(g.detach(a), 2.5, x);
    g.backward(y).unwrap();
    let y = g.zeta(a, b);
    assert_eq!(g.backward(y).unwrap_err().kind(), wengert::ErrorKind::NotDifferentiable);
    let y = g.gammainc(a, x);
    g.backward(y).unwrap();
    let gradient = g.gradient(y, &[a, x]).unwrap();
    g.gradient(gradient[1], &[a, x]).unwrap();
    g.gradient(gradient[0], &[x]).unwrap();
    assert_eq!(g.gradient(gradient[0], &[a]).unwrap_err().kind(), wengert::ErrorKind::NotDifferentiable);
    assert_eq!(g.backward(gradient[0]).unwrap_err().kind(), wengert::ErrorKind::NotDifferentiable);
}

/// `log|det|` of a square Jacobian by central differences.
fn log_det(f: impl Fn(&Array1<f64>) -> Array1<f64>, u: &Array1<f64>) -> f64 {
    let n = u.len();
    let mut jacobian = ndarray::Array2::zeros((n, n));
    for k in 0..n {
        let at = |by: f64| {
            let mut u = u.clone();
            u[k] += by;
            f(&u)
        };
        let h = 1e-3;
        let slope = (&at(-2.0 * h) - &at(2.0 * h) + (&at(h) - &at(-h)) * 8.0) / (12.0 * h);
        jacobian.column_mut(k).assign(&slope);
    }
    let g = Graph::new();
    let (_, log) = g.slogdet(g.constant(&jacobian));
    g.item(log)
}

#[test]
fn log_jacobians_are_those_of_the_differences() {
    type Transform = fn(&Graph, Var) -> (Var, Var);
    type Inverse = fn(&Graph, Var) -> Var;
    let all: [(&str, Transform, Inverse); 4] = [
        ("positive", |g, u| g.positive_transform(u), |g, x| g.positive_inverse(x)),
        ("interval", |g, u| g.interval_transform(u, -1.0, 2.5), |g, x| g.interval_inverse(x, -1.0, 2.5)),
        ("simplex", |g, u| g.simplex_transform(u), |g, x| g.simplex_inverse(x)),
        ("ordered", |g, u| g.ordered_transform(u), |g, x| g.ordered_inverse(x)),
    ];
    for (name, transform, inverse) in all {
        for u in [array![0.3, -1.2, 0.8, 2.1], array![-0.4], array![5.0, -6.0, 3.0]] {
            let g = Graph::new();
            let leaf = g.leaf(&u);
            let (x, log) = transform(&g, leaf);
            let have: f64 = g.value(log).sum();
            // The last entry of a simplex follows from the others.
            let free =
                |x: ndarray::ArrayViewD<'_, f64>| x.iter().take(u.len()).copied().collect::<Array1<f64>>();
            let moved = |u: &Array1<f64>| {
                let g = Graph::new();
                let (x, _) = transform(&g, g.leaf(u));
                free(g.value(x))
            };
            let want = log_det(moved, &u);
            assert!((have - want).abs() < 1e-8 * want.abs().max(1.0), "{name}: {have}, not {want}");
            let back = g.value(inverse(&g, x)).to_owned();
            assert!(
                (&back - &u.clone().into_dyn()).iter().all(|d| d.abs() < 1e-12),
                "{name}: {back} is not {u}"
            );
            let check = check_function(
                |g, x| {
                    let (x, log) = transform(g, x[0]);
                    vec![x, log]
                },
                &[&u],
                5e-4,
            )
            .unwrap();
            assert!(check.holds(), "{name}: {check}");
        }
    }
    let g = Graph::new();
    let (x, log) = g.simplex_transform(g.leaf(ndarray::Array2::from_elem((2, 3), 40.0)));
    assert_eq!((&g.shape(x)[..], &g.shape(log)[..]), (&[2, 4][..], &[2][..]));
    assert!(g.value(x).iter().all(|&x| x > 0.0) && g.value(log).iter().all(|l| l.is_finite()));
}
