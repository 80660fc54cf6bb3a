//! Random programs, run by their plans, against forward-mode duals element by element.

use num_dual::{Dual64, DualNum};

use super::*;
use crate::kernel::operand::Operand;
use crate::kernel::walk::Walk;

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n
    }
}

const LEAVES: usize = 3;

/// Sums and products of what came before, mostly, the newest step among it more often than not.
fn program(random: &mut Random) -> Vec<Step> {
    let len = 1 + random.below(14);
    let slot = |random: &mut Random, k: usize| match random.below(3) {
        0 if k > 0 => Slot::Step(k as u16 - 1),
        1 if k > 0 => Slot::Step(random.below(k) as u16),
        _ => Slot::Leaf(random.below(LEAVES) as u16),
    };
    (0..len)
        .map(|k| {
            let (a, b) = (slot(random, k), slot(random, k));
            match random.below(10) {
                0..4 => Step::Binary(Binary::Mul, a, b),
                4 | 5 => Step::Binary(Binary::Add, a, b),
                6 | 7 => Step::Binary(Binary::Sub, a, b),
                8 => Step::Unary(Unary::Tanh, a),
                _ => Step::Unary(Unary::Sin, a),
            }
        })
        .collect()
}

fn on_duals(steps: &[Step], x: &[Dual64]) -> Dual64 {
    let mut values: Vec<Dual64> = Vec::new();
    for step in steps {
        let find = |slot| match slot {
            Slot::Leaf(l) => x[l as usize],
            Slot::Step(k) => values[k as usize],
        };
        values.push(match *step {
            Step::Binary(Binary::Mul, a, b) => find(a) * find(b),
            Step::Binary(Binary::Add, a, b) => find(a) + find(b),
            Step::Binary(_, a, b) => find(a) - find(b),
            Step::Unary(Unary::Tanh, a) => find(a).tanh(),
            Step::Unary(_, a) | Step::Tuned(_, a, _) => find(a).sin(),
        });
    }
    values[values.len() - 1]
}

#[test]
fn plans_compute_values_and_derivatives_of_random_programs() {
    let mut scratch = Scratch::default();
    for seed in 0..400 {
        let mut random = Random(seed);
        let steps = program(&mut random);
        // Some longer than a tile, with a rest.
        let len = if seed % 8 == 0 { 1100 } else { 5 };
        let x: Vec<Vec<f64>> = (0..LEAVES)
            .map(|_| (0..len).map(|_| random.below(2001) as f64 / 1000.0 - 1.0).collect())
            .collect();
        let leaves: Vec<Operand<'_, f64>> =
            x.iter().map(|x| Operand { data: x, first: 0, walk: Walk::flat(len) }).collect();
        let run = Run { program: Program::new(&steps, &[]), leaves: &leaves, len };
        let model = |l: usize, k: usize| {
            let at = |i: usize| Dual64::new(x[i][k], if i == l { 1.0 } else { 0.0 });
            on_duals(&steps, &std::array::from_fn::<_, LEAVES, _>(at))
        };
        let close = |have: f64, want: f64, what: &str| {
            let size = want.abs().max(1.0);
            assert!((have - want).abs() <= 1e-9 * size, "{seed} {what}: {have}, not {want}\n{steps:?}");
        };
        let mut y = vec![0.0; len];
        run.forward(&mut scratch, &mut y);
        (0..len).for_each(|k| close(y[k], model(0, k).re, "value"));
        let total = y.iter().sum::<f64>();
        let mut apart = [0.0];
        run.sums(&mut scratch, &mut apart);
        close(apart[0], total, "sum");
        // Each leaf's cotangent left out, written, or added to; from the sum or from the value of each element.
        let wanted: [usize; LEAVES] = std::array::from_fn(|_| random.below(3));
        let y_bar: Vec<f64> = (0..len).map(|k| if seed % 2 == 0 { 0.5 } else { k as f64 * 0.01 }).collect();
        let given = Operand { data: &y_bar, first: 0, walk: Walk::flat(len) };
        let seed_bar = match seed % 4 {
            0 | 2 => Seed::Each(0.5),
            1 => Seed::Array { y_bar: &given, y: Some(&y) },
            _ => Seed::Array { y_bar: &given, y: None },
        };
        let mut bars = vec![vec![0.25; len]; LEAVES];
        let mut into: Vec<Into<'_, f64>> = bars
            .iter_mut()
            .zip(wanted)
            .map(|(out, wanted)| match wanted {
                0 => Into::Nowhere,
                wanted => Into::Same { out, held: wanted == 2 },
            })
            .collect();
        let mut sum = [0.0];
        let totals = u64::from(seed % 2 == 0);
        let reached = run.reverse(&mut scratch, &[seed_bar], &mut into, &mut [], totals, &mut sum);
        if seed % 2 == 0 {
            assert_eq!(sum, apart, "{seed}: a total on the way has the bits of one by itself");
        }
        for l in (0..LEAVES).filter(|l| wanted[*l] > 0) {
            let before = if wanted[l] == 2 || reached >> l & 1 == 0 { 0.25 } else { 0.0 };
            (0..len).for_each(|k| close(bars[l][k] - before, y_bar[k] * model(l, k).eps, "cotangent"));
        }
    }
}

