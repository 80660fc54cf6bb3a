//! Elementwise ops, `eval`, comparisons and selection.

use smallvec::SmallVec;

use crate::error::Result;
use crate::expr::{Expr, Operand, Recorder, tune, zip};
use crate::graph::Engine;
use crate::graph::Graph;
use crate::kernel::elementwise::Map;
use crate::op::table::unary_table;
use crate::op::*;
use crate::rule::Record;
use crate::var::Var;

#[inline]
#[track_caller]
fn recorded(v: Result<Var>) -> Var {
    match v {
        Ok(v) => v,
        Err(error) => panic!("{error}"),
    }
}

impl<T: Engine> Recorder<T> for Graph<T> {
    #[inline]
    fn unary<const OP: u8>(&self, x: Var) -> Var {
        let op = const { Unary::ALL[OP as usize] };
        match self.quick_map(op, x) {
            Some(y) => y,
            None => recorded(T::map(self, Map::Unary(op), x)),
        }
    }
    #[inline]
    fn tuned(&self, op: Tuned, p: Params, x: Var) -> Var {
        recorded(T::map(self, Map::Tuned(op, p), x))
    }
    #[inline]
    fn binary<const OP: u8>(&self, a: Var, b: Var) -> Var {
        let op = const { Binary::ALL[OP as usize] };
        match self.quick_zip(op, a, b) {
            Some(y) => y,
            None => recorded(T::zip(self, op, a, b)),
        }
    }
    fn number(&self, value: f64) -> Var {
        self.filled(&[], value)
    }
}

impl<T: Engine> Graph<T> {
    /// Records a formula.
    ///
    /// # Panics
    /// If shapes do not fit, or a handle belongs to another graph or to a rewound part of this one.
    ///
    /// # Examples
    /// ```
    /// use wengert::prelude::*;
    /// let g = Graph::new();
    /// let (x, y) = (g.leaf(2.0), g.leaf(3.0));
    /// let z = g.eval(2.0 * (x * y).sin() + y / 3 - (1 - x).exp());
    /// assert_eq!(g.item(z), 2.0 * 6f64.sin() + 1.0 - (-1f64).exp());
    /// ```
    #[track_caller]
    pub fn eval(&self, formula: impl Expr) -> Var {
        self.enter();
        self.arg(formula)
    }

    /// Selects `yes` where `mask` holds, `no` elsewhere; all three broadcast. The side not taken gets the cotangent 0.
    #[track_caller]
    pub fn where_(&self, mask: Var, yes: impl Operand, no: impl Operand) -> Var {
        self.enter();
        let args = [mask, self.arg(yes), self.arg(no)];
        self.must(&Where {}.into(), &args)
    }

    /// As [`Graph::where_`] of two functions of `x`, with zeros stronger than infinities: where a function is not taken, its
    /// derivatives of every order are an exact 0, whatever they are there. Each is still computed everywhere.
    ///
    /// # Panics
    /// As `where_`.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// let mut g = Graph::new();
    /// let x = g.leaf(array![0.0, 1.0]);
    /// let y = g.where_strong(g.gt(x, 0.0), &[x], |g, x| g.log(x[0]), |g, x| g.eval(2.0 * x[0]));
    /// g.backward(g.sum(y))?;
    /// // With `where_` the logarithm's infinite slope at 0 would make the first entry NaN.
    /// assert_eq!(g.grad(x).unwrap(), array![2.0, 1.0].into_dyn());
    /// # Ok::<(), wengert::Error>(())
    /// ```
    #[track_caller]
    pub fn where_strong(
        &self,
        mask: Var,
        x: &[Var],
        yes: impl FnOnce(&Self, &[Var]) -> Var,
        no: impl FnOnce(&Self, &[Var]) -> Var,
    ) -> Var {
        self.enter();
        let mut inputs = [SmallVec::<[Var; 4]>::new(), SmallVec::new()];
        for &x in x {
            // The value everywhere, the derivative where its side is taken.
            let cut = self.must(&Detach {}.into(), &[x]);
            inputs[0].push(self.must(&Where {}.into(), &[mask, x, cut]));
            inputs[1].push(self.must(&Where {}.into(), &[mask, cut, x]));
        }
        let (yes, no) = (yes(self, &inputs[0]), no(self, &inputs[1]));
        self.enter();
        self.must(&Where {}.into(), &[mask, yes, no])
    }

    /// The value of `x`, cut off from differentiation.
    #[track_caller]
    pub fn detach(&self, x: impl Expr) -> Var {
        self.enter();
        let x = self.arg(x);
        self.must(&Detach {}.into(), &[x])
    }
}

