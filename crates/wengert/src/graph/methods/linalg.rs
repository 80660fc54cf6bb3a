//! Linear algebra. What can fail because of values returns a [`Result`]: a singular matrix is no mistake in the program.

use crate::error::Result;
use crate::expr::Expr;
use crate::graph::Engine;
use crate::graph::Graph;
use crate::op::*;
use crate::var::Var;

impl<T: Engine> Graph<T> {
    /// The inverse of a square matrix.
    ///
    /// `[.., n, n] -> [.., n, n]`. Cotangent: `a_bar = -y^T y_bar y^T`. O(batch n^3). To solve a system, use
    /// [`Graph::solve`]: it costs a third and rounds less.
    ///
    /// # Errors
    /// If the matrix is not square, or exactly singular; the message names matrix and pivot.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let a = g.leaf(array![[2.0, 0.0], [0.0, 4.0]]);
    /// let y = g.inverse(a)?;
    /// g.backward_with(y, array![[1.0, 0.0], [0.0, 1.0]])?;
    /// assert_eq!(g.value(y), array![[0.5, 0.0], [0.0, 0.25]].into_dyn());
    /// assert_eq!(g.grad(a).unwrap(), array![[-0.25, 0.0], [0.0, -0.0625]].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn inverse(&self, a: impl Expr) -> Result<Var> {
        self.enter();
        self.all_or_nothing(|g| Ok(g.record(&Inverse {}.into(), &[g.arg(a)])?[0]))
    }

    /// `X` with `A X = B`, by LU with partial pivoting.
    ///
    /// `[.., n, n] x [.., n, k] -> [.., n, k]`, batches broadcast; a `b` of one axis is a vector. Cotangents:
    /// `b_bar = a^-T x_bar` from the same factors, `a_bar = -b_bar x^T`. O(batch (n^3 + n^2 k)), backward O(n^2 k).
    ///
    /// # Errors
    /// If shapes do not fit, or a matrix is exactly singular; the message names matrix and pivot.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let a = g.leaf(array![[2.0, 0.0], [0.0, 4.0]]);
    /// let b = g.leaf(array![6.0, 8.0]);
    /// let x = g.solve(a, b)?;
    /// g.backward_with(x, array![1.0, 1.0])?;
    /// assert_eq!(g.value(x), array![3.0, 2.0].into_dyn());
    /// assert_eq!(g.grad(b).unwrap(), array![0.5, 0.25].into_dyn());
    /// assert_eq!(g.grad(a).unwrap(), array![[-1.5, -1.0], [-0.75, -0.5]].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn solve(&self, a: impl Expr, b: impl Expr) -> Result<Var> {
        self.enter();
        self.all_or_nothing(|g| Ok(g.record(&Solve {}.into(), &[g.arg(a), g.arg(b)])?[0]))
    }

    /// `X` with `A X = B` for a triangular `A`: the lower triangle where `lower`, else the upper one; the other is not read.
    ///
    /// Shapes as [`Graph::solve`]. Cotangents: `b_bar = a^-T x_bar`, `a_bar = -b_bar x^T` in the triangle that is read.
    /// O(batch n^2 k).
    ///
    /// # Errors
    /// If shapes do not fit, or there is a zero on a diagonal; the message names matrix and entry.
    #[track_caller]
    pub fn solve_triangular(&self, a: impl Expr, b: impl Expr, lower: bool) -> Result<Var> {
        self.solve_triangular_with(a, b, TriangularSolve { lower, ..TriangularSolve::default() })
    }

    /// As [`Graph::solve_triangular`] with every option: the transposed system, a diagonal that counts as 1.
    ///
    /// # Errors
    /// As [`Graph::solve_triangular`]; a diagonal that counts as 1 may hold zeros.
    #[track_caller]
    pub fn solve_triangular_with(&self, a: impl Expr, b: impl Expr, options: TriangularSolve) -> Result<Var> {
        self.enter();
        self.all_or_nothing(|g| Ok(g.record(&options.into(), &[g.arg(a), g.arg(b)])?[0]))
    }

    /// `X` of least norm among those of least `|A X - B|`, through the pseudoinverse.
    ///
    /// `[.., m, n] x [.., m, k] -> [.., n, k]`; a `b` of one axis is a vector. Derivatives by `a` as of [`Graph::pinv`]. O(batch (m n min(m, n) + m n k)).
    ///
    /// # Panics
    /// If shapes do not fit.
    #[track_caller]
    pub fn lstsq(&self, a: impl Expr, b: impl Expr) -> Var {
        self.enter();
        let args = [self.arg(a), self.arg(b)];
        self.must(&Lstsq::default().into(), &args)
    }

    /// The Moore-Penrose inverse. Singular values up to `max(m, n) epsilon` times the largest count as 0.
    ///
    /// `[.., m, n] -> [.., n, m]`. Where the rank is not full, derivatives are refused as not differentiable: next to such a
    /// matrix are others of higher rank, with a far greater pseudoinverse. The op with an `rtol` of its own takes the rank as
    /// given.
    ///
    /// # Panics
    /// If the argument has fewer than two axes.
    ///
    /// # References
    /// G. H. Golub, V. Pereyra, SIAM J. Numer. Anal. 10 (1973).
    #[track_caller]
    pub fn pinv(&self, a: impl Expr) -> Var {
        self.enter();
        let a = self.arg(a);
        self.must(&Pinv::default().into(), &[a])
    }

    /// The determinant.
    ///
    /// `[.., n, n] -> [..]`. Cotangent: `a_bar = y_bar C` with the cofactor matrix `C`, exact for singular matrices too.
    /// O(batch n^3). Overflows early: see [`Graph::slogdet`].
    ///
    /// # Panics
    /// If the matrix is not square.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let a = g.leaf(array![[1.0, 2.0], [2.0, 4.0]]);
    /// let y = g.det(a);
    /// g.backward(y)?;
    /// assert_eq!(g.item(y), 0.0);
    /// assert_eq!(g.grad(a).unwrap(), array![[4.0, -2.0], [-2.0, 1.0]].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn det(&self, a: impl Expr) -> Var {
        self.enter();
        let a = self.arg(a);
        self.must(&Det {}.into(), &[a])
    }

    /// Sign and logarithm of the absolute value of the determinant: 0 and -inf where it is singular.
    ///
    /// `[.., n, n] -> [..], [..]`. Cotangent: `a_bar = log_bar a^-T`; the sign is flat. O(batch n^3).
    ///
    /// # Panics
    /// If the matrix is not square.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let a = g.leaf(array![[-2.0, 0.0], [0.0, 4.0]]);
    /// let (sign, log) = g.slogdet(a);
    /// g.backward(log)?;
    /// assert_eq!(g.item(sign), -1.0);
    /// assert!((g.item(log) - 8f64.ln()).abs() < 1e-15);
    /// assert_eq!(g.grad(a).unwrap(), array![[-0.5, 0.0], [0.0, 0.25]].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn slogdet(&self, a: impl Expr) -> (Var, Var) {
        self.enter();
        let a = self.arg(a);
        self.pair(SlogDet {}.into(), a)
    }

    /// Logarithm of the determinant of a symmetric positive definite matrix, by its Cholesky factor.
    ///
    /// `[.., n, n] -> [..]`; the lower triangle is read. Cotangent: `a_bar = y_bar a^-1`. O(batch n^3 / 3).
    ///
    /// # Errors
    /// If the matrix is not square, or not positive definite; the message names matrix and pivot.
    #[track_caller]
    pub fn logdet_spd(&self, a: impl Expr) -> Result<Var> {
        self.enter();
        self.all_or_nothing(|g| Ok(g.record(&LogDetSpd {}.into(), &[g.arg(a)])?[0]))
    }

    /// The lower triangular `L` with `L L^T = A`.
    ///
    /// `[.., n, n] -> [.., n, n]`; the lower triangle is read. The cotangent is symmetric, half on either side of the
    /// diagonal: `a_bar = sym(l^-T Phi(l^T l_bar) l^-1)`, `Phi` the lower triangle with its diagonal halved. O(batch n^3).
    ///
    /// # Errors
    /// If the matrix is not square, or not positive definite; the message names matrix and pivot.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let a = g.leaf(array![[4.0, 2.0], [2.0, 5.0]]);
    /// let l = g.cholesky(a)?;
    /// g.backward_with(l, array![[1.0, 0.0], [0.0, 0.0]])?;
    /// assert_eq!(g.value(l), array![[2.0, 0.0], [1.0, 2.0]].into_dyn());
    /// assert_eq!(g.grad(a).unwrap(), array![[0.25, 0.0], [0.0, 0.0]].into_dyn());
    ///
    /// let refused = g.cholesky(-a).unwrap_err();
    /// assert_eq!(refused.kind(), wengert::ErrorKind::NotPositiveDefinite);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # References
    /// I. Murray, Differentiation of the Cholesky decomposition, arXiv:1602.07527 (2016).
    #[track_caller]
    pub fn cholesky(&self, a: impl Expr) -> Result<Var> {
        self.enter();
        self.all_or_nothing(|g| Ok(g.record(&Cholesky {}.into(), &[g.arg(a)])?[0]))
    }

    /// `X` with `L L^T X = B` for the lower factor `L` of [`Graph::cholesky`].
    ///
    /// `[.., n, k] x [.., n, n] -> [.., n, k]`; a `b` of one axis is a vector. O(batch n^2 k).
    ///
    /// # Errors
    /// If shapes do not fit, or there is a zero on the diagonal of a factor; the message names matrix and entry.
    #[track_caller]
    pub fn cholesky_solve(&self, b: impl Expr, l: impl Expr) -> Result<Var> {
        self.enter();
        self.all_or_nothing(|g| Ok(g.record(&CholeskySolve {}.into(), &[g.arg(b), g.arg(l)])?[0]))
    }

    /// Eigenvalues (ascending) and eigenvectors (in columns) of a symmetric matrix.
    ///
    /// `[.., n, n] -> [.., n], [.., n, n]`; the lower triangle is read, signs of vectors are unspecified. The cotangent is
    /// symmetric: `a_bar = sym(v (diag(w_bar) + f * v^T v_bar) v^T)` with `f_ij = 1 / (w_j - w_i)`. O(batch n^3).
    ///
    /// Where eigenvalues are equal (up to rounding) their vectors turn freely, and `f_ij` counts as 0: right for what
    /// depends on their space as a whole, such as a projector. A sweep that finds single vectors of it told apart, or
    /// values and vectors of it read together, is refused as not differentiable; so is a tangent that splits the values. What
    /// no cotangent shows passes: a weight `h(w)` of vectors that is 0 on such a space hides from the sweep how `h` depends on
    /// `w` there.
    ///
    /// # Errors
    /// If the matrix is not square, or an entry is not finite.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// use wengert::prelude::*;
    /// # fn main() -> wengert::Result<()> {
    /// let mut g = Graph::new();
    /// let a = g.leaf(array![[3.0, 0.0], [0.0, 1.0]]);
    /// let (values, _) = g.eigh(a)?;
    /// g.backward_with(values, array![0.0, 1.0])?;
    /// assert_eq!(g.value(values), array![1.0, 3.0].into_dyn());
    /// assert_eq!(g.grad(a).unwrap(), array![[1.0, 0.0], [0.0, 0.0]].into_dyn());
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn eigh(&self, a: impl Expr) -> Result<(Var, Var)> {
        self.enter();
        let y = self.all_or_nothing(|g| g.record(&Eigh {}.into(), &[g.arg(a)]))?;
        Ok((y[0], y[1]))
    }

    /// The reduced singular value decomposition `U, S, V^T`, `S` descending.
    ///
    /// `[.., m, n] -> [.., m, k], [.., k], [.., k, n]` with `k = min(m, n)`; signs of vectors are unspecified. Singular
    /// values alone have a gradient everywhere but at 0: `a_bar = u diag(s_bar) v^T`. With vectors, equal singular values
    /// are refused as equal eigenvalues in [`Graph::eigh`], unless `U` and `V` are read in ways in which their turning
    /// together cancels (`U V^T`); so is a zero one that is read with vectors, unless the matrix is square.
    ///
    /// # Errors
    /// If the argument has fewer than two axes, or an entry is not finite.
    ///
    /// # References
    /// J. Townsend, Differentiating the singular value decomposition (2016).
    #[track_caller]
    pub fn svd(&self, a: impl Expr) -> Result<(Var, Var, Var)> {
        self.enter();
        let y = self.all_or_nothing(|g| g.record(&Svd {}.into(), &[g.arg(a)]))?;
        Ok((y[0], y[1], y[2]))
    }

    /// The singular values, descending: see [`Graph::svd`].
    ///
    /// `[.., m, n] -> [.., k]` with `k = min(m, n)`. Cotangent: `a_bar = u diag(s_bar) v^T`; of equal singular values each
    /// takes what comes to it, as of ties.
    ///
    /// # Errors
    /// As [`Graph::svd`].
    #[track_caller]
    pub fn svdvals(&self, a: impl Expr) -> Result<Var> {
        Ok(self.svd(a)?.1)
    }

    /// The reduced QR decomposition, by Householder reflectors.
    ///
    /// `[.., m, n] -> [.., m, k], [.., k, n]` with `k = min(m, n)`; signs of the diagonal of `R` are unspecified.
    /// Derivatives need the first `k` columns to be independent, and are refused where
    /// `R` says that they are not, up to rounding.
    /// O(batch m n k).
    ///
    /// # Panics
    /// If the argument has fewer than two axes.
    ///
    /// # References
    /// S. Walter, L. Lehmann, Algorithmic differentiation of linear algebra functions (2010).
    #[track_caller]
    pub fn qr(&self, a: impl Expr) -> (Var, Var) {
        self.enter();
        let a = self.arg(a);
        self.pair(Qr {}.into(), a)
    }

    /// The matrix exponential.
    ///
    /// `[.., n, n] -> [.., n, n]`. The derivative is the exponential of a block matrix twice as large. O(batch n^3).
    ///
    /// # Panics
    /// If the matrix is not square.
    ///
    /// # References
    /// N. J. Higham, Functions of Matrices, SIAM (2008), chapter 10.
    #[track_caller]
    pub fn expm(&self, a: impl Expr) -> Var {
        self.enter();
        let a = self.arg(a);
        self.must(&Expm {}.into(), &[a])
    }

    /// A square matrix to the power `n`, by repeated squaring; a negative power is one of the inverse.
    ///
    /// `[.., n, n] -> [.., n, n]`. O(batch n^3 log n). The power 0 is the identity, with the gradient 0.
    ///
    /// # Errors
    /// If the matrix is not square, or `n < 0` and it is exactly singular.
    #[track_caller]
    pub fn matrix_power(&self, a: impl Expr, n: i32) -> Result<Var> {
        self.enter();
        self.all_or_nothing(|g| {
            let mut a = g.arg(a);
            if n < 0 {
                a = g.record(&Inverse {}.into(), &[a])?[0];
            }
            Ok(g.record(&MatrixPower { n: n.unsigned_abs() }.into(), &[a])?[0])
        })
    }

    /// The Kronecker product of matrices: `y[p i + k, q j + l] = a[i, j] b[k, l]` for a `b` of `[p, q]`.
    ///
    /// `[.., m, n] x [.., p, q] -> [.., m p, n q]`, batches broadcast. O(batch m n p q).
    ///
    /// # Panics
    /// If an argument has fewer than two axes, or batches do not fit.
    #[track_caller]
    pub fn kron(&self, a: impl Expr, b: impl Expr) -> Var {
        self.enter();
        let args = [self.arg(a), self.arg(b)];
        self.must(&Kron {}.into(), &args)
    }

    /// Both results of an op that values cannot make fail.
    #[track_caller]
    pub(super) fn pair(&self, op: Op, a: Var) -> (Var, Var) {
        match self.record(&op, &[a]) {
            Ok(y) => (y[0], y[1]),
            Err(error) => panic!("{error}"),
        }
    }
}