/// Several programs as one give each one's results, to the bit, and the sums of their cotangents.
#[test]
fn programs_are_run_together() {
    let mut scratch = Scratch::default();
    for seed in 0..200 {
        let mut random = Random(1000 + seed);
        let count = 2 + random.below(2);
        let parts: Vec<Vec<Step>> = (0..count).map(|_| program(&mut random)).collect();
        let mut joint = Joint::default();
        // The leaves of each in an order of its own.
        let shift = |part: usize, l: u16| (l + part as u16) % LEAVES as u16;
        for (k, part) in parts.iter().enumerate() {
            let slots: Vec<Slot> = (0..LEAVES as u16).map(|l| Slot::Leaf(shift(k, l))).collect();
            joint.add(&Program::new(part, &[]), &slots, true);
        }
        let len = if seed % 4 == 0 { 20_000 } else { 5 };
        let x: Vec<Vec<f64>> = (0..LEAVES)
            .map(|_| (0..len).map(|_| random.below(2001) as f64 / 1000.0 - 1.0).collect())
            .collect();
        let operand = |x: &'static [f64]| Operand { data: x, first: 0, walk: Walk::flat(len) };
        let x: Vec<&'static [f64]> = x.into_iter().map(|x| &*x.leak()).collect();
        let leaves: Vec<Operand<'_, f64>> = x.iter().map(|x| operand(x)).collect();
        let run = Run { program: joint.program(), leaves: &leaves, len };
        let mut sums = vec![0.0; count];
        run.sums(&mut scratch, &mut sums);
        for (k, part) in parts.iter().enumerate() {
            let own: Vec<Operand<'_, f64>> =
                (0..LEAVES).map(|l| operand(x[shift(k, l as u16) as usize])).collect();
            let alone = Run { program: Program::new(part, &[]), leaves: &own, len };
            let mut sum = [0.0];
            alone.sums(&mut scratch, &mut sum);
            assert_eq!(sum[0], sums[k], "{seed}: result {k}");
        }
        let factor = |k: usize| k as f64 - 0.5;
        let seeds: Vec<Seed<'_, f64>> = (0..count).map(|k| Seed::Each(factor(k))).collect();
        let mut bars = vec![vec![0.25; len]; LEAVES];
        let mut into: Vec<Into<'_, f64>> =
            bars.iter_mut().map(|out| Into::Same { out, held: true }).collect();
        let mut on_the_way = vec![0.0; count];
        run.reverse(&mut scratch, &seeds, &mut into, &mut [], u64::MAX, &mut on_the_way);
        assert_eq!(on_the_way, sums, "{seed}: totals on the way");
        for at in [0, len / 2, len - 1] {
            for l in 0..LEAVES {
                let dual = |i: usize| Dual64::new(x[i][at], if i == l { 1.0 } else { 0.0 });
                let slope = |(k, part): (usize, &Vec<Step>)| {
                    let own = std::array::from_fn::<_, LEAVES, _>(|i| dual(shift(k, i as u16) as usize));
                    factor(k) * on_duals(part, &own).eps
                };
                let want: f64 = 0.25 + parts.iter().enumerate().map(slope).sum::<f64>();
                assert!((bars[l][at] - want).abs() <= 1e-9 * want.abs().max(1.0), "{seed} {l} {at}");
            }
        }
    }
}

/// Shapes of less than a block and of several, with rows of a few elements, some, and more than a block has.
const SHAPES: [[usize; 3]; 6] =
    [[1, 5, 7], [1, 200, 498], [2, 2, 30_000], [1, 40_000, 3], [70, 60, 16], [500, 1, 90]];

fn strides(shape: [usize; 3]) -> [isize; 3] {
    [shape[1] * shape[2], shape[2], 1].map(|step| step as isize)
}

