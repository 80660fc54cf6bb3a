//! The elementwise ops of two arguments.

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
            pow_slope(a, b, y),
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
        /// The larger of the two, the other one if one is NaN; a tie gives half of the cotangent to each side.
        fmax: Fmax, |a, b, y| math::fmax(a, b),
            select(b.eq(b), select(a.ge(b), select(a.eq(b), a.lit(0.5), a.lit(1.0)), a.lit(0.0)), a.lit(1.0)),
            select(a.eq(a), select(b.ge(a), select(a.eq(b), a.lit(0.5), a.lit(1.0)), a.lit(0.0)), a.lit(1.0)),
            (-3.0, 3.0), (-3.0, 3.0);
        /// The smaller of the two, the other one if one is NaN; a tie gives half of the cotangent to each side.
        fmin: Fmin, |a, b, y| math::fmin(a, b),
            select(b.eq(b), select(a.le(b), select(a.eq(b), a.lit(0.5), a.lit(1.0)), a.lit(0.0)), a.lit(1.0)),
            select(a.eq(a), select(b.le(a), select(a.eq(b), a.lit(0.5), a.lit(1.0)), a.lit(0.0)), a.lit(1.0)),
            (-3.0, 3.0), (-3.0, 3.0);
        /// `a - b floor(a / b)`, of the sign of `b`. The partial to `b` is `-floor(a / b)`.
        remainder: Remainder, |a, b, y| math::remainder(a, b), a.lit(1.0), minus_quotient(a, b, y), (5.2, 5.8), (2.1, 2.4);
        /// `a - b trunc(a / b)`, of the sign of `a`. The partial to `b` is `-trunc(a / b)`.
        fmod: Fmod, |a, b, y| math::fmod(a, b), a.lit(1.0), minus_quotient(a, b, y), (5.2, 5.8), (2.1, 2.4);
        /// `floor(a / b)` of the exact quotient. The gradient is 0 everywhere.
        floor_divide: FloorDivide, |a, b, y| math::floor_divide(a, b), a.lit(0.0), a.lit(0.0), (5.2, 5.8), (2.1, 2.4);
        /// `|a|` with the sign of `b`. The partial to `a` at 0 is 0, that to `b` is 0 everywhere.
        copysign: Copysign, |a, b, y| math::copysign(a, b), y.sign() * a.sign(), a.lit(0.0), (-3.0, 3.0), (-3.0, 3.0);
        /// 0 below 0, 1 above, `b` where `a = 0`. The partial to `a` is 0 everywhere.
        heaviside: Heaviside, |a, b, y|
            select(a.eq(a.lit(0.0)), b, select(a.gt(a.lit(0.0)), a.lit(1.0), select(a.lt(a.lit(0.0)), a.lit(0.0), a))),
            a.lit(0.0), select(a.eq(a.lit(0.0)), a.lit(1.0), a.lit(0.0)), (-3.0, 3.0), (-3.0, 3.0);
        /// `a` where positive, `b a` elsewhere (also at 0): `leaky_relu` with a slope that is differentiated.
        prelu: Prelu, |a, b, y| select(a.gt(a.lit(0.0)), a, b * a),
            select(a.gt(a.lit(0.0)), a.lit(1.0), b), select(a.gt(a.lit(0.0)), a.lit(0.0), a), (-3.0, 3.0), (-3.0, 3.0);
        /// The angle of the point with ordinate `a` and abscissa `b`. Both partials are 0 at the origin.
        atan2: Atan2, |a, b, y| math::atan2(a, b),
            select(a.hypot(b).eq(a.lit(0.0)), a.lit(0.0), b / a.hypot(b) / a.hypot(b)),
            select(a.hypot(b).eq(a.lit(0.0)), a.lit(0.0), -(a / a.hypot(b) / a.hypot(b))), (0.3, 3.0), (-3.0, 3.0);
        /// `sqrt(a^2 + b^2)` without overflow. The partials at the origin are NaN.
        hypot: Hypot, |a, b, y| math::hypot(a, b), cosine(a, b, y), cosine(b, a, y), (0.3, 3.0), (-3.0, 3.0);
        /// `log(e^a + e^b)` without overflow.
        logaddexp: LogAddExp, |a, b, y| math::logaddexp(a, b), a.sigmoid_gap(b), b.sigmoid_gap(a), (-3.0, 3.0), (-3.0, 3.0);
        /// `log2(2^a + 2^b)` without overflow.
        logaddexp2: LogAddExp2, |a, b, y| math::logaddexp2(a, b), a.sigmoid2_gap(b), b.sigmoid2_gap(a), (-3.0, 3.0), (-3.0, 3.0);
        /// `sigmoid(a - b)`, the weight of `e^a` in `e^a + e^b`: in the tails, too, where the rounding of `a - b` would be felt.
        sigmoid_gap: SigmoidGap, |a, b, y| math::sigmoid_gap(a, b), logistic_slope(y * b.sigmoid_gap(a), a.lit(0.5) * (a - b)),
            -logistic_slope(y * b.sigmoid_gap(a), a.lit(0.5) * (a - b)),
            (-3.0, 3.0), (-3.0, 3.0);
        /// The weight of `2^a` in `2^a + 2^b`, as `sigmoid_gap`.
        sigmoid2_gap: Sigmoid2Gap, |a, b, y| math::sigmoid2_gap(a, b),
            a.lit(std::f64::consts::LN_2) * logistic_slope(y * b.sigmoid2_gap(a), a.lit(0.5 * std::f64::consts::LN_2) * (a - b)),
            a.lit(-std::f64::consts::LN_2) * logistic_slope(y * b.sigmoid2_gap(a), a.lit(0.5 * std::f64::consts::LN_2) * (a - b)), (-3.0, 3.0), (-3.0, 3.0);
        /// `a log(b)`, 0 where `a = 0`. Where `a = 0` and `b <= 0` the partial to `a` is 0; at the origin both are.
        xlogy: Xlogy, |a, b, y|
            select(a.eq(a.lit(0.0)), select(b.eq(b), a, b), a * math::log(b)),
            select(a.eq(a.lit(0.0)), select(b.le(b.lit(0.0)), a.lit(0.0), b.log()), b.log()),
            ratio_or_zero(a, b), (-3.0, 3.0), (0.3, 3.0);
        /// `a log(1 + b)`, accurate near `b = 0`, 0 where `a = 0`. At the ends as `xlogy`.
        xlog1py: Xlog1py, |a, b, y|
            select(a.eq(a.lit(0.0)), select(b.eq(b), a, b), a * math::log1p(b)),
            select(a.eq(a.lit(0.0)), select(b.le(b.lit(-1.0)), a.lit(0.0), b.log1p()), b.log1p()),
            ratio_or_zero(a, b + b.lit(1.0)), (-3.0, 3.0), (-0.7, 3.0);
        /// Logarithm of the beta function, `a, b > 0`.
        betaln: Betaln, |a, b, y| math::betaln(a, b), -a.digamma_gap(b), -b.digamma_gap(a), (0.3, 5.0), (0.3, 5.0);
        /// `digamma(a + b) - digamma(a)`, `a > 0`, `b >= 0`, accurate where `b` is small.
        digamma_gap: DigammaGap, |a, b, y| math::digamma_gap(a, b), a.polygamma_gap(b, 1), (a + b).polygamma([1.0, 0.0]),
            (0.3, 5.0), (0.3, 5.0);
        /// `log(b) - digamma(a)`, accurate where the two are nearly equal.
        log_digamma_gap: LogDigammaGap, |a, b, y| math::log_digamma_gap(a, b), -a.polygamma([1.0, 0.0]), b.reciprocal(),
            (0.3, 5.0), (0.3, 5.0);
        /// Lower regularised incomplete gamma function of order `a` at `b`. By `a` it has a first derivative only.
        gammainc: GammaInc, |a, b, y| math::gammainc(a, b), a.gammainc_da(b), a.gammainc_dx(b), (0.3, 5.0), (0.3, 5.0);
        /// Upper regularised incomplete gamma function, `1 - gammainc(a, b)`. By `a` it has a first derivative only.
        gammaincc: GammaIncC, |a, b, y| math::gammaincc(a, b), -a.gammainc_da(b), -a.gammainc_dx(b), (0.3, 5.0), (0.3, 5.0);
        /// Density of the gamma distribution of shape `a` and rate 1 at `b`.
        gammainc_dx: GammaIncDx, |a, b, y| math::gammainc_dx(a, b), y * a.log_digamma_gap(b),
            y * ((a - a.lit(1.0) - b) / b), (0.3, 5.0), (0.3, 5.0);
    } };
}

pub(crate) use binary_table;
