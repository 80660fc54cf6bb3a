"""Writes the reference files of the elementwise table: value and partials of every row over its domain, by mpmath.

One file a row, one point a line: the bits of each argument (and of each attribute that the row reads) in hex, then for the
value and for each partial the true number as the sum of two doubles and the size of terms that cancel in it (0: none do),
which errors may be measured by where it is larger. Half of the points are exact in f32.
Each partial is held against a difference quotient of the value before it is written.
Run: python3 generate.py [name ...]
"""
import importlib.util
import random
import struct
import sys
from math import trunc
from pathlib import Path
from mpmath import (mp, mpf, pi, log, log1p, exp, expm1, sqrt, erf, erfc, erfinv, loggamma, psi, besseli, sin, cos, tan,
                    asin, acos, atan, atan2, sinh, cosh, tanh, sech, asinh, acosh, atanh, fabs, isinf, isnan, sign, cbrt)

spec = importlib.util.spec_from_file_location("special", Path(__file__).parent / "../special/generate.py")
special = importlib.util.module_from_spec(spec)
spec.loader.exec_module(special)
bits, logu, uniform, both = special.bits, special.log_uniform, special.uniform, special.both

mp.dps = 60
ONE, ZERO, HALF = mpf(1), mpf(0), mpf(1) / 2
ROWS = {}


def row(name, points, f, *partials, scales=(), params=None, diff=True):
    """`scales`: of the value, then of the partials; None where nothing cancels."""
    ROWS[name] = (points, f, partials, scales, params or [()], diff)


