//! Einstein summation, recorded as diagonals, sums and matrix products.
//!
//! Operands are contracted two at a time, the pair first whose result grows least; indices shared by the pair and needed
//! later are the batch of a matrix product, indices needed no more its inner dimension. Derivatives come from the parts.

mod equation;
#[cfg(test)]
mod tests;

use smallvec::SmallVec;

use crate::error::Refusal;
use crate::kernel::functions::Functions;
use crate::op::{Diagonal, Einsum, Squeeze};
use crate::rule::*;
use crate::shape::Shape;
use crate::term::{Term, signed};
use equation::{Equation, Labels};

impl Einsum {
    fn read(&self, shapes: &[&[usize]]) -> Result<Equation, Refusal> {
        Equation::new(&self.equation, shapes)
    }
}

impl Rule for Einsum {
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let real: SmallVec<[Dtype; 4]> = SmallVec::from_elem(Dtype::Real, args.len());
        let equation = self.read(&expect(args, &real)?)?;
        one(equation.output.iter().map(|&l| equation.length(l)).collect())
    }

    fn expand<'r>(&self, args: &[Term<'r>]) -> Option<Terms<'r>> {
        let shapes: SmallVec<[Shape; 4]> = args.iter().map(|x| x.shape()).collect();
        let shapes: SmallVec<[&[usize]; 4]> = shapes.iter().map(|s| &s[..]).collect();
        let equation = self.read(&shapes).expect("the equation has passed `infer`");
        let parts = args.iter().zip(&equation.inputs);
        let parts = parts.map(|(&term, labels)| Part { term, labels: labels.clone() }.simple(&equation));
        let result = contract_all(parts.collect(), &equation);
        let result = summed(result, |label| equation.output.contains(&label));
        let term = result.permuted(&equation.output);
        // The result is a node of its own even where nothing had to be done.
        let unchanged = args.iter().any(|x| x.var() == term.var());
        let term = if unchanged { term.permute(&(0..term.ndim()).collect::<Shape>()) } else { term };
        Some(Terms::from_elem(term, 1))
    }
}

impl<T: Functions> Kernels<T> for Einsum {}

/// An operand or an intermediate result, with the index of each axis.
struct Part<'r> {
    term: Term<'r>,
    labels: Labels,
}

impl<'r> Part<'r> {
    /// Each index once, and none along which this operand is broadcast.
    fn simple(mut self, equation: &Equation) -> Self {
        while let Some((axis0, axis1)) = repeated(&self.labels) {
            self.term = self.term.apply(Diagonal { axis0, axis1 }, &[]);
            let label = self.labels.remove(axis1);
            self.labels.remove(axis0);
            self.labels.push(label);
        }
        let shape = self.term.shape();
        let is_broadcast = |k: &usize| shape[*k] == 1 && equation.length(self.labels[*k]) != 1;
        let dropped: Shape = (0..shape.len()).filter(is_broadcast).collect();
        if !dropped.is_empty() {
            self.term = self.term.apply(Squeeze { axes: Some(signed(&dropped)) }, &[]);
            let kept = (0..shape.len()).filter(|k| !dropped.contains(k));
            self.labels = kept.map(|k| self.labels[k]).collect();
        }
        self
    }

    /// With the axes in the order of `labels`, which are all of its own.
    fn permuted(&self, labels: &[u8]) -> Term<'r> {
        if self.labels[..] == *labels {
            return self.term;
        }
        let place = |label: &u8| self.labels.iter().position(|l| l == label).expect("its own index");
        self.term.permute(&labels.iter().map(place).collect::<Shape>())
    }

    /// With an axis for each of `labels`, of length 1 where the index is not its own.
    fn aligned(&self, labels: &[u8]) -> Term<'r> {
        let own: Labels = labels.iter().copied().filter(|l| self.labels.contains(l)).collect();
        let missing = labels.iter().enumerate().filter(|(_, l)| !own.contains(l));
        missing.fold(self.permuted(&own), |term, (axis, _)| term.unsqueeze(axis))
    }

    /// As matrices `[batch.., rows, cols]`, built in the order in which this part holds rows and columns.
    fn matrices(&self, batch: &[u8], rows: &[u8], cols: &[u8], equation: &Equation) -> Term<'r> {
        let first = |group: &[u8]| self.labels.iter().position(|l| group.contains(l));
        let swapped = !rows.is_empty() && !cols.is_empty() && first(cols) < first(rows);
        let (outer, inner) = if swapped { (cols, rows) } else { (rows, cols) };
        let order: Labels = batch.iter().chain(outer).chain(inner).copied().collect();
        let term = self.permuted(&order);
        let term = match (outer.len(), inner.len()) {
            (1, 1) => term,
            (0, 1) => term.unsqueeze(batch.len()),
            (1, 0) => term.unsqueeze(batch.len() + 1),
            _ => {
                let mut shape: Shape = batch.iter().map(|&l| equation.length(l)).collect();
                shape.extend([equation.size(outer), equation.size(inner)]);
                term.reshape(&shape)
            }
        };
        if swapped { term.t() } else { term }
    }
}

