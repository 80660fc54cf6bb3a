//! [`Programs`]: the programs of formulas, interned.

use std::any::TypeId;

use crate::expr::{Lowering, Statement};
use crate::hash::mix;
use crate::kernel::program::Step;

/// The programs of a graph, each stored once. They outlive rewinds: a loop finds its own again.
#[derive(Default)]
pub struct Programs {
    all: Vec<Box<[Step]>>,
    recent: [u32; 32],
    /// Programs of formulas of numbers by their types, `None` for those that have none.
    statements: Vec<(TypeId, Option<u32>)>,
    recent_statements: [u16; 32],
}

impl Programs {
    pub fn intern(&mut self, steps: &[Step]) -> u32 {
        let hash = steps.iter().fold(steps.len() as u64, |hash, step| mix(hash, step.code()));
        let home = hash as usize % self.recent.len();
        let recent = self.recent[home];
        if self.all.get(recent as usize).is_some_and(|known| **known == *steps) {
            return recent;
        }
        let known = self.all.iter().position(|known| **known == *steps);
        let index = known.unwrap_or_else(|| {
            self.all.push(steps.into());
            self.all.len() - 1
        });
        self.recent[home] = index as u32;
        index as u32
    }

    /// The program of a formula of numbers, if it is known; inner `None` if there is none.
    #[inline(always)]
    pub fn of_statement<E: Statement>(&self) -> Option<Option<u32>> {
        let recent = self.recent_statements[const { home(E::HASH) }];
        let known = self.statements.get(usize::from(recent));
        known.filter(|known| known.0 == TypeId::of::<E>()).map(|known| known.1)
    }

    #[cold]
    pub fn learn_statement(&mut self, of: TypeId, hash: usize, program: &Lowering) -> Option<u32> {
        let index = self.statements.iter().position(|known| known.0 == of).unwrap_or_else(|| {
            let program = (!program.refused).then(|| self.intern(&program.steps));
            self.statements.push((of, program));
            self.statements.len() - 1
        });
        self.recent_statements[home(hash)] = index as u16;
        self.statements[index].1
    }

    pub fn get(&self, program: u32) -> &[Step] {
        &self.all[program as usize]
    }
}

/// The place in the cache where a formula of numbers is looked for.
const fn home(hash: usize) -> usize {
    hash % 32
}
