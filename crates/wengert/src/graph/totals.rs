//! Totals that read the same long arrays, and are computed or swept together, in one pass over these.

use smallvec::SmallVec;

use crate::graph::formula::Formula;
use crate::graph::taking::Reach;
use crate::graph::tape::{Kind, Tape};
use crate::kernel::functions::Functions;
use crate::kernel::program::{Joint, RESULTS};
use crate::shape::same;

/// Elements of a formula from which it pays to add cotangents where they belong, and to save a pass over them.
pub const LONG: usize = 1 << 13;

/// How far back others are looked for that are alike.
pub const NEAR: usize = 16;

/// Nodes of totals that are run together, in the order they were recorded in.
pub type Group = SmallVec<[u32; RESULTS]>;

/// The arguments of such totals, each once.
pub type Arguments = SmallVec<[u32; 32]>;

impl<T: Functions> Tape<T> {
    /// The formula at node `id`.
    pub fn formula_at(&self, id: u32) -> &Formula {
        &self.formulas[self.nodes[id as usize].a as usize]
    }

    /// The ids of its arguments.
    pub fn leaves_at(&self, id: u32) -> &[u32] {
        self.formula_parents(self.nodes[id as usize].a)
    }

    /// Whether node `id` is a total of a formula.
    pub fn is_total(&self, id: u32) -> bool {
        matches!(self.nodes[id as usize].kind, Kind::Formula) && self.formula_at(id).total.is_some()
    }

    /// Whether the total at node `id` goes over the same elements as those of the `group`, which reach `all`, and has a long array in common
    /// with them.
    pub fn is_alike(&self, group: &[u32], all: &Reach, id: u32) -> bool {
        // Their layouts may have several numbers each, according to what was recorded before.
        let entry = |id: u32| self.layouts.get(self.formula_at(id).layout);
        if group.len() == RESULTS
            || entry(id).len < LONG
            || !same(&entry(id).layout.shape, &entry(group[0]).layout.shape)
        {
            return false;
        }
        let own = self.reach(&[id], &[]);
        let is_long = |leaf: usize| !self.nodes[leaf].is_lane() && self.entry(leaf).len >= LONG;
        let mut common = own.arguments.iter().filter(|id| all.arguments.contains(id));
        Joint::fits(own.steps + all.steps, own.arguments.len() + all.arguments.len())
            && (common.any(|&id| is_long(id as usize)) || own.taken.iter().any(|id| all.taken.contains(id)))
    }
}