macro_rules! unary_methods {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$x:ident, $y:ident, $p:ident| $primal:expr, $partial:expr, $lo:expr, $hi:expr;)*) => {
        impl<T: Engine> Graph<T> { $(
            $(#[$doc])*
            #[track_caller]
            pub fn $name(&self, x: impl Expr) -> Var {
                self.enter();
                self.arg(Expr::$name(x))
            }
        )* }
    };
}
unary_table!(unary_methods);

macro_rules! binary_methods {
    ($($(#[$doc:meta])* $name:ident: $Variant:ident, |$a:ident, $b:ident, $y:ident| $primal:expr, $pa:expr, $pb:expr, $da:expr, $db:expr;)*) => {
        impl<T: Engine> Graph<T> { $(
            $(#[$doc])*
            #[track_caller]
            pub fn $name(&self, a: impl Operand, b: impl Operand) -> Var {
                self.enter();
                self.arg(zip::<{ Binary::$Variant as u8 }, _, _>(a, b))
            }
        )* }
    };
}
crate::op::table::binary_table!(binary_methods);

macro_rules! compare_methods {
    ($($name:ident $Variant:ident $sign:literal)*) => {
        impl<T: Engine> Graph<T> { $(
            #[doc = concat!("The mask `a ", $sign, " b`, broadcast; no gradient.")]
            #[track_caller]
            pub fn $name(&self, a: impl Operand, b: impl Operand) -> Var {
                self.enter();
                let args = [self.arg(a), self.arg(b)];
                self.must(&Op::Compare(Compare::$Variant), &args)
            }
        )* }
    };
}
compare_methods! { eq Eq "==" ne Ne "!=" lt Lt "<" le Le "<=" gt Gt ">" ge Ge ">=" }

macro_rules! tuned_methods {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*) $Variant:ident [$p0:expr, $p1:expr];)*) => {
        impl<T: Engine> Graph<T> { $(
            $(#[$doc])*
            #[track_caller]
            pub fn $name(&self, x: impl Expr $(, $arg: $ty)*) -> Var {
                self.enter();
                self.arg(tune::<{ Tuned::$Variant as u8 }, _>([$p0, $p1], x))
            }
        )* }
    };
}
tuned_methods! {
    /// `x` to the whole power `n`; at `n = 0` the gradient is 0.
    powi(n: i32) Powi [f64::from(n), 0.0];
    /// `x` to a constant power; at `p = 0` the gradient is 0.
    powf(p: f64) Powf [p, 0.0];
    /// `x` held between two bounds; the gradient is 1 strictly between them and 0 elsewhere.
    clamp(lo: f64, hi: f64) Clamp [lo, hi];
    /// `x` held between 0 and 6; at the bounds the gradient is 0.
    relu6() Clamp [0.0, 6.0];
    /// `x` held between two bounds, as `clamp`: the activation of that name.
    hardtanh(lo: f64, hi: f64) Clamp [lo, hi];
    /// Degrees as radians.
    deg2rad() Scale [std::f64::consts::PI / 180.0, 0.0];
    /// Radians as degrees.
    rad2deg() Scale [180.0 / std::f64::consts::PI, 0.0];
    /// `x` where positive, `slope * x` elsewhere.
    leaky_relu(slope: f64) LeakyRelu [slope, 0.0];
    /// `x` where positive, `alpha * (e^x - 1)` elsewhere.
    elu(alpha: f64) Elu [alpha, 0.0];
    /// `x` where positive, `alpha * (e^(x / alpha) - 1)` elsewhere.
    celu(alpha: f64) Celu [alpha, 0.0];
    /// `x` where `|x| > lambda`, 0 elsewhere; the gradient at the bound is 0.
    hardshrink(lambda: f64) Hardshrink [lambda, 0.0];
    /// `x` drawn towards 0 by `lambda`, 0 where `|x| <= lambda`; the gradient at the bound is 0.
    softshrink(lambda: f64) Softshrink [lambda, 0.0];
    /// `x` where above `bound`, `value` elsewhere; the gradient at the bound is 0.
    threshold(bound: f64, value: f64) Threshold [bound, value];
    /// `log(1 + e^x)`; beyond 20 it is `x` itself.
    softplus() Softplus [1.0, 20.0];
    /// `log(1 + e^(beta x)) / beta`; where `beta x > threshold` it is `x` itself.
    softplus_with(beta: f64, threshold: f64) Softplus [beta, threshold];
    /// The derivative of order `n` of `digamma`.
    polygamma(n: u32) Polygamma [f64::from(n), 0.0];
}