/// The first two axes of the same index.
fn repeated(labels: &[u8]) -> Option<(usize, usize)> {
    (0..labels.len()).find_map(|k| Some((labels[..k].iter().position(|l| *l == labels[k])?, k)))
}

/// Sums over the indices that are not kept.
fn summed<'r>(part: Part<'r>, keep: impl Fn(u8) -> bool) -> Part<'r> {
    let (labels, gone): (Labels, Labels) = part.labels.iter().copied().partition(|&l| keep(l));
    if gone.is_empty() {
        return part;
    }
    let axes: Shape = (0..part.labels.len()).filter(|&k| gone.contains(&part.labels[k])).collect();
    Part { term: part.term.sum(&axes, false), labels }
}

/// Contracts parts two at a time until one is left; it may still have indices that the result has not.
fn contract_all<'r>(mut parts: SmallVec<[Part<'r>; 4]>, equation: &Equation) -> Part<'r> {
    while parts.len() > 1 {
        // Indices of one part alone are summed first: nothing else depends on them.
        for k in 0..parts.len() {
            let part = Part { term: parts[k].term, labels: std::mem::take(&mut parts[k].labels) };
            parts[k] = summed(part, |label| equation.output.contains(&label) || used(&parts, &[k], label));
        }
        let (i, j) = cheapest(&parts, equation);
        let keep = |label: u8| equation.output.contains(&label) || used(&parts, &[i, j], label);
        let joined = contract(&parts[i], &parts[j], keep, equation);
        parts.remove(j);
        parts[i] = joined;
    }
    parts.pop().expect("an equation has an operand")
}

/// Whether a part other than those at `except` has this index.
fn used(parts: &[Part<'_>], except: &[usize], label: u8) -> bool {
    parts.iter().enumerate().any(|(k, part)| !except.contains(&k) && part.labels.contains(&label))
}

/// The pair whose result is smallest, compared with what it replaces.
fn cheapest(parts: &[Part<'_>], equation: &Equation) -> (usize, usize) {
    let size = |labels: &Labels| labels.iter().map(|&l| equation.length(l) as f64).product::<f64>();
    let (mut best, mut pair) = (f64::INFINITY, (0, 1));
    for (i, a) in parts.iter().enumerate() {
        for (j, b) in parts.iter().enumerate().skip(i + 1) {
            let keep = |l: &u8| equation.output.contains(l) || used(parts, &[i, j], *l);
            let fresh = b.labels.iter().filter(|l| !a.labels.contains(l));
            let result: Labels = a.labels.iter().chain(fresh).copied().filter(keep).collect();
            let growth = size(&result) - size(&a.labels) - size(&b.labels);
            if growth < best {
                (best, pair) = (growth, (i, j));
            }
        }
    }
    pair
}

/// The product of two parts, summed over the shared indices that are not kept.
fn contract<'r>(a: &Part<'r>, b: &Part<'r>, keep: impl Fn(u8) -> bool, equation: &Equation) -> Part<'r> {
    let wanted = |label: u8| equation.output.iter().position(|l| *l == label).unwrap_or(usize::MAX);
    let alone = |x: &Part<'r>, y: &Part<'r>| -> Labels {
        x.labels.iter().copied().filter(|l| !y.labels.contains(l)).collect()
    };
    let rank = |labels: &Labels| labels.first().map_or(0, |&l| wanted(l));
    let (rows, cols) = (alone(a, b), alone(b, a));
    let swap = !rows.is_empty() && !cols.is_empty() && rank(&cols) < rank(&rows);
    let (a, b, rows, cols) = if swap { (b, a, cols, rows) } else { (a, b, rows, cols) };
    let (batch, inner): (Labels, Labels) =
        a.labels.iter().copied().filter(|l| b.labels.contains(l)).partition(|&l| keep(l));
    let mut labels: Labels = batch.iter().chain(&rows).chain(&cols).copied().collect();
    if inner.is_empty() {
        if labels.len() == equation.output.len() && labels.iter().all(|&l| wanted(l) < labels.len()) {
            labels.clone_from(&equation.output);
        }
        return Part { term: a.aligned(&labels) * b.aligned(&labels), labels };
    }
    let left = a.matrices(&batch, &rows, &inner, equation);
    let right = b.matrices(&batch, &inner, &cols, equation);
    let shape: Shape = labels.iter().map(|&l| equation.length(l)).collect();
    Part { term: left.matmul(right).reshape(&shape), labels }
}
