//! The elementwise ops of one argument.

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
        /// `log(x / (1 - x))`, accurate near 1/2; infinite at 0 and 1.
        logit: Logit, |x, y, p| math::logit(x), (x * (x.lit(1.0) - x)).reciprocal(), 0.1, 0.9;
        /// `log(1 - e^-x)` for `x >= 0`, -inf at 0.
        log1mexp: Log1mexp, |x, y, p| math::log1mexp(x), -((-x).exp() / (-x).expm1()), 0.2, 4.0;
        /// `-x log(x)`, 0 at 0 and -inf below: a term of an entropy.
        entr: Entr, |x, y, p| math::entr(x), -(x.log() + x.lit(1.0)), 0.2, 4.0;
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
        /// `sin(pi x) / (pi x)`, 1 at 0.
        sinc: Sinc, |x, y, p| math::sinc(x), x.sinc_derivative([1.0, 0.0]), -3.0, 3.0;
        /// Inverse sine.
        asin: Asin, |x, y, p| math::asin(x), one_minus_square(x).rsqrt(), -0.9, 0.9;
        /// Inverse cosine.
        acos: Acos, |x, y, p| math::acos(x), -one_minus_square(x).rsqrt(), -0.9, 0.9;
        /// Inverse tangent.
        atan: Atan, |x, y, p| math::atan(x), (x.lit(1.0) + x * x).reciprocal(), -3.0, 3.0;
        /// Hyperbolic sine.
        sinh: Sinh, |x, y, p| math::sinh(x), x.cosh(), -3.0, 3.0;
        /// Hyperbolic cosine.
        cosh: Cosh, |x, y, p| math::cosh(x), x.sinh(), -3.0, 3.0;
        /// Hyperbolic tangent.
        tanh: Tanh, |x, y, p| math::tanh(x), tanh_slope(x, y), -3.0, 3.0;
        /// The derivative of `tanh`, `1 / cosh(x)^2`.
        tanh_prime: TanhPrime, |x, y, p| math::tanh_prime(x), x.lit(-2.0) * (y * x.tanh()), -3.0, 3.0;
        /// Hyperbolic secant, `1 / cosh(x)`, without overflow.
        sech: Sech, |x, y, p| math::sech(x), -(y * x.tanh()), -3.0, 3.0;
        /// `x - tanh(x)`, accurate near 0.
        tanhshrink: Tanhshrink, |x, y, p| math::tanhshrink(x), x.tanh().square(), -3.0, 3.0;
        /// Inverse hyperbolic sine. The partial goes through `hypot`, which does not overflow.
        asinh: Asinh, |x, y, p| math::asinh(x), x.hypot(x.lit(1.0)).reciprocal(), -3.0, 3.0;
        /// Inverse hyperbolic cosine.
        acosh: Acosh, |x, y, p| math::acosh(x), (x - x.lit(1.0)).rsqrt() * (x + x.lit(1.0)).rsqrt(), 1.2, 4.0;
        /// Inverse hyperbolic tangent.
        atanh: Atanh, |x, y, p| math::atanh(x), one_minus_square(x).reciprocal(), -0.8, 0.8;
        /// `1 / (1 + e^-x)`.
        sigmoid: Sigmoid, |x, y, p| math::sigmoid(x), sigmoid_slope(x, y), -4.0, 4.0;
        /// The derivative of `sigmoid`. Its own is written with tanh: `sigmoid(-x) - sigmoid(x)` would cancel near 0.
        sigmoid_prime: SigmoidPrime, |x, y, p| x.sigmoid() * (-x).sigmoid(), -(y * (x.lit(0.5) * x).tanh()), -4.0, 4.0;
        /// `log sigmoid(x)`, without overflow at either end.
        logsigmoid: LogSigmoid, |x, y, p| math::log_sigmoid(x), (-x).sigmoid(), -4.0, 4.0;
        /// `x / (1 + |x|)`.
        softsign: Softsign, |x, y, p| bounded(x) / (x.lit(1.0) + bounded(x).abs()), (x.lit(1.0) + x.abs()).reciprocal().square(), -3.0, 3.0;
        /// `max(x, 0)`. The partial at 0 is 0.
        relu: Relu, |x, y, p| math::relu(x), select(x.le(x.lit(0.0)), x.lit(0.0), x.lit(1.0)), -3.0, 3.0;
        /// `x * sigmoid(x)`.
        silu: Silu, |x, y, p| bounded_below(x) * x.sigmoid(), x.sigmoid() * (x.lit(1.0) + bounded(x) * (-x).sigmoid()), -4.0, 4.0;
        /// `x * tanh(softplus(x))`.
        mish: Mish, |x, y, p| bounded_below(x) * math::softplus(x).tanh(),
            (-(-x).logsigmoid()).tanh() + bounded(x) * (-(-x).logsigmoid()).sech().square() * x.sigmoid(), -4.0, 4.0;
        /// `x * ndtr(x)`.
        gelu: Gelu, |x, y, p| bounded_below(x) * x.ndtr(), gelu_slope(x, y), -3.0, 3.0;
        /// `x * gelu_gate(x)`, the approximation of `gelu` by tanh.
        gelu_tanh: GeluTanh, |x, y, p| bounded_below(x) * x.gelu_gate(), gelu_tanh_slope(x), -3.0, 3.0;
        /// `0.5 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`, what `gelu_tanh` multiplies `x` by.
        gelu_gate: GeluGate, |x, y, p| math::gelu_gate(x), gelu_gate_slope(x, y), -3.0, 3.0;
        /// `scale * (x if x > 0 else alpha * (e^x - 1))`; at 0 the partial is that of the branch `x <= 0`.
        selu: Selu, |x, y, p| select(x.gt(x.lit(0.0)), x.lit(SELU_SCALE) * x, x.lit(SELU_SCALE * SELU_ALPHA) * x.expm1()),
            select(x.gt(x.lit(0.0)), x.lit(SELU_SCALE), x.lit(SELU_SCALE * SELU_ALPHA) * x.clamp([f64::NEG_INFINITY, 1.0]).exp()), -3.0, 3.0;
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
        gaussian: Gaussian, |x, y, p| math::gaussian(x), x.lit(-2.0) * bounded(x) * y, -3.0, 3.0;
        /// `e^(-x^2 / 2)`, accurate for large `x`.
        half_gaussian: HalfGaussian, |x, y, p| math::half_gaussian(x), -(bounded(x) * y), -3.0, 3.0;
        /// `e^(x^2) erfc(x)`, about `1 / (x sqrt(pi))` for large `x`.
        erfcx: Erfcx, |x, y, p| math::erfcx(x), x.erfcx_derivative([1.0, 0.0]), -3.0, 3.0;
        /// Inverse of `erf`; infinite at -1 and 1.
        erfinv: Erfinv, |x, y, p| math::erfinv(x), erfinv_slope(x, y), -0.9, 0.9;
        /// The normal distribution function, `erfc(-x / sqrt 2) / 2`.
        ndtr: Ndtr, |x, y, p| math::ndtr(x), x.lit(INV_SQRT_TAU) * x.half_gaussian(), -3.0, 3.0;
        /// `log ndtr(x)`, about `-x^2 / 2` in the lower tail.
        log_ndtr: LogNdtr, |x, y, p| math::log_ndtr(x), log_ndtr_slope(x), -3.0, 3.0;
        /// Inverse of `ndtr`, the quantile of the normal distribution; infinite at 0 and 1.
        ndtri: Ndtri, |x, y, p| math::ndtri(x), ndtri_slope(x, y), 0.1, 0.9;
        /// `log |Gamma(x)|`. The partial is `digamma(x)`.
        lgamma: Lgamma, |x, y, p| math::lgamma(x), x.digamma(), 0.3, 5.0;
        /// The derivative of `lgamma`. Its partial is `polygamma(1, x)`.
        digamma: Digamma, |x, y, p| math::digamma(x), x.polygamma([1.0, 0.0]), 0.3, 5.0;
        /// Modified Bessel function of the first kind, order 0.
        i0: I0, |x, y, p| math::i0(x), x.i1(), -3.0, 3.0;
        /// Modified Bessel function of the first kind, order 1.
        i1: I1, |x, y, p| math::i1(x), i1_slope(x, y), -3.0, 3.0;
        /// `e^-|x| i0(x)`. The partial at 0, a kink, is 0.
        i0e: I0e, |x, y, p| math::i0e(x), x.ive_derivative([0.0, 1.0]), -3.0, 3.0;
        /// `e^-|x| i1(x)`.
        i1e: I1e, |x, y, p| math::i1e(x), x.ive_derivative([1.0, 1.0]), -3.0, 3.0;
    } };
}

pub(crate) use unary_table;
