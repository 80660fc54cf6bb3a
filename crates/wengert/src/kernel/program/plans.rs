//! Plans made before: a loop runs the same formulas again and again.

use smallvec::SmallVec;

use super::plan::{Plan, Sum, Want};
use super::{FEW, Program, Step, params};
use crate::hash::mix;
use crate::op::Params;

/// Plans kept.
const KEPT: usize = 64;

/// What a plan is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Goal {
    /// The value of every element, or their sum.
    Values(Sum),
    /// The cotangents of the leaves, and the sums of some results on the way; the values may be in memory already.
    Cotangents { wants: SmallVec<[Want; FEW]>, totals: u64, given: bool },
}

impl Goal {
    /// A number that tells goals apart, mostly.
    fn fingerprint(&self) -> u64 {
        match self {
            Goal::Values(sum) => *sum as u64,
            Goal::Cotangents { wants, totals, given } => {
                let flags = 3 + u64::from(*totals != 0) + 2 * u64::from(*given);
                wants.iter().fold(flags, |hash, want| mix(hash, *want as u64))
            }
        }
    }
}

/// The plans of a graph's formulas.
#[derive(Default)]
pub struct Plans {
    kept: Vec<(Key, Plan)>,
}

#[derive(Debug, Default)]
struct Key {
    number: Option<u32>,
    /// Of a program that has no number.
    steps: SmallVec<[Step; 2]>,
    results: u64,
    /// The attributes of the tuned steps: a partial may read other things at other ones.
    params: SmallVec<[Params; 4]>,
    goal: Option<Goal>,
}

impl Key {
    fn is(&self, program: &Program<'_>, goal: &Goal) -> bool {
        let Program { number, steps, numbers, results } = *program;
        self.goal.as_ref() == Some(goal)
            && self.number == number
            && (number.is_some() || (self.results == results && self.steps[..] == *steps))
            && (self.params.is_empty() || tuned(steps, numbers).eq(self.params.iter().copied()))
    }
}

fn tuned<'s>(steps: &'s [Step], numbers: &'s [f64]) -> impl Iterator<Item = Params> + 's {
    steps.iter().filter_map(|step| match *step {
        Step::Tuned(_, _, at) => Some(params(numbers, at)),
        _ => None,
    })
}

impl Plans {
    /// The plan for `goal`, of a program by its number, if it has one.
    pub fn of(&mut self, program: &Program<'_>, goal: Goal) -> &Plan {
        if self.kept.is_empty() {
            self.kept.resize_with(KEPT, Default::default);
        }
        let Program { number, steps, numbers, results } = *program;
        let hash = match number {
            Some(number) => mix(goal.fingerprint(), number.into()),
            None => steps.iter().fold(goal.fingerprint(), |hash, step| mix(hash, step.code())),
        };
        let (key, plan) = &mut self.kept[hash as usize % KEPT];
        if !key.is(program, &goal) {
            match &goal {
                Goal::Values(sum) => plan.forward(program, *sum),
                Goal::Cotangents { wants, totals, given } => plan.reverse(program, wants, *totals, *given),
            }
            (key.number, key.results) = (number, results);
            key.steps.clear();
            key.steps.extend_from_slice(if number.is_none() { steps } else { &[] });
            key.params.clear();
            key.params.extend(tuned(steps, numbers));
            key.goal = Some(goal);
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::program::Slot;
    use crate::op::{Binary, Unary};

    /// More programs than places, asked for in turns and for several goals: each time the plan that would be made for it alone.
    #[test]
    fn every_program_finds_its_own_plan() {
        let [x, y] = [Slot::Leaf(0), Slot::Leaf(1)];
        let programs: Vec<Vec<Step>> = (0..150)
            .map(|k| {
                let op = [Unary::Exp, Unary::Sin, Unary::Neg][k % 3];
                let chain = (0..k / 3 % 7).map(|j| Step::Unary(op, Slot::Step(j as u16)));
                let zip = [Binary::Add, Binary::Mul, Binary::Sub, Binary::Div][k / 21 % 4];
                std::iter::once(Step::Binary(zip, x, y)).chain(chain).collect()
            })
            .collect();
        let wants = [[Want::Written; 2], [Want::Nothing, Want::Apart], [Want::Added, Want::Over]];
        let swept = wants.map(|wants| Goal::Cotangents {
            wants: SmallVec::from_slice(&wants),
            totals: 0,
            given: true,
        });
        let goals: Vec<Goal> =
            [Goal::Values(Sum::No), Goal::Values(Sum::Products)].into_iter().chain(swept).collect();
        let mut plans = Plans::default();
        for round in 0..3 {
            for (k, steps) in programs.iter().enumerate() {
                let goal = &goals[(k + round) % goals.len()];
                let number = (k % 5 != 0).then_some(k as u32);
                let have = plans.of(&Program { number, ..Program::new(steps, &[]) }, goal.clone());
                let mut fresh = Plans::default();
                let want = fresh.of(&Program::new(steps, &[]), goal.clone());
                assert_eq!(format!("{:?}", have.acts), format!("{:?}", want.acts), "{k} {goal:?}");
            }
        }
    }

    /// Ops of one program that differ in what their partials read.
    #[test]
    fn attributes_have_plans_of_their_own() {
        let steps =
            [Step::Tuned(crate::op::Tuned::Powi, Slot::Leaf(0), 0), Step::Unary(Unary::Exp, Slot::Step(0))];
        let goal =
            || Goal::Cotangents { wants: SmallVec::from_slice(&[Want::Written]), totals: 0, given: true };
        let mut plans = Plans::default();
        for power in [1.0, 2.0, 3.0, 1.0, 0.0, 2.0] {
            let numbers = [power, 0.0];
            let program = Program::new(&steps, &numbers);
            let leaves = plans.of(&Program { number: Some(0), ..program }, goal()).leaves;
            assert_eq!(leaves, Plans::default().of(&program, goal()).leaves, "{power}");
        }
    }

    /// As many leaves as a formula may have.
    #[test]
    fn goals_of_many_leaves_are_told_apart() {
        let goal = |want: Want| {
            let wants = (0..49).map(|k| if k == 48 { want } else { Want::Over }).collect();
            Goal::Cotangents { wants, totals: 1, given: true }.fingerprint()
        };
        assert_ne!(goal(Want::Nothing), goal(Want::Written));
    }
}