/// Where element `k` of an array of `shape` with these strides lies.
fn place(k: usize, [_, n, m]: [usize; 3], strides: [isize; 3]) -> usize {
    let index = [k / (n * m), k / m % n, k % m];
    index.iter().zip(strides).map(|(i, step)| i * step as usize).sum()
}

#[test]
fn cotangents_of_windows_and_of_repeated_leaves_are_added_where_they_belong() {
    for shape in SHAPES {
        let [b, n, m] = shape;
        let len = b * n * m;
        // Two windows of one array that is larger by two along each axis, a row and a column.
        let large = [b + 2, n + 2, m + 2];
        let window = strides(large);
        let firsts = [0, place(1, shape, [0, 0, window[2]]) + (window[0] + window[1]) as usize];
        let steps = [window, window, [0, 0, 1], [n as isize, 1, 0]];
        let sizes = [large.iter().product(), m, b * n];
        let mut random = Random(len as u64);
        let arrays = sizes.map(|size| (0..size).map(|_| random.below(9) as f64 - 4.0).collect::<Vec<f64>>());
        let of = [0, 0, 1, 2];
        let first = |leaf: usize| firsts.get(leaf).copied().unwrap_or(0);
        let leaves: Vec<Operand<'_, f64>> = (0..4)
            .map(|l| Operand { data: &arrays[of[l]], first: first(l), walk: Walk::new(&shape, &steps[l]) })
            .collect();
        let [x, y, row, column] = [0, 1, 2, 3].map(Slot::Leaf);
        let y_bar: Vec<f64> = (0..len).map(|k| (k % 5) as f64 - 2.0).collect();
        let at = |leaf: usize, k: usize| first(leaf) + place(k, shape, steps[leaf]);
        for (op, join) in [(Binary::Mul, Binary::Add), (Binary::Add, Binary::Sub)] {
            let program = [
                Step::Binary(op, x, column),
                Step::Binary(op, y, row),
                Step::Binary(join, Slot::Step(0), Slot::Step(1)),
            ];
            let run = Run { program: Program::new(&program, &[]), leaves: &leaves, len };
            let mut want = arrays.each_ref().map(|array| vec![1.0; array.len()]);
            for k in 0..len {
                for (leaf, other, sign) in [(0, 3, 1.0), (3, 0, 1.0), (1, 2, -1.0), (2, 1, -1.0)] {
                    let partial = if op == Binary::Mul { arrays[of[other]][at(other, k)] } else { sign };
                    want[of[leaf]][at(leaf, k)] += y_bar[k] * partial;
                }
            }
            let given = Operand { data: &y_bar, first: 0, walk: Walk::flat(len) };
            let mut have = arrays.each_ref().map(|array| vec![1.0; array.len()]);
            let mut into: Vec<Into<'_, f64>> = (0..4)
                .map(|l| Into::Added(Place { to: of[l], first: first(l), walk: leaves[l].walk.clone() }))
                .collect();
            let mut added = have.each_mut().map(|array| &mut array[..]);
            let seed = Seed::Array { y_bar: &given, y: None };
            run.reverse(&mut Scratch::default(), &[seed], &mut into, &mut added, 0, &mut []);
            assert_eq!(have, want, "{shape:?} {op:?}");
        }
    }
}

#[test]
fn values_are_summed_along_any_axes() {
    for shape in SHAPES {
        let len = shape.iter().product();
        let x: Vec<f64> = (0..len).map(|k| (k % 7) as f64 - 2.0).collect();
        let leaf = [Operand { data: &x, first: 0, walk: Walk::flat(len) }];
        let square = [Step::Binary(Binary::Mul, Slot::Leaf(0), Slot::Leaf(0))];
        let run = Run { program: Program::new(&square, &[]), leaves: &leaf, len };
        for over in 0..8 {
            let kept: [usize; 3] =
                std::array::from_fn(|axis| if over >> axis & 1 == 1 { 1 } else { shape[axis] });
            let own = strides(kept);
            let steps = std::array::from_fn(|axis| if over >> axis & 1 == 1 { 0 } else { own[axis] });
            let mut want = vec![3.0; kept.iter().product()];
            (0..len).for_each(|k| want[place(k, shape, steps)] += x[k] * x[k]);
            let mut have = vec![3.0; want.len()];
            run.sum_over(&mut Scratch::default(), &Walk::new(&shape, &steps), &mut [&mut have[..]]);
            assert_eq!(have, want, "{shape:?} over {over:03b}");
        }
    }
}
