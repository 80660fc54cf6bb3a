//! Rows of the Jacobian of every op: several in one sweep against one sweep each, against tangents and against differences.

use ndarray::ArrayD;

use super::samples::{Sample, samples};
use super::{Lie, Value, Wanted, apply};
use crate::error::Result;
use crate::graph::{Engine, Graph};
use crate::op::Op;
use crate::var::Var;

/// Derivatives of every element to every element of every leaf, row after row.
type Rows = Vec<Vec<f64>>;

/// One result of an op, recorded.
struct Subject<'a> {
    sample: &'a Sample,
    leaves: Vec<ArrayD<f64>>,
    result: usize,
}

impl Subject<'_> {
    fn recorded(&self, leaves: &[ArrayD<f64>]) -> Result<(Graph, Vec<Var>, Var)> {
        let g = Graph::new();
        let x: Vec<Var> = leaves.iter().map(|x| g.leaf(x)).collect();
        let y = apply(&g, self.sample, &x, Lie::Plain, Wanted::All)?[self.result];
        Ok((g, x, y))
    }

    fn together(&self) -> Result<Rows> {
        let (mut g, x, y) = self.recorded(&self.leaves)?;
        let mut rows: Rows = x.iter().map(|&x| vec![0.0; g.len(y) * g.len(x)]).collect();
        f64::rows(&mut g, "test", y, &x, &mut rows)?;
        assert!(x.iter().all(|&x| g.grad(x).is_none()), "gradients are left as they are");
        Ok(rows)
    }

    fn one_by_one(&self) -> Result<Rows> {
        let (mut g, x, y) = self.recorded(&self.leaves)?;
        let mut rows: Rows = vec![Vec::new(); x.len()];
        let mut y_bar = ArrayD::zeros(&g.shape(y)[..]);
        for k in 0..g.len(y) {
            y_bar.as_slice_mut().unwrap()[k] = 1.0;
            g.zero_grad();
            g.backward_with(y, &y_bar)?;
            y_bar.fill(0.0);
            for (row, &x) in rows.iter_mut().zip(&x) {
                match g.grad(x) {
                    Some(bar) => row.extend(bar),
                    None => row.extend(std::iter::repeat_n(0.0, g.len(x))),
                }
            }
        }
        Ok(rows)
    }

    /// Column by column, from what `column(leaf, element)` gives.
    fn by_columns(&self, mut column: impl FnMut(usize, usize) -> Result<Vec<f64>>) -> Result<Rows> {
        let mut rows = Rows::new();
        for (leaf, x) in self.leaves.iter().enumerate() {
            let columns = (0..x.len()).map(|k| column(leaf, k)).collect::<Result<Vec<_>>>()?;
            let len = columns.first().map_or(0, Vec::len);
            rows.push((0..len).flat_map(|i| columns.iter().map(move |column| column[i])).collect());
        }
        Ok(rows)
    }

    fn tangents(&self) -> Result<Rows> {
        let (mut g, x, y) = self.recorded(&self.leaves)?;
        self.by_columns(|leaf, k| {
            let mark = g.mark();
            let mut x_dot = ArrayD::zeros(self.leaves[leaf].shape());
            x_dot.as_slice_mut().unwrap()[k] = 1.0;
            let x_dot = g.constant(&x_dot);
            let column = g.value(g.tangent(y, &[(x[leaf], x_dot)])?).iter().copied().collect();
            g.rewind(mark);
            Ok(column)
        })
    }

    fn differences(&self) -> Result<Rows> {
        self.by_columns(|leaf, k| {
            let h = self.sample.step;
            let at = |times: f64| -> Result<Vec<f64>> {
                let mut leaves = self.leaves.clone();
                leaves[leaf].as_slice_mut().unwrap()[k] += times * h;
                let (g, _, y) = self.recorded(&leaves)?;
                Ok(g.value(y).iter().copied().collect())
            };
            let near: Vec<f64> = at(1.0)?.iter().zip(at(-1.0)?).map(|(a, b)| a - b).collect();
            let far: Vec<f64> = at(2.0)?.iter().zip(at(-2.0)?).map(|(a, b)| a - b).collect();
            Ok(near.iter().zip(far).map(|(near, far)| (8.0 * near - far) / (12.0 * h)).collect())
        })
    }
}

/// The largest difference relative to the largest number, or to 1.
fn apart(a: &Rows, b: &Rows) -> f64 {
    let (a, b) = (a.concat(), b.concat());
    assert_eq!(a.len(), b.len());
    let size = a.iter().chain(&b).filter(|v| v.is_finite()).fold(1f64, |m, v| m.max(v.abs()));
    let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
    let gap = |(&a, &b): (&f64, &f64)| if same(a, b) { 0.0 } else { (a - b).abs() / size };
    a.iter().zip(&b).map(gap).fold(0.0, |m, gap| if gap.is_nan() { f64::INFINITY } else { m.max(gap) })
}

fn check(subject: &Subject<'_>, failures: &mut Vec<String>) {
    let mut fail =
        |what: &str| failures.push(format!("{:?}, result {}: {what}", subject.sample, subject.result));
    let (together, one_by_one) = (subject.together(), subject.one_by_one());
    let (together, one_by_one) = match (together, one_by_one) {
        (Ok(together), Ok(one_by_one)) => (together, one_by_one),
        (Err(a), Err(b)) if a.kind() == b.kind() && a.rule() == b.rule() && a.op() == b.op() => return,
        (a, b) => return fail(&format!("{:?} together, {:?} one by one", a.err(), b.err())),
    };
    let gap = apart(&together, &one_by_one);
    if gap > 1e-14 {
        fail(&format!("together and one by one differ by {gap:e}"));
    }
    let against_columns =
        [("tangents", subject.tangents(), 1e-11), ("differences", subject.differences(), 1e-7)];
    for (what, columns, tolerance) in against_columns {
        // At kinks, and far out, columns are another matter.
        if let (Ok(columns), true) = (columns, subject.sample.step > 0.0) {
            let gap = apart(&together, &columns);
            if gap > tolerance {
                fail(&format!("rows and {what} differ by {gap:e}"));
            }
        }
    }
}

fn check_all(op: &Op, failures: &mut Vec<String>) {
    for sample in samples(op) {
        let mut leaves = Vec::new();
        for (k, value) in sample.args.iter().enumerate() {
            match value {
                Value::Real(x) if !sample.constant.contains(&k) => leaves.push(x.clone()),
                _ => {}
            }
        }
        let g = Graph::new();
        let x: Vec<Var> = leaves.iter().map(|x| g.leaf(x)).collect();
        let results = apply(&g, &sample, &x, Lie::Plain, Wanted::All).unwrap();
        for (result, &y) in results.iter().enumerate().filter(|(_, y)| g.is_differentiable(**y)) {
            if g.len(y) * leaves.iter().map(ArrayD::len).sum::<usize>() < 20_000 {
                check(&Subject { sample: &sample, leaves: leaves.clone(), result }, failures);
            }
        }
    }
}

#[test]
fn every_op_gives_the_same_rows_together_and_one_by_one() {
    let mut failures = Vec::new();
    Op::every().iter().for_each(|op| check_all(op, &mut failures));
    assert!(failures.is_empty(), "{} fail:\n{}", failures.len(), failures.join("\n"));
}
