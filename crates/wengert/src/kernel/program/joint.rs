//! [`Joint`]: several programs as one, so that what they read in common is read once, and what one reads of another stays in a tile.

use smallvec::SmallVec;

use super::{LONGEST, Program, Slot, Step};

/// Programs one behind the other. They share leaves, and read each other's steps.
#[derive(Default)]
pub struct Joint {
    steps: SmallVec<[Step; 64]>,
    numbers: SmallVec<[f64; 96]>,
    results: u64,
}

impl Joint {
    /// Whether so many steps and leaves make a program.
    pub fn fits(steps: usize, leaves: usize) -> bool {
        steps <= LONGEST && leaves <= u64::BITS as usize
    }

    /// Adds a program whose leaves are the `slots` of this one; returns the step that is its value. A result comes behind those before.
    pub fn add(&mut self, program: &Program<'_>, slots: &[Slot], is_result: bool) -> u16 {
        let before = self.steps.len() as u16;
        let slot = |slot: Slot| match slot {
            Slot::Leaf(l) => slots[l as usize],
            Slot::Step(k) => Slot::Step(before + k),
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
        let last = self.steps.len() as u16 - 1;
        if is_result {
            self.add_result(last);
        }
        last
    }

    /// Makes a step a result, which comes behind those before.
    pub fn add_result(&mut self, step: u16) {
        assert!(self.results >> step == 0, "results come one behind the other");
        self.results |= 1 << step;
    }

    pub fn program(&self) -> Program<'_> {
        Program { number: None, steps: &self.steps, numbers: &self.numbers, results: self.results }
    }
}
