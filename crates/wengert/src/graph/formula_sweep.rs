//! The sweep through a formula.

use smallvec::SmallVec;

use crate::graph::formula::Leaves;
use crate::graph::sweep::Sweep;
use crate::graph::tape::{Memory, Node, Tape};
use crate::graph::totals::LONG;
use crate::kernel::functions::Functions;
use crate::kernel::operand::Operand;
use crate::kernel::program::{FEW, Into, Place, RESULTS, Run, Seed};
use crate::kernel::walk::{Rolled, Walk};
use crate::memory::Loan;
use crate::ops;
use crate::shape::{Layout, reduced, same};

/// Elements of a run from which the cotangent of a view is added where it belongs.
const RUN: usize = 16;

/// The cotangent of a formula's result.
pub enum Bar<'a, T> {
    /// In a buffer that is the sweep's to hand on.
    Own(Loan),
    /// Read where it lies.
    Lent(&'a Operand<'a, T>),
    /// Every element has this one.
    Each(T),
}

impl<T: Functions> Sweep<T> {
    /// Whether `argument` is a formula of arrays, or one of its ops, that node `id`, recorded right behind it, is the last to
    /// contribute to, and the first.
    pub fn is_next(&self, tape: &Tape<T>, id: usize, argument: usize) -> bool {
        let node = tape.nodes[argument];
        argument + 1 == id
            && argument >= self.floor
            && tape.is_elementwise(argument)
            && !node.is_retained()
            && !self.is_present(&node)
    }

    /// The sweep through a sum or mean over axes and the node before it at once: that one reads the cotangent repeated,
    /// which is written nowhere.
    pub fn visit_reduced(
        &mut self,
        tape: &mut Tape<T>,
        memory: &Memory<T>,
        id: usize,
        over: &[usize],
        divisor: f64,
    ) {
        let node = tape.nodes[id];
        let Some(mut y_bar) = self.take(&node) else { return };
        let len = tape.entry(id).len;
        if node.is_retained() {
            self.keep_copy(len, id, &y_bar);
        }
        let data = y_bar.slice_mut::<T>(len);
        if divisor != 1.0 {
            data.iter_mut().for_each(|y_bar| *y_bar /= T::of(divisor));
        }
        let shape = tape.shape(id - 1);
        let kept = Layout::contiguous(&reduced(shape, over, true));
        let walk = Walk::new(shape, &kept.broadcast_strides(shape));
        let repeated = Operand { data, first: 0, walk };
        self.run_part(tape, memory, id - 1, Bar::Lent(&repeated));
        self.pool.give_back(y_bar);
    }

    /// The sweep through a formula that has a cotangent.
    pub fn visit_formula(&mut self, tape: &mut Tape<T>, memory: &Memory<T>, id: usize, node: &Node) {
        if tape.formulas[node.a as usize].total.is_some() {
            return self.visit_total(tape, memory, id, node);
        }
        let Some(y_bar) = self.take(node) else { return };
        if node.is_retained() {
            self.keep_copy(tape.entry(id).len, id, &y_bar);
        }
        tape.settle(memory, &mut self.scratch, &[id]);
        tape.share(memory, &mut self.scratch, &[id as u32], false);
        self.run_part(tape, memory, id, Bar::Own(y_bar));
    }

    /// The cotangents of the arguments of a formula, or of an op as the formula of one step that it is.
    #[inline(never)]
    pub fn run_part(&mut self, tape: &Tape<T>, memory: &Memory<T>, id: usize, y_bar: Bar<'_, T>) {
        let (node, entry) = (tape.nodes[id], tape.entry(id));
        tape.with_part(id as u32, |program, arguments| {
            let whole = tape.whole(program, arguments);
            let mut leaves = Leaves::new();
            tape.leaves(memory, whole.arguments(), &entry.layout.shape, &mut leaves);
            let run = Run { program: whole.program(), leaves: &leaves, len: entry.len };
            let y = memory.slab.slice::<T>(tape.arrays[node.slot as usize].place, entry.len);
            self.run_one(tape, whole.arguments(), &entry.layout.shape, &run, y_bar, y);
        });
    }

    /// The cotangents of the leaves of `run`, from that of its result, whose value is `y`.
    #[inline(always)]
    fn run_one(
        &mut self,
        tape: &Tape<T>,
        parents: &[u32],
        shape: &[usize],
        run: &Run<'_, T>,
        y_bar: Bar<'_, T>,
        y: &[T],
    ) {
        let mut bars = [y_bar];
        let heir = self.run_reverse(tape, parents, shape, run, &mut bars, Some(y), 0, &mut []);
        match (bars, heir) {
            ([Bar::Own(loan)], Some(id)) => self.inherit(id, &tape.nodes[id], loan),
            ([Bar::Own(loan)], None) => self.pool.give_back(loan),
            _ => {}
        }
    }

