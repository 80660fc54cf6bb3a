//! Graphs of `f32`: how far a case may be off, from how its `f64` results move under rounding errors.

use crate::case::{Array, Case, Named, Values};
use crate::compare::disagreement;
use crate::evaluate::{Found, Trouble, evaluate};
use crate::run::{Outcome, in_double};

/// Half the distance from 1 to the next `f32`: one rounding.
const ROUNDING: f64 = f32::EPSILON as f64 / 2.0;
/// How many runs imitate rounding errors.
const RUNS: u64 = 4;
/// Allowed multiple of the largest movement seen.
const MOVEMENTS: f64 = 8.0;
/// Allowed roundings of the largest magnitude in the part: some, and some more for each instruction.
const ROUNDINGS: [f64; 2] = [16.0, 2.0];
/// A case that agrees, but whose condition allows more than this share of its magnitude, says nothing in `f32`.
const HOPELESS: f64 = 0.25;

/// What is held against what under `--f32`, for people.
pub const RULE: &str = "f32: inputs rounded to f32, results held against the stored f64 values.
allowed = f64 tolerance of the case + 8 d + (16 + 2 n) u m (all of it ten times for hvp), with u = 2^-24 and n the
number of instructions.
m: the largest magnitude in the output; for derivatives, whose terms may cancel, that in all expected derivatives,
the cotangent and the directions of the case.
d: the largest movement of the element over 5 runs in f64, on inputs rounded to f32, and (away from kinks) 4 times
with every input and every result of an instruction off by a random relative error up to u besides.
A case must agree in f64 first. beyond f32: a number of the case overflows or vanishes in f32, or the case agrees but
8 d is above a quarter of m somewhere, so that this says little.";

/// Changes made to the numbers of a run in `f64` so that it moves as one in `f32` might.
pub(crate) struct Nudge {
    round: bool,
    noise: Option<u64>,
}

impl Nudge {
    pub fn none() -> Self {
        Nudge { round: false, noise: None }
    }

    /// An input or a number of the program.
    pub fn number(&mut self, x: f64) -> f64 {
        let x = if self.round { f64::from(x as f32) } else { x };
        match self.noise {
            Some(_) => x * self.factor(),
            None => x,
        }
    }

    /// Factors for the elements of a result.
    pub fn factors(&mut self, len: usize) -> Option<Vec<f64>> {
        self.noise?;
        Some((0..len).map(|_| self.factor()).collect())
    }

    /// Near 1, by at most a rounding (a xorshift generator: any sequence will do).
    fn factor(&mut self) -> f64 {
        let Some(state) = &mut self.noise else { return 1.0 };
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        1.0 + ROUNDING * ((*state >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
    }
}

/// The verdict on a case in `f32`; it has to be right in `f64` first.
pub(crate) fn judge(case: &Case, values: &Values) -> Result<Outcome, Trouble> {
    match in_double(case, values)? {
        Outcome::Failed(wrong) => {
            return Ok(Outcome::Failed(wrong.into_iter().map(|w| format!("already in f64: {w}")).collect()));
        }
        Outcome::Passed => {}
        other => return Ok(other),
    }
    if let Some(why) = out_of_range(case, values) {
        return Ok(Outcome::Beyond(why));
    }
    let mut moved = vec![evaluate::<f64>(case, values, &mut Nudge { round: true, noise: None })?];
    if !case.has_flag("kink") {
        for run in 0..RUNS {
            let noise = Some(0x9e37_79b9_7f4a_7c15 ^ (run + 1).wrapping_mul(0xbf58_476d_1ce4_e5b9));
            moved.push(evaluate::<f64>(case, values, &mut Nudge { round: true, noise })?);
        }
    }
    compare(case, values, &evaluate::<f32>(case, values, &mut Nudge::none())?, &moved)
}

fn compare(
    case: &Case,
    values: &Values,
    found: &[Found<'_>],
    moved: &[Vec<Found<'_>>],
) -> Result<Outcome, Trouble> {
    let (mut wrong, mut vague) = (Vec::new(), None);
    let derivatives = largest_derivative(values);
    for (p, part) in found.iter().enumerate() {
        let want = part.want.map_or(&[][..], Array::reals);
        let m = if part.part == "output" { largest(want) } else { derivatives };
        // Where a rounding makes a number infinite or undefined, it may be anything.
        let movement = |k: usize| {
            let w = want.get(k).copied().unwrap_or(0.0);
            let runs = moved.iter().filter_map(|run| run[p].got.as_ref()?.reals().get(k));
            runs.filter(|got| w.is_finite() || got.is_finite()).fold(0.0, |d: f64, got| {
                match got.is_finite() {
                    true => d.max((got - w).abs()),
                    false => f64::INFINITY,
                }
            })
        };
        let d = (0..want.len()).map(movement).fold(0.0, f64::max);
        if MOVEMENTS * d > HOPELESS * m && m > 0.0 {
            vague.get_or_insert_with(|| format!("{}: moves by {d:.1e} of {m:.1e}", part.part));
        }
        // Below the smallest normal number f32 has no relative accuracy.
        let roundings = ROUNDINGS[0] + ROUNDINGS[1] * case.program.len() as f64;
        let floor = roundings * ROUNDING * m + f64::from(f32::MIN_POSITIVE);
        let slack = |k: usize| part.factor * (MOVEMENTS * movement(k) + floor);
        wrong.extend(disagreement(part, values.tolerance, case.has_flag("signed_zero"), &slack));
    }
    Ok(match vague {
        _ if !wrong.is_empty() => Outcome::Failed(wrong),
        Some(why) => Outcome::Beyond(why),
        None => Outcome::Passed,
    })
}

fn largest(values: &[f64]) -> f64 {
    values.iter().filter(|x| x.is_finite()).fold(0.0, |m, x| m.max(x.abs()))
}

/// The magnitude of what derivatives of the case are made of.
fn largest_derivative(values: &Values) -> f64 {
    let named =
        |named: &Named| named.iter().filter_map(|(_, g)| g.as_ref()).map(|g| largest(g.reals())).collect();
    let mut all: Vec<f64> = named(&values.grads);
    all.extend(values.cotangent.iter().map(|y_bar| largest(y_bar.reals())));
    if let Some(jvp) = &values.jvp {
        all.push(largest(jvp.output.reals()));
        all.extend(jvp.tangents.iter().map(|(_, x_dot)| largest(x_dot.reals())));
    }
    if let Some(hvp) = &values.hvp {
        all.extend(named(&hvp.grads));
        all.extend(hvp.v.iter().map(|(_, v)| largest(v.reals())));
    }
    all.into_iter().fold(0.0, f64::max)
}

/// A number that becomes infinite or zero as `f32`.
fn out_of_range(case: &Case, values: &Values) -> Option<String> {
    let lost = |x: &&f64| x.is_finite() && **x != 0.0 && !((**x as f32).is_normal());
    let overflows = |x: &&f64| x.is_finite() && !(**x as f32).is_finite();
    let inputs = case.inputs.iter().find_map(|i| i.value.reals().iter().find(lost));
    if let Some(x) = inputs {
        return Some(format!("an input is {x:e}"));
    }
    let grads = values.grads.iter().filter_map(|(_, g)| g.as_ref());
    let arrays = grads.chain([&values.output]).chain(values.cotangent.as_ref());
    let expected = arrays.flat_map(|a| a.reals()).find(overflows);
    expected.map(|x| format!("a result is {x:e}"))
}
