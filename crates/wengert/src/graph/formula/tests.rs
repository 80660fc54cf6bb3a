//! Random formulas of random leaves, joined or not, against the same steps one by one on copies of the leaves.

use ndarray::{ArrayD, Dimension, IxDyn};

use crate::expr::Lowering;
use crate::functional::jacobian;
use crate::graph::Engine;
use crate::graph::Source;
use crate::kernel::program::{Slot, Step};
use crate::op::{Binary, Mean, Op, Sum, Unary};
use crate::prelude::*;
use crate::rule::Record;

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn array(&mut self, shape: &[usize]) -> ArrayD<f64> {
        ArrayD::from_shape_simple_fn(IxDyn(shape), || self.below(2000) as f64 / 1000.0 - 1.0)
    }

    fn pick<A: Copy>(&mut self, from: &[A]) -> A {
        from[self.below(from.len())]
    }
}

/// The arrays that leaves show, and what shows them (first all of an array): whole arrays, rows, columns, numbers, windows, and axes turned or
/// in another order.
fn leaves(random: &mut Random, [a, b, c]: [usize; 3]) -> (Vec<ArrayD<f64>>, Vec<(usize, usize)>) {
    let shapes: [&[usize]; 7] = [&[a, b, c], &[c], &[b, 1], &[], &[a + 2, b + 3, c + 5], &[b, a, c], &[4, c]];
    let bases: Vec<usize> =
        (0..random.below(3) + 2).map(|k| if k == 0 { 0 } else { random.below(7) }).collect();
    let arrays: Vec<ArrayD<f64>> = bases.iter().map(|&k| random.array(shapes[k])).collect();
    let shown = (0..random.below(4) + 2).map(|l| if l == 0 { 0 } else { random.below(bases.len()) });
    let shown = shown.map(|base| (base, bases[base])).collect();
    (arrays, shown)
}

/// The leaf that shows array `x` of kind `kind`.
fn show(g: &Graph, x: Var, kind: usize, [a, b, c]: [usize; 3], by: usize) -> Var {
    match kind {
        0 if by == 1 => g.flip(x, &[1]),
        4 => {
            let rows = g.narrow(x, 0, by % 3, a);
            g.narrow(g.narrow(rows, 1, by, b), 2, 2 * by % 6, c)
        }
        5 => g.permute(x, &[1, 0, 2]),
        6 => g.select(x, 0, by as isize),
        _ => x,
    }
}

/// Steps whose values stay small; every leaf leads to the last one, or the first does.
fn steps(random: &mut Random, leaves: usize) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut unread: Vec<Slot> = (0..leaves).map(|l| Slot::Leaf(l as u16)).collect();
    while unread.len() > 1 || steps.len() < 2 {
        let mut take = |unread: &mut Vec<Slot>| match random.below(4) {
            0 if !steps.is_empty() => Slot::Step(random.below(steps.len()) as u16),
            1 => Slot::Leaf(random.below(leaves) as u16),
            _ if unread.is_empty() => Slot::Leaf(random.below(leaves) as u16),
            _ => unread.swap_remove(random.below(unread.len())),
        };
        let a = take(&mut unread);
        let b = take(&mut unread);
        let step = match random.below(5) {
            0 => {
                unread.extend((a != b).then_some(b));
                let unary =
                    [Unary::Sin, Unary::Tanh, Unary::Sigmoid, Unary::Square, Unary::Floor, Unary::Neg];
                Step::Unary(random.pick(&unary), a)
            }
            k => Step::Binary([Binary::Mul, Binary::Add, Binary::Sub, Binary::Mul][k - 1], a, b),
        };
        let new = steps.iter().position(|known| *known == step).unwrap_or(steps.len());
        if new == steps.len() {
            steps.push(step);
        }
        unread.retain(|slot| *slot != Slot::Step(new as u16));
        unread.push(Slot::Step(new as u16));
        if steps.len() > 30 {
            steps.push(Step::Binary(Binary::Add, Slot::Step(steps.len() as u16 - 1), Slot::Leaf(0)));
            break;
        }
    }
    steps
}

fn totals(random: &mut Random) -> Option<Op> {
    let axes: Option<crate::shape::Axes> = match random.below(4) {
        0 => None,
        k => Some(std::iter::once(-(k as isize)).collect()),
    };
    let keepdims = random.below(2) == 1 && axes.is_some();
    match random.below(3) {
        0 => None,
        1 => Some(Sum { axes, keepdims }.into()),
        _ => Some(Mean { axes, keepdims }.into()),
    }
}

