//! Structured ops as data: a struct an op, its attributes in public fields. What an op *means* stands in `ops/`.

use smallvec::SmallVec;

use crate::shape::{Axes, Shape};

macro_rules! attributes {
    ($($(#[$doc:meta])* $Op:ident { $($field:ident: $ty:ty = $default:expr),* })*) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs)]
        pub struct $Op { $(pub $field: $ty,)* }

        impl Default for $Op {
            fn default() -> Self { $Op { $($field: $default,)* } }
        }
    )* };
}

/// One length for each spatial axis of a convolution or pool.
pub type Spatial = SmallVec<[usize; 2]>;

/// How a loss joins its elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// The mean of the elements (weighted where the loss has class weights).
    #[default]
    Mean,
    /// The sum of the elements.
    Sum,
    /// No reduction.
    None,
    /// The sum over the size of axis 0 (`kl_div` only).
    BatchMean,
}

/// What stands outside of the array in `pad`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PadMode {
    /// A constant.
    #[default]
    Constant,
    /// The nearest element.
    Edge,
    /// The reflection about the edge element.
    Reflect,
    /// The array again, from its other end.
    Wrap,
}

/// A boolean function of masks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LogicalKind {
    /// Both.
    #[default]
    And,
    /// One or both.
    Or,
    /// One, not both.
    Xor,
    /// The contrary, of one mask.
    Not,
}

