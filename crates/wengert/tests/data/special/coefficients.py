"""Prints the coefficient tables of `kernel/special` as Rust constants.

Each table is a Chebyshev interpolant at 50 digits, cut where the rest is below 2^-57 of the function, then
written in powers of u, the interval mapped to [-1, 1] (or of the raw variable where the interval starts at 0).
Run: python3 coefficients.py
"""
from mpmath import mp, mpf, cos, pi, sqrt, exp, log, erf, erfc, erfinv, loggamma, psi, besseli, findroot, taylor, rgamma
from fractions import Fraction

mp.dps = 60


def chebyshev(f, lo, hi, bits=57, nodes=64):
    """Coefficients in powers of u = (x - mid) / half of f on [lo, hi]."""
    mid, half = (mpf(lo) + hi) / 2, (mpf(hi) - lo) / 2
    angles = [pi * (k + mpf(1) / 2) / nodes for k in range(nodes)]
    values = [f(mid + half * cos(a)) for a in angles]
    c = [2 * sum(v * cos(j * a) for v, a in zip(values, angles)) / nodes for j in range(nodes)]
    c[0] /= 2
    bound = min(abs(v) for v in values) * mpf(2) ** -bits
    n = nodes
    while n > 1 and sum(abs(x) for x in c[n - 1:]) < bound:
        n -= 1
    if n > 50:
        raise ValueError("slow convergence")
    t0, t1 = [mpf(1)], [mpf(0), mpf(1)]
    out = [mpf(0)] * n
    for j in range(n):
        for i, t in enumerate(t0):
            out[i] += c[j] * t
        t2 = [mpf(0)] + [2 * t for t in t1]
        for i, t in enumerate(t0):
            t2[i] -= t
        t0, t1 = t1, t2
    return out


def raw(f, lo, hi, bits=57, nodes=64):
    """As `chebyshev`, but in powers of the variable itself."""
    c = chebyshev(f, lo, hi, bits, nodes)
    mid, half = (mpf(lo) + hi) / 2, (mpf(hi) - lo) / 2
    out = [mpf(0)] * len(c)
    power = [mpf(1)]
    for ck in c:
        for i, p in enumerate(power):
            out[i] += ck * p
        shifted = [mpf(0)] + [p / half for p in power]
        for i, p in enumerate(power):
            shifted[i] -= p * mid / half
        power = shifted
    return out


def show(name, c):
    print(f"const {name}: [f64; {len(c)}] = [{', '.join(repr(float(x)) for x in c)}];")


def show_pairs(name, c):
    pairs = []
    for x in c:
        hi = float(x)
        pairs.append(f"({hi!r}, {float(x - hi)!r})")
    print(f"const {name}: [(f64, f64); {len(c)}] = [{', '.join(pairs)}];")


def erfcx(x):
    return exp(x * x) * erfc(x)


def erfcx_fall(x):
    return 2 / sqrt(pi) - 2 * x * erfcx(x)


def i0e_fall(x):
    return exp(-x) * (besseli(0, x) - besseli(1, x))


def i1e_rise(x):
    return exp(-x) * (besseli(0, x) - besseli(1, x) / x - besseli(1, x))


def erfcinv_of_w(w):
    return findroot(lambda x: log(erfc(x)) + w * w, w - mpf(1) / 5 if w > 1 else w / 2)


def stirling(x):
    with mp.workdps(80):
        return loggamma(x) - (x - mpf(1) / 2) * log(x) + x - log(2 * pi) / 2


def limit(f, at, value):
    return lambda x: value if x == at else f(x)


