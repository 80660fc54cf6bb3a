//! Against triple loops, for every pattern of strides; and the promises on `beta`, threads and bounds.

use super::*;
use crate::kernel::linalg::testing::Random;

fn naive<T: Gemm>(
    [m, n, k]: [usize; 3],
    alpha: T,
    a: Strided<'_, T>,
    b: Strided<'_, T>,
    beta: T,
    c: &[T],
) -> Vec<f64> {
    let read = |x: &Strided<'_, T>, i: usize, j: usize| x.at(i, j).data[x.at(i, j).offset].as_f64();
    let mut out = vec![0.0; m * n];
    for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
        let dot: f64 = (0..k).map(|p| read(&a, i, p) * read(&b, p, j)).sum();
        let old = if beta == T::zero() { 0.0 } else { beta.as_f64() * c[i * n + j].as_f64() };
        out[i * n + j] = alpha.as_f64() * dot + old;
    }
    out
}

/// A `rows` by `cols` operand in each of the layouts: row-major, transposed, padded, strided, broadcast.
fn layouts<T>(data: &[T], rows: usize, cols: usize) -> Vec<Strided<'_, T>> {
    let with =
        |r: usize, c: usize| Strided { data, offset: 1, row_stride: r as isize, col_stride: c as isize };
    vec![
        with(cols, 1),
        with(1, rows),
        with(cols + 3, 1),
        with(2 * cols + 1, 2),
        with(0, 1),
        with(1, 0),
        with(0, 0),
    ]
}

fn all_layouts<T: Gemm>([m, n, k]: [usize; 3], tol: f64) {
    let mut random = Random::new(7);
    let longest = |r: usize, c: usize| 2 * (r + 2) * (c + 3) + 8;
    let (a, b): (Vec<T>, Vec<T>) = (random.vector(longest(m, k)), random.vector(longest(k, n)));
    for a in layouts(&a, m, k) {
        for b in layouts(&b, k, n) {
            for (step, beta) in [(1, 0.0), (1, 1.0), (2, -0.5)] {
                let c: Vec<T> = random.vector(m * n);
                let want = naive([m, n, k], T::of(1.5), a, b, T::of(beta), &c);
                for transposed in [false, true] {
                    let (rs, cs) = if transposed { (1, m * step) } else { (n * step, 1) };
                    let mut out = vec![T::of(f64::NAN); (m + 1) * (n + 1) * step + 1];
                    for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                        if beta != 0.0 {
                            out[i * rs + j * cs] = c[i * n + j];
                        }
                    }
                    let to = StridedMut {
                        data: &mut out,
                        offset: 0,
                        row_stride: rs as isize,
                        col_stride: cs as isize,
                    };
                    gemm([m, n, k], T::of(1.5), a, b, T::of(beta), to, Threads::ONE);
                    let mut touched = 0;
                    for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                        let got = out[i * rs + j * cs].as_f64();
                        let error = (got - want[i * n + j]).abs();
                        assert!(
                            error <= tol * (1.0 + k as f64),
                            "{m} {n} {k} {a:?} ({i}, {j}) off by {error}"
                        );
                        touched += 1;
                    }
                    let rest = out.iter().filter(|x| x.is_nan()).count();
                    assert!(beta != 0.0 || rest == out.len() - touched, "wrote outside the result");
                }
            }
        }
    }
}

#[test]
fn agrees_with_triple_loops_in_every_layout() {
    let sizes = [0, 1, 2, 3, 5, 8, 17, 33];
    for m in sizes {
        for n in sizes {
            for k in [0, 1, 2, 5, 17, 40] {
                if m * n * k <= 2500 || (m == n && k == 40) {
                    all_layouts::<f64>([m, n, k], 1e-14);
                }
            }
        }
    }
    all_layouts::<f32>([17, 33, 5], 1e-5);
    all_layouts::<f32>([3, 50, 40], 1e-5);
}

