//! [`Attrs`]: the attributes of an instruction, read by name and type; what nobody reads is noticed.

use std::cell::RefCell;

use serde_json::{Map, Value};

/// Why an instruction is no op of the engine.
pub(crate) enum Unfit {
    /// The file is wrong.
    Malformed(String),
    /// The engine's attribute types cannot hold it: as good as refused.
    Excluded(String),
    /// Nothing in the table stands for it.
    Unknown(String),
}

pub(crate) struct Attrs<'a> {
    map: &'a Map<String, Value>,
    read: RefCell<Vec<&'static str>>,
}

type Read<A> = Result<A, Unfit>;

impl<'a> Attrs<'a> {
    pub fn new(map: &'a Map<String, Value>) -> Self {
        Attrs { map, read: RefCell::default() }
    }

    /// The first attribute that was not asked for.
    pub fn unread(&self) -> Option<&'a str> {
        let read = self.read.borrow();
        self.map.keys().map(String::as_str).find(|key| !read.contains(key))
    }

    /// An attribute that is there and not null.
    fn find(&self, name: &'static str) -> Option<&'a Value> {
        self.read.borrow_mut().push(name);
        self.map.get(name).filter(|value| !value.is_null())
    }

    fn required(&self, name: &'static str) -> Read<&'a Value> {
        self.find(name).ok_or_else(|| Unfit::Malformed(format!("attribute `{name}` is missing")))
    }

    pub fn float_or_none(&self, name: &'static str) -> Read<Option<f64>> {
        self.find(name).map(|v| float(v).ok_or_else(|| wrong(name, "a number", v))).transpose()
    }

    pub fn float(&self, name: &'static str, default: f64) -> Read<f64> {
        Ok(self.float_or_none(name)?.unwrap_or(default))
    }

    pub fn bool(&self, name: &'static str, default: bool) -> Read<bool> {
        self.find(name).map_or(Ok(default), |v| v.as_bool().ok_or_else(|| wrong(name, "true or false", v)))
    }

    pub fn int_or_none(&self, name: &'static str) -> Read<Option<isize>> {
        self.find(name).map(|v| int(name, v)).transpose()
    }

    pub fn int(&self, name: &'static str) -> Read<isize> {
        int(name, self.required(name)?)
    }

    pub fn int_or(&self, name: &'static str, default: isize) -> Read<isize> {
        Ok(self.int_or_none(name)?.unwrap_or(default))
    }

    /// A count, which the engine holds without a sign.
    pub fn count_or(&self, name: &'static str, default: usize) -> Read<usize> {
        self.int_or_none(name)?.map_or(Ok(default), |n| count(name, n))
    }

    pub fn count(&self, name: &'static str) -> Read<usize> {
        count(name, self.int(name)?)
    }

    pub fn ints_or_none<A: FromIterator<isize>>(&self, name: &'static str) -> Read<Option<A>> {
        self.find(name).map(|v| ints(name, v)).transpose()
    }

    pub fn ints<A: FromIterator<isize>>(&self, name: &'static str) -> Read<A> {
        ints(name, self.required(name)?)
    }

    pub fn counts<A: FromIterator<usize>>(&self, name: &'static str) -> Read<A> {
        self.ints::<Vec<isize>>(name)?.into_iter().map(|n| count(name, n)).collect()
    }

    /// A list of pairs.
    pub fn pairs<A: FromIterator<(isize, isize)>>(&self, name: &'static str) -> Read<A> {
        let value = self.required(name)?;
        let bad = || wrong(name, "a list of pairs of whole numbers", value);
        let rows = value.as_array().ok_or_else(bad)?;
        let pair = |row: &Value| match ints::<Vec<isize>>(name, row)?[..] {
            [before, after] => Ok((before, after)),
            _ => Err(bad()),
        };
        rows.iter().map(pair).collect()
    }

    pub fn text(&self, name: &'static str, default: &'a str) -> Read<&'a str> {
        self.find(name).map_or(Ok(default), |v| v.as_str().ok_or_else(|| wrong(name, "a string", v)))
    }

    pub fn required_text(&self, name: &'static str) -> Read<&'a str> {
        self.required(name).and_then(|v| v.as_str().ok_or_else(|| wrong(name, "a string", v)))
    }
}

fn wrong(name: &str, want: &str, have: &Value) -> Unfit {
    Unfit::Malformed(format!("attribute `{name}` should be {want}, not {have}"))
}

fn int(name: &str, value: &Value) -> Read<isize> {
    let n = value.as_i64().ok_or_else(|| wrong(name, "a whole number", value))?;
    isize::try_from(n).map_err(|_| Unfit::Excluded(format!("`{name}` = {n} is beyond this machine's range")))
}

fn count(name: &str, n: isize) -> Read<usize> {
    usize::try_from(n)
        .map_err(|_| Unfit::Excluded(format!("`{name}` holds {n}, but lengths and counts have no sign")))
}

fn ints<A: FromIterator<isize>>(name: &str, value: &Value) -> Read<A> {
    let list = value.as_array().ok_or_else(|| wrong(name, "a list of whole numbers", value))?;
    list.iter().map(|n| int(name, n)).collect()
}

/// A number, or "inf", "-inf", "nan".
pub(crate) fn float(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some("inf") => Some(f64::INFINITY),
        Some("-inf") => Some(f64::NEG_INFINITY),
        Some("nan") => Some(f64::NAN),
        Some(_) => None,
        None => value.as_f64(),
    }
}
