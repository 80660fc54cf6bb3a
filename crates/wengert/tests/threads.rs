//! The same bits on any number of threads: what is split, and how, depends on sizes alone.
#![cfg(feature = "rayon")]

use ndarray::{Array, ArrayD, IxDyn};
use wengert::op::{
    AvgPoolOptions, ConvOptions, ConvTransposeOptions, Interpolation, MaxPoolOptions, Reduction,
};
use wengert::prelude::*;
use wengert::{Engine, Real};

fn numbers<T: Real>(seed: u64, shape: &[usize]) -> ArrayD<T> {
    let mut state = seed;
    Array::from_shape_fn(IxDyn(shape), |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        T::of((state >> 40) as f64 / (1u64 << 23) as f64 - 1.0)
    })
}

/// Everything that is worth sharing: formulas with leaves of every kind of repetition, single ops, reductions, rows,
/// products, convolutions and pools.
fn program<T: Engine>(g: &Graph<T>, p: &[Var]) -> Var {
    let [x, row, column, one, w, images, kernel] = p else { unreachable!("seven inputs") };
    let h = g.eval((*x * *row + *column).tanh() * *one + x.sigmoid());
    let h = g.add(g.sin(h), g.exp(g.mul(h, *column)));
    let h = g.layer_norm(h, &[320], *row, *row, 1e-5);
    let h = g.softmax(g.matmul(h, *w), -1);
    let image =
        g.max_pool2d(g.conv2d(*images, *kernel, None, Default::default()), [2, 2], Default::default());
    let total = g.sum((h - *row).square() * *one);
    let sums = g.sum_axes(h, &[0]);
    g.eval(total + g.mean(sums.square()) + g.sum(g.relu(image)))
}

