//! Ops whose rules are not written yet: refused by name, never faked.

use crate::error::{ErrorKind, Refusal};
use crate::kernel::functions::Functions;
use crate::op::*;
use crate::rule::{Arg, Rule, Specs};

macro_rules! pending {
    ($($Op:ident)*) => { $(impl<T: Functions> Rule<T> for $Op {
        fn infer(&self, _args: &[Arg]) -> Result<Specs, Refusal> {
            Err(Refusal::new(ErrorKind::InvalidAttribute, "this op is not supported yet"))
        }
    })* };
}

pending! {
    Mean Prod Max Min Variance Std Norm LogSumExp CumSum CumProd ArgMax ArgMin
    Slice Select SliceInto Concat Stack Split Pad Flip Roll Tril Triu Diag Trace Tile RepeatInterleave
    IndexSelect IndexAdd Gather ScatterAdd Embedding
    MatMul Dot Outer Einsum Inverse Solve Det SlogDet Cholesky TriangularSolve Eigh Svd Qr
    Linear Softmax LogSoftmax LayerNorm RmsNorm BatchNorm GroupNorm Conv ConvTranspose MaxPool AvgPool Attention LstmCell
    GruCell CrossEntropy NllLoss MseLoss L1Loss HuberLoss SmoothL1Loss BceLoss BceWithLogits KlDiv
}
