//! The table from the corpus's names and attributes to the engine's ops: the only place that knows both.

use wengert::op::*;
use wengert::shape::{Axes, Shape};

use crate::attrs::{Attrs, Unfit};
use crate::case::Meaning;

/// What an instruction is in the engine; `Err` says what is wrong with the file.
pub(crate) fn meaning(name: &str, attrs: &Attrs<'_>) -> Result<Meaning, String> {
    match look_up(name, attrs) {
        Ok(op) => Ok(match attrs.unread() {
            Some(attr) => Meaning::Unknown(format!("{name} with attribute `{attr}`")),
            None => Meaning::Op(Box::new(op)),
        }),
        Err(Unfit::Unknown(what)) => Ok(Meaning::Unknown(what)),
        Err(Unfit::Excluded(rule)) => Ok(Meaning::Excluded(rule)),
        Err(Unfit::Malformed(what)) => Err(what),
    }
}

fn look_up(name: &str, a: &Attrs<'_>) -> Result<Op, Unfit> {
    if name == "gelu" {
        let kinds = [("none", Unary::Gelu), ("tanh", Unary::GeluTanh)];
        return Ok(Op::Unary(choice(a, "approximate", "none", &kinds)?));
    }
    if let Some(op) = Unary::ALL.iter().find(|op| op.name() == name) {
        return Ok(Op::Unary(*op));
    }
    if let Some(op) = Binary::ALL.iter().find(|op| op.name() == name) {
        return Ok(Op::Binary(*op));
    }
    if let Some(op) = Compare::ALL.iter().find(|op| op.name() == name) {
        return Ok(Op::Compare(*op));
    }
    Ok(match name {
        "softplus" => Op::Tuned(Tuned::Softplus, [a.float("beta", 1.0)?, a.float("threshold", 20.0)?]),
        "leaky_relu" => Op::Tuned(Tuned::LeakyRelu, [a.float("negative_slope", 0.01)?, 0.0]),
        "elu" => Op::Tuned(Tuned::Elu, [a.float("alpha", 1.0)?, 0.0]),
        "clamp" => {
            Op::Tuned(Tuned::Clamp, [a.float("min", f64::NEG_INFINITY)?, a.float("max", f64::INFINITY)?])
        }
        "powi" => Op::Tuned(Tuned::Powi, [a.int("n")? as f64, 0.0]),
        "where" => Where {}.into(),
        "detach" => Detach {}.into(),

        "sum" => Sum { axes: axes(a)?, keepdims: keepdims(a)? }.into(),
        "mean" => Mean { axes: axes(a)?, keepdims: keepdims(a)? }.into(),
        "prod" => Prod { axes: axes(a)?, keepdims: keepdims(a)? }.into(),
        "max" => Max { axes: axes(a)?, keepdims: keepdims(a)? }.into(),
        "min" => Min { axes: axes(a)?, keepdims: keepdims(a)? }.into(),
        "var" => Variance { axes: axes(a)?, keepdims: keepdims(a)?, correction: a.float("correction", 1.0)? }
            .into(),
        "std" => {
            Std { axes: axes(a)?, keepdims: keepdims(a)?, correction: a.float("correction", 1.0)? }.into()
        }
        "norm" => Norm { axes: axes(a)?, keepdims: keepdims(a)?, p: a.float("p", 2.0)? }.into(),
        "logsumexp" => LogSumExp { axes: axes(a)?, keepdims: keepdims(a)? }.into(),
        "cumsum" => CumSum { axis: a.int("axis")?, reverse: false }.into(),
        "cumprod" => CumProd { axis: a.int("axis")? }.into(),
        "argmax" => ArgMax { axis: a.int_or_none("axis")?, keepdims: keepdims(a)? }.into(),
        "argmin" => ArgMin { axis: a.int_or_none("axis")?, keepdims: keepdims(a)? }.into(),
        _ => return look_up_layout(name, a),
    })
}

