//! A case run through the engine's public API: built, differentiated in every way, read off as plain arrays.

use std::collections::HashMap;

use ndarray::{ArrayD, IxDyn};
use wengert::op::{Binary, Op, Sum};
use wengert::{Engine, ErrorKind, Graph, Var};

use crate::case::*;
use crate::single::Nudge;

/// Why a case has no results to compare.
#[derive(Debug)]
pub(crate) enum Trouble {
    NotSupported(String),
    Wrong(String),
}

/// One part of the results next to what is expected of it.
pub(crate) struct Found<'a> {
    pub part: String,
    pub want: Option<&'a Array>,
    pub got: Option<Array>,
    /// What the tolerance is multiplied by.
    pub factor: f64,
}

/// A refused instruction.
pub(crate) struct Refused {
    pub step: usize,
    pub kind: &'static str,
    pub message: String,
}

pub(crate) struct Built<'a, T: Engine> {
    pub graph: Graph<T>,
    vars: HashMap<&'a str, Var>,
}

/// Until every op has a rule: whether the engine says that it has none.
pub(crate) fn is_pending(message: &str) -> bool {
    message.contains("not supported yet")
}

fn failed<A>(what: &str, error: wengert::Error) -> Result<A, Trouble> {
    let message = error.to_string();
    match is_pending(&message) {
        true => Err(Trouble::NotSupported(error.op().to_string())),
        false => Err(Trouble::Wrong(format!("{what} refused as {}: {message}", error.kind().name()))),
    }
}

fn array_of<T: Engine>(shape: &[usize], values: &[f64]) -> ArrayD<T> {
    let values = values.iter().map(|&x| T::of(x)).collect();
    ArrayD::from_shape_vec(IxDyn(shape), values).expect("lengths were checked when the case was read")
}

impl<'a, T: Engine> Built<'a, T> {
    /// Records the program; the inner `Err` is an instruction that was refused.
    pub fn new(case: &'a Case, nudge: &mut Nudge) -> Result<Result<Self, Refused>, Trouble> {
        let mut built = Built { graph: Graph::default(), vars: HashMap::new() };
        for input in &case.inputs {
            let var = built.input(input, nudge);
            built.vars.insert(&input.name, var);
        }
        for (k, step) in case.program.iter().enumerate() {
            if let Err(refused) = built.step(k, step, nudge)? {
                return Ok(Err(refused));
            }
        }
        Ok(Ok(built))
    }

    fn input(&self, input: &Input, nudge: &mut Nudge) -> Var {
        let shape = &input.value.shape;
        match &input.value.data {
            Data::Real(values) => {
                let values: Vec<f64> = values.iter().map(|&x| nudge.number(x)).collect();
                match input.requires_grad {
                    true => self.graph.leaf(array_of(shape, &values)),
                    false => self.graph.constant(array_of(shape, &values)),
                }
            }
            Data::Index(values) => self.graph.indices(whole(shape, values)),
            Data::Mask(values) => self.graph.mask(whole(shape, values)),
        }
    }

    fn step(&mut self, k: usize, step: &'a Step, nudge: &mut Nudge) -> Result<Result<(), Refused>, Trouble> {
        let op = match &step.meaning {
            Meaning::Op(op) => op,
            Meaning::Unknown(what) => return Err(Trouble::NotSupported(what.clone())),
            Meaning::Excluded(rule) => {
                let kind = ErrorKind::InvalidAttribute.name();
                return Ok(Err(Refused { step: k, kind, message: rule.clone() }));
            }
        };
        let args: Vec<Var> = step.args.iter().map(|arg| self.argument(arg, nudge)).collect();
        let before = self.graph.node_count();
        let results = match self.graph.try_apply(op, &args) {
            Ok(results) => results,
            Err(error) if is_pending(&error.to_string()) => {
                return Err(Trouble::NotSupported(step.name.clone()));
            }
            Err(error) => {
                if self.graph.node_count() != before {
                    return Err(Trouble::Wrong(format!(
                        "`{}`: refused, yet nodes were left: {error}",
                        step.outs[0]
                    )));
                }
                return Ok(Err(Refused { step: k, kind: error.kind().name(), message: error.to_string() }));
            }
        };
        if results.len() != step.outs.len() {
            let (have, want) = (results.len(), step.outs.len());
            return Err(Trouble::Wrong(format!("`{}`: {have} results, expected {want}", step.outs[0])));
        }
        for (out, var) in step.outs.iter().zip(results) {
            self.vars.insert(out, self.nudged(var, nudge)?);
        }
        Ok(Ok(()))
    }

