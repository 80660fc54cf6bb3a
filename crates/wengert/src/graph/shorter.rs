//! Parts of a formula that come out shorter than the whole: numbers, rows, columns. They become nodes of their own, computed
//! once and not for each element that reads them.

use crate::error::Error;
use crate::expr::Lowering;
use crate::graph::{Engine, Graph};
use crate::kernel::program::{LONGEST, Slot};
use crate::op::Op;
use crate::shape::Shape;
use crate::var::Var;

/// Elements of a formula from which a number in it is computed apart, and an array.
const BESIDE_NUMBERS: usize = 1 << 10;
const BESIDE_ARRAYS: usize = 1 << 12;
/// How many times as many elements as such an array a formula has.
const TIMES: usize = 4;

/// The steps that are numbers within a formula of `len` elements, whose leaves are numbers where `is_number` says so.
pub fn numbers_in(program: &Lowering, len: usize, is_number: impl Fn(usize) -> bool) -> u64 {
    if len < BESIDE_NUMBERS {
        return 0;
    }
    let mut numbers = 0u64;
    for (k, step) in program.steps.iter().enumerate() {
        let all = step.slots().all(|slot| match slot {
            Slot::Leaf(l) => is_number(l as usize),
            Slot::Step(j) => numbers >> j & 1 == 1,
        });
        numbers |= u64::from(all) << k;
    }
    numbers
}

/// The steps of these shapes that are computed apart.
pub fn shorter_in(shapes: &[Shape]) -> u64 {
    let len = |shape: &Shape| shape.iter().product::<usize>();
    let all = len(&shapes[shapes.len() - 1]);
    let pays = |shape: &Shape| match len(shape) {
        0 | 1 => all >= BESIDE_NUMBERS,
        n => all >= BESIDE_ARRAYS && n.saturating_mul(TIMES) <= all,
    };
    shapes.iter().enumerate().filter(|(_, shape)| pays(shape)).fold(0, |mask, (k, _)| mask | 1 << k)
}

impl<T: Engine> Graph<T> {
    /// Records the steps `shorter` by themselves, and the program of all others, which read their results.
    pub(super) fn push_shortened(
        &self,
        program: &Lowering,
        shorter: u64,
        total: Option<&Op>,
    ) -> Result<Option<Var>, Error> {
        let mut known = [None; LONGEST];
        let mut find = |k: usize| match known[k] {
            Some(v) => Ok(v),
            None => self.record_part(program, k).inspect(|v| known[k] = Some(*v)),
        };
        let mut rest = self.blank();
        program.part(!shorter, &mut find, &mut rest)?;
        let recorded = self.push_formula(&rest, total);
        self.lowerings.borrow_mut().push(rest);
        recorded
    }

    /// Records the steps that lead to step `last`, and that one.
    fn record_part(&self, program: &Lowering, last: usize) -> Result<Var, Error> {
        let mut needed = 1u64 << last;
        for k in (0..=last).rev() {
            let reads = needed >> k & 1 == 1;
            for slot in program.steps[k].slots() {
                if let (true, Slot::Step(j)) = (reads, slot) {
                    needed |= 1 << j;
                }
            }
        }
        let mut part = self.blank();
        program.part(needed, &mut |_| unreachable!("all that it reads is part of it"), &mut part)?;
        let is_array =
            |v: &Var| self.with_tape(|tape| tape.resolve(*v).is_ok_and(|id| !tape.nodes[id].is_lane()));
        let fuses = part.steps.len() > 1 && part.leaves.iter().any(is_array);
        let recorded = if fuses { T::formula(self, &part, None)? } else { None };
        let recorded = recorded.unwrap_or_else(|| {
            *self.record_steps(&part.steps, &part.numbers, &part.leaves).last().expect("one step at least")
        });
        self.lowerings.borrow_mut().push(part);
        Ok(recorded)
    }
}