#[test]
fn agrees_with_triple_loops_when_large() {
    for size in [
        [64, 64, 64],
        [65, 65, 65],
        [130, 130, 130],
        [1, 300, 200],
        [300, 1, 200],
        [40, 200, 3],
        [9, 7, 600],
        [41, 1300, 300],
        [131, 90, 601],
        [20, 130, 90],
        [9, 1100, 300],
        [300, 17, 140],
        [2, 1500, 200],
    ] {
        let [m, n, k] = size;
        let mut random = Random::new(3);
        let (a, b): (Vec<f64>, Vec<f64>) = (random.vector(m * k), random.vector(k * n));
        let (a32, b32): (Vec<f32>, Vec<f32>) = (random.vector(m * k), random.vector(k * n));
        for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
            fn view<T>(x: &[T], rows: usize, cols: usize, t: bool) -> Strided<'_, T> {
                if t { Strided::rows(x, rows).t() } else { Strided::rows(x, cols) }
            }
            let (va, vb) = (view(&a, m, k, ta), view(&b, k, n, tb));
            let mut c = vec![f64::NAN; m * n];
            gemm(size, 1.0, va, vb, 0.0, StridedMut::rows(&mut c, n), Threads::ONE);
            let want = naive(size, 1.0, va, vb, 0.0, &[]);
            let off = c.iter().zip(&want).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
            assert!(off < 1e-13 * k as f64, "{size:?} off by {off}");
            let (va, vb) = (view(&a32, m, k, ta), view(&b32, k, n, tb));
            let mut c = vec![f32::NAN; m * n];
            gemm(size, 1.0, va, vb, 0.0, StridedMut::rows(&mut c, n), Threads::ONE);
            let want = naive(size, 1.0, va, vb, 0.0, &[]);
            let off = c.iter().zip(&want).map(|(x, y)| (f64::from(*x) - y).abs()).fold(0.0, f64::max);
            assert!(off < 1e-6 * k as f64, "{size:?} off by {off} in f32");
        }
    }
}

/// Blocks, panels, strips and what is left of each, in a result whose rows lie apart.
#[test]
fn packed_blocks_agree_with_triple_loops() {
    fn check<T: Gemm>(tol: f64) {
        for (m, n) in [1, 5, 6, 11, 55].into_iter().zip([70, 1, 33, 100, 17]) {
            for k in [1, 3, 130, 520] {
                let mut random = Random::new(17);
                let (a, b): (Vec<T>, Vec<T>) = (random.vector(m * k), random.vector(2 * k * n));
                for a in [Strided::rows(&a, k), Strided::rows(&a, m).t()] {
                    let every_second = Strided { col_stride: 2, ..Strided::rows(&b, 2 * n) };
                    for b in [Strided::rows(&b, n), Strided::rows(&b, k).t(), every_second] {
                        let c: Vec<T> = random.vector(m * n);
                        let want = naive([m, n, k], T::of(1.5), a, b, T::of(-0.5), &c);
                        let mut out = vec![T::of(f64::NAN); m * (n + 3)];
                        for (out, c) in out.chunks_mut(n + 3).zip(c.chunks(n)) {
                            out[..n].copy_from_slice(c);
                        }
                        let to = StridedMut::rows(&mut out, n + 3);
                        raw::Product::new([m, n, k], T::of(1.5), a, b, T::of(-0.5), to).tidy().packed();
                        for (out, want) in out.chunks(n + 3).zip(want.chunks(n)) {
                            assert!(out[n..].iter().all(|x| x.is_nan()), "wrote outside the result");
                            for (x, y) in out.iter().zip(want) {
                                assert!(
                                    (x.as_f64() - y).abs() <= tol * (1.0 + k as f64),
                                    "{m} {n} {k}: {x:?}, not {y}"
                                );
                            }
                        }
                    }
                }
            }
        }
    }
    check::<f64>(1e-14);
    check::<f32>(1e-5);
}

