//! Rows of a Jacobian: sweeps of one or of several cotangents, whichever is faster.

use crate::error::Result;
use crate::graph::Engine;
use crate::graph::Graph;
use crate::graph::sweep::{Held, MOST, Strands};
use crate::graph::tape::Tape;
use crate::var::Var;

/// Elements of an array's cotangents, in all strands, that are still in cache when they are read.
const CACHED: usize = 1 << 15;
/// Strands that are worth sweeping together where there could be more.
const FEWEST: usize = 4;
/// Elements of an array whose cotangents are better swept one by one.
const LONG: usize = CACHED / FEWEST;

impl<T: Engine> Graph<T> {
    /// Writes the derivative of each element of `y` with respect to each of the leaves `x` to `rows`: for each leaf, row
    /// after row. Forgets the gradients there were.
    pub(super) fn rows_here(
        &mut self,
        what: &'static str,
        y: Var,
        x: &[Var],
        rows: &mut [Vec<T>],
    ) -> Result<()> {
        let id = self.check_root(what, y)?;
        self.sweep.forget();
        match self.strands_for(id, x) {
            1 => self.rows_alone(what, y, id, x, rows),
            count => self.rows_together(what, y, id, x, rows, count),
        }
    }

    /// How many of the rows of `y` are best swept together: as many as leave the cotangents of an array in cache.
    fn strands_for(&self, id: usize, x: &[Var]) -> usize {
        self.with_tape(|tape| {
            let rows = tape.entry(id).len;
            let wide = x.iter().map(|x| tape.entry(x.id).len).sum::<usize>();
            let longest = swept(tape, id).map(|id| tape.entry(id).len).max().unwrap_or(0);
            match (CACHED / wide.max(longest).max(1)).min(MOST) {
                most @ FEWEST.. => rows.div_ceil(rows.div_ceil(most).max(1)).max(1),
                _ => 1,
            }
        })
    }

    /// How many rows of the Jacobian of `y` cost what a column does, whose tangent is recorded.
    pub(super) fn rows_a_column_here(&self, y: Var) -> usize {
        self.with_tape(|tape| {
            let (nodes, elements) =
                swept(tape, y.id).fold((1, 0), |(n, sum), id| (n + 1, sum + tape.entry(id).len));
            match elements / nodes {
                ..4 => 48,
                4..LONG => 8,
                _ => 3,
            }
        })
    }

    fn rows_alone(
        &mut self,
        what: &'static str,
        y: Var,
        id: usize,
        x: &[Var],
        rows: &mut [Vec<T>],
    ) -> Result<()> {
        for row in 0..self.tape.get_mut().entry(id).len {
            self.sweep_here(what, y, id, &mut |seed| {
                seed.fill(T::zero());
                seed[row] = T::one();
            })?;
            let tape = self.tape.get_mut();
            for (x, rows) in x.iter().zip(&mut *rows) {
                let len = tape.entry(x.id).len;
                let row = &mut rows[row * len..][..len];
                match self.sweep.of_input(tape.nodes[x.id].a) {
                    Some(Held::One(value)) => row[0] = *value,
                    Some(Held::Array(loan)) => row.copy_from_slice(loan.slice(len)),
                    None => {}
                }
            }
            self.sweep.forget();
        }
        Ok(())
    }

    fn rows_together(
        &mut self,
        what: &'static str,
        y: Var,
        id: usize,
        x: &[Var],
        rows: &mut [Vec<T>],
        count: usize,
    ) -> Result<()> {
        self.check_unmodified(what, y, id)?;
        let tape = self.tape.get_mut();
        let len = tape.entry(id).len;
        let mut strands = Strands::new(count, tape.nodes.len(), tape.arrays.len());
        for from in (0..len).step_by(count) {
            strands.open(count.min(len - from));
            let swept = self.sweep_rows(&mut strands, id, from);
            self.sweep.abandon();
            swept?;
            let tape = self.tape.get_mut();
            for (x, rows) in x.iter().zip(&mut *rows) {
                if let Some(found) = strands.of_leaf(tape, x.id) {
                    rows[from * found.len() / strands.count()..][..found.len()].copy_from_slice(found);
                }
            }
            strands.drop_from(&mut self.sweep.pool, 0, 0);
        }
        Ok(())
    }

    /// Sweeps from node `id`, its elements from `from` on having the cotangent 1 in a strand each.
    fn sweep_rows(&mut self, strands: &mut Strands<T>, id: usize, from: usize) -> Result<()> {
        let tape = self.tape.get_mut();
        self.sweep.open(tape.nodes.len(), tape.arrays.len());
        // It serves one node at a time: what that hands to its arguments is left there.
        self.sweep.floor = usize::MAX;
        let (count, len) = (strands.count(), tape.entry(id).len);
        let mut seed = self.sweep.pool.lend::<T>(count * len);
        let ones = seed.slice_mut::<T>(count * len);
        ones.fill(T::zero());
        ones[from..].iter_mut().step_by(len + 1).for_each(|one| *one = T::one());
        strands.add(tape, &mut self.sweep.pool, id, ones);
        self.sweep.pool.give_back(seed);
        self.sweep_strands(strands, id, 0)
    }
}

/// The nodes that a sweep from node `id` may come to.
fn swept<T: Engine>(tape: &Tape<T>, id: usize) -> impl Iterator<Item = usize> {
    (0..=id).filter(|&id| tape.nodes[id].is_differentiable() && tape.nodes[id].has_value())
}