type Family<T> = (&'static str, &'static [&'static [usize]], fn(&Graph<T>, &[Var]) -> Var);

fn same() -> ConvOptions<2> {
    ConvOptions { padding: [1, 1], ..Default::default() }
}

/// A row for each family of kernels that threads share, and each way of theirs to cut: inputs, and an array made of them.
#[rustfmt::skip]
fn families<T: Engine>() -> Vec<Family<T>> {
    vec![
        ("conv2d: images", &[&[16, 4, 16, 16], &[16, 4, 3, 3], &[16]], |g, x| g.conv2d(x[0], x[1], x[2], same())),
        ("conv2d: channels", &[&[1, 8, 24, 24], &[40, 8, 3, 3], &[40]], |g, x| g.conv2d(x[0], x[1], x[2], same())),
        ("conv2d: groups", &[&[1, 24, 24, 24], &[48, 6, 3, 3], &[48]], |g, x| {
            g.conv2d(x[0], x[1], x[2], ConvOptions { groups: 4, ..same() })
        }),
        ("conv2d: channels of groups", &[&[1, 16, 24, 24], &[50, 8, 3, 3]], |g, x| {
            g.conv2d(x[0], x[1], None, ConvOptions { groups: 2, stride: [2, 1], ..same() })
        }),
        ("conv2d: a large weight", &[&[16, 96, 6, 6], &[96, 96, 3, 3]], |g, x| g.conv2d(x[0], x[1], None, same())),
        ("conv1d", &[&[7, 6, 600], &[24, 6, 5], &[24]], |g, x| g.conv1d(x[0], x[1], x[2], Default::default())),
        ("conv_transpose2d", &[&[9, 12, 12, 12], &[12, 10, 3, 3], &[10]], |g, x| {
            let options = ConvTransposeOptions { stride: [2, 2], padding: [1, 1], ..Default::default() };
            g.conv_transpose2d(x[0], x[1], x[2], options)
        }),
        ("formulas of circular shifts", &[&[700, 600]], |g, x| {
            let [a, b, c] = [(1, 0), (-1, 0), (3, 1)].map(|(by, axis)| g.roll(x[0], &[by], &[axis]));
            g.eval((a - x[0]).sin() * b + c * c)
        }),
        ("circular shifts within a stack", &[&[40, 90, 100]], |g, x| {
            let [a, b] = [(1, 1), (-5, 2)].map(|(by, axis)| g.roll(x[0], &[by], &[axis]));
            g.sum_axes((a - x[0]).square() * b, &[0])
        }),
        ("a short formula of special functions", &[&[10_000], &[10_000]], |g, x| {
            let [a, b] = [x[0], x[1]].map(|x| g.eval(x.square() + 0.5));
            let likelihood = (a + b).lgamma() - a.lgamma() - (b + 1.0).lgamma() + a * (a / (a + b)).log();
            g.eval(g.mean(likelihood) + likelihood.tanh())
        }),
        ("ops that are taken up", &[&[700, 600], &[700, 600], &[600]], |g, x| {
            let d = g.sub(x[0], g.mul(x[1], x[2]));
            let sizes = g.sum_axes(g.abs(g.tanh(d)), &[0]);
            g.add(g.add(g.mul(g.square(d), g.mean(g.sin(d))), g.sum(d)), sizes)
        }),
        ("max_pool2d", &[&[10, 9, 30, 32]], |g, x| g.max_pool2d(x[0], [2, 2], Default::default())),
        ("max_pool2d: windows that meet", &[&[10, 9, 30, 32]], |g, x| {
            let options = MaxPoolOptions { stride: Some([2, 1]), padding: [1, 1], ..Default::default() };
            g.max_pool2d(x[0], [3, 3], options)
        }),
        ("avg_pool2d", &[&[10, 9, 30, 32]], |g, x| {
            g.avg_pool2d(x[0], [3, 3], AvgPoolOptions { padding: [1, 1], ..Default::default() })
        }),
        ("adaptive_avg_pool2d", &[&[10, 9, 30, 32]], |g, x| g.adaptive_avg_pool2d(x[0], [7, 5])),
        ("sum", &[&[300_001]], |g, x| g.sum(x[0])),
        ("mean", &[&[500, 601]], |g, x| g.mean(x[0])),
        ("sum of a transpose", &[&[500, 601]], |g, x| g.sum_axes(g.t(x[0]), &[0, 1])),
        ("sum of few columns", &[&[30_011, 7]], |g, x| g.sum_axes(x[0], &[0])),
        ("sum of many columns", &[&[301, 701]], |g, x| g.sum_axes(x[0], &[0])),
        ("sum in the middle", &[&[3, 5003, 11]], |g, x| g.sum_axes(x[0], &[1])),
        ("sum of rows", &[&[701, 301]], |g, x| g.sum_axes(x[0], &[1])),
        ("sum of two rows", &[&[2, 70_001]], |g, x| g.sum_axes(x[0], &[1])),
        ("largest of few long rows", &[&[9, 8200]], |g, x| g.max_axes(x[0], &[1])),
        ("deviation of few long rows", &[&[9, 8200]], |g, x| g.std_axes(x[0], &[1])),
        ("norm of few long rows", &[&[9, 8195]], |g, x| g.norm_with(x[0], 3.0, &[1], false)),
        ("a copy of rows in another order", &[&[3, 5, 8200]], |g, x| g.reshape(g.permute(x[0], &[1, 0, 2]), &[-1])),
        ("a copy of rows as long as pieces", &[&[2, 20, 8192]], |g, x| g.reshape(g.permute(x[0], &[1, 0, 2]), &[-1])),
        ("roll", &[&[300, 301]], |g, x| g.roll(x[0], &[7, -40], &[0, 1])),
        ("formula, sum of rows", &[&[701, 301], &[301]], |g, x| g.sum_axes(x[0] * x[1].exp(), &[1])),
        ("formula, sum of columns", &[&[701, 301], &[301]], |g, x| g.mean_axes(x[0] * x[1].exp(), &[0])),
        ("formula, sum in the middle", &[&[7, 503, 41], &[503, 1]], |g, x| g.sum_axes(x[0] * x[1].sin(), &[1])),
        ("formula of pairs", &[&[151, 1, 16], &[1, 130, 16]], |g, x| g.sum_axes((x[0] - x[1]).square(), &[2])),
        ("formula of windows", &[&[401, 502]], |g, x| {
            let at = |i: isize, j: isize| g.slice(g.slice(x[0], 0, i..399 + i), 1, j..500 + j);
            g.eval(at(0, 1) * at(2, 1) - at(1, 0).sin() + at(1, 2) * at(1, 1))
        }),
        ("prod", &[&[100_003]], |g, x| g.prod(g.eval(x[0] * 1e-5 + 1))),
        ("max", &[&[100_003]], |g, x| g.max(x[0])),
        ("max_axes", &[&[300, 403]], |g, x| g.max_axes(x[0], &[0])),
        ("var", &[&[100_003]], |g, x| g.var_with(x[0], &[0], 1.0, false)),
        ("std_axes", &[&[301, 403]], |g, x| g.std_with(x[0], &[0], 1.0, false)),
        ("logsumexp", &[&[300, 403]], |g, x| g.logsumexp_axes(x[0], &[0, 1])),
        ("logsumexp_axes", &[&[300, 403]], |g, x| g.logsumexp_axes(x[0], &[1])),
        ("norm", &[&[100_003]], |g, x| g.norm_with(x[0], 2.0, &[0], false)),
        ("3-norm", &[&[300, 403]], |g, x| g.norm_with(x[0], 3.0, &[0, 1], false)),
        ("batch_norm", &[&[8, 6, 40, 40], &[6], &[6]], |g, x| g.batch_norm(x[0], x[1], x[2], 1e-5)),
        ("batch_norm of rows", &[&[1300, 61], &[61], &[61]], |g, x| g.batch_norm(x[0], x[1], x[2], 1e-5)),
        ("group_norm", &[&[8, 6, 40, 40], &[6], &[6]], |g, x| g.group_norm(x[0], 3, x[1], x[2], 1e-5)),
        ("totals of the same arrays", &[&[300, 403], &[300, 403]], |g, x| {
            let [a, b] = [x[0], x[1]];
            let rows = g.sum_axes(a * b, &[1]);
            let columns = g.mean_axes((a - b).square(), &[0]);
            g.concat(&[rows, columns, g.reshape(g.sum(a * a) - g.mean(b.tanh()), &[1])], 0)
        }),
        ("log_softmax", &[&[300, 403]], |g, x| g.log_softmax(x[0], 1)),
        ("softmax of columns", &[&[20, 30, 203]], |g, x| g.softmax(x[0], 1)),
        ("log_softmax of columns", &[&[20, 30, 203]], |g, x| g.log_softmax(x[0], 1)),
        ("cross_entropy", &[&[900, 103]], |g, x| g.cross_entropy(x[0], targets(g, &[900], 103))),
        ("cross_entropy of pixels", &[&[6, 11, 1300]], |g, x| g.cross_entropy(x[0], targets(g, &[6, 1300], 11))),
        ("mse_loss", &[&[90, 1003], &[90, 1003]], |g, x| g.mse_loss(x[0], x[1])),
        ("huber_loss", &[&[90, 1003], &[90, 1003]], |g, x| g.huber_loss_with(x[0], x[1], 0.5, Reduction::None)),
        ("cumsum", &[&[90, 1003]], |g, x| g.cumsum(x[0], 1)),
        ("cumprod", &[&[90, 103, 11]], |g, x| g.cumprod(x[0], 1)),
        ("sort", &[&[90, 1003]], |g, x| g.sort(x[0], 1, false).0),
        ("topk", &[&[90, 1003]], |g, x| g.topk(x[0], 17, 1, true).0),
        ("median", &[&[90, 1003]], |g, x| g.median_axis(x[0], 1)),
        ("gather", &[&[90, 1003]], |g, x| g.gather(x[0], targets(g, &[90, 1003], 1003), 1)),
        ("embedding", &[&[300, 50]], |g, x| g.embedding(x[0], targets(g, &[3000], 300))),
        ("index_select", &[&[3, 300, 50]], |g, x| g.index_select(x[0], targets(g, &[1000], 300), 1)),
        ("einsum", &[&[20, 60, 70], &[20, 70, 50]], |g, x| g.einsum("bij,bjk->bik", &[x[0], x[1]])),
        ("tensordot", &[&[90, 60, 10], &[60, 10, 80]], |g, x| g.tensordot(x[0], x[1], &[1, 2], &[0, 1])),
        ("interpolate", &[&[4, 6, 40, 40]], |g, x| g.interpolate(x[0], &[60, 50], Interpolation::Linear)),
        ("cholesky", &[&[64, 20, 20]], |g, x| g.cholesky(definite(g, x[0])).unwrap()),
        ("logdet_spd", &[&[64, 20, 20]], |g, x| g.logdet_spd(definite(g, x[0])).unwrap()),
        ("solve", &[&[64, 20, 20], &[64, 20, 3]], |g, x| g.solve(definite(g, x[0]), x[1]).unwrap()),
        ("solve_triangular", &[&[64, 20, 20], &[64, 20, 3]], |g, x| {
            g.solve_triangular(definite(g, x[0]), x[1], true).unwrap()
        }),
        ("inverse", &[&[64, 20, 20]], |g, x| g.inverse(definite(g, x[0])).unwrap()),
        ("qr", &[&[64, 20, 16]], |g, x| g.qr(x[0]).1),
        ("eigh", &[&[40, 20, 20]], |g, x| g.eigh(definite(g, x[0])).unwrap().0),
        ("svd", &[&[40, 20, 18]], |g, x| g.svdvals(x[0]).unwrap()),
        ("svd of one", &[&[150, 140]], |g, x| g.svdvals(x[0]).unwrap()),
        ("eigh of one", &[&[140, 140]], |g, x| g.eigh(definite(g, x[0])).unwrap().0),
    ]
}

/// Indices below `classes`.
fn targets<T: Engine>(g: &Graph<T>, shape: &[usize], classes: i64) -> Var {
    let n: usize = shape.iter().product();
    let lengths: Vec<isize> = shape.iter().map(|n| *n as isize).collect();
    g.reshape(g.indices((0..n as i64).map(|i| i * i % 7919 % classes).collect::<Vec<_>>()), &lengths)
}

/// Symmetric, and no eigenvalue below 1.
fn definite<T: Engine>(g: &Graph<T>, x: Var) -> Var {
    let n = *g.shape(x).last().unwrap();
    g.eval(g.matmul(x, g.t(x)) + g.constant(Array::<T, _>::eye(n)))
}

/// The values and gradients of a family, one after the other.
fn of_family<T: Engine>((_, shapes, family): Family<T>) -> Vec<T> {
    let mut g = Graph::<T>::default();
    let x: Vec<Var> = shapes.iter().zip(1..).map(|(s, seed)| g.leaf(numbers::<T>(seed, s))).collect();
    let y = family(&g, &x);
    let loss = g.sum(g.mul(y, y));
    g.backward(loss).unwrap();
    let gradients = x.iter().flat_map(|v| g.grad(*v).unwrap().iter().copied().collect::<Vec<_>>());
    g.value(y).iter().copied().chain(gradients).collect()
}

fn each_family_holds<T: Engine>() {
    let pools = [1, 2, 4].map(|n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap());
    for family in families::<T>() {
        let [alone, two, four] = pools.each_ref().map(|pool| pool.install(|| of_family(family)));
        assert!(alone.iter().any(|x| x.as_f64() != 0.0), "{}", family.0);
        for together in [two, four] {
            let same = |(a, b): (&T, &T)| a.as_f64().to_bits() == b.as_f64().to_bits();
            assert!(alone.iter().zip(&together).all(same), "{}: other bits on several threads", family.0);
        }
    }
}

#[test]
fn every_family_gives_the_same_bits_in_f64() {
    each_family_holds::<f64>();
}

#[test]
fn every_family_gives_the_same_bits_in_f32() {
    each_family_holds::<f32>();
}

/// The refusal is that of the first matrix that is refused.
#[test]
fn a_stack_is_refused_as_on_one_thread() {
    let message = |threads| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            let g = Graph::new();
            let mut a = Array::zeros((64, 20, 20));
            a.outer_iter_mut().for_each(|mut a| a.diag_mut().fill(1.0));
            (30..40).for_each(|k| a[[k, k - 30, k - 30]] = -1.0);
            let a = g.leaf(a);
            g.cholesky(a).unwrap_err().to_string()
        })
    };
    let alone = message(1);
    assert!(alone.contains("[30]"), "{alone}");
    (0..20).for_each(|_| assert_eq!(message(4), alone));
}

fn run<T: Engine>() -> (T, Vec<ArrayD<T>>) {
    let mut g = Graph::<T>::default();
    let shapes: [&[usize]; 7] =
        [&[640, 320], &[320], &[640, 1], &[], &[320, 320], &[8, 3, 40, 40], &[16, 3, 3, 3]];
    let p: Vec<Var> = shapes.iter().zip(1..).map(|(s, seed)| g.leaf(numbers::<T>(seed, s))).collect();
    let loss = program(&g, &p);
    g.backward(loss).unwrap();
    (g.item(loss), p.iter().map(|v| g.grad(*v).unwrap().to_owned()).collect())
}

fn holds<T: Engine>() {
    let on =
        |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run::<T>);
    let alone = on(1);
    for threads in [2, 4] {
        let together = on(threads);
        assert!(alone.0.as_f64().to_bits() == together.0.as_f64().to_bits(), "{threads} threads: value");
        for (k, (a, b)) in alone.1.iter().zip(&together.1).enumerate() {
            let same = a.iter().zip(b).all(|(a, b)| a.as_f64().to_bits() == b.as_f64().to_bits());
            assert!(same, "{threads} threads: gradient {k}");
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    holds::<f64>();
    holds::<f32>();
}