def single(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def near(xs):
    return [x * (1 + s * d) for x in xs for d in (1e-3, 1e-9) for s in (1, -1)]


def real(r, far=30.0):
    return both(logu(r, 1e-12, 1e-2, 12) + uniform(r, 0, 3, 30) + uniform(r, 3, far, 16))


def positive(r):
    return logu(r, 1e-300, 1e300, 30) + logu(r, 1e-30, 1e30, 20) + uniform(r, 0, 4, 40) + near([1.0])


def unit(r):
    """Strictly between -1 and 1, near the ends too."""
    return both(logu(r, 1e-12, 1, 25) + uniform(r, 0, 1, 25) + [1 - d for d in logu(r, 1e-15, 1, 20)])


def probability(r):
    return logu(r, 1e-290, 1, 40) + uniform(r, 0, 1, 40) + [1 - d for d in logu(r, 1e-15, 1, 25)] + near([0.5, 0.25])


def sigmoid(x):
    return 1 / (1 + exp(-x)) if x > 0 else exp(x) / (1 + exp(x))


def density(x):
    return exp(-x * x / 2) / sqrt(2 * pi)


normal = special.normal_p
one = lambda x: ONE
zero = lambda x: ZERO
ln2 = log(mpf(2))

# One argument.
row("neg", real, lambda x: -x, lambda x: -ONE)
row("exp", lambda r: real(r, 700) + uniform(r, -708, 709, 40), exp, exp)
row("exp2", lambda r: real(r, 1000), lambda x: mpf(2) ** x, lambda x: mpf(2) ** x * ln2)
row("expm1", lambda r: real(r, 700), expm1, exp)
row("log", positive, log, lambda x: 1 / x)
row("log2", positive, lambda x: log(x) / ln2, lambda x: 1 / (x * ln2))
row("log10", positive, lambda x: log(x) / log(mpf(10)), lambda x: 1 / (x * log(mpf(10))))
row("log1p", lambda r: [x for x in positive(r)] + [-x for x in unit(r) if x > 0], log1p, lambda x: 1 / (1 + x))
row("logit", probability, special.FUNCTIONS["logit"][1], lambda x: 1 / (x * (1 - x)))
row("log1mexp", lambda r: logu(r, 1e-300, 700, 100) + uniform(r, 0, 3, 40), special.FUNCTIONS["log1mexp"][1],
    lambda x: exp(-x) / -expm1(-x))
row("entr", positive, lambda x: -x * log(x), lambda x: -log(x) - 1, scales=(None, lambda x: 1 + fabs(log(x))))
row("sqrt", positive, sqrt, lambda x: 1 / (2 * sqrt(x)))
row("rsqrt", lambda r: [x for x in positive(r) if 1e-180 < x < 1e180], lambda x: 1 / sqrt(x), lambda x: -1 / (2 * x * sqrt(x)))
row("cbrt", lambda r: both(positive(r)), lambda x: sign(x) * cbrt(fabs(x)), lambda x: 1 / (3 * cbrt(fabs(x)) ** 2))
row("square", real, lambda x: x * x, lambda x: 2 * x)
row("reciprocal", lambda r: [x for x in both(positive(r)) if 1e-150 < abs(x) < 1e150], lambda x: 1 / x, lambda x: -1 / (x * x))
row("sin", lambda r: real(r, 1e5), sin, cos)
row("cos", lambda r: real(r, 1e5), cos, lambda x: -sin(x))
row("tan", lambda r: real(r, 1e5), tan, lambda x: 1 + tan(x) ** 2)
row("sinc", lambda r: real(r, 1e3), lambda x: special.sinc_k(0, x), lambda x: special.sinc_k(1, x),
    scales=(None, lambda x: pi / (2 + pi * fabs(x))), diff=False)
row("asin", unit, asin, lambda x: 1 / sqrt((1 - x) * (1 + x)))
row("acos", unit, acos, lambda x: -1 / sqrt((1 - x) * (1 + x)))
row("atan", lambda r: real(r, 100) + both(logu(r, 10, 1e150, 20)), atan, lambda x: 1 / (1 + x * x))
row("sinh", lambda r: real(r, 700), sinh, cosh)
row("cosh", lambda r: real(r, 700), cosh, sinh)
row("tanh", lambda r: real(r, 350), tanh, lambda x: sech(x) ** 2)
row("tanh_prime", lambda r: real(r, 350), lambda x: sech(x) ** 2, lambda x: -2 * sech(x) ** 2 * tanh(x))
row("tanhshrink", lambda r: real(r, 350), lambda x: x - tanh(x), lambda x: tanh(x) ** 2)
row("sech", lambda r: real(r, 700), sech, lambda x: -sech(x) * tanh(x))
row("asinh", lambda r: both(positive(r)), asinh, lambda x: 1 / sqrt(1 + x * x))
row("acosh", lambda r: [1 + x for x in logu(r, 1e-15, 1e15, 60)] + logu(r, 1, 1e300, 40), acosh, lambda x: 1 / sqrt((x - 1) * (x + 1)))
row("atanh", unit, atanh, lambda x: 1 / ((1 - x) * (1 + x)))
row("sigmoid", lambda r: real(r, 700), sigmoid, lambda x: sigmoid(x) * sigmoid(-x))
row("logsigmoid", lambda r: real(r, 700), lambda x: -log1p(exp(-x)) if x > 0 else x - log1p(exp(x)), lambda x: sigmoid(-x))
row("softsign", lambda r: real(r, 100) + both(logu(r, 10, 1e150, 20)), lambda x: x / (1 + fabs(x)), lambda x: 1 / (1 + fabs(x)) ** 2)
row("relu", real, lambda x: max(x, ZERO), lambda x: ONE if x > 0 else ZERO)
row("sigmoid_prime", lambda r: real(r, 700), lambda x: sigmoid(x) * sigmoid(-x), lambda x: sigmoid(x) * sigmoid(-x) * -tanh(x / 2))
row("silu", lambda r: real(r, 700), lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * sigmoid(-x)),
    scales=(None, lambda x: sigmoid(x) * (1 + fabs(x) * sigmoid(-x))))


def mish_slope(x, size=lambda v: v):
    s = log1p(exp(x))
    return tanh(s) + size(x) * sech(s) ** 2 * sigmoid(x)


