//! Random programs, run by their plans, against forward-mode duals element by element.

use num_dual::{Dual64, DualNum};

use super::*;
use crate::kernel::walk::{Operand, Walk};

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
        let run = Run { steps: &steps, numbers: &[], leaves: &leaves, len };
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
        close(run.sum(&mut scratch), total, "sum");
        // Each leaf's cotangent left out, written, or added to; from the sum or from the value of each element.
        let wanted: [usize; LEAVES] = std::array::from_fn(|_| random.below(3));
        let y_bar: Vec<f64> = (0..len).map(|k| if seed % 2 == 0 { 0.5 } else { k as f64 * 0.01 }).collect();
        let given = Operand { data: &y_bar, first: 0, walk: Walk::flat(len) };
        let seed_bar = if seed % 2 == 0 { Seed::Each(0.5) } else { Seed::Array { y_bar: &given, y: &y } };
        let mut bars = vec![vec![0.25; len]; LEAVES];
        let mut into: Vec<Into<'_, f64>> = bars
            .iter_mut()
            .zip(wanted)
            .map(|(out, wanted)| match wanted {
                0 => Into::Nowhere,
                wanted => Into::Same { out, held: wanted == 2 },
            })
            .collect();
        let (sum, reached) = run.reverse(&mut scratch, seed_bar, &mut into, seed % 2 == 0);
        if seed % 2 == 0 {
            assert_eq!(
                sum,
                run.sum(&mut scratch),
                "{seed}: a total on the way has the bits of one by itself"
            );
        }
        for l in (0..LEAVES).filter(|l| wanted[*l] > 0) {
            let before = if wanted[l] == 2 || reached >> l & 1 == 0 { 0.25 } else { 0.0 };
            (0..len).for_each(|k| close(bars[l][k] - before, y_bar[k] * model(l, k).eps, "cotangent"));
        }
    }
}