/// Ops that move elements about.
fn look_up_layout(name: &str, a: &Attrs<'_>) -> Result<Op, Unfit> {
    Ok(match name {
        "reshape" => Reshape { shape: a.ints("shape")? }.into(),
        "permute" => Permute { axes: a.ints("axes")? }.into(),
        "transpose" => Transpose { axis0: a.int("axis0")?, axis1: a.int("axis1")? }.into(),
        "broadcast_to" => BroadcastTo { shape: a.counts("shape")? }.into(),
        "squeeze" => Squeeze { axes: axes(a)? }.into(),
        "unsqueeze" => Unsqueeze { axis: a.int("axis")? }.into(),
        "slice" => {
            let (start, stop) = (a.int_or_none("start")?, a.int_or_none("stop")?);
            Slice { axis: a.int("axis")?, start, stop, step: a.int_or("step", 1)? }.into()
        }
        "select" => Select { axis: a.int("axis")?, index: a.int("index")? }.into(),
        "index_select" => IndexSelect { axis: a.int("axis")? }.into(),
        "gather" => Gather { axis: a.int("axis")? }.into(),
        "scatter_add" => ScatterAdd { axis: a.int("axis")? }.into(),
        "concat" => Concat { axis: a.int_or("axis", 0)? }.into(),
        "stack" => Stack { axis: a.int_or("axis", 0)? }.into(),
        "split" => Split { sizes: a.counts("sizes")?, axis: a.int_or("axis", 0)? }.into(),
        "pad" => {
            let modes =
                [("constant", PadMode::Constant), ("edge", PadMode::Edge), ("reflect", PadMode::Reflect)];
            let mode = choice(a, "mode", "constant", &modes)?;
            Pad { widths: a.pairs("pad_width")?, mode, value: a.float("value", 0.0)? }.into()
        }
        "flip" => Flip { axes: a.ints("axes")? }.into(),
        "roll" => Roll { shifts: a.ints("shifts")?, axes: a.ints("axes")? }.into(),
        "tril" => Tril { k: a.int_or("k", 0)? }.into(),
        "triu" => Triu { k: a.int_or("k", 0)? }.into(),
        "diag" => Diag { k: a.int_or("k", 0)? }.into(),
        "trace" => Trace {}.into(),
        "tile" => Tile { reps: a.counts("reps")? }.into(),
        "repeat_interleave" => RepeatInterleave { repeats: a.count("repeats")?, axis: a.int("axis")? }.into(),
        _ => return look_up_algebra(name, a),
    })
}

fn look_up_algebra(name: &str, a: &Attrs<'_>) -> Result<Op, Unfit> {
    Ok(match name {
        "matmul" => MatMul {}.into(),
        "dot" => Dot {}.into(),
        "outer" => Outer {}.into(),
        "einsum" => Einsum { equation: a.required_text("equation")?.bytes().collect() }.into(),
        "inverse" => Inverse {}.into(),
        "solve" => Solve {}.into(),
        "det" => Det {}.into(),
        "slogdet" => SlogDet {}.into(),
        "cholesky" => Cholesky {}.into(),
        "triangular_solve" => {
            let (lower, transpose) = (a.bool("lower", true)?, a.bool("transpose", false)?);
            TriangularSolve { lower, transpose, unit_diagonal: a.bool("unit_diagonal", false)? }.into()
        }
        "eigh" => Eigh {}.into(),
        "svd" => Svd {}.into(),
        "qr" => Qr {}.into(),
        _ => return look_up_network(name, a),
    })
}

fn look_up_network(name: &str, a: &Attrs<'_>) -> Result<Op, Unfit> {
    Ok(match name {
        "linear" => Linear {}.into(),
        "softmax" => Softmax { axis: a.int("axis")? }.into(),
        "log_softmax" => LogSoftmax { axis: a.int("axis")? }.into(),
        "layer_norm" => {
            LayerNorm { normalized_shape: normalized_shape(a)?, eps: a.float("eps", 1e-5)? }.into()
        }
        "rms_norm" => RmsNorm { normalized_shape: normalized_shape(a)?, eps: a.float("eps", 1e-5)? }.into(),
        "batch_norm" => BatchNorm { eps: a.float("eps", 1e-5)? }.into(),
        "group_norm" => GroupNorm { num_groups: a.count("num_groups")?, eps: a.float("eps", 1e-5)? }.into(),
        "conv1d" => conv(a, 1)?,
        "conv2d" => conv(a, 2)?,
        "conv_transpose1d" => conv_transpose(a, 1)?,
        "conv_transpose2d" => conv_transpose(a, 2)?,
        "max_pool1d" => max_pool(a, 1)?,
        "max_pool2d" => max_pool(a, 2)?,
        "avg_pool2d" => {
            let kernel: Axes = a.ints("kernel_size")?;
            let stride = a.ints_or_none("stride")?.unwrap_or_else(|| kernel.clone());
            let count_include_pad = a.bool("count_include_pad", true)?;
            AvgPool { rank: 2, kernel, stride, padding: spatial(a, "padding", 2, 0)?, count_include_pad }
                .into()
        }
        "embedding" => Embedding {}.into(),
        "scaled_dot_product_attention" => {
            Attention { is_causal: a.bool("is_causal", false)?, scale: a.float_or_none("scale")? }.into()
        }
        "lstm_cell" => LstmCell {}.into(),
        "gru_cell" => GruCell {}.into(),
        _ => return look_up_loss(name, a),
    })
}

