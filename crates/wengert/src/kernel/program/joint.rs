//! [`Joint`]: several programs as one, so that what they read in common is read once.

use smallvec::SmallVec;

use super::{LONGEST, Program, Slot, Step};

/// Programs one behind the other. They share leaves, not steps.
#[derive(Default)]
pub struct Joint {
    steps: SmallVec<[Step; 32]>,
    numbers: SmallVec<[f64; 16]>,
    results: u64,
}

impl Joint {
    /// Whether so many steps and leaves make a program.
    pub fn fits([steps, leaves]: [usize; 2]) -> bool {
        steps <= LONGEST && leaves <= u64::BITS as usize
    }

    /// Adds a program whose `l`-th leaf is the `leaf(l)`-th of all; its results come behind those before.
    pub fn add(&mut self, program: &Program<'_>, leaf: impl Fn(u16) -> u16) {
        let before = self.steps.len();
        let slot = |slot: Slot| match slot {
            Slot::Leaf(l) => Slot::Leaf(leaf(l)),
            Slot::Step(k) => Slot::Step(before as u16 + k),
        };
        for step in program.steps {
            let step = match *step {
                Step::Unary(op, a) => Step::Unary(op, slot(a)),
                Step::Binary(op, a, b) => Step::Binary(op, slot(a), slot(b)),
                Step::Tuned(op, a, at) => {
                    let own = self.numbers.len() as u16;
                    self.numbers.extend(super::params(program.numbers, at));
                    Step::Tuned(op, slot(a), own)
                }
            };
            self.steps.push(step);
        }
        self.results |= program.results << before;
    }

    pub fn program(&self) -> Program<'_> {
        Program { number: None, steps: &self.steps, numbers: &self.numbers, results: self.results }
    }
}