row("mish", lambda r: real(r, 300), lambda x: x * tanh(log1p(exp(x))), mish_slope, scales=(None, lambda x: mish_slope(x, fabs)))
ALPHA, LAMBDA = mpf("1.6732632423543772848170429916717"), mpf("1.0507009873554804934193349852946")
row("selu", lambda r: real(r, 700), lambda x: LAMBDA * (x if x > 0 else ALPHA * expm1(x)), lambda x: LAMBDA * (ONE if x > 0 else ALPHA * exp(x)))
row("abs", real, fabs, sign)
row("sign", real, sign, zero)
row("floor", real, lambda x: mp.floor(x), zero)
row("ceil", real, lambda x: mp.ceil(x), zero)
row("round", real, lambda x: mpf(round(float(x))), zero)
row("trunc", real, lambda x: mpf(trunc(float(x))), zero)
gauss = lambda x: exp(-x * x)
row("erf", lambda r: real(r, 26), erf, lambda x: 2 / sqrt(pi) * gauss(x), diff=False)
row("erfc", lambda r: real(r, 26), erfc, lambda x: -2 / sqrt(pi) * gauss(x), diff=False)
row("gaussian", lambda r: real(r, 26), gauss, lambda x: -2 * x * gauss(x))
row("half_gaussian", lambda r: real(r, 37), lambda x: exp(-x * x / 2), lambda x: -x * exp(-x * x / 2))
row("ndtr", lambda r: real(r, 37), normal, density, diff=False)


def erfcx_k(k, x):
    """The k-th derivative: far out the asymptotic series term by term, else the recurrence with digits to spare."""
    if x > 30:
        term, total, j = 1 / (x * sqrt(pi)), ZERO, 0
        while fabs(term) > mpf(10) ** -60:
            total += term * (-1) ** k * mp.rf(2 * j + 1, k) / x ** k
            j += 1
            term *= -(2 * j - 1) / (2 * x * x)
        return total
    with mp.workdps(60 + 30 * (k + 1) + int(max(x, 1) ** 2)):
        before, f = -2 / sqrt(pi), exp(x * x) * erfc(x)
        for j in range(k):
            before, f = f, 2 * x * f + (2 * j if j else 1) * before
        return f


some_erfcx = lambda r: [x for x in real(r, 25)] + logu(r, 3, 1e3, 20)
row("erfcx", some_erfcx, lambda x: erfcx_k(0, x), lambda x: erfcx_k(1, x))
row("erfinv", unit, special.FUNCTIONS["erfinv"][1], lambda x: sqrt(pi) / 2 * exp(special.FUNCTIONS["erfinv"][1](x) ** 2))
row("log_ndtr", lambda r: real(r, 37) + [-x for x in logu(r, 30, 1e4, 20)], special.FUNCTIONS["log_ndtr"][1],
    lambda x: density(x) / normal(x), diff=False)
row("ndtri", probability, special.FUNCTIONS["ndtri"][1], lambda x: sqrt(2 * pi) * exp(special.FUNCTIONS["ndtri"][1](x) ** 2 / 2))
row("lgamma", lambda r: [x for x in positive(r) if x < 1e290], lambda x: loggamma(x).real, lambda x: psi(0, x))
row("digamma", lambda r: [x for x in positive(r) if 1e-150 < x < 1e290], lambda x: psi(0, x), lambda x: psi(1, x))
bessel = lambda n, x: besseli(n, x)
row("i0", lambda r: real(r, 700), lambda x: bessel(0, x), lambda x: bessel(1, x))
row("i1", lambda r: real(r, 700), lambda x: bessel(1, x), lambda x: (bessel(0, x) + bessel(2, x)) / 2)


def bessel_k(n, k, x):
    """The k-th derivative of I_n."""
    return sum(mp.binomial(k, j) * bessel(abs(n - k + 2 * j), x) for j in range(k + 1)) / mpf(2) ** k


