//! Reading a corpus: every message names the file, the line and what is wrong there.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::attrs::{Attrs, float};
use crate::case::*;
use crate::table;

type Parsed<A> = Result<A, String>;

/// The cases of every `.jsonl` file in `dir`, in the order of the file names.
///
/// # Errors
/// If there is no such file or one cannot be read, or a line is no case: `file:line: what is wrong`.
pub fn load(dir: &Path) -> Result<Vec<Case>, String> {
    let listing = std::fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in listing {
        let path = entry.map_err(|e| format!("{}: {e}", dir.display()))?.path();
        if path.extension().is_some_and(|e| e == "jsonl") {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(format!("{}: no .jsonl file in this folder", dir.display()));
    }
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        for (k, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            cases.push(case(line).map_err(|e| format!("{}:{}: {e}", file.display(), k + 1))?);
        }
    }
    Ok(cases)
}

/// One line of a file.
pub(crate) fn case(line: &str) -> Parsed<Case> {
    let value: Value = serde_json::from_str(line).map_err(|e| format!("not JSON: {e}"))?;
    let map = object(&value, "the case")?;
    let id = text(map, "id")?;
    parts(map, id.clone()).map_err(|e| format!("{id}: {e}"))
}

fn parts(map: &Map<String, Value>, id: String) -> Parsed<Case> {
    let flags = list(map, "flags")?.iter().map(|f| f.as_str().map(str::to_string));
    let flags = flags.collect::<Option<_>>().ok_or("`flags` should be a list of strings")?;
    let inputs: Vec<Input> = each(map, "inputs", input)?;
    let program: Vec<Step> = each(map, "program", step)?;
    let output = text(map, "output")?;
    check_names(&inputs, &program, &output)?;
    let expected = expected(map, &inputs, &program)?;
    Ok(Case {
        id,
        family: text(map, "family")?,
        op: text(map, "op")?,
        flags,
        inputs,
        program,
        output,
        expected,
    })
}

/// Every name is defined once, before it is used.
fn check_names(inputs: &[Input], program: &[Step], output: &str) -> Parsed<()> {
    let mut known: HashSet<&str> = HashSet::new();
    for input in inputs {
        if !known.insert(&input.name) {
            return Err(format!("two inputs are named `{}`", input.name));
        }
    }
    for step in program {
        for arg in &step.args {
            if let Argument::Name(name) = arg
                && !known.contains(name.as_str())
            {
                return Err(format!(
                    "`{}` = {}: `{name}` is not defined before it is used",
                    step.outs[0], step.name
                ));
            }
        }
        for out in &step.outs {
            if !known.insert(out) {
                return Err(format!("`{out}` is defined twice"));
            }
        }
    }
    match known.contains(output) {
        true => Ok(()),
        false => Err(format!("the output `{output}` is not defined")),
    }
}

fn input(value: &Value) -> Parsed<Input> {
    let map = object(value, "an input")?;
    let name = text(map, "name")?;
    let parsed = array(value).map_err(|e| format!("`{name}`: {e}"))?;
    let requires_grad = field(map, "requires_grad")?;
    let requires_grad = requires_grad.as_bool().ok_or("`requires_grad` should be true or false")?;
    if requires_grad && !parsed.is_real() {
        return Err(format!("`{name}` cannot require a gradient: it is not of real numbers"));
    }
    Ok(Input { name, value: parsed, requires_grad })
}

fn step(value: &Value) -> Parsed<Step> {
    let map = object(value, "an instruction")?;
    let outs: Vec<String> = match field(map, "out")? {
        Value::String(out) => vec![out.clone()],
        Value::Array(outs) => {
            let names = outs.iter().map(|o| o.as_str().map(str::to_string));
            names.collect::<Option<_>>().ok_or("`out` should be a list of names")?
        }
        other => return Err(format!("`out` should be a name or a list of names, not {other}")),
    };
    let Some(first) = outs.first() else { return Err("`out` is empty".into()) };
    let name = text(map, "op")?;
    let argument = |value: &Value| match value {
        Value::String(name) => Ok(Argument::Name(name.clone())),
        Value::Number(n) => n.as_f64().map(Argument::Number).ok_or_else(|| format!("{n} is no f64")),
        other => Err(format!("an argument should be a name or a number, not {other}")),
    };
    let args = list(map, "args")?.iter().map(argument).collect::<Parsed<_>>();
    let empty = Map::new();
    let attrs = match map.get("attrs") {
        None => &empty,
        Some(attrs) => object(attrs, "`attrs`")?,
    };
    let named = |e| format!("`{first}` = {name}: {e}");
    let meaning = table::meaning(&name, &Attrs::new(attrs)).map_err(named)?;
    Ok(Step { args: args.map_err(named)?, meaning, name: name.clone(), outs })
}

