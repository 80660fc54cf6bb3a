"""Writes the reference files of `kernel/special`: arguments and true results, made once with mpmath 1.3.

One file a function, one point a line: the bits of each argument in hex, then the true result as the sum of two
doubles, then (where the result has zeros at irrational points) the size of the terms that cancel there.
Run: python3 generate.py [name ...]
"""
import random
import struct
import sys
from mpmath import (mp, mpf, pi, log, log1p, exp, expm1, sqrt, erf, erfc, erfinv, findroot, loggamma, psi, zeta,
                    besseli, sin, cot, factorial, fabs, isinf, nint)

mp.dps = 60
INF = float("inf")
TINY = 5e-324


def bits(x):
    return struct.pack(">d", float(x)).hex()


def near(points, steps=(1, 2, 5, 1e3, 1e6, 1e9, 1e12)):
    """Points at a few relative distances from the given ones."""
    return [p + s * k * 2.0 ** -52 * max(abs(p), 2.0 ** -52) for p in points for k in steps for s in (-1, 1)]


def log_uniform(rng, lo, hi, count):
    from math import log as ln, exp as e
    return [e(rng.uniform(ln(lo), ln(hi))) for _ in range(count)]


def uniform(rng, lo, hi, count):
    return [rng.uniform(lo, hi) for _ in range(count)]


def both(xs):
    return [s * x for x in xs for s in (1, -1)]