    /// One pass over tiles: the cotangents of the `parents`, which are the leaves of `run`, from those of its results; and the totals that
    /// `totals` asks for, to `sums`. The first parent of the result's shape that has no cotangent yet takes over the buffer of the
    /// result's, and is returned.
    pub fn run_reverse(
        &mut self,
        tape: &Tape<T>,
        parents: &[u32],
        shape: &[usize],
        run: &Run<'_, T>,
        bars: &mut [Bar<'_, T>],
        y: Option<&[T]>,
        totals: u64,
        sums: &mut [T],
    ) -> Option<usize> {
        let mut goals: SmallVec<[Goal; FEW]> = SmallVec::new();
        self.find_goals(tape, parents, shape, run.len, &mut goals);
        let inherits = |goal: &Goal| match *goal {
            Goal::Same(id) => self.may_inherit(&tape.nodes[id]).then_some(id),
            _ => None,
        };
        let heir = match bars {
            [Bar::Own(_)] => goals.iter().enumerate().find_map(|(k, goal)| Some((k, inherits(goal)?))),
            _ => None,
        };
        let inherits = |k: usize| heir.is_some_and(|(heir, _)| heir == k);
        let mut lent: SmallVec<[Lent; FEW]> = SmallVec::new();
        for (_, goal) in goals.iter_mut().enumerate().filter(|(k, _)| !inherits(*k)) {
            let added = matches!(goal, Goal::Added(_));
            if let Goal::Same(slot) | Goal::Added(slot) = goal {
                let id = std::mem::replace(slot, lent.len());
                match lent.iter().position(|lent| lent.id == id) {
                    Some(at) => *slot = at,
                    None => lent.push(self.lend_to(tape, id, added)),
                }
            }
        }
        let mut ones: SmallVec<[T; FEW]> = SmallVec::new();
        parents.iter().for_each(|_| ones.push(T::zero()));
        let reached = {
            let flat;
            let mut over = None;
            let mut seeds: SmallVec<[Seed<'_, T>; RESULTS]> = SmallVec::new();
            if let [Bar::Own(loan)] = bars {
                let data = loan.slice_mut::<T>(run.len);
                seeds.push(match heir {
                    Some(_) => {
                        over = Some(data);
                        Seed::Under { y: y.expect("a cotangent of its own is that of an array") }
                    }
                    None => {
                        flat = Operand { data, first: 0, walk: Walk::flat(run.len) };
                        Seed::Array { y_bar: &flat, y }
                    }
                });
            } else {
                for bar in bars.iter() {
                    seeds.push(match bar {
                        Bar::Lent(y_bar) => Seed::Array { y_bar, y },
                        Bar::Each(y_bar) => Seed::Each(*y_bar),
                        Bar::Own(_) => unreachable!("a cotangent to hand on is the only one"),
                    });
                }
            }
            let mut arrays: SmallVec<[Open<'_, T>; FEW]> = SmallVec::new();
            for Lent { id, loan, held } in &mut lent {
                arrays.push(Open { out: Some(loan.slice_mut(tape.entry(*id).len)), held: *held, to: 0 });
            }
            let mut into: SmallVec<[Into<'_, T>; FEW]> = SmallVec::new();
            let mut added: SmallVec<[&mut [T]; FEW]> = SmallVec::new();
            for ((k, goal), one) in goals.iter().enumerate().zip(&mut ones) {
                into.push(match *goal {
                    _ if inherits(k) => Into::Over { bar: over.take().expect("one heir") },
                    Goal::Nowhere => Into::Nowhere,
                    Goal::One => {
                        added.push(std::slice::from_mut(one));
                        Into::Added(Place {
                            to: added.len() - 1,
                            first: 0,
                            walk: Walk::new(&[run.len], &[0]),
                        })
                    }
                    Goal::Same(slot) => {
                        let Open { out, held, .. } = &mut arrays[slot];
                        Into::Same { out: out.take().expect("nothing else is added to it"), held: *held }
                    }
                    Goal::Added(slot) => {
                        let Open { out, to, .. } = &mut arrays[slot];
                        if let Some(out) = out.take() {
                            added.push(out);
                            *to = added.len() - 1;
                        }
                        let (first, walk) = self.home(tape, parents[k] as usize, run.len).walk(shape);
                        Into::Added(Place { to: *to, first, walk })
                    }
                });
            }
            run.reverse(&mut self.scratch, &seeds, &mut into, &mut added, totals, sums)
        };
        for (k, goal) in goals.iter().enumerate().filter(|(k, _)| reached >> k & 1 == 1) {
            match goal {
                _ if inherits(k) => {}
                Goal::Same(slot) | Goal::Added(slot) => lent[*slot].held = true,
                Goal::One => self.add_one(parents[k] as usize, ones[k]),
                Goal::Nowhere => {}
            }
        }
        for Lent { id, loan, held } in lent {
            if held { self.store(&tape.nodes[id], loan) } else { self.pool.give_back(loan) }
        }
        heir.filter(|(k, _)| reached >> k & 1 == 1).map(|(_, id)| id)
    }

    /// Where the cotangent of a leaf of a formula of `len` elements goes. Short ones are quicker poured into what they belong to
    /// afterwards, those without long runs at any length; and an argument that is waited for gets its own.
    fn home(&self, tape: &Tape<T>, id: usize, len: usize) -> Home {
        let far = len >= LONG && self.floor != usize::MAX;
        let shown = if far { shown(tape, id) } else { None };
        let own = || Home::own(tape, id);
        shown.filter(|home| home.walk(&home.layout.shape).1.runs_at_least(RUN)).unwrap_or_else(own)
    }

    /// What is to become of the cotangents of `parents`, broadcast to `shape`, in terms of nodes.
    fn find_goals(
        &self,
        tape: &Tape<T>,
        parents: &[u32],
        shape: &[usize],
        len: usize,
        goals: &mut SmallVec<[Goal; FEW]>,
    ) {
        for &parent in parents {
            let (id, node) = (parent as usize, &tape.nodes[parent as usize]);
            goals.push(match () {
                () if !node.is_differentiable() => Goal::Nowhere,
                () if node.is_lane() => Goal::One,
                () if len < LONG && same(tape.shape(id), shape) => Goal::Same(id),
                () if len < LONG => Goal::Added(id),
                () => {
                    let home = self.home(tape, id, len);
                    match home.walk(shape).1.is_contiguous() && tape.entry(home.id).len == len {
                        true => Goal::Same(home.id),
                        false => Goal::Added(home.id),
                    }
                }
            });
        }
        // What something else is added to is not written in place.
        for k in (0..goals.len()).filter(|_| len >= LONG) {
            let Goal::Same(id) = goals[k] else { continue };
            let meets = |goal: &Goal| matches!(goal, Goal::Same(own) | Goal::Added(own) if *own == id);
            if goals.iter().enumerate().any(|(other, goal)| other != k && meets(goal)) {
                goals[k] = Goal::Added(id);
            }
        }
    }

    /// The buffer of a node's cotangent; zeros to add to, if there was none.
    fn lend_to(&mut self, tape: &Tape<T>, id: usize, added: bool) -> Lent {
        let len = tape.entry(id).len;
        let (mut loan, held) = self.buffer(id, &tape.nodes[id], len);
        if added && !held {
            loan.slice_mut::<T>(len).fill(T::zero());
        }
        Lent { id, loan, held }
    }
}

/// A buffer that cotangents of leaves are written to, of node `id`.
struct Lent {
    id: usize,
    loan: Loan,
    /// Whether it holds a cotangent.
    held: bool,
}

/// The array in such a buffer, until a leaf takes it or it is the `to`-th of those that are added to.
struct Open<'a, T> {
    out: Option<&'a mut [T]>,
    held: bool,
    to: usize,
}

/// What is to become of a leaf's cotangent. An array is a node, or one of the buffers that are lent.
#[derive(Clone, Copy)]
enum Goal {
    Nowhere,
    /// It is a number.
    One,
    /// It is this array, which has the result's shape.
    Same(usize),
    /// It is repeated, or a view: it is added to this array.
    Added(usize),
}

/// The array that keeps the cotangent of a node: its own, or the one that it is a view of.
struct Home {
    id: usize,
    /// The node's elements in that array, and where they begin.
    layout: Layout,
    first: usize,
    /// The axis that is gone round, if there is one.
    rolled: Rolled,
}

impl Home {
    fn own<T: Functions>(tape: &Tape<T>, id: usize) -> Self {
        Home { id, layout: Layout::contiguous(tape.shape(id)), first: 0, rolled: Rolled::default() }
    }

    /// The elements as they are read by a formula of `shape`.
    fn walk(&self, shape: &[usize]) -> (usize, Walk) {
        (self.first, Walk::broadcast(&self.layout, self.rolled, shape))
    }
}

/// Where the elements of node `id` lie in what it shows, through any number of views and perhaps gone round, if its cotangent
/// is nobody's but that array's.
fn shown<T: Functions>(tape: &Tape<T>, id: usize) -> Option<Home> {
    let rule = ops::rule(tape.op(id)?);
    let parents = tape.parents_of(id);
    let [parent] = parents[..] else { return None };
    if !rule.is_linear() || tape.nodes[id].is_retained() || tape.nodes[parent].is_lane() {
        return None;
    }
    let within = shown(tape, parent).unwrap_or_else(|| Home::own(tape, parent));
    if within.rolled != Rolled::default() {
        return None;
    }
    if let Some(rolled) = rule.rolled(&within.layout.shape) {
        return Some(Home { rolled, ..within });
    }
    let (layout, offset) = rule.view(&within.layout)?;
    let first = within.first.checked_add_signed(offset)?;
    layout.strides.iter().all(|step| *step >= 0).then_some(Home { layout, first, ..within })
}
