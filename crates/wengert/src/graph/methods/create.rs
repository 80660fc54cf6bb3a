//! Leaves made of a shape: constants, ranges and random numbers. What should not be differentiated is `detach`ed, or
//! given to `constant` as an array.

use ndarray::{Array1, Array2, ArrayD, IxDyn};
use rand::Rng;

use crate::error::{ErrorKind, Refusal};
use crate::graph::{Engine, Graph};

use crate::var::Var;

/// A number of 0..1, each multiple of 2^-53 alike.
pub(super) fn uniform(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

impl<T: Engine> Graph<T> {
    /// A leaf of drawn numbers; `op` is who asks.
    #[track_caller]
    fn drawn(&self, op: &'static str, shape: &[usize], draw: impl FnMut() -> T) -> Var {
        self.enter();
        self.admit(op, &[], super::countable(shape));
        self.leaf(ArrayD::from_shape_simple_fn(IxDyn(shape), draw))
    }

    /// A leaf of zeros.
    #[track_caller]
    pub fn zeros(&self, shape: &[usize]) -> Var {
        self.full(shape, 0.0)
    }

    /// A leaf of ones.
    #[track_caller]
    pub fn ones(&self, shape: &[usize]) -> Var {
        self.full(shape, 1.0)
    }

    /// A leaf of one value.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// let g = Graph::<f64>::new();
    /// assert_eq!(g.value(g.full(&[2], 0.5)), array![0.5, 0.5].into_dyn());
    /// assert!(g.is_differentiable(g.zeros(&[2, 0])));
    /// ```
    #[track_caller]
    pub fn full(&self, shape: &[usize], value: f64) -> Var {
        self.drawn("full", shape, || T::of(value))
    }

    /// A leaf: the identity matrix.
    #[track_caller]
    pub fn eye(&self, n: usize) -> Var {
        self.enter();
        self.admit("eye", &[], super::countable(&[n, n]));
        self.leaf(Array2::from_diag_elem(n, T::one()))
    }

    /// A leaf: `start, start + step, ..`, all before `stop`.
    ///
    /// # Panics
    /// If `step` is 0, or the range has no end.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// let g = Graph::<f64>::new();
    /// assert_eq!(g.value(g.arange(1.0, 2.0, 0.25)), array![1.0, 1.25, 1.5, 1.75].into_dyn());
    /// assert_eq!(g.len(g.arange(1.0, 0.0, 0.25)), 0);
    /// ```
    #[track_caller]
    pub fn arange(&self, start: f64, stop: f64, step: f64) -> Var {
        self.enter();
        let count = ((stop - start) / step).ceil();
        // More elements than this fit no memory.
        let check = match step != 0.0 && count < (1u64 << 48) as f64 {
            true => Ok(count.max(0.0) as usize),
            false => {
                let rule = format!("from {start} to {stop} in steps of {step} there is no end");
                Err(Refusal::new(ErrorKind::InvalidAttribute, rule))
            }
        };
        let count = self.admit("arange", &[], check);
        self.leaf(Array1::from_shape_fn(count, |k| T::of(start + k as f64 * step)))
    }

    /// A leaf: `n` numbers at equal distances from `start` to `stop`, both included.
    #[track_caller]
    pub fn linspace(&self, start: f64, stop: f64, n: usize) -> Var {
        self.enter();
        self.admit("linspace", &[], super::countable(&[n]));
        let last = n.saturating_sub(1);
        let share = |k: usize| if last == 0 { 0.0 } else { k as f64 / last as f64 };
        let at = |k: usize| if k == last && k > 0 { stop } else { start + (stop - start) * share(k) };
        self.leaf(Array1::from_shape_fn(n, |k| T::of(at(k))))
    }

    /// A leaf of random numbers, uniform in 0..1.
    ///
    /// # Examples
    /// ```
    /// use rand::{SeedableRng, rngs::SmallRng};
    /// use wengert::prelude::*;
    /// let g = Graph::<f64>::new();
    /// let draw = || g.rand(&[3, 2], &mut SmallRng::seed_from_u64(7));
    /// assert_eq!(g.value(draw()), g.value(draw()));
    /// ```
    #[track_caller]
    pub fn rand(&self, shape: &[usize], rng: &mut impl Rng) -> Var {
        // A number may be rounded to 1 in f32.
        let below = T::one() - T::epsilon() / T::of(2.0);
        self.drawn("rand", shape, || T::of(uniform(rng)).min(below))
    }

    /// A leaf of random numbers, normal with mean 0 and variance 1.
    ///
    /// # References
    /// G. E. P. Box, M. E. Muller, Ann. Math. Statist. 29 (1958).
    #[track_caller]
    pub fn randn(&self, shape: &[usize], rng: &mut impl Rng) -> Var {
        let mut second = None;
        let mut normal = || match second.take() {
            Some(number) => number,
            None => {
                let radius = (-2.0 * (1.0 - uniform(rng)).ln()).sqrt();
                let (sin, cos) = (std::f64::consts::TAU * uniform(rng)).sin_cos();
                second = Some(radius * sin);
                radius * cos
            }
        };
        self.drawn("randn", shape, || T::of(normal()))
    }
}
