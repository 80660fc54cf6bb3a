"""Writes the second partials of every row of the elementwise table, at points of `../rows`, by mpmath.

One file a row, one point a line: the bits of arguments and attributes, then for the partials (0, 0), (0, 1) and (1, 1) the true
number as the sum of two doubles and the size which errors are measured by: that of the number itself, or near a zero of it
the smaller of those an eighth of the argument to either side. Most are differences of the first partial, taken with 700
digits; the others have a formula.
Run: python3 generate.py [name ...]
"""
import importlib.util
import struct
import sys
from pathlib import Path
from mpmath import mp, mpf, exp, fabs, isfinite, log, psi, sign, sqrt, pi

spec = importlib.util.spec_from_file_location("rows", Path(__file__).parent / "../rows/generate.py")
rows = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rows)
special, bits = rows.special, rows.bits
mp.dps = 60


def log_ndtr_2(x):
    with mp.workdps(90):
        slope = rows.density(x) / rows.normal(x)
        return -slope * (x + slope)


def gammainc_dx_2(a, x):
    density, by_a, by_x = rows.gamma_dx(a, x), log(x) - psi(0, a), (a - 1) / x - 1
    return density * (by_a ** 2 - psi(1, a)), density * (by_a * by_x + 1 / x), density * (by_x ** 2 - (a - 1) / x ** 2)


erfinv, ndtri = special.FUNCTIONS["erfinv"][1], special.FUNCTIONS["ndtri"][1]
gap = rows.psi_gap
# Of (0, 0), or of (0, 0), (0, 1), (1, 1); None: refused.
FORMULAS = {
    "erfcx": [lambda x: rows.erfcx_k(2, x)],
    "erfcx_derivative": [lambda x, k: rows.erfcx_k(int(k) + 2, x)],
    "erfinv": [lambda x: pi / 2 * erfinv(x) * exp(2 * erfinv(x) ** 2)],
    "ndtri": [lambda x: 2 * pi * ndtri(x) * exp(ndtri(x) ** 2)],
    "log_ndtr": [log_ndtr_2],
    "lgamma": [lambda x: psi(1, x)],
    "digamma": [lambda x: psi(2, x)],
    "polygamma": [lambda x, n: psi(int(n) + 2, x)],
    "i0": [lambda x: rows.bessel_k(0, 2, x)],
    "i1": [lambda x: rows.bessel_k(1, 2, x)],
    "iv": [lambda x, n: rows.bessel_k(int(n), 2, x)],
    "i0e": [lambda x: rows.scaled_k(0, 2, x)],
    "i1e": [lambda x: rows.scaled_k(1, 2, x)],
    "ive_derivative": [lambda x, n, k: rows.scaled_k(int(n), int(k) + 2, x)],
    "sinc": [lambda x: special.sinc_k(2, x)],
    "sinc_derivative": [lambda x, k: special.sinc_k(int(k) + 2, x)],
    "betaln": [lambda a, b: -gap(1, a, b), lambda a, b: -psi(1, a + b), lambda a, b: -gap(1, b, a)],
    "digamma_gap": [lambda a, b: gap(2, a, b), lambda a, b: psi(2, a + b), lambda a, b: psi(2, a + b)],
    "log_digamma_gap": [lambda a, x: -psi(2, a), lambda a, x: mpf(0), lambda a, x: -1 / x ** 2],
    "gammainc": [None, lambda a, x: rows.gamma_dx(a, x) * (log(x) - psi(0, a)), lambda a, x: rows.gamma_dx(a, x) * ((a - 1) / x - 1)],
    "gammainc_dx": [lambda a, x, k=k: gammainc_dx_2(a, x)[k] for k in range(3)],
}
# Two terms take from each other within a width of 1 / sqrt(a): what errors are measured by.
SIZES = {
    "gammainc": [None, lambda a, x: rows.gamma_dx(a, x) / 64, None],
    "gammainc_dx": [lambda a, x: rows.gamma_dx(a, x) * ((log(x) - psi(0, a)) ** 2 + psi(1, a)), None,
                    lambda a, x: rows.gamma_dx(a, x) * (((a - 1) / x - 1) ** 2 + fabs(a - 1) / x ** 2)],
}
SIZES["gammainc_dx"][1] = lambda a, x: sqrt(SIZES["gammainc_dx"][0](a, x) * SIZES["gammainc_dx"][2](a, x))
SIZES["gammaincc"] = SIZES["gammainc"]
# Beyond, a square of the first partial underflows.
LIMITS = {"atan": 1e9}
FORMULAS["gammaincc"] = [f and (lambda a, x, f=f: -f(a, x)) for f in FORMULAS["gammainc"]]


def difference(partial, k):
    def second(*args):
        with mp.workdps(700):
            h = fabs(args[k]) * mpf(10) ** -40
            moved = [[a + s * h if j == k else a for j, a in enumerate(args)] for s in (1, -1)]
            return (partial(*moved[0]) - partial(*moved[1])) / (2 * h)
    return second


def seconds(name, partials):
    if name in FORMULAS:
        return FORMULAS[name]
    pairs = [(0, 0)] if len(partials) == 1 else [(0, 0), (0, 1), (1, 1)]
    return [difference(partials[k], l) for k, l in pairs]


def size(f, args, count):
    """Of what a zero nearby is the crossing of."""
    sizes = [mpf(0)]
    for k in range(count):
        try:
            sides = [fabs(f(*[a * (1 + s * mpf(1) / 8) if j == k else a for j, a in enumerate(args)])) for s in (1, -1)]
            sizes.append(min(sides))
        except (ValueError, ZeroDivisionError, TypeError):
            pass
    return max(x for x in sizes if isfinite(x))


def main(names):
    for name, (_, value, partials, _, params, _) in rows.ROWS.items():
        if names and name not in names:
            continue
        count = len(partials)
        points = [line.split(" ")[:count + len(params[0])] for line in (rows_dir / f"{name}.txt").read_text().splitlines()]
        lines = []
        for words in points:
            if name in LIMITS and abs(struct.unpack(">d", bytes.fromhex(words[0]))[0]) > LIMITS[name]:
                continue
            args = [mpf(struct.unpack(">d", bytes.fromhex(w))[0]) for w in words]
            columns = []
            for k, f in enumerate(seconds(name, partials)):
                truth = mpf(f(*args)) if f else mpf("nan")
                given = SIZES.get(name, [None] * 3)[k]
                scale = given(*args) if given else size(f, args, count) if f else mpf(0)
                if f and fabs(truth) > mpf(10) ** 300:
                    break
                columns += rows.columns(truth, min(scale, mpf(10) ** 300)) if f else [bits("nan")] * 3
            else:
                lines.append(" ".join(words + columns))
        Path(__file__).with_name(f"{name}.txt").write_text("\n".join(lines) + "\n")
        print(name, len(lines), flush=True)


rows_dir = Path(__file__).parent / "../rows"
if __name__ == "__main__":
    main(sys.argv[1:])