#[test]
fn threads_do_not_change_a_bit() {
    fn check<T: Gemm>() {
        for size in [
            [130, 257, 200],
            [300, 140, 513],
            [64, 1000, 64],
            [257, 129, 130],
            [1000, 17, 500],
            [300, 64, 900],
            [70, 513, 700],
            [30, 700, 300],
            [12, 900, 700],
            [900, 10, 300],
        ] {
            let [m, n, k] = size;
            let mut random = Random::new(11);
            let (a, b): (Vec<T>, Vec<T>) = (random.vector(m * k), random.vector(k * n));
            for t in [false, true] {
                let b = if t { Strided::rows(&b, k).t() } else { Strided::rows(&b, n) };
                let a = if t { Strided::rows(&a, m).t() } else { Strided::rows(&a, k) };
                let run = |threads| {
                    let mut c = vec![T::one(); m * n];
                    gemm(size, T::of(0.7), a, b, T::of(0.3), StridedMut::rows(&mut c, n), Threads(threads));
                    c
                };
                let one = run(1);
                assert!(run(2) == one && run(3) == one && run(4) == one, "{size:?}");
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn batches_broadcast_sum_and_thread() {
    let (count, [m, n, k]) = (6, [33, 40, 50]);
    let mut random = Random::new(5);
    let (a, b): (Vec<f64>, Vec<f64>) = (random.vector(count * m * k), random.vector(count * k * n));
    for (a_step, b_step, c_step) in
        [(m * k, k * n, m * n), (0, k * n, m * n), (m * k, 0, m * n), (m * k, k * n, 0), (0, 0, m * n)]
    {
        let run = |threads| {
            let mut c = vec![0.25; count * m * n];
            let stack = |x, cols, stride| Batched { first: Strided::rows(x, cols), stride };
            let out = BatchedMut { first: StridedMut::rows(&mut c, n), stride: c_step };
            gemm_batched(
                count,
                [m, n, k],
                2.0,
                stack(&a, k, a_step),
                stack(&b, n, b_step),
                3.0,
                out,
                Threads(threads),
            );
            c
        };
        let mut want = vec![0.25; count * m * n];
        for i in 0..count {
            let (a, b) = (Strided::rows(&a[i * a_step..], k), Strided::rows(&b[i * b_step..], n));
            let beta = if i > 0 && c_step == 0 { 1.0 } else { 3.0 };
            let one = naive([m, n, k], 2.0, a, b, beta, &want[i * c_step..]);
            want[i * c_step..][..m * n].copy_from_slice(&one);
        }
        let got = run(1);
        assert!(got.iter().zip(&want).all(|(x, y)| (x - y).abs() < 1e-11), "{a_step} {b_step} {c_step}");
        assert!(run(2) == got && run(4) == got);
    }
}

#[test]
fn stacks_of_tiny_products_in_every_layout() {
    fn check<T: Gemm>(tol: f64) {
        let (count, mut random) = (37, Random::new(11));
        let sizes = [1, 2, 3, 6, 7];
        for (m, n, k) in sizes.iter().flat_map(|&m| sizes.iter().flat_map(move |&n| sizes.map(|k| (m, n, k))))
        {
            let mut numbers = |len: usize| random.vector(len).into_iter().map(T::of).collect::<Vec<T>>();
            let (a, b) = (numbers(count * m * k), numbers(count * k * n));
            let of = |x, rows: usize, cols: usize, turned: bool, stride| {
                let first = if turned { Strided::rows(x, rows).t() } else { Strided::rows(x, cols) };
                Batched { first, stride }
            };
            for (bits, beta) in (0..16).flat_map(|bits| [(bits, T::zero()), (bits, T::of(0.5))]) {
                let step = |shift: u32, len: usize| if bits >> shift & 1 == 0 { len } else { 0 };
                let (a, b) = (
                    of(&a, m, k, bits & 1 == 1, step(2, m * k)),
                    of(&b, k, n, bits & 2 == 2, step(3, k * n)),
                );
                let old = vec![if beta == T::zero() { T::nan() } else { T::one() }; count * m * n];
                let mut c = old.clone();
                let out = BatchedMut { first: StridedMut::rows(&mut c, n), stride: m * n };
                gemm_batched(count, [m, n, k], T::of(2.0), a, b, beta, out, Threads::ONE);
                for (i, c) in c.chunks(m * n).enumerate() {
                    let want = naive([m, n, k], T::of(2.0), a.at(i), b.at(i), beta, &old[i * m * n..]);
                    assert!(
                        c.iter().zip(&want).all(|(x, y)| (x.as_f64() - y).abs() < tol),
                        "{m} {n} {k} {bits}"
                    );
                }
            }
        }
    }
    check::<f32>(2e-5);
    check::<f64>(1e-13);
}

#[test]
fn blocks_of_one_matrix() {
    let mut random = Random::new(9);
    let w = 20;
    let start: Vec<f64> = random.vector(w * w);
    let mut matrix = start.clone();
    // rows 10.., columns 10.. -= (block at (10, 0)) (block at (10, 0))^T
    gemm_within(
        &mut matrix,
        w,
        [10, 10, 10],
        -1.0,
        spot(10, 0).here(),
        spot(10, 0).t().here(),
        1.0,
        spot(10, 10),
        Threads::ONE,
    );
    for (i, j) in (0..10).flat_map(|i| (0..10).map(move |j| (i, j))) {
        let dot: f64 = (0..10).map(|p| start[(10 + i) * w + p] * start[(10 + j) * w + p]).sum();
        let want = start[(10 + i) * w + 10 + j] - dot;
        assert!((matrix[(10 + i) * w + 10 + j] - want).abs() < 1e-13);
    }
}

#[test]
#[should_panic(expected = "overlaps an operand")]
fn refuses_a_result_that_overlaps() {
    let here = spot(0, 0).here();
    gemm_within(&mut [0.0; 16], 4, [2, 2, 2], 1.0, here, spot(2, 2).here(), 0.0, spot(1, 1), Threads::ONE);
}

#[test]
#[should_panic(expected = "reaches outside its slice")]
fn refuses_an_operand_out_of_bounds() {
    let (a, b) = ([0.0; 8], [0.0; 9]);
    gemm(
        [3, 3, 3],
        1.0,
        Strided::rows(&a, 3),
        Strided::rows(&b, 3),
        0.0,
        StridedMut::rows(&mut [0.0; 9], 3),
        Threads::ONE,
    );
}

#[test]
#[should_panic(expected = "elements of the result overlap")]
fn refuses_a_broadcast_result() {
    let x = [0.0; 9];
    let c = StridedMut { data: &mut [0.0; 9], offset: 0, row_stride: 0, col_stride: 1 };
    gemm([3, 3, 3], 1.0, Strided::rows(&x, 3), Strided::rows(&x, 3), 0.0, c, Threads::ONE);
}

#[test]
fn triangular_systems() {
    fn check<T: Gemm>(tol: f64) {
        for n in [0, 1, 2, 3, 5, 8, 17, 33, 64, 65, 130] {
            for cols in [0, 1, 2, 7, 24, 50, 130] {
                for (lower, unit, transposed, b_transposed) in
                    (0..16).map(|i| (i & 1 > 0, i & 2 > 0, i & 4 > 0, i & 8 > 0))
                {
                    let mut random = Random::new(13);
                    let (mut l, b): (Vec<T>, Vec<T>) = (random.vector(n * n), random.vector(n * cols));
                    for (i, x) in l.iter_mut().enumerate() {
                        let scaled = T::of(x.as_f64() / n as f64);
                        *x = if i % (n + 1) == 0 { T::of(1.5) + scaled } else { scaled };
                    }
                    let view = if transposed { Strided::rows(&l, n).t() } else { Strided::rows(&l, n) };
                    let mut x = b.clone();
                    let to = if b_transposed {
                        StridedMut::rows(&mut x, n).t()
                    } else {
                        StridedMut::rows(&mut x, cols)
                    };
                    solve_triangular(n, cols, Triangle { lower, unit }, view, to, Threads::ONE);
                    for (i, j) in (0..n).flat_map(|i| (0..cols).map(move |j| (i, j))) {
                        let at = |i: usize| if b_transposed { j * n + i } else { i * cols + j };
                        let entry = |p: usize| match p == i {
                            true if unit => 1.0,
                            _ => view.data[view.at(i, p).offset].as_f64(),
                        };
                        let range = if lower { 0..i + 1 } else { i..n };
                        let product: f64 = range.map(|p| entry(p) * x[at(p)].as_f64()).sum();
                        assert!(
                            (product - b[at(i)].as_f64()).abs() < tol,
                            "{n} {cols} {lower} {unit} {transposed}"
                        );
                    }
                }
            }
        }
    }
    check::<f64>(1e-14);
    check::<f32>(1e-5);
}
