//! The table of elementwise ops: one row an op, everything about it in that row.
//!
//! A row is `name: Variant, primal, partial(s), lo, hi;` over the argument `x` (or `a`, `b`), the result `y` and the
//! attributes `p`. The primal is written for numbers, the partials in the words of [`Words`](crate::words::Words), so
//! that one expression serves the kernels, the derivative of every order and forward mode. `lo..hi` is where tests draw
//! arguments from. The macros here only carry tokens; what each expands to is said where it is used.

/// Ops of one argument without attributes.
macro_rules! unary_table {
    ($with:ident) => { $with! {
        /// Negation.
        neg: Neg, |x, y, p| -x, x.lit(-1.0), -3.0, 3.0;
        /// The exponential function.
        exp: Exp, |x, y, p| math::exp(x), y, -3.0, 3.0;
        /// 2 to the power of `x`.
        exp2: Exp2, |x, y, p| math::exp2(x), y * x.lit(std::f64::consts::LN_2), -3.0, 3.0;
        /// `e^x - 1`, accurate near 0.
        expm1: Expm1, |x, y, p| math::expm1(x), x.exp(), -3.0, 3.0;
        /// Natural logarithm.
        log: Log, |x, y, p| math::log(x), x.reciprocal(), 0.2, 4.0;
        /// Logarithm to base 2.
        log2: Log2, |x, y, p| math::log2(x), x.lit(std::f64::consts::LOG2_E) / x, 0.2, 4.0;
        /// Logarithm to base 10.
        log10: Log10, |x, y, p| math::log10(x), x.lit(std::f64::consts::LOG10_E) / x, 0.2, 4.0;
        /// `log(1 + x)`, accurate near 0.
        log1p: Log1p, |x, y, p| math::log1p(x), (x.lit(1.0) + x).reciprocal(), -0.8, 3.0;
        /// Square root. The partial at 0 is infinite.
        sqrt: Sqrt, |x, y, p| math::sqrt(x), x.lit(0.5) / y, 0.2, 4.0;
        /// `1 / sqrt(x)`.
        rsqrt: Rsqrt, |x, y, p| math::rsqrt(x), x.lit(-0.5) * y / x, 0.2, 4.0;
        /// Cube root. The partial at 0 is infinite.
        cbrt: Cbrt, |x, y, p| math::cbrt(x), (x.lit(3.0) * y * y).reciprocal(), 0.2, 4.0;
        /// `x * x`.
        square: Square, |x, y, p| x * x, x.lit(2.0) * x, -3.0, 3.0;
        /// `1 / x`.
        reciprocal: Reciprocal, |x, y, p| x.lit(1.0) / x, -(y * y), 0.2, 4.0;
        /// Sine.
        sin: Sin, |x, y, p| math::sin(x), x.cos(), -3.0, 3.0;
        /// Cosine.
        cos: Cos, |x, y, p| math::cos(x), -x.sin(), -3.0, 3.0;
        /// Tangent.
        tan: Tan, |x, y, p| math::tan(x), x.lit(1.0) + y * y, -1.2, 1.2;
        /// Inverse sine. The partial is written `(1 - x)(1 + x)`: `1 - x * x` would cancel near the ends.
        asin: Asin, |x, y, p| math::asin(x), ((x.lit(1.0) - x) * (x.lit(1.0) + x)).rsqrt(), -0.9, 0.9;
        /// Inverse cosine.
        acos: Acos, |x, y, p| math::acos(x), -((x.lit(1.0) - x) * (x.lit(1.0) + x)).rsqrt(), -0.9, 0.9;
        /// Inverse tangent.
        atan: Atan, |x, y, p| math::atan(x), (x.lit(1.0) + x * x).reciprocal(), -3.0, 3.0;
        /// Hyperbolic sine.
        sinh: Sinh, |x, y, p| math::sinh(x), x.cosh(), -3.0, 3.0;
        /// Hyperbolic cosine.
        cosh: Cosh, |x, y, p| math::cosh(x), x.sinh(), -3.0, 3.0;
        /// Hyperbolic tangent. The partial is `sech(x)^2`: `1 - y * y` would cancel (1e-8 at x = 10, 0 beyond 19).
        tanh: Tanh, |x, y, p| math::tanh(x), x.sech().square(), -3.0, 3.0;
        /// Hyperbolic secant, `1 / cosh(x)`, without overflow.
        sech: Sech, |x, y, p| math::sech(x), -(y * x.tanh()), -3.0, 3.0;
        /// Inverse hyperbolic sine. The partial goes through `hypot`, which does not overflow.
        asinh: Asinh, |x, y, p| math::asinh(x), x.hypot(x.lit(1.0)).reciprocal(), -3.0, 3.0;
        /// Inverse hyperbolic cosine.
        acosh: Acosh, |x, y, p| math::acosh(x), (x - x.lit(1.0)).rsqrt() * (x + x.lit(1.0)).rsqrt(), 1.2, 4.0;
        /// Inverse hyperbolic tangent.
        atanh: Atanh, |x, y, p| math::atanh(x), ((x.lit(1.0) - x) * (x.lit(1.0) + x)).reciprocal(), -0.8, 0.8;
        /// `1 / (1 + e^-x)`. The partial `y * sigmoid(-x)` keeps its accuracy in both tails.
        sigmoid: Sigmoid, |x, y, p| math::sigmoid(x), y * (-x).sigmoid(), -4.0, 4.0;
        /// `log sigmoid(x)`, without overflow at either end.
        logsigmoid: LogSigmoid, |x, y, p| math::log_sigmoid(x), (-x).sigmoid(), -4.0, 4.0;
        /// `x / (1 + |x|)`.
        softsign: Softsign, |x, y, p| x / (x.lit(1.0) + x.abs()), (x.lit(1.0) + x.abs()).reciprocal().square(), -3.0, 3.0;
        /// `max(x, 0)`. The partial at 0 is 0.
        relu: Relu, |x, y, p| math::relu(x), select(x.le(x.lit(0.0)), x.lit(0.0), x.lit(1.0)), -3.0, 3.0;
        /// `x * sigmoid(x)`.
        silu: Silu, |x, y, p| x * x.sigmoid(), x.sigmoid() * (x.lit(1.0) + x * (-x).sigmoid()), -4.0, 4.0;
        /// `x * tanh(softplus(x))`.
        mish: Mish, |x, y, p| x * math::softplus(x).tanh(),
            (-(-x).logsigmoid()).tanh() + x * (-(-x).logsigmoid()).sech().square() * x.sigmoid(), -4.0, 4.0;
        /// `scale * (x if x > 0 else alpha * (e^x - 1))`; at 0 the partial is that of the branch `x <= 0`.
        selu: Selu, |x, y, p| select(x.gt(x.lit(0.0)), x.lit(SELU_SCALE) * x, x.lit(SELU_SCALE * SELU_ALPHA) * x.expm1()),
            select(x.gt(x.lit(0.0)), x.lit(SELU_SCALE), x.lit(SELU_SCALE * SELU_ALPHA) * x.exp()), -3.0, 3.0;
        /// `|x|`. The partial is `sign(x)`, 0 at 0.
        abs: Abs, |x, y, p| math::abs(x), x.sign(), -3.0, 3.0;
        /// -1, 0 or 1 (0 for NaN). The gradient is 0 everywhere.
        sign: Sign, |x, y, p| math::sign(x), x.lit(0.0), -3.0, 3.0;
        /// Largest whole number not above `x`. The gradient is 0 everywhere.
        floor: Floor, |x, y, p| math::floor(x), x.lit(0.0), -3.0, 3.0;
        /// Smallest whole number not below `x`. The gradient is 0 everywhere.
        ceil: Ceil, |x, y, p| math::ceil(x), x.lit(0.0), -3.0, 3.0;
        /// Nearest whole number, halves to even. The gradient is 0 everywhere.
        round: Round, |x, y, p| math::round(x), x.lit(0.0), -3.0, 3.0;
        /// The whole part of `x`. The gradient is 0 everywhere.
        trunc: Trunc, |x, y, p| math::trunc(x), x.lit(0.0), -3.0, 3.0;
        /// Error function.
        erf: Erf, |x, y, p| math::erf(x), x.lit(std::f64::consts::FRAC_2_SQRT_PI) * x.gaussian(), -3.0, 3.0;
        /// `1 - erf(x)`, accurate for large `x`.
        erfc: Erfc, |x, y, p| math::erfc(x), x.lit(-std::f64::consts::FRAC_2_SQRT_PI) * x.gaussian(), -3.0, 3.0;
        /// `e^(-x^2)`, accurate for large `x`.
        gaussian: Gaussian, |x, y, p| math::gaussian(x), x.lit(-2.0) * x * y, -3.0, 3.0;
        /// The normal distribution function, `erfc(-x / sqrt 2) / 2`.
        ndtr: Ndtr, |x, y, p| math::ndtr(x), x.lit(INV_SQRT_TAU) * (x * x.lit(std::f64::consts::FRAC_1_SQRT_2)).gaussian(), -3.0, 3.0;
        /// `log |Gamma(x)|`. The partial is `digamma(x)`.
        lgamma: Lgamma, |x, y, p| math::lgamma(x), x.digamma(), 0.3, 5.0;
        /// The derivative of `lgamma`. Its partial is `polygamma(1, x)`.
        digamma: Digamma, |x, y, p| math::digamma(x), x.polygamma([1.0, 0.0]), 0.3, 5.0;
    } };
}