    fn argument(&self, argument: &Argument, nudge: &mut Nudge) -> Var {
        match argument {
            Argument::Name(name) => self.vars[name.as_str()],
            Argument::Number(x) => self.graph.constant(array_of(&[], &[nudge.number(*x)])),
        }
    }

    /// A result, times factors near 1 where rounding errors are being imitated.
    fn nudged(&self, var: Var, nudge: &mut Nudge) -> Result<Var, Trouble> {
        let shape = self.graph.shape(var);
        let Some(factors) = nudge.factors(shape.iter().product()) else { return Ok(var) };
        let factors = self.graph.constant(array_of(&shape, &factors));
        match self.graph.try_apply(&Op::Binary(Binary::Mul), &[var, factors]) {
            Ok(results) => Ok(results[0]),
            Err(error) if error.kind() == ErrorKind::DtypeMismatch => Ok(var),
            Err(error) => failed("a rounding error", error),
        }
    }

    fn constant(&self, value: &Array) -> Var {
        self.graph.constant(array_of(&value.shape, value.reals()))
    }

    fn read(&self, var: Var) -> Array {
        let value = self.graph.value(var);
        Array { shape: value.shape().to_vec(), data: Data::Real(value.iter().map(|x| x.as_f64()).collect()) }
    }

    fn output(&self, case: &Case, like: &Array) -> Array {
        let var = self.vars[case.output.as_str()];
        match like.data {
            Data::Real(_) => self.read(var),
            Data::Index(_) => {
                let value = self.graph.value_i64(var);
                Array { shape: value.shape().to_vec(), data: Data::Index(value.iter().copied().collect()) }
            }
            Data::Mask(_) => {
                let value = self.graph.value_bool(var);
                Array { shape: value.shape().to_vec(), data: Data::Mask(value.iter().copied().collect()) }
            }
        }
    }

    /// The numeric sweep; what it leaves stands in `grad`.
    pub fn backward(&mut self, case: &Case, cotangent: Option<&Array>) -> Result<(), wengert::Error> {
        let y = self.vars[case.output.as_str()];
        match cotangent {
            None => self.graph.backward(y),
            Some(y_bar) => self.graph.backward_with(y, array_of::<T>(&y_bar.shape, y_bar.reals())),
        }
    }

    /// Gradients of inputs after `backward`.
    pub fn grad(&self, name: &str) -> Option<Array> {
        let grad = self.graph.grad(self.vars[name])?;
        let data = Data::Real(grad.iter().map(|x| x.as_f64()).collect());
        Some(Array { shape: grad.shape().to_vec(), data })
    }

    /// The gradient as nodes, for each of `xs`; none where no path leads to any of them.
    fn gradient(&self, y: Var, y_bar: Option<&Array>, xs: &[Var]) -> Result<Option<Vec<Var>>, Trouble> {
        let found = match y_bar {
            None => self.graph.gradient(y, xs),
            Some(y_bar) => self.graph.gradient_with(y, self.constant(y_bar), xs),
        };
        match found {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::NoGradientPath => Ok(None),
            Err(error) => failed("gradient", error),
        }
    }

    /// `sum(a * b)`
    fn inner(&self, a: Var, b: Var) -> Result<Var, Trouble> {
        let product = self.graph.try_apply(&Op::Binary(Binary::Mul), &[a, b]);
        let sum = product.and_then(|v| self.graph.try_apply(&Sum::default().into(), &[v[0]]));
        sum.map(|v| v[0]).or_else(|error| failed("hvp", error))
    }
}

fn whole<A: Copy>(shape: &[usize], values: &[A]) -> ArrayD<A> {
    ArrayD::from_shape_vec(IxDyn(shape), values.to_vec())
        .expect("lengths were checked when the case was read")
}