def scaled_k(n, k, x):
    """The k-th derivative of e^-|x| I_n."""
    with mp.workdps(120):
        return exp(-fabs(x)) * sum(mp.binomial(k, j) * (-sign(x)) ** j * bessel_k(n, k - j, x) for j in range(k + 1))


def slope(n, x):
    return scaled_k(n, 1, x)


scaled = lambda n, x: exp(-fabs(x)) * bessel(n, x)
row("i0e", lambda r: real(r, 700) + both(logu(r, 100, 1e6, 15)), lambda x: scaled(0, x), lambda x: slope(0, x))
row("i1e", lambda r: real(r, 700) + both(logu(r, 100, 1e6, 15)), lambda x: scaled(1, x), lambda x: slope(1, x))

# One argument with attributes.
row("shift", real, lambda x, p: x + p, lambda x, p: ONE, params=[(1.75,), (-0.3,)])
row("scale", real, lambda x, p: x * p, lambda x, p: p, params=[(1.75,), (-0.3,)])
row("sub_from", real, lambda x, p: p - x, lambda x, p: -ONE, params=[(1.75,), (-0.3,)])
row("div_by", real, lambda x, p: x / p, lambda x, p: 1 / p, params=[(1.75,), (-0.3,)])
row("div_into", lambda r: both(logu(r, 1e-100, 1e100, 60)), lambda x, p: p / x, lambda x, p: -p / x ** 2, params=[(1.75,), (-0.3,)])
row("powi", lambda r: both(logu(r, 1e-30, 1e30, 30)), lambda x, n: x ** int(n), lambda x, n: n * x ** int(n - 1), params=[(1.0,), (2.0,), (3.0,), (5.0,), (-1.0,), (-2.0,)])
row("powf", lambda r: logu(r, 1e-150, 1e150, 40), lambda x, p: x ** p, lambda x, p: p * x ** (p - 1), params=[(0.5,), (1.75,), (0.3,), (1e-3,), (-0.3,), (-1.0,)])
row("leaky_relu", real, lambda x, p: x if x > 0 else p * x, lambda x, p: ONE if x > 0 else p, params=[(0.25,)])
row("elu", lambda r: real(r, 700), lambda x, p: x if x > 0 else p * expm1(x), lambda x, p: ONE if x > 0 else p * exp(x), params=[(1.0,), (0.3,)])
row("celu", lambda r: real(r, 100), lambda x, p: x if x > 0 else p * expm1(x / p), lambda x, p: ONE if x > 0 else exp(x / p),
    params=[(1.0,), (0.5,), (0.3,), (0.625,)])
row("exp_over", lambda r: real(r, 100), lambda x, p: exp(x / p), lambda x, p: exp(x / p) / p, params=[(1.0,), (0.3,), (-0.625,)])
row("softplus", lambda r: real(r, 100), lambda x, b, t: x if b * x > t else log1p(exp(b * x)) / b,
    lambda x, b, t: ONE if b * x > t else sigmoid(b * x),
    params=[(1.0, 20.0), (2.0, 10.0), (0.3, 20.0), (0.625, 20.0), (7.3, 20.0)])
row("sigmoid_scaled", lambda r: real(r, 100), lambda x, p: sigmoid(p * x), lambda x, p: p * sigmoid(p * x) * sigmoid(-p * x),
    params=[(1.0,), (0.3,), (-0.625,), (6.7,)])


def gelu_gate(x):
    return 2 * sqrt(2 / pi) * (x + mpf(0.044715) * x ** 3)


def gelu(x, kind):
    return x * normal(x) if kind == 0 else x * sigmoid(gelu_gate(x))


def gelu_slope(x, kind, size=lambda v: v):
    if kind == 0:
        return normal(x) + size(x) * density(x)
    g = gelu_gate(x)
    return sigmoid(g) * (1 + size(x) * sigmoid(-g) * 2 * sqrt(2 / pi) * (1 + 3 * mpf(0.044715) * x * x))


