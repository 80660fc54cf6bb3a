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
                wants.iter().fold(flags, |h, want| 5 * h + *want as u64)
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
