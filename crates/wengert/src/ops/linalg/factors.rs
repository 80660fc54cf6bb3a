//! The LU decomposition, kept for more than one system.

use super::*;
use crate::op::{BroadcastTo, LuFactor, ScatterAdd, TriangularSolve, Unsqueeze};

/// `l^-T` and `u^-1`, both from the one matrix that holds the factors.
const LOWER: TriangularSolve = TriangularSolve { lower: true, transpose: true, unit_diagonal: true };
const UPPER: TriangularSolve = TriangularSolve { lower: false, transpose: false, unit_diagonal: false };

impl Rule for LuFactor {
    /// The factors in one matrix, and the row of the argument that each of its rows comes from.
    fn infer(&self, args: &[Arg<'_>]) -> Result<Specs, Refusal> {
        let (batch, n) = one_square(args)?;
        Ok([Spec::real(Shape::from_slice(args[0].shape)), Spec::index(joined(batch, &[n]))]
            .into_iter()
            .collect())
    }

    /// `P a_bar = l^-T (strict lower triangle of l^T l_bar + upper triangle of u_bar u^T) u^-T`.
    fn vjp<'r>(&self, call: &Call<'_, 'r>, y_bar: &[Option<Term<'r>>]) -> Cotangents<'r> {
        let (factors, rows) = (call.results[0], call.results[1]);
        let Some(bar) = y_bar[0] else { return Cotangents::from_elem(None, 1) };
        let (below, l_bar) = (tril(factors, -1), tril(bar, -1));
        let inner =
            tril(l_bar + below.t().matmul(l_bar), -1) + triu(triu(bar, 0).matmul(triu(factors, 0).t()), 0);
        let left = factors.apply(LOWER, &[inner]);
        let moved = factors.apply(UPPER, &[left.t()]).t();
        let rows = rows.apply(Unsqueeze { axis: -1 }, &[]);
        let rows = rows.apply(BroadcastTo { shape: factors.shape() }, &[]);
        let zeros = factors.full(&factors.shape(), 0.0);
        let a_bar = zeros.apply(ScatterAdd { axis: -2 }, &[rows, moved]);
        Cotangents::from_elem(Some(a_bar), 1)
    }
}

impl<T: Functions> Kernels<T> for LuFactor {
    fn forward(&self, x: &[Input<'_, T>], y: &mut [Output<'_, T>]) -> Result<(), Refusal> {
        let [factors, rows] = y else { unreachable!("two results") };
        let mut rows = rows.index();
        let n = rows.shape().last().copied().unwrap_or(0);
        let rows = rows.as_slice_mut().expect("results lie row-major without gaps");
        solve::factor(&x[0], factors.slice(), rows, true)?;
        for exchanges in rows.chunks_exact_mut(n.max(1)) {
            let made: SmallVec<[i64; 32]> = SmallVec::from_slice(exchanges);
            exchanges.iter_mut().zip(0..).for_each(|(row, k)| *row = k);
            made.iter().enumerate().for_each(|(k, &with)| exchanges.swap(k, with as usize));
        }
        Ok(())
    }
}
