//! Systems that share one factorisation.

use crate::error::{ErrorKind, Refusal, Result};
use crate::expr::Expr;
use crate::graph::{Engine, Graph};
use crate::op::*;
use crate::rule::Record;
use crate::shape::{Shape, broadcast};
use crate::var::Var;

impl<T: Engine> Graph<T> {
    /// The LU decomposition with row exchanges: both factors in one matrix (`l` below the diagonal, ones on it implied), and
    /// the row of `a` that each of its rows comes from, as indices.
    ///
    /// `[.., n, n] -> [.., n, n], [.., n]`. Cotangent:
    /// `P a_bar = l^-T (strict lower triangle of l^T l_bar + upper triangle of u_bar u^T) u^-T`. O(batch n^3).
    ///
    /// # Errors
    /// If a matrix is not square, or singular.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let g = Graph::new();
    /// let (lu, rows) = g.lu_factor(g.constant(array![[1.0, 2.0], [4.0, 4.0]]))?;
    /// assert_eq!(g.value(lu), array![[4.0, 4.0], [0.25, 1.0]].into_dyn());
    /// assert_eq!(g.value_i64(rows), array![1, 0].into_dyn());
    /// let x = g.lu_solve(lu, rows, g.constant(array![5.0, 12.0]))?;
    /// assert_eq!(g.value(x), array![1.0, 2.0].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn lu_factor(&self, a: impl Expr) -> Result<(Var, Var)> {
        self.enter();
        self.all_or_nothing(|g| {
            let results = g.record(&LuFactor {}.into(), &[g.arg(a)])?;
            Ok((results[0], results[1]))
        })
    }

    /// `X` with `A X = B`, from what [`Graph::lu_factor`] gives for `A`.
    ///
    /// `[.., n, n], [.., n], [.., n, k] -> [.., n, k]`; a `b` of one axis is a vector; batches broadcast.
    /// O(batch n^2 k).
    ///
    /// # Errors
    /// If shapes do not fit, an index is out of range, or there is a zero on the diagonal of `u`.
    #[track_caller]
    pub fn lu_solve(&self, lu: impl Expr, rows: Var, b: impl Expr) -> Result<Var> {
        self.enter();
        self.all_or_nothing(|g| {
            let (lu, b) = (g.arg(lu), g.arg(b));
            g.resolve_all(&[lu, rows, b]).map_err(|refusal| g.error(refusal, "lu_solve", &[]))?;
            let one = |op: Op, args: &[Var]| g.record(&op, args).map(|results| results[0]);
            let is_vector = g.shape_of(b).len() == 1;
            let b = if is_vector { one(Unsqueeze { axis: -1 }.into(), &[b])? } else { b };
            let columns = columns(&g.shape_of(lu), &g.shape_of(rows), &g.shape_of(b));
            let shape = columns.map_err(|refusal| g.error(refusal, "lu_solve", &[lu, rows, b]))?;
            let spread: Op = BroadcastTo { shape }.into();
            let rows = one(spread.clone(), &[one(Unsqueeze { axis: -1 }.into(), &[rows])?])?;
            let b = one(Gather { axis: -2 }.into(), &[one(spread, &[b])?, rows])?;
            let lower = TriangularSolve { lower: true, transpose: false, unit_diagonal: true };
            let x = one(lower.into(), &[lu, b])?;
            let upper = TriangularSolve { lower: false, transpose: false, unit_diagonal: false };
            let x = one(upper.into(), &[lu, x])?;
            if is_vector {
                one(Squeeze { axes: Some([-1].into_iter().collect()) }.into(), &[x])
            } else {
                Ok(x)
            }
        })
    }
}

/// The shape of the right sides, as columns, broadcast to the batch of the factors.
fn columns(lu: &[usize], rows: &[usize], b: &[usize]) -> std::result::Result<Shape, Refusal> {
    let ([lead @ .., n, m], [own @ .., height, k]) = (lu, b) else {
        return Err(Refusal::new(
            ErrorKind::RankMismatch,
            "takes factors of matrices and vectors or columns",
        ));
    };
    if n != m {
        return Err(Refusal::new(ErrorKind::NotSquare, format!("the factors have {n} rows and {m} columns")));
    }
    if height != n || *rows != lu[..lu.len() - 1] {
        let rule =
            format!("factors of {n} rows need as many indices and right sides of length {n}, batch by batch");
        return Err(Refusal::new(ErrorKind::ShapeMismatch, rule));
    }
    Ok(broadcast([lead, own])?.into_iter().chain([*n, *k]).collect())
}