row("gelu", lambda r: [x for x in real(r, 36)], lambda x: gelu(x, 0), lambda x: gelu_slope(x, 0), scales=(None, lambda x: gelu_slope(x, 0, fabs)), diff=False)
row("gelu_tanh", lambda r: [x for x in real(r, 36)], lambda x: gelu(x, 1), lambda x: gelu_slope(x, 1), scales=(None, lambda x: gelu_slope(x, 1, fabs)), diff=False)
row("gelu_gate", lambda r: real(r, 20), lambda x: sigmoid(gelu_gate(x)),
    lambda x: sigmoid(gelu_gate(x)) * sigmoid(-gelu_gate(x)) * 2 * sqrt(2 / pi) * (1 + 3 * mpf(0.044715) * x * x))
row("clamp", real, lambda x, lo, hi: min(max(x, lo), hi), lambda x, lo, hi: ONE if lo < x < hi else ZERO, params=[(-0.5, 0.75)])
row("hardshrink", real, lambda x, p: x if fabs(x) > p else ZERO, lambda x, p: ONE if fabs(x) > p else ZERO, params=[(0.5,)])
row("softshrink", real, lambda x, p: sign(x) * (fabs(x) - p) if fabs(x) > p else ZERO, lambda x, p: ONE if fabs(x) > p else ZERO, params=[(0.5,)])
row("threshold", real, lambda x, t, v: x if x > t else v, lambda x, t, v: ONE if x > t else ZERO, params=[(0.5, -2.0)])
row("polygamma", lambda r: uniform(r, 0, 20, 30) + logu(r, 1e-2, 1e4, 30), lambda x, n: psi(int(n), x), lambda x, n: psi(int(n) + 1, x),
    params=[(0.0,), (1.0,), (2.0,), (3.0,)])
row("sinc_derivative", lambda r: real(r, 12), lambda x, k: special.sinc_k(int(k), x), lambda x, k: special.sinc_k(int(k) + 1, x),
    scales=(lambda x, k: pi ** int(k) / (1 + k + pi * fabs(x)), lambda x, k: pi ** int(k + 1) / (2 + k + pi * fabs(x))),
    params=[(0.0,), (1.0,), (2.0,), (3.0,)], diff=False)
row("erfcx_derivative", lambda r: [x for x in some_erfcx(r) if x > -20], lambda x, k: erfcx_k(int(k), x), lambda x, k: erfcx_k(int(k) + 1, x),
    params=[(0.0,), (1.0,), (2.0,)])
row("iv", lambda r: real(r, 700), lambda x, n: bessel(int(n), x), lambda x, n: (bessel(abs(int(n) - 1), x) + bessel(int(n) + 1, x)) / 2,
    params=[(0.0,), (1.0,), (2.0,), (5.0,)])
row("ive_derivative", lambda r: real(r, 700) + both(logu(r, 100, 1e6, 10)), lambda x, n, k: scaled_k(int(n), int(k), x),
    lambda x, n, k: scaled_k(int(n), int(k) + 1, x), params=[(0.0, 1.0), (1.0, 1.0), (2.0, 1.0), (5.0, 1.0), (0.0, 2.0), (1.0, 2.0)], diff=False)


# Two arguments.
def pairs(first, second, count=150):
    def points(r):
        a, b = first(r), second(r)
        return [(r.choice(a), r.choice(b)) for _ in range(count)]
    return points


ab = pairs(real, real)
first, second = (lambda a, b: ONE), (lambda a, b: ZERO)
row("add", ab, lambda a, b: a + b, first, first)
row("sub", ab, lambda a, b: a - b, first, lambda a, b: -ONE)
row("mul", ab, lambda a, b: a * b, lambda a, b: b, lambda a, b: a)
row("div", ab, lambda a, b: a / b, lambda a, b: 1 / b, lambda a, b: -a / b ** 2)