attributes! {
    /// Selects `args[1]` where the mask `args[0]` holds, `args[2]` elsewhere; all three broadcast.
    Where {}
    /// The value of the argument, cut off from differentiation.
    Detach {}
    /// The value of `args[0]`; the cotangent goes to `args[1]` as it is.
    StraightThrough {}
    /// The value of the argument; its cotangent is multiplied by `factor`.
    ScaleGradient { factor: f64 = 1.0 }

    /// A boolean function of two masks that broadcast, or of one.
    Logical { kind: LogicalKind = LogicalKind::And }
    /// The partial of the incomplete gamma function of `[a, x]` to `a`.
    GammaIncDa {}
    /// `polygamma(n, a + b) - polygamma(n, a)` of `[a, b]`.
    PolygammaGap { n: u32 = 1 }
    /// Regularised incomplete beta function of `[a, b, x]`.
    BetaInc {}
    /// The partial of `BetaInc` to `x`.
    BetaIncDx {}
    /// Hurwitz zeta function of `[s, q]`.
    Zeta {}

    /// Sum over axes.
    Sum { axes: Option<Axes> = None, keepdims: bool = false }
    /// Mean over axes.
    Mean { axes: Option<Axes> = None, keepdims: bool = false }
    /// Product over axes.
    Prod { axes: Option<Axes> = None, keepdims: bool = false }
    /// Largest value over axes.
    Max { axes: Option<Axes> = None, keepdims: bool = false }
    /// Smallest value over axes.
    Min { axes: Option<Axes> = None, keepdims: bool = false }
    /// Variance over axes, with divisor `count - correction`.
    Variance { axes: Option<Axes> = None, keepdims: bool = false, correction: f64 = 1.0 }
    /// Standard deviation over axes, with divisor `count - correction`.
    Std { axes: Option<Axes> = None, keepdims: bool = false, correction: f64 = 1.0 }
    /// Vector p-norm over axes together; `p` may be infinite.
    Norm { axes: Option<Axes> = None, keepdims: bool = false, p: f64 = 2.0 }
    /// `log(sum(exp(x)))` over axes.
    LogSumExp { axes: Option<Axes> = None, keepdims: bool = false }
    /// Running sum along an axis (from the end when `reverse`).
    CumSum { axis: isize = 0, reverse: bool = false }
    /// Running product along an axis.
    CumProd { axis: isize = 0 }
    /// `e_0 = first`, `e_{k+1} = a_k e_k + b_k` along an axis, without `b` if that is not given; from the end when `reverse`.
    Recurrence { axis: usize = 0, reverse: bool = false, first: f64 = 0.0 }
    /// Running `log(sum(exp(x)))` along an axis.
    LogCumSumExp { axis: isize = 0 }
    /// Largest value so far along an axis, and its position (the last one of ties).
    CumMax { axis: isize = 0 }
    /// Smallest value so far along an axis, and its position (the last one of ties).
    CumMin { axis: isize = 0 }
    /// The values along an axis in order, and where they come from; ties keep their order.
    Sort { axis: isize = -1, descending: bool = false }
    /// The `k` largest (or smallest) values along an axis in order, and where they come from; of ties the first ones.
    TopK { k: usize = 1, axis: isize = -1, largest: bool = true }
    /// The values that ascending order would put at the places `ranks` along an axis, and where they come from.
    OrderStatistics { ranks: Shape = Shape::new(), axis: isize = -1 }
    /// Position of the largest value.
    ArgMax { axis: Option<isize> = None, keepdims: bool = false }
    /// Position of the smallest value.
    ArgMin { axis: Option<isize> = None, keepdims: bool = false }

    /// Row-major reshape; one entry may be -1.
    Reshape { shape: Axes = Axes::new() }
    /// Reorders the axes: axis `k` of the result is axis `axes[k]` of the argument.
    Permute { axes: Axes = Axes::new() }
    /// Swaps two axes.
    Transpose { axis0: isize = -2, axis1: isize = -1 }
    /// Repeats along new axes and axes of length 1.
    BroadcastTo { shape: Shape = Shape::new() }
    /// Drops axes of length 1.
    Squeeze { axes: Option<Axes> = None }
    /// Inserts an axis of length 1.
    Unsqueeze { axis: isize = 0 }
    /// A range along one axis, as Python slices; `step >= 1`.
    Slice { axis: isize = 0, start: Option<isize> = None, stop: Option<isize> = None, step: isize = 1 }
    /// One position along an axis, which is dropped.
    Select { axis: isize = 0, index: isize = 0 }
    /// Zeros of `shape` with the argument at `start, start + step, ..` along `axis`: the adjoint of `Slice`.
    SliceInto { shape: Shape = Shape::new(), axis: usize = 0, start: usize = 0, step: usize = 1 }
    /// A copy of `args[0]` with `args[1]`, which broadcasts, in the part that the slices cut one after the other.
    SliceAssign { slices: SmallVec<[Slice; 2]> = SmallVec::new() }
    /// Joins along an existing axis.
    Concat { axis: isize = 0 }
    /// Joins along a new axis.
    Stack { axis: isize = 0 }
    /// Consecutive pieces along an axis.
    Split { sizes: Shape = Shape::new(), axis: isize = 0 }
    /// Padding in front and behind each axis.
    Pad { widths: SmallVec<[(isize, isize); 4]> = SmallVec::new(), mode: PadMode = PadMode::Constant, value: f64 = 0.0 }
    /// Reverses axes.
    Flip { axes: Axes = Axes::new() }
    /// Circular shift: entry `i` goes to `i + shift`.
    Roll { shifts: Axes = Axes::new(), axes: Axes = Axes::new() }
    /// Keeps `j - i <= k` of the last two axes.
    Tril { k: isize = 0 }
    /// Keeps `j - i >= k` of the last two axes.
    Triu { k: isize = 0 }
    /// A vector on diagonal `k` of a square matrix, or the diagonal `k` of a matrix.
    Diag { k: isize = 0 }
    /// The diagonal of two axes of equal length, as a new last axis.
    Diagonal { axis0: usize = 0, axis1: usize = 1 }
    /// Zeros with the argument's last axis on the diagonal of two axes, at these places of the result: the adjoint of `Diagonal`.
    DiagonalInto { axis0: usize = 0, axis1: usize = 1 }
    /// Zeros of `shape` (a matrix) with a vector on diagonal `k`: the adjoint of `Diag` of a matrix.
    DiagInto { shape: Shape = Shape::new(), k: isize = 0 }
    /// Sum of the main diagonal of a matrix.
    Trace {}
    /// Repeats the whole array, as `numpy.tile`.
    Tile { reps: Shape = Shape::new() }
    /// Repeats each entry along an axis, as `numpy.repeat`.
    RepeatInterleave { repeats: usize = 1, axis: isize = 0 }

    /// The named positions along an axis.
    IndexSelect { axis: isize = 0 }
    /// Zeros of length `len` along `axis` with the slices of `args[0]` added at positions `args[1]`.
    IndexAdd { axis: usize = 0, len: usize = 0 }
    /// `out[i][j] = x[index[i][j]][j]` for axis 0, and so on.
    Gather { axis: isize = 0 }
    /// A copy of `args[0]` with `args[2]` added at the positions `args[1]` along an axis.
    ScatterAdd { axis: isize = 0 }
    /// A copy of `args[0]` with `args[2]` at the positions `args[1]` along an axis, none of them named twice.
    Scatter { axis: isize = 0 }
    /// Rows of a table; repeated rows add up their cotangents.
    Embedding {}
    /// 1 at each index along a new last axis of length `classes`, 0 elsewhere.
    OneHot { classes: usize = 1 }

    /// Matrix product, as `numpy.matmul`.
    MatMul {}
    /// Inner product of two vectors.
    Dot {}
    /// Outer product of two vectors.
    Outer {}
    /// Einstein summation.
    Einsum { equation: SmallVec<[u8; 32]> = SmallVec::new() }
    /// Matrix inverse.
    Inverse {}
    /// `X` with `A X = B`.
    Solve {}
    /// Determinant.
    Det {}
    /// Sign and logarithm of the absolute value of the determinant.
    SlogDet {}
    /// The lower factor `L` with `L L^T = A`.
    Cholesky {}
    /// `X` with `A X = B` for a triangular `A`.
    TriangularSolve { lower: bool = true, transpose: bool = false, unit_diagonal: bool = false }
    /// Eigenvalues (ascending) and eigenvectors of a symmetric matrix.
    Eigh {}
    /// Reduced singular value decomposition `U, S, V^T`.
    Svd {}
    /// Reduced QR decomposition.
    Qr {}
    /// LU decomposition: both factors in one matrix, and the row of the argument that each row comes from.
    LuFactor {}
    /// `X` with `A^T X = B`: the adjoint of `Solve` in `B`.
    SolveTransposed {}
    /// The transposed inverse; infinities and NaN where there is none.
    InverseTransposed {}
    /// The matrix of signed minors, which is the gradient of `Det`.
    Cofactor {}
    /// The tangent of `Cofactor` at `args[0]` along `args[1]`; it is its own adjoint in `args[1]`.
    CofactorTangent {}
    /// `1 / (x_j - x_i)` for all pairs of a vector, or `1 / (x_j + x_i)`; 0 for `i = j` and where that is lost in rounding.
    InverseGaps { sums: bool = false }
    /// `X` with `L L^T X = B`, from `B` and the lower factor `L`.
    CholeskySolve {}
    /// Logarithm of the determinant of a symmetric positive definite matrix.
    LogDetSpd {}
    /// Matrix exponential.
    Expm {}
    /// Moore-Penrose inverse; singular values up to `rtol` times the largest count as 0.
    Pinv { rtol: Option<f64> = None }
    /// `X` of least norm among those of least `|A X - B|`.
    Lstsq { rtol: Option<f64> = None }
    /// A matrix to the power `n >= 0`.
    MatrixPower { n: u32 = 1 }
    /// Kronecker product of matrices.
    Kron {}

    /// `x W^T + b`.
    Linear {}
    /// `e^x / sum e^x` along an axis.
    Softmax { axis: isize = -1 }
    /// `x - logsumexp(x)` along an axis.
    LogSoftmax { axis: isize = -1 }
    /// Normalisation over the trailing axes, with optional weight and bias.
    LayerNorm { normalized_shape: Shape = Shape::new(), eps: f64 = 1e-5 }
    /// Division by the root mean square over the trailing axes, with optional weight.
    RmsNorm { normalized_shape: Shape = Shape::new(), eps: f64 = 1e-5 }
    /// Normalisation of each channel (axis 1) by its batch statistics.
    BatchNorm { eps: f64 = 1e-5 }
    /// Normalisation of groups of channels.
    GroupNorm { num_groups: usize = 1, eps: f64 = 1e-5 }
    /// Cross-correlation over the axes behind batch and channel; `rank` spatial axes.
    Conv { rank: usize = 2, stride: Axes = Axes::new(), padding: Axes = Axes::new(), dilation: Axes = Axes::new(), groups: usize = 1 }
    /// The adjoint of `Conv`.
    ConvTranspose { rank: usize = 2, stride: Axes = Axes::new(), padding: Axes = Axes::new(), dilation: Axes = Axes::new(),
        output_padding: Axes = Axes::new(), groups: usize = 1 }
    /// The weight cotangent of `Conv` from its argument and the cotangent of its result; `kernel` is the weight's size.
    ConvWeight { rank: usize = 2, kernel: Spatial = Spatial::new(), stride: Axes = Axes::new(), padding: Axes = Axes::new(),
        dilation: Axes = Axes::new(), groups: usize = 1 }
    /// Largest value of each window.
    MaxPool { rank: usize = 2, kernel: Axes = Axes::new(), stride: Axes = Axes::new(), padding: Axes = Axes::new(), dilation: Axes = Axes::new() }
    /// Zeros of `size` with the entries of `args[0]` added at the positions `args[1]` of their plane: the adjoint of `PoolGather`.
    PoolScatter { size: Spatial = Spatial::new() }
    /// The entries of each plane of `args[0]` at the positions `args[1]`.
    PoolGather {}
    /// Mean of each window.
    AvgPool { rank: usize = 2, kernel: Axes = Axes::new(), stride: Axes = Axes::new(), padding: Axes = Axes::new(), count_include_pad: bool = true }
    /// The adjoint of `AvgPool`, from planes of `size`.
    AvgPoolAdjoint { rank: usize = 2, size: Spatial = Spatial::new(), kernel: Axes = Axes::new(), stride: Axes = Axes::new(), padding: Axes = Axes::new(),
        count_include_pad: bool = true }
    /// `softmax(q k^T scale + mask) v`.
    Attention { is_causal: bool = false, scale: Option<f64> = None }
    /// One step of an LSTM.
    LstmCell {}
    /// One step of a GRU.
    GruCell {}
    /// One step of a plain recurrent network.
    RnnCell {}

    /// `log_softmax` over classes, then `nll_loss`.
    CrossEntropy { reduction: Reduction = Reduction::Mean, label_smoothing: f64 = 0.0, ignore_index: i64 = -100 }
    /// Negative log likelihood of log probabilities.
    NllLoss { reduction: Reduction = Reduction::Mean, ignore_index: i64 = -100 }
    /// `(x - y)^2`.
    MseLoss { reduction: Reduction = Reduction::Mean }
    /// `|x - y|`.
    L1Loss { reduction: Reduction = Reduction::Mean }
    /// Quadratic up to `delta`, linear beyond.
    HuberLoss { reduction: Reduction = Reduction::Mean, delta: f64 = 1.0 }
    /// Quadratic up to `beta`, linear beyond, divided by `beta`.
    SmoothL1Loss { reduction: Reduction = Reduction::Mean, beta: f64 = 1.0 }
    /// Binary cross entropy of probabilities.
    BceLoss { reduction: Reduction = Reduction::Mean }
    /// Binary cross entropy of logits, with optional positive weight.
    BceWithLogits { reduction: Reduction = Reduction::Mean }
    /// Kullback-Leibler divergence of log probabilities.
    KlDiv { reduction: Reduction = Reduction::Mean, log_target: bool = false }
}