/// Ops of one argument with attributes `p[0]` and `p[1]`.
macro_rules! tuned_table {
    ($with:ident) => { $with! {
        /// `x + p`.
        shift: Shift, |x, y, p| x + x.lit(p[0]), x.lit(1.0), -3.0, 3.0;
        /// `x * p`.
        scale: Scale, |x, y, p| x * x.lit(p[0]), x.lit(p[0]), -3.0, 3.0;
        /// `p - x`.
        sub_from: SubFrom, |x, y, p| x.lit(p[0]) - x, x.lit(-1.0), -3.0, 3.0;
        /// `x / p`.
        div_by: DivBy, |x, y, p| x / x.lit(p[0]), x.lit(1.0) / x.lit(p[0]), -3.0, 3.0;
        /// `p / x`.
        div_into: DivInto, |x, y, p| x.lit(p[0]) / x, -(y / x), 0.2, 4.0;
        /// `x` to the whole power `p`; at `p = 0` the partial is 0.
        powi: Powi, |x, y, p| math::powi(x, p[0]),
            if p[0] == 0.0 { x.lit(0.0) } else { x.powi([p[0] - 1.0, 0.0]) * x.lit(p[0]) }, 0.3, 3.0;
        /// `x` to the power `p`; at `p = 0` the partial is 0.
        powf: Powf, |x, y, p| math::pow(x, x.lit(p[0])),
            if p[0] == 0.0 { x.lit(0.0) } else { x.powf([p[0] - 1.0, 0.0]) * x.lit(p[0]) }, 0.3, 3.0;
        /// `x` where positive, `p * x` elsewhere.
        leaky_relu: LeakyRelu, |x, y, p| select(x.gt(x.lit(0.0)), x, x.lit(p[0]) * x),
            select(x.gt(x.lit(0.0)), x.lit(1.0), x.lit(p[0])), -3.0, 3.0;
        /// `x` where positive, `p * (e^x - 1)` elsewhere.
        elu: Elu, |x, y, p| select(x.gt(x.lit(0.0)), x, x.lit(p[0]) * x.expm1()),
            select(x.gt(x.lit(0.0)), x.lit(1.0), x.lit(p[0]) * x.exp()), -3.0, 3.0;
        /// `log(1 + e^(beta x)) / beta`, and `x` itself where `beta x > threshold`.
        softplus: Softplus, |x, y, p|
            select((x.lit(p[0]) * x).gt(x.lit(p[1])), x, math::softplus(x.lit(p[0]) * x) / x.lit(p[0])),
            select((x.lit(p[0]) * x).gt(x.lit(p[1])), x.lit(1.0), (x.lit(p[0]) * x).sigmoid()), -3.0, 3.0;
        /// `x * ndtr(x)` for `p = 0`, its tanh approximation for `p = 1`.
        gelu: Gelu, |x, y, p| if p[0] == 0.0 { x * x.ndtr() } else { x * gelu_gate(x).sigmoid() },
            if p[0] == 0.0 { x.ndtr() + x * x.lit(INV_SQRT_TAU) * (x * x.lit(std::f64::consts::FRAC_1_SQRT_2)).gaussian() }
            else { gelu_gate(x).sigmoid() * (x.lit(1.0) + x * (-gelu_gate(x)).sigmoid() * gelu_gate_slope(x)) }, -3.0, 3.0;
        /// `minimum(maximum(x, lo), hi)`. The partial is 1 strictly between the bounds, 0 elsewhere.
        clamp: Clamp, |x, y, p| math::clamp(x, p),
            select(x.gt(x.lit(p[0])), select(x.lt(x.lit(p[1])), x.lit(1.0), x.lit(0.0)), x.lit(0.0)), -3.0, 3.0;
        /// The derivative of order `p` of `digamma`.
        polygamma: Polygamma, |x, y, p| math::polygamma(x, p[0]), x.polygamma([p[0] + 1.0, 0.0]), 0.3, 5.0;
    } };
}

