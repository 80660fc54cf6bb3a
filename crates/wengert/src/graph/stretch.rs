//! [`Stretch`]: the part of the tape that a recorded derivative walks over, with a cotangent or tangent for each node.

use smallvec::SmallVec;

use crate::graph::tape::Tape;
use crate::kernel::functions::Functions;
use crate::var::Var;

/// Nodes `first..=root`, and those before them that the derivative is taken with respect to.
///
/// Nothing passes beyond `first`: where one node before the stretch depends on another, each has its own share.
pub struct Stretch {
    first: usize,
    /// Whether a node of the stretch depends on what is differentiated, and the root on it.
    leads: Vec<bool>,
    vars: Vec<Option<Var>>,
    before: SmallVec<[(usize, Option<Var>); 4]>,
}

impl Stretch {
    pub fn new<T: Functions>(tape: &Tape<T>, first: usize, root: usize, ids: &[usize]) -> Self {
        let len = root + 1 - first;
        let before: SmallVec<[(usize, Option<Var>); 4]> =
            ids.iter().filter(|&&id| id < first).map(|&id| (id, None)).collect();
        let is_before = |p: usize| before.iter().any(|(id, _)| *id == p);
        let mut leads = vec![false; len];
        ids.iter().filter(|&id| (first..=root).contains(id)).for_each(|&id| leads[id - first] = true);
        for k in 0..len {
            leads[k] |= tape.nodes[first + k].is_differentiable()
                && tape.parents_of(first + k).iter().any(|&p| match p.checked_sub(first) {
                    Some(p) => leads[p],
                    None => is_before(p),
                });
        }
        let mut needed = vec![false; len];
        needed[len - 1] = true;
        for k in (0..len).rev() {
            leads[k] &= needed[k];
            if needed[k] {
                let parents = tape.parents_of(first + k);
                parents.iter().filter_map(|p| p.checked_sub(first)).for_each(|p| needed[p] = true);
            }
        }
        Stretch { first, leads, vars: vec![None; len], before }
    }

    /// Whether a derivative passes through node `id`, or is wanted for it.
    pub fn leads(&self, id: usize) -> bool {
        match id.checked_sub(self.first) {
            Some(k) => self.leads.get(k).is_some_and(|leads| *leads),
            None => self.before.iter().any(|(before, _)| *before == id),
        }
    }

    /// The cotangent or tangent of node `id`, if one has arrived.
    pub fn get(&self, id: usize) -> Option<Var> {
        match id.checked_sub(self.first) {
            Some(k) => self.vars.get(k).copied().flatten(),
            None => self.before.iter().find(|(before, _)| *before == id)?.1,
        }
    }

    /// Sets what [`Stretch::get`] gives; nodes of no interest are passed over.
    pub fn set(&mut self, id: usize, v: Option<Var>) {
        match id.checked_sub(self.first) {
            Some(k) if k < self.vars.len() => self.vars[k] = v,
            Some(_) => {}
            None => {
                self.before.iter_mut().filter(|(before, _)| *before == id).for_each(|(_, slot)| *slot = v)
            }
        }
    }
}
