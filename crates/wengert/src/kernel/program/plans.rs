//! Plans made before: a loop runs the same formulas again and again.

use smallvec::SmallVec;

use super::plan::{Plan, Sum, Want};
use super::{FEW, Step, params};
use crate::hash::mix;
use crate::op::Params;

/// Plans kept.
const KEPT: usize = 64;

/// What a plan is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Goal {
    /// The value of every element, or their sum.
    Values(Sum),
    /// The cotangents of the leaves, and the sum on the way; the values may be in memory already.
    Cotangents { wants: SmallVec<[Want; FEW]>, total: bool, given: bool },
}

impl Goal {
    /// A number that tells goals apart, mostly.
    fn fingerprint(&self) -> u64 {
        match self {
            Goal::Values(sum) => *sum as u64,
            Goal::Cotangents { wants, total, given } => {
                let flags = 3 + u64::from(*total) + 2 * u64::from(*given);
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
    program: Option<u32>,
    /// Of a program that has no number.
    steps: SmallVec<[Step; 2]>,
    /// The attributes of the tuned steps: a partial may read other things at other ones.
    params: SmallVec<[Params; 4]>,
    goal: Option<Goal>,
}

impl Key {
    fn is(&self, program: Option<u32>, steps: &[Step], numbers: &[f64], goal: &Goal) -> bool {
        self.goal.as_ref() == Some(goal)
            && self.program == program
            && (program.is_some() || self.steps[..] == *steps)
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
    /// The plan for `goal`, of a program by the number that it always has, if it has one.
    pub fn of(&mut self, program: Option<u32>, steps: &[Step], numbers: &[f64], goal: Goal) -> &Plan {
        if self.kept.is_empty() {
            self.kept.resize_with(KEPT, Default::default);
        }
        let hash = match program {
            Some(program) => mix(goal.fingerprint(), program.into()),
            None => steps.iter().fold(goal.fingerprint(), |hash, step| mix(hash, step.code())),
        };
        let (key, plan) = &mut self.kept[hash as usize % KEPT];
        if !key.is(program, steps, numbers, &goal) {
            match &goal {
                Goal::Values(sum) => plan.forward(steps, *sum),
                Goal::Cotangents { wants, total, given } => {
                    plan.reverse(steps, numbers, wants, *total, *given)
                }
            }
            key.program = program;
            key.steps.clear();
            key.steps.extend_from_slice(if program.is_none() { steps } else { &[] });
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
            total: false,
            given: true,
        });
        let goals: Vec<Goal> =
            [Goal::Values(Sum::No), Goal::Values(Sum::Products)].into_iter().chain(swept).collect();
        let mut plans = Plans::default();
        for round in 0..3 {
            for (k, steps) in programs.iter().enumerate() {
                let goal = &goals[(k + round) % goals.len()];
                let number = (k % 5 != 0).then_some(k as u32);
                let have = plans.of(number, steps, &[], goal.clone());
                let mut fresh = Plans::default();
                let want = fresh.of(None, steps, &[], goal.clone());
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
            || Goal::Cotangents { wants: SmallVec::from_slice(&[Want::Written]), total: false, given: true };
        let mut plans = Plans::default();
        for power in [1.0, 2.0, 3.0, 1.0, 0.0, 2.0] {
            let numbers = [power, 0.0];
            let leaves = plans.of(Some(0), &steps, &numbers, goal()).leaves;
            assert_eq!(leaves, Plans::default().of(None, &steps, &numbers, goal()).leaves, "{power}");
        }
    }

    /// As many leaves as a formula may have.
    #[test]
    fn goals_of_many_leaves_are_told_apart() {
        let goal = |want: Want| {
            let wants = (0..49).map(|k| if k == 48 { want } else { Want::Over }).collect();
            Goal::Cotangents { wants, total: true, given: true }.fingerprint()
        };
        assert_ne!(goal(Want::Nothing), goal(Want::Written));
    }
}
