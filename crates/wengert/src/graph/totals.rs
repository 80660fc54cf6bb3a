//! Totals that read the same long arrays, and are computed or swept together, in one pass over these.

use smallvec::SmallVec;

use crate::graph::formula::Formula;
use crate::graph::tape::{Kind, Tape};
use crate::kernel::functions::Functions;
use crate::kernel::program::{FEW, Joint, RESULTS};
use crate::shape::same;

/// Elements of a formula from which it pays to add cotangents where they belong, and to save a pass over them.
pub const LONG: usize = 1 << 13;

/// How far back others are looked for that are alike.
pub const NEAR: usize = 16;

/// Nodes of totals that are run together, in the order they were recorded in.
pub type Group = SmallVec<[u32; RESULTS]>;

/// The arguments of such totals, each once.
pub type Arguments = SmallVec<[u32; FEW]>;

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

    /// Whether the total at node `id` goes over the same elements as those of the `group`, and has a long argument in common with them.
    pub fn is_alike(&self, group: &[u32], id: u32) -> bool {
        let size = |id: u32| [self.program(self.formula_at(id)).steps.len(), self.leaves_at(id).len()];
        let all = group.iter().fold(size(id), |all, &own| [0, 1].map(|k| all[k] + size(own)[k]));
        // Their layouts may have several numbers each, according to what was recorded before.
        let shape = |id: u32| &self.layouts.get(self.formula_at(id).layout).layout.shape;
        let known = |leaf: &u32| group.iter().any(|&own| self.leaves_at(own).contains(leaf));
        let is_long = |leaf: usize| !self.nodes[leaf].is_lane() && self.entry(leaf).len >= LONG;
        group.len() < RESULTS
            && same(shape(id), shape(group[0]))
            && Joint::fits(all)
            && self.leaves_at(id).iter().any(|leaf| known(leaf) && is_long(*leaf as usize))
    }

    /// The programs of the totals in `group` as one, and its arguments.
    pub fn join(&self, group: &[u32]) -> (Joint, Arguments) {
        let (mut joint, mut arguments) = (Joint::default(), Arguments::new());
        for &id in group {
            let mut places: SmallVec<[u16; FEW]> = SmallVec::new();
            for leaf in self.leaves_at(id) {
                let known = arguments.iter().position(|known| known == leaf);
                places.push(known.unwrap_or(arguments.len()) as u16);
                if known.is_none() {
                    arguments.push(*leaf);
                }
            }
            joint.add(&self.program(self.formula_at(id)), |l| places[l as usize]);
        }
        (joint, arguments)
    }
}