fn expected(map: &Map<String, Value>, inputs: &[Input], program: &[Step]) -> Parsed<Expected> {
    let expected = object(field(map, "expected")?, "`expected`")?;
    let cotangent = expected.get("cotangent").filter(|v| !v.is_null());
    let cotangent = cotangent.map(array).transpose().map_err(|e| format!("`cotangent`: {e}"))?;
    if let Some(error) = expected.get("error") {
        let error = object(error, "`error`")?;
        let mut kinds = vec![text(error, "kind")?];
        for also in error.get("also_accepted").and_then(Value::as_array).into_iter().flatten() {
            kinds.push(also.as_str().ok_or("`also_accepted` should be a list of kinds")?.to_string());
        }
        let at = text(error, "at")?;
        if at != "backward" && !program.iter().any(|s| s.outs.contains(&at)) {
            return Err(format!("the refusal is expected at `{at}`, which no instruction defines"));
        }
        return Ok(Expected::Refusal { kinds, at, cotangent });
    }
    let output = array(field(expected, "output")?).map_err(|e| format!("`output`: {e}"))?;
    let grads = named(expected, "grads", inputs)?;
    let hvp = expected.get("hvp").filter(|v| !v.is_null()).map(|v| {
        let map = object(v, "`hvp`")?;
        Ok::<_, String>(Hvp { v: directions(map, "v", inputs)?, grads: named(map, "grads", inputs)? })
    });
    let jvp = expected.get("jvp").filter(|v| !v.is_null()).map(|v| {
        let map = object(v, "`jvp`")?;
        let output = array(field(map, "output")?).map_err(|e| format!("`jvp.output`: {e}"))?;
        Ok::<_, String>(Jvp { tangents: directions(map, "tangents", inputs)?, output })
    });
    let tol = object(field(map, "tol")?, "`tol`")?;
    let bound = |name: &str| {
        let value = field(tol, name)?;
        float(value)
            .filter(|t| *t >= 0.0)
            .ok_or_else(|| format!("`tol.{name}` should be a number >= 0, not {value}"))
    };
    let tolerance = Tolerance { rtol: bound("rtol")?, atol: bound("atol")? };
    let (hvp, jvp) = (hvp.transpose()?, jvp.transpose()?);
    Ok(Expected::Values(Box::new(Values { output, cotangent, grads, hvp, jvp, tolerance })))
}

/// An array or null for inputs by name.
fn named(map: &Map<String, Value>, name: &str, inputs: &[Input]) -> Parsed<Named> {
    let values = object(field(map, name)?, name)?;
    let mut out = Named::new();
    for (input, value) in values {
        if !inputs.iter().any(|i| i.name == *input && i.requires_grad) {
            return Err(format!("`{name}` names `{input}`, which is no input that requires a gradient"));
        }
        let value = match value.is_null() {
            true => None,
            false => Some(array(value).map_err(|e| format!("`{name}.{input}`: {e}"))?),
        };
        out.push((input.clone(), value));
    }
    Ok(out)
}

fn directions(map: &Map<String, Value>, name: &str, inputs: &[Input]) -> Parsed<Vec<(String, Array)>> {
    let direction = |(input, value): (String, Option<Array>)| match value {
        Some(value) => Ok((input, value)),
        None => Err(format!("`{name}.{input}` should be an array, not null")),
    };
    named(map, name, inputs)?.into_iter().map(direction).collect()
}

fn array(value: &Value) -> Parsed<Array> {
    let map = object(value, "an array")?;
    let length = |n: &Value| n.as_u64().and_then(|n| usize::try_from(n).ok());
    let shape: Option<Vec<usize>> = list(map, "shape")?.iter().map(length).collect();
    let shape = shape.ok_or("`shape` should be a list of lengths")?;
    let data = list(map, "data")?;
    let len = shape.iter().try_fold(1usize, |len, &n| len.checked_mul(n));
    if len != Some(data.len()) {
        return Err(format!("`data` has {} elements, shape {shape:?} another number", data.len()));
    }
    let dtype = map.get("dtype").map_or(Some("f64"), Value::as_str);
    let bad = |k: usize, want: &str| format!("`data`[{k}] should be {want}, not {}", data[k]);
    let read = |k: usize| float(&data[k]).ok_or_else(|| bad(k, "a number, \"inf\", \"-inf\" or \"nan\""));
    let all = 0..data.len();
    let data = match dtype {
        Some("f64") => Data::Real(all.map(read).collect::<Parsed<_>>()?),
        Some("i64") => {
            let whole = |k: usize| data[k].as_i64().ok_or_else(|| bad(k, "a whole number"));
            Data::Index(all.map(whole).collect::<Parsed<_>>()?)
        }
        Some("bool") => {
            let bit = |k: usize| match (data[k].as_u64(), data[k].as_bool()) {
                (Some(0), _) | (_, Some(false)) => Ok(false),
                (Some(1), _) | (_, Some(true)) => Ok(true),
                _ => Err(bad(k, "0 or 1")),
            };
            Data::Mask(all.map(bit).collect::<Parsed<_>>()?)
        }
        _ => return Err("`dtype` should be \"f64\", \"i64\" or \"bool\"".into()),
    };
    Ok(Array { shape, data })
}

fn each<A>(map: &Map<String, Value>, name: &str, read: fn(&Value) -> Parsed<A>) -> Parsed<Vec<A>> {
    let items = list(map, name)?.iter().enumerate();
    items.map(|(k, value)| read(value).map_err(|e| format!("`{name}`[{k}]: {e}"))).collect()
}

fn field<'a>(map: &'a Map<String, Value>, name: &str) -> Parsed<&'a Value> {
    map.get(name).ok_or_else(|| format!("`{name}` is missing"))
}

fn text(map: &Map<String, Value>, name: &str) -> Parsed<String> {
    field(map, name)?.as_str().map(str::to_string).ok_or_else(|| format!("`{name}` should be a string"))
}

fn list<'a>(map: &'a Map<String, Value>, name: &str) -> Parsed<&'a Vec<Value>> {
    field(map, name)?.as_array().ok_or_else(|| format!("`{name}` should be a list"))
}

fn object<'a>(value: &'a Value, what: &str) -> Parsed<&'a Map<String, Value>> {
    value.as_object().ok_or_else(|| format!("{what} should be an object"))
}