def tables():
    print("// erf")
    show("ERF", raw(lambda w: erf(sqrt(w)) / sqrt(w) - 1, mpf("1e-30"), 1, 58))
    for lo, hi in ((0, .5), (.5, 1), (1, 2), (2, 4), (4, 8)):
        show(f"ERFCX_{hi}", chebyshev(erfcx, lo, hi))
    show("ERFCX_TAIL", raw(lambda v: erfcx(1 / sqrt(v)) * sqrt(pi / v), mpf("1e-12"), mpf(1) / 64))
    for lo, hi in ((.5, 1), (1, 2), (2, 4), (4, 8)):
        show(f"ERFCX_SLOPE_{hi}", chebyshev(erfcx_fall, lo, hi))
    show("ERFCX_SLOPE_TAIL", raw(lambda v: erfcx_fall(1 / sqrt(v)) / v, mpf("1e-12"), mpf(1) / 64)[1:])
    print("// erfinv")
    show("ERFINV", raw(lambda w: erfinv(sqrt(w)) / sqrt(w), mpf("1e-30"), .25))
    for lo, hi in ((.8, 1.5), (1.5, 3), (3, 6), (6, 12), (12, 28)):
        show(f"ERFCINV_{hi}", chebyshev(erfcinv_of_w, lo, hi))
    print("// lgamma")
    for lo, hi, root in ((.5, 1, 1), (1, 1.5, 1), (1.5, 2.5, 2)):
        show(f"LGAMMA_{hi}", chebyshev(lambda x: loggamma(x).real / (x - root), lo, hi))
    for lo, hi in ((2.5, 4), (4, 8)):
        show(f"LGAMMA_{hi}", chebyshev(lambda x: loggamma(x).real, lo, hi))
    show("STIRLING", raw(lambda v: stirling(1 / sqrt(v)) / sqrt(v), mpf("1e-12"), mpf(1) / 64))
    show_pairs("RGAMMA", taylor(rgamma, 1, 31))
    print("// digamma")
    x0 = findroot(lambda x: psi(0, x), mpf("1.4616321449683623"))
    show_pairs("ROOT", [x0])
    show("PSI_2", chebyshev(lambda x: psi(0, x) / (x - x0), 1, 2))
    for lo, hi in ((2, 4), (4, 8)):
        show(f"PSI_{hi}", chebyshev(lambda x: psi(0, x), lo, hi))
    show("PSI_TAIL", raw(lambda v: (log(1 / sqrt(v)) - sqrt(v) / 2 - psi(0, 1 / sqrt(v))) / v,
                         mpf("1e-12"), mpf(1) / 64))
    for lo, hi in ((1, 2), (2, 4), (4, 8)):
        show(f"SLOPE_{hi}", chebyshev(lambda x: psi(1, x), lo, hi))
    show("SLOPE_TAIL", raw(lambda v: (psi(1, 1 / sqrt(v)) - sqrt(v) - v / 2) / v / sqrt(v), mpf("1e-12"), mpf(1) / 64))
    print("// bessel")
    show("I0_SMALL", raw(lambda w: besseli(0, 2 * sqrt(w)), 0, 4))
    show("I1_SMALL", raw(lambda w: besseli(1, 2 * sqrt(w)) / (2 * sqrt(w)), mpf("1e-30"), 4))
    for n in (0, 1):
        for lo, hi in ((4, 8), (8, 16)):
            show(f"I{n}_{hi}", chebyshev(lambda x: besseli(n, x) * exp(-x) * sqrt(x), lo, hi))
        show(f"I{n}_TAIL", raw(lambda v: besseli(n, 1 / v) * exp(-1 / v) / sqrt(v), mpf("1e-12"), mpf(1) / 16))
    for lo, hi in ((0, 1), (1, 2), (2, 4)):
        show(f"I0E_SLOPE_{hi}", chebyshev(i0e_fall, lo, hi))
    for lo, hi in ((4, 8), (8, 16)):
        show(f"I0E_SLOPE_{hi}", chebyshev(lambda x: i0e_fall(x) * sqrt(x) * x, lo, hi))
    show("I0E_SLOPE_TAIL", raw(lambda v: i0e_fall(1 / v) / sqrt(v) / v, mpf("1e-12"), mpf(1) / 16))
    top = findroot(i1e_rise, mpf("1.545"))
    show_pairs("I1E_TOP", [top])
    show("I1E_SLOPE_1", chebyshev(i1e_rise, 0, 1))
    show("I1E_SLOPE_2", chebyshev(lambda x: i1e_rise(x) / (x - top), 1, 2))
    show("I1E_SLOPE_4", chebyshev(i1e_rise, 2, 4))
    for lo, hi in ((4, 8), (8, 16)):
        show(f"I1E_SLOPE_{hi}", chebyshev(lambda x: i1e_rise(x) * sqrt(x) * x, lo, hi))
    show("I1E_SLOPE_TAIL", raw(lambda v: i1e_rise(1 / v) / sqrt(v) / v, mpf("1e-12"), mpf(1) / 16))
    print("// sinc")
    show("SINC_SLOPE", [(-1) ** m * 2 * m * pi ** (2 * m) / mp.factorial(2 * m + 1) for m in range(1, 14)])
    print("// temme: d[k][n], DLMF 8.12.12")
    temme()


def temme(rows=8, columns=20):
    size = columns + 2 * rows + 4
    # alpha_n of lambda - 1 = sum alpha_n eta^n, DLMF 8.12.13's companion; d[0][n] = (n + 2) alpha[n + 2].
    alpha = [Fraction(0), Fraction(1)]
    for n in range(2, size + 3):
        s = sum(Fraction(j) * alpha[j] * alpha[n + 1 - j] for j in range(2, n))
        alpha.append((alpha[n - 1] - s) / (n + 1))
    d = [[Fraction(-1, 3)] + [(n + 2) * alpha[n + 2] for n in range(1, size)]]
    # g_k, Stirling's series of Gamma: 5.11.3
    g = stirling_coefficients(rows)
    for k in range(1, rows):
        width = len(d[-1]) - 2
        d.append([(-1) ** k * g[k] * d[0][n] + (n + 2) * d[k - 1][n + 2] for n in range(width)])
    for k, row in enumerate(d):
        show(f"D{k}", [mpf(x.numerator) / x.denominator for x in row[:max(4, columns - 2 * k)]])


def stirling_coefficients(count):
    """g_k of Gamma(z) ~ e^-z z^z (2 pi / z)^(1/2) sum g_k / z^k, DLMF 5.11.5."""
    a = [Fraction(1)]
    for k in range(1, 2 * count + 1):
        s = sum(a[j] * a[k - j] / Fraction(j + 1) for j in range(1, k))
        a.append((a[k - 1] / k - s) / (1 + Fraction(1, k + 1)))
    g, half = [], Fraction(1)
    for k in range(count):
        g.append(half * a[2 * k])
        half *= Fraction(2 * k + 1, 2) * 2
    return g


if __name__ == "__main__":
    tables()
