//! The classes of arguments that every op must take or refuse, made from its samples: 0-d, empty, of one element along an
//! axis, equal along an axis.

use ndarray::{ArrayD, Axis, IxDyn, Slice};

use super::samples::{Sample, Value};

/// `x` with axis `k` cut to its first `n` elements.
fn cut<A: Clone>(x: &ArrayD<A>, k: usize, n: usize) -> ArrayD<A> {
    x.slice_axis(Axis(k), Slice::from(..n)).as_standard_layout().into_owned()
}

fn first<A: Clone>(x: &ArrayD<A>) -> ArrayD<A> {
    x.iter().next().map_or_else(|| x.clone(), |x| ArrayD::from_elem(IxDyn(&[]), x.clone()))
}

impl Value {
    fn cut(&self, k: usize, n: usize) -> Value {
        match self {
            Value::Real(x) => Value::Real(cut(x, k, n)),
            Value::Index(x) => Value::Index(cut(x, k, n)),
            Value::Mask(x) => Value::Mask(cut(x, k, n)),
        }
    }
    fn first(&self) -> Value {
        match self {
            Value::Real(x) => Value::Real(first(x)),
            Value::Index(x) => Value::Index(first(x)),
            Value::Mask(x) => Value::Mask(first(x)),
        }
    }
    /// Every slice along the first axis as the first one.
    fn equal(&self) -> Value {
        match self {
            Value::Real(x) if x.ndim() > 0 && !x.is_empty() => {
                let one = cut(x, 0, 1);
                Value::Real(one.broadcast(x.raw_dim()).expect("an axis of length 1").to_owned())
            }
            other => other.clone(),
        }
    }
}

impl Sample {
    fn with(&self, args: Vec<Value>) -> Sample {
        Sample { args, ..self.clone() }
    }

    /// With the axes for which `chosen` holds, of argument and axis, cut to `n` elements.
    fn cut(&self, n: usize, chosen: impl Fn(usize, usize) -> bool) -> Sample {
        let cut = |(at, value): (usize, &Value)| {
            let axes = (0..value.shape().len()).filter(|&k| value.shape()[k] > n && chosen(at, k));
            axes.fold(value.clone(), |value, k| value.cut(k, n))
        };
        self.with(self.args.iter().enumerate().map(cut).collect())
    }

    /// Axes of one length cut together, each axis alone; arguments as numbers, together and each alone.
    pub(super) fn degenerate(&self) -> Vec<Sample> {
        let shapes: Vec<&[usize]> = self.args.iter().map(Value::shape).collect();
        let mut lengths: Vec<usize> = shapes.concat();
        lengths.sort_unstable();
        lengths.dedup();
        let mut all = Vec::new();
        for n in [0, 1] {
            all.extend(lengths.iter().map(|&len| self.cut(n, |at, k| shapes[at][k] == len)));
            for (at, shape) in shapes.iter().enumerate() {
                all.extend((0..shape.len()).map(|axis| self.cut(n, |a, k| (a, k) == (at, axis))));
            }
        }
        let numbers = |chosen: &dyn Fn(usize) -> bool| {
            let value = |(k, v): (usize, &Value)| if chosen(k) { v.first() } else { v.clone() };
            self.with(self.args.iter().enumerate().map(value).collect())
        };
        all.push(numbers(&|_| true));
        all.extend((0..shapes.len()).map(|one| numbers(&|k| k == one)));
        let mut seen = vec![format!("{:?}", shapes)];
        all.retain(|sample| {
            let shapes = format!("{:?}", sample.args.iter().map(Value::shape).collect::<Vec<_>>());
            let new = !seen.contains(&shapes);
            seen.push(shapes);
            new
        });
        all
    }

    /// With arguments that are equal along their first axis: ties of all kinds, so without differences.
    pub(super) fn equal(&self) -> Sample {
        self.with(self.args.iter().map(Value::equal).collect()).rough()
    }

    /// With numbers that `f32` holds; `None` where some are too large or too small for it.
    pub(super) fn in_f32(&self) -> Option<Sample> {
        let round = |value: &Value| match value {
            Value::Real(x) => {
                let y = x.mapv(|x| x as f32);
                let fits = x.iter().zip(&y).all(|(x, y)| y.is_finite() && (y.is_normal() || *x == 0.0));
                fits.then(|| Value::Real(y.mapv(f64::from)))
            }
            other => Some(other.clone()),
        };
        let args: Option<Vec<Value>> = self.args.iter().map(round).collect();
        args.map(|args| self.with(args).rough())
    }
}