/// Ops of two arguments; the partials to `a` and to `b`.
macro_rules! binary_table {
    ($with:ident) => { $with! {
        /// `a + b`.
        add: Add, |a, b, y| a + b, a.lit(1.0), a.lit(1.0), (-3.0, 3.0), (-3.0, 3.0);
        /// `a - b`.
        sub: Sub, |a, b, y| a - b, a.lit(1.0), a.lit(-1.0), (-3.0, 3.0), (-3.0, 3.0);
        /// `a * b`.
        mul: Mul, |a, b, y| a * b, b, a, (-3.0, 3.0), (-3.0, 3.0);
        /// `a / b`.
        div: Div, |a, b, y| a / b, b.reciprocal(), -(y / b), (-3.0, 3.0), (0.3, 3.0);
        /// `a^b`. The partial to `a` is 0 where `b = 0`, that to `b` is 0 where `a = 0` and `b >= 0`.
        pow: Pow, |a, b, y| math::pow(a, b),
            select(b.eq(b.lit(0.0)), a.lit(0.0), b * a.pow(b - b.lit(1.0))),
            select(a.eq(a.lit(0.0)), select(b.ge(b.lit(0.0)), a.lit(0.0), y * a.log()), y * a.log()),
            (0.3, 3.0), (-2.0, 2.0);
        /// The larger of the two, NaN if one is NaN; a tie gives half of the cotangent to each side.
        maximum: Maximum, |a, b, y| math::maximum(a, b),
            select(a.lt(b), a.lit(0.0), select(a.eq(b), a.lit(0.5), a.lit(1.0))),
            select(b.lt(a), a.lit(0.0), select(a.eq(b), a.lit(0.5), a.lit(1.0))), (-3.0, 3.0), (-3.0, 3.0);
        /// The smaller of the two, NaN if one is NaN; a tie gives half of the cotangent to each side.
        minimum: Minimum, |a, b, y| math::minimum(a, b),
            select(a.gt(b), a.lit(0.0), select(a.eq(b), a.lit(0.5), a.lit(1.0))),
            select(b.gt(a), a.lit(0.0), select(a.eq(b), a.lit(0.5), a.lit(1.0))), (-3.0, 3.0), (-3.0, 3.0);
        /// The angle of the point with ordinate `a` and abscissa `b`. Both partials are 0 at the origin.
        atan2: Atan2, |a, b, y| math::atan2(a, b),
            select(a.hypot(b).eq(a.lit(0.0)), a.lit(0.0), b / a.hypot(b) / a.hypot(b)),
            select(a.hypot(b).eq(a.lit(0.0)), a.lit(0.0), -(a / a.hypot(b) / a.hypot(b))), (0.3, 3.0), (-3.0, 3.0);
        /// `sqrt(a^2 + b^2)` without overflow. The partials at the origin are NaN.
        hypot: Hypot, |a, b, y| math::hypot(a, b), a / y, b / y, (0.3, 3.0), (-3.0, 3.0);
        /// `log(e^a + e^b)` without overflow.
        logaddexp: LogAddExp, |a, b, y| math::logaddexp(a, b), (a - b).sigmoid(), (b - a).sigmoid(), (-3.0, 3.0), (-3.0, 3.0);
    } };
}

pub(crate) use {binary_table, tuned_table, unary_table};
