//! The verdict on each case.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::case::{Array, Case, Expected, Values};
use crate::compare::disagreement;
use crate::evaluate::{Built, Trouble, evaluate, is_pending};
use crate::report::Report;
use crate::single::{self, Nudge};

/// What to run, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Graphs of `f32` instead of `f64`.
    pub single: bool,
    /// Only cases whose `op`, or one of whose instructions, has this name.
    pub only: Option<String>,
    /// Only cases whose id holds this text.
    pub case: Option<String>,
}

/// The verdict on one case.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Everything agrees.
    Passed,
    /// The disagreements, in words.
    Failed(Vec<String>),
    /// An op, by its name, that the engine or the table does not have.
    NotSupported(String),
    /// `f32` only: a number of the case is beyond the range of `f32`, or its condition leaves nothing to compare.
    Beyond(String),
}

/// Runs `cases`.
pub fn run(cases: &[Case], options: &Options) -> Report {
    let wanted = |case: &&Case| {
        let named = |op: &String| case.op == *op || case.program.iter().any(|step| step.name == *op);
        options.only.as_ref().is_none_or(named)
            && options.case.as_ref().is_none_or(|id| case.id.contains(id.as_str()))
    };
    let mut report = Report::default();
    for case in cases.iter().filter(wanted) {
        report.add(case, verdict(case, options.single));
    }
    report
}

fn verdict(case: &Case, in_single: bool) -> Outcome {
    let judged = guarded(|| match (&case.expected, in_single) {
        (Expected::Values(values), false) => in_double(case, values),
        (Expected::Values(values), true) => single::judge(case, values),
        (Expected::Refusal { kinds, at, cotangent }, false) => {
            refusal::<f64>(case, kinds, at, cotangent.as_ref()).map(|()| Outcome::Passed)
        }
        (Expected::Refusal { kinds, at, cotangent }, true) => {
            refusal::<f32>(case, kinds, at, cotangent.as_ref()).map(|()| Outcome::Passed)
        }
    });
    match judged {
        Ok(outcome) => outcome,
        Err(Trouble::NotSupported(op)) => Outcome::NotSupported(op),
        Err(Trouble::Wrong(what)) => Outcome::Failed(vec![what]),
    }
}

/// Values and derivatives in `f64`, at the tolerances of the case.
pub(crate) fn in_double(case: &Case, values: &Values) -> Result<Outcome, Trouble> {
    let found = evaluate::<f64>(case, values, &mut Nudge::none())?;
    let signed_zero = case.has_flag("signed_zero");
    let none = |_: usize| 0.0;
    let wrong: Vec<String> =
        found.iter().filter_map(|f| disagreement(f, values.tolerance, signed_zero, &none)).collect();
    Ok(if wrong.is_empty() { Outcome::Passed } else { Outcome::Failed(wrong) })
}

/// That the case is refused where it should be, as it should be, and nowhere before.
fn refusal<T: wengert::Engine>(
    case: &Case,
    kinds: &[String],
    at: &str,
    cotangent: Option<&Array>,
) -> Result<(), Trouble> {
    let wrong = |what: String| Err(Trouble::Wrong(what));
    let want = kinds.join(" or ");
    let (kind, message) = match Built::<T>::new(case, &mut Nudge::none())? {
        Err(refused) => {
            let step = &case.program[refused.step];
            if !step.outs.iter().any(|out| out == at) {
                let (out, message) = (&step.outs[0], refused.message);
                return wrong(format!("`{out}` refused ({message}), expected {want} at `{at}`"));
            }
            (refused.kind, refused.message)
        }
        Ok(_) if at != "backward" => return wrong(format!("`{at}` was accepted, expected {want}")),
        Ok(mut built) => {
            let Err(error) = built.backward(case, cotangent) else {
                return wrong(format!("backward was accepted, expected {want}"));
            };
            if case.inputs.iter().any(|input| built.grad(&input.name).is_some()) {
                return wrong("the refused backward left gradients".into());
            }
            (error.kind().name(), error.to_string())
        }
    };
    match kinds.iter().any(|k| k == kind) {
        true => Ok(()),
        false => wrong(format!("`{at}` refused as {kind} ({message}), expected {want}")),
    }
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `f`; a panic becomes the trouble of this case alone, and is not printed.
fn guarded<R>(f: impl FnOnce() -> Result<R, Trouble>) -> Result<R, Trouble> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| match GUARDED.get() {
            true => PLACE.set(info.location().map(ToString::to_string).unwrap_or_default()),
            false => before(info),
        }));
    });
    GUARDED.set(true);
    let result = catch_unwind(AssertUnwindSafe(f));
    GUARDED.set(false);
    result.unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(match is_pending(text) {
            true => Trouble::NotSupported(text.split(':').next().unwrap_or(text).to_string()),
            false => Trouble::Wrong(format!("panic at {}: {text}", PLACE.take())),
        })
    })
}
