//! Free numbers made to satisfy a constraint, with the logarithm of the Jacobian's determinant: what a density of the
//! constrained quantity is corrected by when the free one is sampled or fitted.
//!
//! The definitions are Stan's; the log-Jacobian is one number for each event: an element of `positive` and `interval`, a
//! vector along the last axis of `simplex` and `ordered`.
//!
//! # References
//! Stan Reference Manual 2.34, chapter "Constraint Transforms": lower bounds, lower and upper bounds, unit simplex, ordered
//! vector.

use crate::error::{ErrorKind, Refusal};
use crate::expr::Expr;
use crate::graph::Engine;
use crate::graph::Graph;
use crate::op::*;
use crate::var::Var;

impl<T: Engine> Graph<T> {
    /// `e^u > 0`, and its log-Jacobian `u`.
    #[track_caller]
    pub fn positive_transform(&self, u: impl Expr) -> (Var, Var) {
        self.enter();
        let u = self.arg(u);
        (self.arg(u.exp()), u)
    }

    /// The `u` that [`Graph::positive_transform`] takes to `x`.
    #[track_caller]
    pub fn positive_inverse(&self, x: impl Expr) -> Var {
        self.enter();
        let x = self.arg(x);
        self.arg(x.log())
    }

    /// `lo + (hi - lo) sigmoid(u)`, and its log-Jacobian `log(hi - lo) + log sigmoid(u) + log sigmoid(-u)`.
    ///
    /// # Panics
    /// If not `lo < hi`, or `u` belongs to another graph or to a rewound part of this one.
    ///
    /// # Examples
    /// ```
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let (x, log_jacobian) = g.interval_transform(g.leaf(0.0), 2.0, 6.0);
    /// assert_eq!((g.item(x), g.item(log_jacobian)), (4.0, 4f64.ln() - 2.0 * 2f64.ln()));
    /// ```
    #[track_caller]
    pub fn interval_transform(&self, u: impl Expr, lo: f64, hi: f64) -> (Var, Var) {
        self.enter();
        let u = self.arg(u);
        if lo.partial_cmp(&hi) != Some(std::cmp::Ordering::Less) {
            let rule = format!("`lo` must be below `hi`, but they are {lo} and {hi}");
            panic!(
                "{}",
                self.error(Refusal::new(ErrorKind::InvalidAttribute, rule), "interval_transform", &[u])
            );
        }
        let log_jacobian = self.arg(u.logsigmoid() + (-u).logsigmoid() + (hi - lo).ln());
        (self.arg(lo + (hi - lo) * u.sigmoid()), log_jacobian)
    }

    /// The `u` that [`Graph::interval_transform`] takes to `x`.
    #[track_caller]
    pub fn interval_inverse(&self, x: impl Expr, lo: f64, hi: f64) -> Var {
        self.enter();
        let x = self.arg(x);
        self.arg((x - lo).log() - (hi - x).log())
    }

    /// Stick breaking: `n` positive numbers that sum to 1 from `n - 1` free ones along the last axis, and the log-Jacobian
    /// of the first `n - 1`.
    ///
    /// `[.., n - 1] -> [.., n], [..]`. Break `k` (from 0) takes the part `sigmoid(u_k - log(n - 1 - k))` of what is left;
    /// computed with logarithms throughout, so that no part is rounded to 0 before `e^x` itself is. `u = 0` is the centre.
    ///
    /// # Panics
    /// If `u` is a number without axes, or belongs to another graph or to a rewound part of this one.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let (x, _) = g.simplex_transform(g.leaf(array![0.0, 0.0]));
    /// assert!(g.value(x).iter().all(|x| (x - 1.0 / 3.0).abs() < 1e-15));
    /// ```
    #[track_caller]
    pub fn simplex_transform(&self, u: impl Expr) -> (Var, Var) {
        self.enter();
        let u = self.arg(u);
        let (axis, breaks) = self.axis_of_arg("simplex_transform", u, -1);
        let shift = self.breaks(breaks);
        let v = self.arg(u - shift);
        let (taken, rest) = (self.arg(v.logsigmoid()), self.arg((-v).logsigmoid()));
        let left = self.must(&CumSum { axis: -1, reverse: false }.into(), &[rest]);
        let log_x = self.arg(self.padded(taken, axis, (0, 1)) + self.padded(left, axis, (1, 0)));
        // Of break k: log z + log(1 - z) + log(what was left), the last being `left - rest`.
        let log_jacobian = self.last_sum(self.arg(taken + left));
        (self.arg(log_x.exp()), log_jacobian)
    }

