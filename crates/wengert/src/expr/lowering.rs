//! Formulas written as programs of steps, each step once.

use crate::kernel::program::{LONGEST, Slot, Step};
use crate::op::{Binary, Params, Tuned, Unary};
use crate::var::Var;

/// A program under construction. Equal steps are written once.
#[doc(hidden)]
#[derive(Default)]
pub struct Lowering {
    pub(crate) steps: Vec<Step>,
    pub(crate) leaves: Vec<Var>,
    pub(crate) numbers: Vec<f64>,
    /// A handle that comes up twice is two leaves: the program is that of every formula of the type.
    pub(crate) apart: bool,
    /// A number met an op that has no form for it, so that it has to be recorded as a constant.
    pub(crate) refused: bool,
}

/// A part of a program under construction.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub enum Piece {
    Slot(Slot),
    Number(f64),
}

impl Lowering {
    pub(crate) fn clear(&mut self) {
        self.steps.clear();
        self.leaves.clear();
        self.numbers.clear();
        self.refused = false;
        self.apart = false;
    }

    /// Writes the steps in `kept` to `part`; the result of any other that they read is the leaf that `find` gives.
    pub(crate) fn part<E>(
        &self,
        kept: u64,
        find: &mut dyn FnMut(usize) -> Result<Var, E>,
        part: &mut Lowering,
    ) -> Result<(), E> {
        let mut places = [0u16; LONGEST];
        for (k, step) in self.steps.iter().enumerate() {
            places[k] = part.steps.len() as u16;
            if kept >> k & 1 == 0 {
                continue;
            }
            let mut slot = |part: &mut Lowering, slot: Slot| match slot {
                Slot::Step(j) if kept >> j & 1 == 1 => Ok(Slot::Step(places[j as usize])),
                Slot::Step(j) => Ok(part.slot_of(find(j as usize)?)),
                Slot::Leaf(l) => Ok(part.slot_of(self.leaves[l as usize])),
            };
            let step = match *step {
                Step::Unary(op, a) => Step::Unary(op, slot(part, a)?),
                Step::Binary(op, a, b) => Step::Binary(op, slot(part, a)?, slot(part, b)?),
                Step::Tuned(op, a, at) => {
                    let a = slot(part, a)?;
                    part.numbers.extend_from_slice(&self.numbers[at as usize..][..2]);
                    Step::Tuned(op, a, part.numbers.len() as u16 - 2)
                }
            };
            part.steps.push(step);
        }
        Ok(())
    }

    pub(super) fn leaf(&mut self, v: Var) -> Piece {
        Piece::Slot(self.slot_of(v))
    }

    fn slot_of(&mut self, v: Var) -> Slot {
        let known = self.leaves.iter().position(|l| *l == v && !self.apart);
        Slot::Leaf(known.unwrap_or_else(|| {
            self.leaves.push(v);
            self.leaves.len() - 1
        }) as u16)
    }

    fn step(&mut self, step: Step) -> Piece {
        let known = self.steps.iter().position(|s| *s == step);
        Piece::Slot(Slot::Step(known.unwrap_or_else(|| {
            self.steps.push(step);
            self.steps.len() - 1
        }) as u16))
    }

    /// The slot of a part; a bare number where a program has no place for one spoils it.
    fn slot(&mut self, x: Piece) -> Slot {
        match x {
            Piece::Slot(slot) => slot,
            Piece::Number(_) => {
                self.refused = true;
                Slot::Leaf(0)
            }
        }
    }

    pub(super) fn unary(&mut self, op: Unary, x: Piece) -> Piece {
        let x = self.slot(x);
        self.step(Step::Unary(op, x))
    }

    pub(super) fn tuned(&mut self, op: Tuned, p: Params, x: Piece) -> Piece {
        let x = self.slot(x);
        let same = |s: &Step| matches!(*s, Step::Tuned(o, a, at) if o == op && a == x && self.numbers[at as usize..][..2] == p);
        if let Some(known) = self.steps.iter().position(same) {
            return Piece::Slot(Slot::Step(known as u16));
        }
        self.numbers.extend(p);
        self.step(Step::Tuned(op, x, self.numbers.len() as u16 - 2))
    }

    pub(super) fn binary(&mut self, op: Binary, a: Piece, b: Piece) -> Piece {
        match (a, b) {
            (Piece::Slot(x), Piece::Number(c)) => match op.number_right(c) {
                Some((op, c)) => return self.tuned(op, [c, 0.0], Piece::Slot(x)),
                None => self.refused = true,
            },
            (Piece::Number(c), Piece::Slot(x)) => match op.number_left() {
                Some(op) => return self.tuned(op, [c, 0.0], Piece::Slot(x)),
                None => self.refused = true,
            },
            _ => {}
        }
        let (a, b) = (self.slot(a), self.slot(b));
        self.step(Step::Binary(op, a, b))
    }
}
