//! [`Op`]: what a node of the tape computes, as plain data.
//!
//! Invariant: nothing here computes. The shape rule, the forward and the derivatives of an op stand together in `ops/`;
//! names and attributes stand below them, so that a rule can record any other op without an import between families.

mod attributes;
mod elementwise;
mod options;
pub(crate) mod table;

pub use attributes::*;
pub use elementwise::{Binary, Compare, Params, Tuned, Unary};
pub use options::*;

macro_rules! op_enum {
    ($($Variant:ident = $name:literal)*) => {
        /// An op and its attributes: what [`Graph::try_apply`](crate::Graph::try_apply) records.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        #[allow(missing_docs)]
        pub enum Op {
            /// An elementwise op of one argument.
            Unary(Unary),
            /// An elementwise op of one argument with attributes.
            Tuned(Tuned, Params),
            /// An elementwise op of two arguments.
            Binary(Binary),
            /// A comparison.
            Compare(Compare),
            $($Variant($Variant),)*
        }

        impl Op {
            /// The op's name, as in error messages.
            pub fn name(&self) -> &'static str {
                match self {
                    Op::Unary(op) => op.name(),
                    Op::Tuned(op, _) => op.name(),
                    Op::Binary(op) => op.name(),
                    Op::Compare(op) => op.name(),
                    Op::Logical(Logical { kind: LogicalKind::Or }) => "logical_or",
                    Op::Logical(Logical { kind: LogicalKind::Xor }) => "logical_xor",
                    Op::Logical(Logical { kind: LogicalKind::Not }) => "logical_not",
                    Op::Conv(Conv { rank: 1, .. }) => "conv1d",
                    Op::ConvTranspose(ConvTranspose { rank: 1, .. }) => "conv_transpose1d",
                    Op::MaxPool(MaxPool { rank: 1, .. }) => "max_pool1d",
                    Op::AvgPool(AvgPool { rank: 1, .. }) => "avg_pool1d",
                    $(Op::$Variant(_) => $name,)*
                }
            }
        }

        impl Op {
            /// Every op once, with its default attributes.
            #[cfg(test)]
            pub(crate) fn every() -> Vec<Op> {
                let unary = Unary::ALL.iter().map(|&op| Op::Unary(op));
                let tuned = Tuned::ALL.iter().map(|&op| Op::Tuned(op, [0.0; 2]));
                let binary = Binary::ALL.iter().map(|&op| Op::Binary(op));
                let compare = Compare::ALL.iter().map(|&op| Op::Compare(op));
                let structured = [$(Op::$Variant($Variant::default()),)*];
                unary.chain(tuned).chain(binary).chain(compare).chain(structured).collect()
            }
        }

        $(impl From<$Variant> for Op {
            fn from(op: $Variant) -> Op { Op::$Variant(op) }
        })*

        /// Runs `$body` with `$op` bound to the struct of a structured op: `with_rule!(op, rule => .., else ..)`.
        macro_rules! with_structured {
            ($op:expr, $rule:ident => $body:expr, else $other:expr) => {
                match $op { $($crate::op::Op::$Variant($rule) => $body,)* _ => $other }
            };
        }
        pub(crate) use with_structured;
    };
}

op_enum! {
    Where = "where" Detach = "detach" StraightThrough = "straight_through" ScaleGradient = "scale_gradient"
    Logical = "logical_and" GammaIncDa = "gammainc_da" PolygammaGap = "polygamma_gap" BetaInc = "betainc" BetaIncDx = "betainc_dx" Zeta = "zeta"
    Sum = "sum" Mean = "mean" Prod = "prod" Max = "max" Min = "min" Variance = "var" Std = "std" Norm = "norm"
    LogSumExp = "logsumexp" CumSum = "cumsum" CumProd = "cumprod" Recurrence = "recurrence"
    LogCumSumExp = "logcumsumexp" CumMax = "cummax" CumMin = "cummin" Sort = "sort" TopK = "topk"
    OrderStatistics = "order_statistics" ArgMax = "argmax" ArgMin = "argmin"
    Reshape = "reshape" Permute = "permute" Transpose = "transpose" BroadcastTo = "broadcast_to" Squeeze = "squeeze"
    Unsqueeze = "unsqueeze" Slice = "slice" Select = "select" SliceInto = "slice_into" SliceAssign = "slice_assign"
    Concat = "concat" Stack = "stack"
    Split = "split" Pad = "pad" Flip = "flip" Roll = "roll" Tril = "tril"
    Triu = "triu" Diag = "diag" Trace = "trace" Diagonal = "diagonal" DiagonalInto = "diagonal_into"
    DiagInto = "diag_into"
    Tile = "tile" RepeatInterleave = "repeat_interleave"
    IndexSelect = "index_select" IndexAdd = "index_add" Gather = "gather" ScatterAdd = "scatter_add" Scatter = "scatter"
    OneHot = "one_hot" Embedding = "embedding"
    MatMul = "matmul" Dot = "dot" Outer = "outer" Einsum = "einsum" Inverse = "inverse" Solve = "solve" Det = "det"
    SlogDet = "slogdet" Cholesky = "cholesky" TriangularSolve = "triangular_solve" Eigh = "eigh" Svd = "svd" Qr = "qr" LuFactor = "lu_factor"
    SolveTransposed = "solve_transposed" InverseTransposed = "inverse_transposed" Cofactor = "cofactor"
    CofactorTangent = "cofactor_tangent" InverseGaps = "inverse_gaps" CholeskySolve = "cholesky_solve"
    LogDetSpd = "logdet_spd" Expm = "expm" Pinv = "pinv" Lstsq = "lstsq" MatrixPower = "matrix_power" Kron = "kron"
    Linear = "linear" Softmax = "softmax" LogSoftmax = "log_softmax" LayerNorm = "layer_norm" RmsNorm = "rms_norm"
    BatchNorm = "batch_norm" GroupNorm = "group_norm" Conv = "conv2d" ConvTranspose = "conv_transpose2d"
    ConvWeight = "conv_weight" MaxPool = "max_pool2d" PoolScatter = "pool_scatter" PoolGather = "pool_gather"
    AvgPool = "avg_pool2d" AvgPoolAdjoint = "avg_pool_adjoint" Attention = "scaled_dot_product_attention"
    LstmCell = "lstm_cell" GruCell = "gru_cell" RnnCell = "rnn_cell"
    CrossEntropy = "cross_entropy" NllLoss = "nll_loss" MseLoss = "mse_loss" L1Loss = "l1_loss" HuberLoss = "huber_loss"
    SmoothL1Loss = "smooth_l1_loss" BceLoss = "bce_loss" BceWithLogits = "bce_with_logits" KlDiv = "kl_div"
}