/// A random function of arrays.
struct Case {
    lengths: [usize; 3],
    arrays: Vec<ArrayD<f64>>,
    /// For each leaf its array, the array's kind, and a shift.
    shown: Vec<(usize, usize, usize)>,
    steps: Vec<Step>,
    total: Option<Op>,
    again: bool,
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        for _ in 0..8 {
            random.below(2);
        }
        let lengths = random.pick(&[[2, 3, 4], [1, 5, 300], [3, 40, 100], [4, 33, 65], [2, 1, 5000]]);
        let (arrays, shown) = leaves(&mut random, lengths);
        // A formula has each leaf once.
        let mut known = Vec::new();
        for (base, kind) in shown {
            let by = random.below(3);
            let by = match kind {
                0 => by % 2,
                4 | 6 => by,
                _ => 0,
            };
            let leaf = (base, kind, by);
            if !known.contains(&leaf) {
                known.push(leaf);
            }
        }
        let shown = known;
        let steps = steps(&mut random, shown.len());
        let (total, again) = (totals(&mut random), random.below(2) == 1);
        Case { lengths, arrays, shown, steps, total, again }
    }

    /// A number made of the function, as one formula or step by step.
    fn record(&self, g: &Graph, x: &[Var], fused: bool) -> Var {
        let show = |&(base, kind, by): &(usize, usize, usize)| show(g, x[base], kind, self.lengths, by);
        let mut program = Lowering { steps: self.steps.clone(), ..Lowering::default() };
        program.leaves = self.shown.iter().map(show).collect();
        let array = program.leaves.iter().any(|&v| g.shape(v).iter().product::<usize>() > 1);
        let y = match fused && array {
            true => f64::formula(g, &program, self.total.as_ref()).unwrap(),
            false => None,
        };
        let y = y.unwrap_or_else(|| {
            let copies: Vec<Var> = program.leaves.iter().map(|&v| g.mul(v, g.ones(&g.shape(v)))).collect();
            let steps = g.record_steps(&program.steps, &[], &copies);
            let last = steps[steps.len() - 1];
            self.total.as_ref().map_or(last, |op| g.apply(op, &[last])[0])
        });
        let y = if self.again && g.shape(y).len() > 1 { g.mean_axes(y, &[0]) } else { y };
        let weights = ArrayD::from_shape_fn(&g.shape(y)[..], |at| {
            (at.slice().iter().sum::<usize>() as f64 * 0.7 + 0.3).sin()
        });
        g.sum(g.mul(y, g.constant(weights)))
    }
}

fn close(have: &ArrayD<f64>, want: &ArrayD<f64>) -> bool {
    let scale = want.iter().fold(1.0f64, |most, x| most.max(x.abs()));
    have.shape() == want.shape() && have.iter().zip(want).all(|(a, b)| (a - b).abs() <= 1e-11 * scale)
}

#[test]
fn any_formula_is_its_steps() {
    let mut differentiated = 0;
    for seed in 0..400 {
        let case = Case::new(seed);
        let both = [true, false].map(|fused| {
            let mut g = Graph::new();
            let x: Vec<Var> = case.arrays.iter().map(|x| g.leaf(x)).collect();
            let y = case.record(&g, &x, fused);
            // Swept twice, the second time onto what is there, then recorded.
            let swept = g.backward(y).and_then(|()| g.backward(y));
            let zeros = |v: Var| ArrayD::zeros(&g.shape(v)[..]);
            let mut found: Vec<ArrayD<f64>> =
                x.iter().map(|&v| g.grad(v).map_or_else(|| zeros(v), |bar| bar.to_owned())).collect();
            if swept.is_ok() {
                let recorded = g.gradient(y, &x).unwrap();
                found.extend(recorded.iter().map(|&v| g.value(v).to_owned()));
            }
            found.push(g.value(y).to_owned());
            (swept.is_ok(), found)
        });
        let [(swept, have), (as_ops, want)] = &both;
        assert_eq!(swept, as_ops, "{seed}: {:?}", case.steps);
        differentiated += usize::from(*swept);
        for (k, (have, want)) in have.iter().zip(want).enumerate() {
            assert!(close(have, want), "{seed}, array {k}: {:?} {:?}", case.steps, case.total);
        }
    }
    assert!(differentiated > 300, "{differentiated}");
}

#[test]
fn rows_of_a_jacobian_are_those_of_the_steps() {
    for seed in 1000..1060 {
        let case = Case::new(seed);
        let inputs: Vec<&dyn Source<f64>> = case.arrays.iter().map(|x| x as _).collect();
        let [have, want] = [true, false].map(|fused| {
            let f = |g: &Graph, x: &[Var]| {
                let y = case.record(g, x, fused);
                let z = g.eval(y.sin() + g.sum(x[0]));
                g.stack(&[y, z], 0)
            };
            jacobian(f, &inputs).unwrap()
        });
        for (have, want) in have.iter().zip(&want) {
            assert!(close(have, want), "{seed}: {:?} {:?}", case.steps, case.total);
        }
    }
}
