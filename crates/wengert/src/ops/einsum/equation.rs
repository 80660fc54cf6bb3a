//! The equation of an einsum, read against the shapes of its operands.

use smallvec::SmallVec;

use crate::error::{ErrorKind, Refusal};

/// The index of each axis: a letter, or [`BROADCAST`] plus the distance from the right end for an axis under an ellipsis.
pub type Labels = SmallVec<[u8; 8]>;

const BROADCAST: u8 = 128;
/// How an ellipsis stands among the letters until it is known how many axes it covers.
const ELLIPSIS: u8 = b'.';

/// The indices of each operand and of the result, and the length of each.
pub struct Equation {
    pub inputs: SmallVec<[Labels; 4]>,
    pub output: Labels,
    lengths: SmallVec<[(u8, usize); 8]>,
}

fn invalid(rule: impl Into<String>) -> Refusal {
    Refusal::new(ErrorKind::InvalidAttribute, rule)
}

impl Equation {
    pub fn new(text: &[u8], shapes: &[&[usize]]) -> Result<Self, Refusal> {
        let arrow = text.windows(2).position(|w| w == b"->");
        let (left, right) = match arrow {
            Some(at) => (&text[..at], Some(&text[at + 2..])),
            None => (text, None),
        };
        let mut inputs = left.split(|&c| c == b',').map(tokens).collect::<Result<SmallVec<_>, _>>()?;
        if inputs.len() != shapes.len() {
            let rule = format!("the equation names {} operands, {} are given", inputs.len(), shapes.len());
            return Err(invalid(rule));
        }
        let mut equation =
            Equation { inputs: SmallVec::new(), output: Labels::new(), lengths: SmallVec::new() };
        let mut covered = 0;
        for (k, (labels, shape)) in inputs.iter_mut().zip(shapes).enumerate() {
            covered = covered.max(spread(labels, shape.len(), k)?);
            equation.measure(labels, shape)?;
        }
        equation.output = match right {
            Some(right) => explicit(tokens(right)?, &inputs, covered)?,
            None => implicit(&inputs, covered),
        };
        equation.inputs = inputs;
        Ok(equation)
    }

    /// The length of an index: that of all its axes but those of length 1.
    pub fn length(&self, label: u8) -> usize {
        self.lengths.iter().find(|(l, _)| *l == label).map_or(1, |(_, n)| *n)
    }

    pub fn size(&self, labels: &[u8]) -> usize {
        labels.iter().map(|&l| self.length(l)).product()
    }

    fn measure(&mut self, labels: &Labels, shape: &[usize]) -> Result<(), Refusal> {
        for (axis, (&label, &n)) in labels.iter().zip(shape).enumerate() {
            if let Some(first) = labels[..axis].iter().position(|&l| l == label)
                && shape[first] != n
            {
                return Err(differ(label, shape[first], n));
            }
            match self.lengths.iter_mut().find(|(l, _)| *l == label) {
                None => self.lengths.push((label, n)),
                Some((_, have)) if *have == 1 => *have = n,
                Some((_, have)) if n != 1 && n != *have => return Err(differ(label, *have, n)),
                Some(_) => {}
            }
        }
        Ok(())
    }
}

fn differ(label: u8, a: usize, b: usize) -> Refusal {
    let rule = match label {
        BROADCAST.. => format!("an axis under the ellipsis has lengths {a} and {b}"),
        _ => format!("index {} has lengths {a} and {b}", char::from(label)),
    };
    Refusal::new(ErrorKind::ShapeMismatch, rule)
}

/// The letters of one operand, with a mark for the ellipsis.
fn tokens(mut text: &[u8]) -> Result<Labels, Refusal> {
    let mut labels = Labels::new();
    while let Some((&c, rest)) = text.split_first() {
        text = rest;
        match c {
            b' ' => {}
            b'a'..=b'z' | b'A'..=b'Z' => labels.push(c),
            b'.' if rest.starts_with(b"..") && !labels.contains(&ELLIPSIS) => {
                labels.push(ELLIPSIS);
                text = &rest[2..];
            }
            b'.' => return Err(invalid("a dot that is not part of one ellipsis `...`")),
            _ => return Err(invalid(format!("`{}` is no index: indices are letters", char::from(c)))),
        }
    }
    Ok(labels)
}

/// Replaces the ellipsis by an index for each axis that it covers; returns how many those are.
fn spread(labels: &mut Labels, rank: usize, operand: usize) -> Result<usize, Refusal> {
    let at = labels.iter().position(|&l| l == ELLIPSIS);
    let letters = labels.len() - usize::from(at.is_some());
    let fits = if at.is_some() { (letters..=letters + 64).contains(&rank) } else { letters == rank };
    if !fits {
        let rule = format!("operand {operand} has {rank} axes, the equation names {letters} of them");
        return Err(Refusal::new(ErrorKind::RankMismatch, rule));
    }
    if let Some(at) = at {
        cover(labels, at, rank - letters);
    }
    Ok(rank - letters)
}

fn cover(labels: &mut Labels, at: usize, count: usize) {
    labels.remove(at);
    labels.insert_many(at, (0..count as u8).rev().map(|k| BROADCAST + k));
}

/// An explicit result. As in PyTorch, axes under an ellipsis that the result does not repeat are summed.
fn explicit(mut output: Labels, inputs: &[Labels], covered: usize) -> Result<Labels, Refusal> {
    if let Some(at) = output.iter().position(|&l| l == ELLIPSIS) {
        cover(&mut output, at, covered);
    }
    for (k, &label) in output.iter().enumerate().filter(|(_, l)| **l < BROADCAST) {
        if output[..k].contains(&label) {
            return Err(invalid(format!("index {} stands twice in the result", char::from(label))));
        }
        if !inputs.iter().any(|labels| labels.contains(&label)) {
            return Err(invalid(format!("index {} of the result is in no operand", char::from(label))));
        }
    }
    Ok(output)
}

/// The result where none is written: the ellipsis, then the letters that occur once, in alphabetical order.
fn implicit(inputs: &[Labels], covered: usize) -> Labels {
    let mut output: Labels = (0..covered as u8).rev().map(|k| BROADCAST + k).collect();
    let count = |label: u8| inputs.iter().flatten().filter(|l| **l == label).count();
    output.extend((b'A'..=b'z').filter(|&label| count(label) == 1));
    output
}