def power_points(r):
    points = pairs(lambda r: logu(r, 1e-5, 1e5, 40), lambda r: uniform(r, -20, 20, 40) + [0.0, 1.0, 2.0, -1.0, 0.5])(r)
    return points + pairs(lambda r: logu(r, 1e-290, 1e290, 40), lambda r: both(logu(r, 1e-6, 0.9, 40)), 60)(r)


row("pow", power_points, lambda a, b: a ** b, lambda a, b: b * a ** (b - 1), lambda a, b: a ** b * log(a))
row("maximum", ab, max, lambda a, b: ONE if a > b else ZERO, lambda a, b: ONE if b > a else ZERO)
row("minimum", ab, min, lambda a, b: ONE if a < b else ZERO, lambda a, b: ONE if b < a else ZERO)
ROWS["fmax"], ROWS["fmin"] = ROWS["maximum"], ROWS["minimum"]
mixed = pairs(lambda r: uniform(r, -50, 50, 50) + both(logu(r, 1e-3, 1e6, 20)), lambda r: both(logu(r, 1e-2, 30, 40)))
row("remainder", mixed, lambda a, b: a - b * mp.floor(a / b), first, lambda a, b: -mp.floor(a / b))
row("fmod", mixed, lambda a, b: a - b * sign(a / b) * mp.floor(fabs(a / b)), first, lambda a, b: -sign(a / b) * mp.floor(fabs(a / b)))
row("floor_divide", mixed, lambda a, b: mp.floor(a / b), second, second)
row("copysign", ab, lambda a, b: fabs(a) * sign(b), lambda a, b: sign(a) * sign(b), second)
row("heaviside", ab, lambda a, b: ONE if a > 0 else ZERO, second, second)
row("prelu", ab, lambda a, b: a if a > 0 else a * b, lambda a, b: ONE if a > 0 else b, lambda a, b: ZERO if a > 0 else a)
anywhere = lambda r: both(logu(r, 1e-100, 1e100, 20) + logu(r, 1e-3, 1e3, 40))
row("atan2", pairs(anywhere, anywhere), atan2, lambda a, b: b / (a * a + b * b), lambda a, b: -a / (a * a + b * b))
row("hypot", pairs(anywhere, anywhere), lambda a, b: sqrt(a * a + b * b), lambda a, b: a / sqrt(a * a + b * b), lambda a, b: b / sqrt(a * a + b * b))
wide = pairs(lambda r: uniform(r, -300, 300, 40) + uniform(r, -3, 3, 40), lambda r: uniform(r, -300, 300, 40) + uniform(r, -3, 3, 40))
weight = lambda a, b: sigmoid(a - b)
weight2 = lambda a, b: sigmoid(ln2 * (a - b))
highest = lambda a, b: fabs(max(a, b))
row("logaddexp", wide, lambda a, b: log(exp(a) + exp(b)), weight, lambda a, b: weight(b, a), scales=(highest,), diff=False)
row("logaddexp2", wide, lambda a, b: log(mpf(2) ** a + mpf(2) ** b) / ln2, weight2, lambda a, b: weight2(b, a), scales=(highest,), diff=False)
row("sigmoid_gap", wide, weight, lambda a, b: weight(a, b) * weight(b, a), lambda a, b: -weight(a, b) * weight(b, a), diff=False)
row("sigmoid2_gap", wide, weight2, lambda a, b: ln2 * weight2(a, b) * weight2(b, a), lambda a, b: -ln2 * weight2(a, b) * weight2(b, a), diff=False)
row("xlogy", pairs(real, positive), lambda a, b: a * log(b), lambda a, b: log(b), lambda a, b: a / b)
row("xlog1py", pairs(real, lambda r: [b for b in unit(r)] + logu(r, 1, 1e100, 30)), lambda a, b: a * log1p(b), lambda a, b: log1p(b), lambda a, b: a / (1 + b))


