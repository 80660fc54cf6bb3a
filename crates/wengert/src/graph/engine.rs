//! [`Engine`]: the engine of each element type, compiled once, in this crate.
//!
//! The compiler turns a generic function into code where it is used, with the settings of that crate. So the methods of
//! [`Graph`] are thin, and what stands behind them is reached through the functions of this trait: they are implemented for
//! concrete types, and a user's crate calls them instead of compiling the engine again. A debug build of a program runs
//! the same kernels as a release build, and a crate of formulas builds in seconds.

use std::sync::Arc;

use crate::error::{Error, Refusal, Result};
use crate::expr::Lowering;
use crate::graph::Graph;
use crate::graph::checkpoint::Part;
use crate::graph::custom::Custom;
use crate::graph::lines::At;
use crate::graph::marks::Mark;
use crate::graph::structured::Vars;
use crate::kernel::elementwise::Map;
use crate::kernel::functions::Functions;
use crate::op::{Binary, Op};
use crate::var::Var;

macro_rules! engine {
    ($(fn $name:ident($g:ident: $G:ty $(, $arg:ident: $Arg:ty)*) -> $Out:ty = $body:expr;)*) => {
        /// An element type that the engine is compiled for: `f64`, and `f32` with the feature `f32` (a default). Sealed.
        #[diagnostic::on_unimplemented(
            message = "there are no graphs of `{Self}`",
            note = "element types are `f64`, and `f32` with wengert's feature `f32` (a default)"
        )]
        #[allow(missing_docs, private_interfaces)]
        pub trait Engine: Functions {
            $(#[doc(hidden)] fn $name(g: $G $(, $arg: $Arg)*) -> $Out;)*
        }
        engine!(@impl f64; $(fn $name($g: $G $(, $arg: $Arg)*) -> $Out = $body;)*);
        #[cfg(feature = "f32")]
        engine!(@impl f32; $(fn $name($g: $G $(, $arg: $Arg)*) -> $Out = $body;)*);
    };
    (@impl $T:ty; $(fn $name:ident($g:ident: $G:ty $(, $arg:ident: $Arg:ty)*) -> $Out:ty = $body:expr;)*) => {
        #[allow(private_interfaces)]
        impl Engine for $T { $(fn $name($g: $G $(, $arg: $Arg)*) -> $Out { $body })* }
    };
}

engine! {
    fn error(g: &Graph<Self>, refusal: Refusal, op: &'static str, args: &[Var]) -> Error = g.error_here(refusal, op, args);
    fn map(g: &Graph<Self>, op: Map, x: Var) -> Result<Var> = g.map_here(op, x);
    fn zip(g: &Graph<Self>, op: Binary, a: Var, b: Var) -> Result<Var> = g.zip_here(op, a, b);
    fn record(g: &Graph<Self>, op: &Op, args: &[Var]) -> Result<Vars> = g.record_here(op, args);
    fn formula(g: &Graph<Self>, program: &Lowering, total: Option<&Op>) -> Result<Option<Var>> = g.push_formula(program, total);
    fn custom(g: &Graph<Self>, op: Arc<dyn Custom<Self>>, args: &[Var]) -> Result<Var, Refusal> = g.custom_here(op, args);
    fn checkpoint(g: &Graph<Self>, part: Arc<Part<Self>>, args: &[Var]) -> Result<Var, Refusal> = g.checkpoint_here(part, args);
    fn settle(g: &Graph<Self>, ids: &[usize]) -> () = g.settle_here(ids);
    fn settle_readers(g: &mut Graph<Self>, input: usize) -> () = g.settle_readers_here(input);
    fn root(g: &Graph<Self>, what: &'static str, y: Var) -> Result<usize> = g.root_here(what, y);
    fn sweep(g: &mut Graph<Self>, what: &'static str, y: Var, id: usize, seed: &mut dyn FnMut(&mut [Self])) -> Result<()> = g.sweep_here(what, y, id, seed);
    fn rows(g: &mut Graph<Self>, what: &'static str, y: Var, x: &[Var], rows: &mut [Vec<Self>]) -> Result<()> = g.rows_here(what, y, x, rows);
    fn rows_a_column(g: &Graph<Self>, y: Var) -> usize = g.rows_a_column_here(y);
    fn gradient(g: &Graph<Self>, what: &'static str, y: Var, y_bar: Option<Var>, xs: &[Var]) -> Result<Vec<Var>> = g.gradient_here(what, y, y_bar, xs);
    fn tangent(g: &Graph<Self>, what: &'static str, y: Var, along: &[(Var, Var)]) -> Result<Var> = g.tangent_here(what, y, along);
    fn rewind(g: &mut Graph<Self>, mark: Mark, at: At) -> Result<()> = g.rewind_here(mark, at);
    fn forget(g: &mut Graph<Self>) -> () = g.sweep.forget();
}