    /// The `u` that [`Graph::simplex_transform`] takes to `x`.
    #[track_caller]
    pub fn simplex_inverse(&self, x: impl Expr) -> Var {
        self.enter();
        let x = self.arg(x);
        let (axis, n) = self.axis_of_arg("simplex_inverse", x, -1);
        let breaks = n.saturating_sub(1);
        let left = self.must(&CumSum { axis: -1, reverse: true }.into(), &[x]);
        let part = |v: Var, start: usize, stop: usize| {
            let (start, stop) = (Some(start as isize), Some(stop as isize));
            self.must(&Slice { axis: axis as isize, start, stop, step: 1 }.into(), &[v])
        };
        let (taken, rest, shift) = (part(x, 0, breaks), part(left, 1, n), self.breaks(breaks));
        self.arg(taken.log() - rest.log() + shift)
    }

    /// An ascending vector along the last axis: the first number as it is, then steps `e^u`; and the log-Jacobian, the sum
    /// of the later `u`.
    ///
    /// `[.., n] -> [.., n], [..]`.
    ///
    /// # Panics
    /// If `u` is a number without axes, or belongs to another graph or to a rewound part of this one.
    #[track_caller]
    pub fn ordered_transform(&self, u: impl Expr) -> (Var, Var) {
        self.enter();
        let u = self.arg(u);
        let (first, later) = self.first_and_later("ordered_transform", u);
        let steps = self.must(&Concat { axis: -1 }.into(), &[first, self.arg(later.exp())]);
        (self.must(&CumSum { axis: -1, reverse: false }.into(), &[steps]), self.last_sum(later))
    }

    /// The `u` that [`Graph::ordered_transform`] takes to `x`.
    #[track_caller]
    pub fn ordered_inverse(&self, x: impl Expr) -> Var {
        self.enter();
        let x = self.arg(x);
        let (first, later) = self.first_and_later("ordered_inverse", x);
        let before = self.must(&Slice { axis: -1, start: None, stop: Some(-1), step: 1 }.into(), &[x]);
        let steps = self.arg((later - before).log());
        self.must(&Concat { axis: -1 }.into(), &[first, steps])
    }

    /// `log(n - 1 - k)` for the breaks `k` of a stick into `n` parts.
    fn breaks(&self, count: usize) -> Var {
        let logs: Vec<T> = (0..count).map(|k| T::of(((count - k) as f64).ln())).collect();
        self.push_array(&ndarray::Array1::from(logs).into_dyn())
    }

    fn padded(&self, x: Var, axis: usize, width: (isize, isize)) -> Var {
        let widths = (0..=axis).map(|k| if k == axis { width } else { (0, 0) }).collect();
        self.must(&Pad { widths, mode: PadMode::Constant, value: 0.0 }.into(), &[x])
    }

    fn last_sum(&self, x: Var) -> Var {
        self.must(&Sum { axes: Some([-1][..].into()), keepdims: false }.into(), &[x])
    }

    fn first_and_later(&self, op: &'static str, x: Var) -> (Var, Var) {
        self.axis_of_arg(op, x, -1);
        let part = |start, stop| self.must(&Slice { axis: -1, start, stop, step: 1 }.into(), &[x]);
        (part(None, Some(1)), part(Some(1), None))
    }
}