def negatives(rng, deep=200, count=120):
    """Negative non-integers: everywhere, and close to the poles."""
    xs = [-x for x in uniform(rng, 0, 8, count) + log_uniform(rng, 1, deep, count // 2)]
    xs += [-x for x in log_uniform(rng, 1e-300, 1, 20)]
    xs += near([-1.0, -2.0, -3.0, -7.0, -20.0, -50.0])
    return [x for x in xs if x != int(x)]


def gamma_p_q(a, x):
    """(P, Q) from the positive series, with as many digits as the smaller one needs."""
    a, x = mpf(a), mpf(x)
    for dps in (70, 500):
        with mp.workdps(dps):
            term = total = mpf(1)
            n = 0
            while term > total * mpf(10) ** -dps or x > a + n:
                n += 1
                term *= x / (a + n)
                total += term
            p = exp(a * log(x) - x - loggamma(a + 1)) * total
            q = 1 - p
            if q > mpf(10) ** (45 - dps) or dps == 500:
                return p, q


def gamma_p_da(a, x):
    with mp.workdps(80):
        h = mpf(a) * mpf(10) ** -18
        steps = [(gamma_raw(mpf(a) + k * h, x) - gamma_raw(mpf(a) - k * h, x)) / (2 * k * h) for k in (1, 2)]
        return (4 * steps[0] - steps[1]) / 3


def gamma_raw(a, x):
    small = gamma_p_q(a, x)
    with mp.workdps(420 if small[1] < mpf(10) ** -25 else 100):
        x = mpf(x)
        term = total = mpf(1)
        n = 0
        while term > total * mpf(10) ** -mp.dps or x > a + n:
            n += 1
            term *= x / (a + n)
            total += term
        value = exp(a * log(x) - x - loggamma(a + 1)) * total
        return value - 1 if small[0] > 0.5 else value


def beta_i(a, b, x):
    a, b, x = mpf(a), mpf(b), mpf(x)
    if x * (a + b + 2) > a + 1:
        other = beta_i_series(b, a, 1 - x, 70)
        if other > 1 - mpf(10) ** -20:
            other = beta_i_series(b, a, 1 - x, 400)
            with mp.workdps(400):
                return 1 - other
        with mp.workdps(70):
            return 1 - other
    return beta_i_series(a, b, x, 70)


def beta_i_series(a, b, x, dps):
    with mp.workdps(dps):
        term = total = mpf(1)
        n = 0
        while term > total * mpf(10) ** -dps:
            term *= (a + b + n) * x / (a + 1 + n)
            total += term
            n += 1
        front = a * log(x) + b * log1p(-x) - loggamma(a) - loggamma(b) + loggamma(a + b) - log(a)
        return exp(front) * total


def log_erfc(x):
    return log(erfc(x)) if x > 1 else log1p(-erf(x))


def erfc_inverse(q):
    with mp.workdps(100):
        q = mpf(q)
        if q > 0.01:
            return erfinv(1 - q) if q < 1.99 else -erfc_inverse(2 - q)
        w = -log(q)
        return findroot(lambda x: log(erfc(x)) + w, sqrt(w) - log(w) / (4 * sqrt(w)))


def normal_p(x):
    return erfc(-mpf(x) / sqrt(mpf(2))) / 2


def sinc_k(k, x):
    """Power series, with digits to outlive its cancellation."""
    with mp.workdps(60 + int(3 * abs(x))):
        t = pi * mpf(x)
        total, m = mpf(0), (k + 1) // 2
        term = (-1) ** m * t ** (2 * m - k) / factorial(2 * m - k)
        while fabs(term) > mpf(10) ** -mp.dps or 2 * m - k < fabs(t):
            total += term / (2 * m + 1)
            m += 1
            term *= -t * t / ((2 * m - k) * (2 * m - k - 1))
        return pi ** k * total


def polygamma_scale(n, x):
    d = mpf(x) - nint(mpf(x))
    return factorial(n) * fabs(d) ** -(n + 1) if x < 0 else mpf(0)


def hurwitz_all(s, q):
    """With digits for the size of q^-s, since mpmath's zeta is exact in the absolute sense only."""
    with mp.workdps(60 + int(s * max(log(q), 1))):
        return zeta(s, q)


def orders(rng, xs, choices):
    return [(float(rng.choice(choices)), x) for x in xs]


def line_of(args, value, scale=None):
    hi = float(value)
    lo = 0.0 if isinf(mpf(hi)) else float(value - mpf(hi))
    columns = [bits(a) for a in args] + [bits(hi), bits(lo)] + ([] if scale is None else [bits(float(scale))])
    return " ".join(columns)


def gamma_points(rng):
    pts = []
    for a in log_uniform(rng, 1e-3, 50, 110):
        pts.append((a, a * rng.uniform(0.01, 3)))
    for a in log_uniform(rng, 1e-300, 1, 40):
        pts.append((a, log_uniform(rng, 1e-5, 30, 1)[0]))
    for a in log_uniform(rng, 50, 3e3, 110):
        pts.append((a, abs(a + rng.gauss(0, 1) * 8 * a ** 0.5) + 1e-3))
    for a in log_uniform(rng, 1, 300, 40):
        pts.append((a, log_uniform(rng, 1e-3, 700, 1)[0]))
    for a in log_uniform(rng, 3e3, 1e5, 12):
        pts.append((a, a + rng.gauss(0, 1) * 6 * a ** 0.5))
    for a in log_uniform(rng, 1e5, 1e8, 12):
        pts.append((a, a + rng.gauss(0, 1) * 4 * a ** 0.5))
    for a in (1.0, 0.5, 2.0, 199.0, 200.0, 201.0, 10.0):
        pts += [(a, a), (a, a + 1), (a, a * 0.7), (a, a * 1.3)]
    return pts


def beta_points(rng):
    pts = []
    for a in log_uniform(rng, 0.05, 100, 120):
        pts.append((a, log_uniform(rng, 0.05, 100, 1)[0], rng.random()))
    for a in log_uniform(rng, 10, 3e4, 80):
        b = log_uniform(rng, 10, 3e4, 1)[0]
        m = a / (a + b)
        sd = (m * (1 - m) / (a + b)) ** 0.5
        pts.append((a, b, min(max(m + rng.gauss(0, 1) * 6 * sd, 1e-6), 1 - 1e-9)))
    for a in log_uniform(rng, 1e5, 1e7, 10):
        b = a * rng.uniform(0.2, 5)
        m = a / (a + b)
        pts.append((a, b, m + rng.gauss(0, 1) * 2 * (m * (1 - m) / (a + b)) ** 0.5))
    for a in log_uniform(rng, 1e-8, 1, 60):
        pts.append((a, log_uniform(rng, 1e-8, 8, 1)[0], rng.choice([rng.random(), 1 - 2.0 ** -rng.uniform(2, 40)])))
    for a in log_uniform(rng, 0.1, 50, 60):
        pts.append((a, log_uniform(rng, 0.1, 50, 1)[0], log_uniform(rng, 1e-30, 1, 1)[0]))
    return pts


def pairs(rng, lo, hi, count):
    return list(zip(log_uniform(rng, lo, hi, count), log_uniform(rng, lo, hi, count)))


def wide(rng):
    return both(log_uniform(rng, 1e-300, 1e-3, 20) + log_uniform(rng, 1e-3, 1, 60)) + [TINY, 1e-310]


EDGES = near([0.5, 1.0, 2.0, 4.0, 8.0, 16.0], (1, 1e6))
FUNCTIONS = {}


def reference(name, points, f, scale=None):
    FUNCTIONS[name] = (points, f, scale)


one = lambda points: lambda rng: [(x,) for x in points(rng)]

reference("erf", one(lambda r: wide(r) + both(uniform(r, 0, 7, 90) + EDGES)), erf)
reference("erfc", one(lambda r: wide(r) + uniform(r, -7, 7, 150) + uniform(r, 5, 27.3, 120) + EDGES), erfc)
reference("erfcx", one(lambda r: wide(r) + uniform(r, -26.6, 10, 200) + log_uniform(r, 8, 1e300, 60) + EDGES),
          lambda x: exp(x * x) * erfc(x) if x < 1e5 else sum(
              (-1) ** k * mpf(factorial(2 * k)) / factorial(k) / (2 * x) ** (2 * k) for k in range(8)) / (x * sqrt(pi)))
reference("log_erfc", one(lambda r: wide(r) + uniform(r, -5.5, 10, 150) + log_uniform(r, 8, 1e4, 60) + EDGES), log_erfc)
reference("erfinv", one(lambda r: wide(r) + both(uniform(r, 0, 1, 80) + [1 - x for x in log_uniform(r, 2e-16, 1, 60)])),
          lambda y: erfc_inverse(1 - y) if y > 0.9 else -erfc_inverse(1 + y) if y < -0.9 else erfinv(y))
reference("erfcinv", one(lambda r: uniform(r, 0, 2, 80) + log_uniform(r, 1e-307, 1, 180) + [TINY, 1e-310, 1e-320]
                         + [2 - x for x in log_uniform(r, 1e-15, 1, 40)] + near([1.0, 0.5])), erfc_inverse)
reference("ndtr", one(lambda r: wide(r) + uniform(r, -9, 8, 150) + uniform(r, -38.4, -5, 100) + EDGES), normal_p)
reference("log_ndtr", one(lambda r: wide(r) + uniform(r, -9, 8, 150) + [-x for x in log_uniform(r, 5, 1e4, 60)]
                          + uniform(r, 8, 37, 40)),
          lambda x: log1p(-normal_p(-x)) if x > 0 else log(normal_p(x)))
reference("ndtri", one(lambda r: uniform(r, 0, 1, 80) + log_uniform(r, 1e-307, 1, 150) + [TINY, 1e-310]
                       + [1 - x for x in log_uniform(r, 2e-16, 1, 60)] + near([0.5])),
          lambda p: -sqrt(mpf(2)) * erfc_inverse(2 * p))

reference("lgamma", one(lambda r: [x for x in wide(r) if x > 0] + uniform(r, 0, 12, 80) + log_uniform(r, 8, 1e305, 60)
                        + near([1.0, 2.0, 0.5, 1.5, 2.5, 4.0, 8.0]) + negatives(r) + near(
                            [-2.4570247382208006, -2.7476826467274127, -3.1435808883499798, -3.9552942848585979])),
          lambda x: log(fabs(mp.gamma(x))) if -170 < x < 0 else loggamma(x).real)
reference("digamma", one(lambda r: wide(r) + uniform(r, 0, 12, 80) + log_uniform(r, 8, 1e300, 60)
                         + near([1.0, 2.0, 1.4616321449683623, 4.0, 8.0]) + negatives(r)), lambda x: psi(0, x),
          lambda x: max(fabs(pi * cot(pi * x)), fabs(psi(0, -x))) if x < 0 else mpf(0))
reference("trigamma", one(lambda r: [x for x in log_uniform(r, 1e-150, 1, 30)] + uniform(r, 0, 20, 100)
                          + log_uniform(r, 8, 1e300, 50) + negatives(r)), lambda x: psi(1, x))
reference("polygamma", lambda r: orders(r, uniform(r, 0, 20, 150) + log_uniform(r, 1e-2, 1e4, 100)
                                        + [x for x in negatives(r, 50, 80) if min(x % 1, 1 - x % 1) > 1e-6],
                                        (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30)),
          lambda n, x: psi(int(n), x), polygamma_scale)
reference("polygamma_large", lambda r: orders(r, uniform(r, 0.5, 300, 120), (50, 100, 150, 170, 200, 300)),
          lambda n, x: (-1) ** (int(n) + 1) * factorial(n) * hurwitz_all(n + 1, x))
reference("zeta", lambda r: [(1 + s, q) for s, q in zip(log_uniform(r, 1e-10, 60, 250), log_uniform(r, 1e-3, 1e4, 250))],
          hurwitz_all)
reference("betaln", lambda r: pairs(r, 1e-5, 50, 120) + pairs(r, 1e-300, 1e3, 60) + pairs(r, 1, 1e15, 120)
          + pairs(r, 1e10, 1e300, 40),
          lambda a, b: beta_log(a, b), lambda a, b: mpf(1) if 0.5 < fabs(beta_log(a, b)) * 2 < 1 else mpf(1) / 2)
reference("gammainc", gamma_points, lambda a, x: gamma_p_q(a, x)[0])
reference("gammaincc", gamma_points, lambda a, x: gamma_p_q(a, x)[1])
reference("gammainc_da", lambda r: [(a, x) for a, x in gamma_points(r) if a < 2e3 and a > 1e-12]
          + [(a, a * r.uniform(0.7, 1.4)) for a in log_uniform(r, 0.1, 260, 160)], gamma_p_da)
reference("gammainc_dx", gamma_points, lambda a, x: exp((a - 1) * log(x) - x - loggamma(a)))
reference("betainc", beta_points, beta_i)
reference("betainc_dx", beta_points, lambda a, b, x: exp((a - 1) * log(x) + (b - 1) * log1p(-x) - beta_log(a, b)))

for order in (0, 1):
    reference(f"i{order}", one(lambda r: wide(r) + uniform(r, -20, 20, 120) + uniform(r, 16, 713, 80) + EDGES),
              lambda x, order=order: besseli(order, x))
    reference(f"i{order}e", one(lambda r: wide(r) + uniform(r, -20, 20, 120) + log_uniform(r, 16, 1e6, 60) + EDGES),
              lambda x, order=order: besseli(order, x) * exp(-fabs(x)))
reference("ive", lambda r: orders(r, uniform(r, -30, 30, 150) + log_uniform(r, 1e-3, 1e4, 120), (2, 3, 5, 10, 25, 60)),
          lambda n, x: besseli(n, x) * exp(-fabs(x)))
reference("sinc", one(lambda r: wide(r) + uniform(r, -10, 10, 100) + log_uniform(r, 10, 1e12, 40)
                      + near([1.0, 2.0, 3.0, -5.0])), lambda x: sin(pi * x) / (pi * x))
reference("sinc_derivative", lambda r: orders(r, uniform(r, -12, 12, 200) + log_uniform(r, 1e-12, 1, 80), (1, 2, 3, 4, 5, 8, 15, 25)),
          lambda k, x: sinc_k(int(k), x), lambda k, x: pi ** int(k) / (1 + k + pi * fabs(x)))

reference("logit", one(lambda r: uniform(r, 0, 1, 120) + log_uniform(r, 1e-300, 1, 60) + near([0.5, 0.25, 0.75])
                       + [1 - x for x in log_uniform(r, 2e-16, 1, 40)]),
          lambda p: 2 * mp.atanh(2 * p - 1) if 0.01 < p < 0.99 else log(p) - log1p(-p))
reference("log1mexp", one(lambda r: log_uniform(r, 1e-300, 700, 200) + uniform(r, 0, 3, 60)),
          lambda x: log(-expm1(-x)) if x < 1 else log1p(-exp(-x)))
reference("entr", one(lambda r: log_uniform(r, 1e-300, 1e300, 100) + uniform(r, 0, 3, 60) + near([1.0])),
          lambda x: -x * log(x))
reference("xlogy", lambda r: pairs(r, 1e-100, 1e100, 150), lambda x, y: x * log(y))
reference("xlog1py", lambda r: pairs(r, 1e-100, 1e100, 150), lambda x, y: x * log1p(y))
reference("logaddexp", lambda r: list(zip(uniform(r, -50, 50, 150), uniform(r, -50, 50, 150)))
          + list(zip(uniform(r, -2, 2, 80), uniform(r, -2, 2, 80))), lambda a, b: log(exp(a) + exp(b)),
          lambda a, b: max(fabs(a), fabs(b)))
reference("logsubexp", lambda r: [(max(p), min(p)) for p in zip(uniform(r, -50, 50, 100), uniform(r, -50, 50, 100))]
          + [(x, x - d) for x, d in zip(uniform(r, -5, 5, 60), log_uniform(r, 1e-10, 1, 60))],
          lambda a, b: log(exp(a) - exp(b)), lambda a, b: max(fabs(a), fabs(b)) * (1 + 1 / expm1(a - b)))


def beta_log(a, b):
    a, b = mpf(a), mpf(b)
    with mp.workdps(700 if max(a, b) > 1e12 or min(a, b) < 1e-12 else 90):
        return (loggamma(a) + loggamma(b) - loggamma(a + b)).real


def polygamma_gap(n, a, b):
    with mp.workdps(400):
        return psi(n, mpf(a) + b) - psi(n, a)


reference("polygamma_gap", lambda r: [(float(r.choice((1, 2, 3, 4))), a, b) for a, b in pairs(r, 1e-5, 50, 200)
          + pairs(r, 1, 1e12, 100) + pairs(r, 1e-40, 1e3, 60)], lambda n, a, b: polygamma_gap(int(n), a, b))


def main(names):
    for name, (points, f, scale) in FUNCTIONS.items():
        if names and name not in names:
            continue
        rng = random.Random(name)
        lines = []
        for args in points(rng):
            exact = [mpf(a) for a in args]
            lines.append(line_of(args, f(*exact), None if scale is None else scale(*exact)))
        with open(f"{name}.txt", "w") as out:
            out.write("\n".join(lines) + "\n")
        print(name, len(lines), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