def psi_gap(n, a, b):
    with mp.workdps(400 if max(a, b) / min(a, b) > 1e20 else 90):
        return psi(n, mpf(a) + b) - psi(n, a)


beta_pairs = lambda r: special.pairs(r, 1e-5, 50, 80) + special.pairs(r, 1, 1e12, 40) + special.pairs(r, 1e-60, 1e3, 12)
row("betaln", beta_pairs, special.beta_log, lambda a, b: -psi_gap(0, a, b), lambda a, b: -psi_gap(0, b, a),
    scales=(special.FUNCTIONS["betaln"][2],), diff=False)
row("digamma_gap", beta_pairs, lambda a, b: psi_gap(0, a, b), lambda a, b: psi_gap(1, a, b), lambda a, b: psi(1, a + b), diff=False)
row("log_digamma_gap", lambda r: [(a, b) for a, b in special.gamma_points(r) if a > 1e-12], lambda a, b: log(b) - psi(0, a),
    lambda a, b: -psi(1, a), lambda a, b: 1 / b, scales=(lambda a, b: mpf(1) / 64,), diff=False)
gamma_pairs = lambda r: [(a, x) for a, x in r.sample(special.gamma_points(r), 160) if 1e-12 < a < 2e3]
gamma_dx = special.FUNCTIONS["gammainc_dx"][1]
row("gammainc", gamma_pairs, lambda a, x: special.gamma_p_q(a, x)[0], special.gamma_p_da, gamma_dx, diff=False)
row("gammaincc", gamma_pairs, lambda a, x: special.gamma_p_q(a, x)[1], lambda a, x: -special.gamma_p_da(a, x),
    lambda a, x: -gamma_dx(a, x), diff=False)
row("gammainc_dx", gamma_pairs, gamma_dx, lambda a, x: gamma_dx(a, x) * (log(x) - psi(0, a)), lambda a, x: gamma_dx(a, x) * ((a - 1) / x - 1),
    scales=(None, lambda a, x: gamma_dx(a, x) / 64))


def columns(value, scale):
    hi = float(value)
    return [bits(hi), bits(0.0 if isinf(mpf(hi)) else float(value - mpf(hi))), bits(float(scale))]


def agrees(f, partial, k, args):
    """Whether a partial is the slope of the value, as far as a difference quotient can tell."""
    with mp.workdps(160):
        h = fabs(args[k]) * mpf(10) ** -30
        moved = [[a + s * h if j == k else a for j, a in enumerate(args)] for s in (1, -1)]
        quotient = (f(*moved[0]) - f(*moved[1])) / (2 * h)
        return fabs(quotient - partial) <= mpf(10) ** -12 * (fabs(partial) + fabs(f(*args)) / fabs(args[k]))


def main(names):
    for name, (points, f, partials, scales, params, diff) in ROWS.items():
        if names and name not in names:
            continue
        rng = random.Random(name)
        lines = []
        for p in params:
            chosen = [x if isinstance(x, tuple) else (x,) for x in points(rng)]
            if len(params) > 2:
                chosen = rng.sample(chosen, min(len(chosen), 60))
            for index, x in enumerate(chosen):
                if index % 2:
                    short = tuple(single(v) if 1e-30 < abs(v) < 1e30 else v for v in x)
                    x = short if all(abs(s) not in (0.0, 1.0) for s in short) else x
                args = [mpf(v) for v in x + p]
                words = [bits(v) for v in x + p]
                for k, function in enumerate((f,) + partials):
                    scale = scales[k](*args) if k < len(scales) and scales[k] else 0.0
                    value = mpf(function(*args))
                    assert not isnan(value), (name, x, p, k)
                    if diff and k > 0:
                        assert agrees(f, value, k - 1, args), (name, x, p, k)
                    words += columns(value, scale)
                lines.append(" ".join(words))
        Path(__file__).with_name(f"{name}.txt").write_text("\n".join(lines) + "\n")
        print(name, len(lines), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