fn look_up_loss(name: &str, a: &Attrs<'_>) -> Result<Op, Unfit> {
    Ok(match name {
        "cross_entropy" => {
            let (label_smoothing, ignore_index) = (a.float("label_smoothing", 0.0)?, ignore_index(a)?);
            CrossEntropy { reduction: reduction(a)?, label_smoothing, ignore_index }.into()
        }
        "nll_loss" => NllLoss { reduction: reduction(a)?, ignore_index: ignore_index(a)? }.into(),
        "mse_loss" => MseLoss { reduction: reduction(a)? }.into(),
        "l1_loss" => L1Loss { reduction: reduction(a)? }.into(),
        "huber_loss" => HuberLoss { reduction: reduction(a)?, delta: a.float("delta", 1.0)? }.into(),
        "smooth_l1_loss" => SmoothL1Loss { reduction: reduction(a)?, beta: a.float("beta", 1.0)? }.into(),
        "bce_loss" => BceLoss { reduction: reduction(a)? }.into(),
        "bce_with_logits" => BceWithLogits { reduction: reduction(a)? }.into(),
        "kl_div" => KlDiv { reduction: reduction(a)?, log_target: a.bool("log_target", false)? }.into(),
        _ => return Err(Unfit::Unknown(name.to_string())),
    })
}

fn axes(a: &Attrs<'_>) -> Result<Option<Axes>, Unfit> {
    a.ints_or_none("axes")
}

fn keepdims(a: &Attrs<'_>) -> Result<bool, Unfit> {
    a.bool("keepdims", false)
}

fn normalized_shape(a: &Attrs<'_>) -> Result<Shape, Unfit> {
    a.counts("normalized_shape")
}

/// One number for each spatial axis.
fn spatial(a: &Attrs<'_>, name: &'static str, rank: usize, default: isize) -> Result<Axes, Unfit> {
    Ok(a.ints_or_none(name)?.unwrap_or_else(|| std::iter::repeat_n(default, rank).collect()))
}

fn conv(a: &Attrs<'_>, rank: usize) -> Result<Op, Unfit> {
    let (stride, padding) = (spatial(a, "stride", rank, 1)?, spatial(a, "padding", rank, 0)?);
    let (dilation, groups) = (spatial(a, "dilation", rank, 1)?, a.count_or("groups", 1)?);
    Ok(Conv { rank, stride, padding, dilation, groups }.into())
}

fn conv_transpose(a: &Attrs<'_>, rank: usize) -> Result<Op, Unfit> {
    let (stride, padding) = (spatial(a, "stride", rank, 1)?, spatial(a, "padding", rank, 0)?);
    let (dilation, groups) = (spatial(a, "dilation", rank, 1)?, a.count_or("groups", 1)?);
    let output_padding = spatial(a, "output_padding", rank, 0)?;
    Ok(ConvTranspose { rank, stride, padding, dilation, output_padding, groups }.into())
}

fn max_pool(a: &Attrs<'_>, rank: usize) -> Result<Op, Unfit> {
    let kernel: Axes = a.ints("kernel_size")?;
    let stride = a.ints_or_none("stride")?.unwrap_or_else(|| kernel.clone());
    let (padding, dilation) = (spatial(a, "padding", rank, 0)?, spatial(a, "dilation", rank, 1)?);
    Ok(MaxPool { rank, kernel, stride, padding, dilation }.into())
}

fn ignore_index(a: &Attrs<'_>) -> Result<i64, Unfit> {
    Ok(a.int_or("ignore_index", -100)? as i64)
}

fn reduction(a: &Attrs<'_>) -> Result<Reduction, Unfit> {
    let known = [
        ("mean", Reduction::Mean),
        ("sum", Reduction::Sum),
        ("none", Reduction::None),
        ("batchmean", Reduction::BatchMean),
    ];
    choice(a, "reduction", "mean", &known)
}

fn choice<A: Copy>(
    a: &Attrs<'_>,
    name: &'static str,
    default: &str,
    known: &[(&str, A)],
) -> Result<A, Unfit> {
    let text = a.text(name, default)?;
    let found = known.iter().find(|(key, _)| *key == text).map(|(_, value)| *value);
    found.ok_or_else(|| Unfit::Excluded(format!("`{name}` has no value {text:?}")))
}
