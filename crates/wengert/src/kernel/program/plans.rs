//! Plans made before: a loop runs the same formulas again and again.

use smallvec::SmallVec;

use super::plan::{Plan, Sum, Want};
use super::{FEW, Step, params};
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
    fn fingerprint(&self) -> usize {
        match self {
            Goal::Values(sum) => *sum as usize,
            Goal::Cotangents { wants, total, given } => {
                let flags = 3 + usize::from(*total) + 2 * usize::from(*given);
                wants.iter().fold(flags, |h, want| 5 * h + want.fingerprint())
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
    steps: SmallVec<[Step; 16]>,
    /// The attributes of the tuned steps: a partial may read other things at other ones.
    params: SmallVec<[Params; 4]>,
    goal: Option<Goal>,
}

impl Key {
    fn is(&self, steps: &[Step], numbers: &[f64], goal: &Goal) -> bool {
        self.goal.as_ref() == Some(goal)
            && self.steps[..] == *steps
            && tuned(steps, numbers).eq(self.params.iter().copied())
    }
}

fn tuned<'s>(steps: &'s [Step], numbers: &'s [f64]) -> impl Iterator<Item = Params> + 's {
    steps.iter().filter_map(|step| match *step {
        Step::Tuned(_, _, at) => Some(params(numbers, at)),
        _ => None,
    })
}

impl Plans {
    /// The plan for `goal`.
    pub fn of(&mut self, steps: &[Step], numbers: &[f64], goal: Goal) -> &Plan {
        if self.kept.is_empty() {
            self.kept.resize_with(KEPT, Default::default);
        }
        let mix = |h: usize, v: usize| (h ^ v).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
        let hash = steps.iter().map(super::fingerprint).fold(goal.fingerprint(), mix);
        let (key, plan) = &mut self.kept[hash % KEPT];
        if !key.is(steps, numbers, &goal) {
            match &goal {
                Goal::Values(sum) => plan.forward(steps, *sum),
                Goal::Cotangents { wants, total, given } => {
                    plan.reverse(steps, numbers, wants, *total, *given)
                }
            }
            key.steps.clear();
            key.steps.extend_from_slice(steps);
            key.params.clear();
            key.params.extend(tuned(steps, numbers));
            key.goal = Some(goal);
        }
        plan
    }
}
