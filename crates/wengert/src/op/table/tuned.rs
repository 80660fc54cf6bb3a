//! The elementwise ops of one argument with attributes.

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
            powf_slope(x, y, p[0]), 0.3, 3.0;
        /// `x` where positive, `p * x` elsewhere.
        leaky_relu: LeakyRelu, |x, y, p| select(x.gt(x.lit(0.0)), x, x.lit(p[0]) * x),
            select(x.gt(x.lit(0.0)), x.lit(1.0), x.lit(p[0])), -3.0, 3.0;
        /// `x` where positive, `p * (e^x - 1)` elsewhere.
        elu: Elu, |x, y, p| select(x.gt(x.lit(0.0)), x, x.lit(p[0]) * x.expm1()),
            select(x.gt(x.lit(0.0)), x.lit(1.0), x.lit(p[0]) * x.clamp([f64::NEG_INFINITY, 1.0]).exp()), -3.0, 3.0;
        /// `x` where positive, `p * (e^(x / p) - 1)` elsewhere; at 0 the partial is 1 from either side.
        celu: Celu, |x, y, p| select(x.gt(x.lit(0.0)), x, x.lit(p[0]) * (x / x.lit(p[0])).expm1()),
            select(x.gt(x.lit(0.0)), x.lit(1.0), x.clamp([f64::NEG_INFINITY, p[0].abs()]).exp_over(p)), -3.0, 3.0;
        /// `e^(x / p)`, the quotient to twice the digits.
        exp_over: ExpOver, |x, y, p| math::exp_over(x, x.lit(p[0])), y / x.lit(p[0]), -3.0, 3.0;
        /// `log(1 + e^(beta x)) / beta`, and `x` itself where `beta x > threshold`.
        softplus: Softplus, |x, y, p|
            select((x.lit(p[0]) * x).gt(x.lit(p[1])), x, math::softplus_scaled(x, x.lit(p[0])) / x.lit(p[0])),
            select((x.lit(p[0]) * x).gt(x.lit(p[1])), x.lit(1.0), x.sigmoid_scaled([p[0], 0.0])), -3.0, 3.0;
        /// `sigmoid(p x)`, the product to twice the digits.
        sigmoid_scaled: SigmoidScaled, |x, y, p| math::sigmoid_scaled(x, x.lit(p[0])), x.lit(p[0]) * logistic_slope(y * (-x).sigmoid_scaled(p), x.lit(0.5 * p[0]) * x),
            -3.0, 3.0;
        /// `minimum(maximum(x, lo), hi)`. The partial is 1 strictly between the bounds, 0 elsewhere; an infinite bound is none.
        clamp: Clamp, |x, y, p| math::clamp(x, p), between(x, p), -3.0, 3.0;
        /// `x` where `|x| > p`, 0 elsewhere (also at the bound).
        hardshrink: Hardshrink, |x, y, p| select(x.abs().le(x.lit(p[0])), x.lit(0.0), x),
            select(x.abs().le(x.lit(p[0])), x.lit(0.0), x.lit(1.0)), -3.0, 3.0;
        /// `x` drawn towards 0 by `p`, 0 where `|x| <= p`.
        softshrink: Softshrink, |x, y, p|
            select(x.gt(x.lit(p[0])), x - x.lit(p[0]), select(x.lt(x.lit(-p[0])), x + x.lit(p[0]), x.lit(0.0) * x)),
            select(x.abs().le(x.lit(p[0])), x.lit(0.0), x.lit(1.0)), -3.0, 3.0;
        /// `x` where above the threshold, the second attribute elsewhere.
        threshold: Threshold, |x, y, p| select(x.le(x.lit(p[0])), x.lit(p[1]), x),
            select(x.le(x.lit(p[0])), x.lit(0.0), x.lit(1.0)), -3.0, 3.0;
        /// The derivative of order `p` of `digamma`.
        polygamma: Polygamma, |x, y, p| math::polygamma(x, p[0]), x.polygamma([p[0] + 1.0, 0.0]), 0.3, 5.0;
        /// The derivative of order `p` of `sinc`.
        sinc_derivative: SincDerivative, |x, y, p| math::sinc_derivative(x, p[0]), x.sinc_derivative([p[0] + 1.0, 0.0]), -3.0, 3.0;
        /// The derivative of order `p` of `erfcx`.
        erfcx_derivative: ErfcxDerivative, |x, y, p| math::erfcx_derivative(x, p[0]), x.erfcx_derivative([p[0] + 1.0, 0.0]), -1.0, 3.0;
        /// Modified Bessel function of the first kind, of whole order `p >= 0`. An order beyond 65,536 is NaN, here and above.
        iv: Iv, |x, y, p| math::iv(x, p[0]), x.lit(0.5) * (x.iv([(p[0] - 1.0).abs(), 0.0]) + x.iv([p[0] + 1.0, 0.0])), -3.0, 3.0;
        /// The derivative of order `p[1]` of `e^-|x|` times `iv` of order `p[0]`; at 0 the factor counts as 1.
        ive_derivative: IveDerivative, |x, y, p| math::ive_derivative(x, p), x.ive_derivative([p[0], p[1] + 1.0]), -3.0, 3.0;
    } };
}

pub(crate) use tuned_table;