/// Everything the case has expectations for, in a fixed order.
pub(crate) fn evaluate<'a, T: Engine>(
    case: &'a Case,
    values: &'a Values,
    nudge: &mut Nudge,
) -> Result<Vec<Found<'a>>, Trouble> {
    let mut built = Built::<T>::new(case, nudge)?.map_err(|refused| {
        let out = &case.program[refused.step].outs[0];
        Trouble::Wrong(format!("`{out}` refused as {}: {}", refused.kind, refused.message))
    })?;
    let output = built.output(case, &values.output);
    let mut found =
        vec![Found { part: "output".into(), want: Some(&values.output), got: Some(output), factor: 1.0 }];
    if !values.output.is_real() {
        if built.graph.is_differentiable(built.vars[case.output.as_str()]) {
            return Err(Trouble::Wrong("an output of whole numbers or masks is differentiable".into()));
        }
        return Ok(found);
    }
    first_order(&mut built, case, values, &mut found)?;
    if let Some(jvp) = &values.jvp {
        let along: Vec<(Var, Var)> =
            jvp.tangents.iter().map(|(x, x_dot)| (built.vars[x.as_str()], built.constant(x_dot))).collect();
        let y_dot = built.graph.tangent(built.vars[case.output.as_str()], &along);
        let y_dot = y_dot.or_else(|error| failed("tangent", error))?;
        found.push(Found {
            part: "jvp".into(),
            want: Some(&jvp.output),
            got: Some(built.read(y_dot)),
            factor: 1.0,
        });
    }
    if let Some(hvp) = &values.hvp {
        second_order(&built, case, values, hvp, &mut found)?;
    }
    Ok(found)
}

/// Gradients by the numeric sweep and as recorded nodes, both held against the same numbers.
fn first_order<'a, T: Engine>(
    built: &mut Built<'a, T>,
    case: &'a Case,
    values: &'a Values,
    found: &mut Vec<Found<'a>>,
) -> Result<(), Trouble> {
    match built.backward(case, values.cotangent.as_ref()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NoGradientPath => {}
        Err(error) => return failed("backward", error),
    }
    for input in case.inputs.iter().filter(|i| !i.requires_grad) {
        if built.grad(&input.name).is_some() {
            return Err(Trouble::Wrong(format!("input `{}` requires no gradient and has one", input.name)));
        }
    }
    let y = built.vars[case.output.as_str()];
    let xs: Vec<Var> = values.grads.iter().map(|(x, _)| built.vars[x.as_str()]).collect();
    let recorded = built.gradient(y, values.cotangent.as_ref(), &xs)?;
    for (k, (x, want)) in values.grads.iter().enumerate() {
        let want = want.as_ref();
        let swept = built.grad(x);
        let node = recorded.as_ref().map(|nodes| built.read(nodes[k]));
        found.push(Found { part: format!("grad {x}"), want, got: swept, factor: 1.0 });
        found.push(Found { part: format!("recorded grad {x}"), want, got: node, factor: 1.0 });
    }
    Ok(())
}

/// The gradient of `sum <g, v>` over the inputs, `g` their gradient.
fn second_order<'a, T: Engine>(
    built: &Built<'a, T>,
    case: &'a Case,
    values: &'a Values,
    hvp: &'a Hvp,
    found: &mut Vec<Found<'a>>,
) -> Result<(), Trouble> {
    let y = built.vars[case.output.as_str()];
    let xs: Vec<Var> = hvp.v.iter().map(|(x, _)| built.vars[x.as_str()]).collect();
    let mut h: Option<Var> = None;
    for (g, (_, v)) in built.gradient(y, values.cotangent.as_ref(), &xs)?.iter().flatten().zip(&hvp.v) {
        let part = built.inner(*g, built.constant(v))?;
        h = Some(match h {
            None => part,
            Some(sum) => match built.graph.try_apply(&Op::Binary(Binary::Add), &[sum, part]) {
                Ok(sum) => sum[0],
                Err(error) => return failed("hvp", error),
            },
        });
    }
    let inputs: Vec<Var> = hvp.grads.iter().map(|(x, _)| built.vars[x.as_str()]).collect();
    let second = match h {
        Some(h) => built.gradient(h, None, &inputs)?,
        None => None,
    };
    for (k, (x, want)) in hvp.grads.iter().enumerate() {
        let got = second.as_ref().map(|nodes| built.read(nodes[k]));
        found.push(Found { part: format!("hvp {x}"), want: want.as_ref(), got, factor: 10.0 });
    }
    Ok(())
}
