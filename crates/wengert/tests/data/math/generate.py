"""Writes references of the functions named below: arguments, the exact result cut off after its last place, and the next
16 bits, all in hex.

Run: python3 generate.py
"""
import random
import struct
from pathlib import Path
from mpmath import mp, mpf, erfc, exp, floor, frexp, ldexp, log1p, pi, sech, sqrt

mp.dps = 80
FORMATS = {"f32": ("f", "I", 24, -149, 104), "f64": ("d", "Q", 53, -1074, 745)}


def sigmoid(x):
    return 1 / (1 + exp(-x)) if x > 0 else exp(x) / (1 + exp(x))


def softplus(x):
    return x + log1p(exp(-x)) if x > 0 else log1p(exp(x))


FUNCTIONS = {
    "sigmoid_scaled": lambda x, p: sigmoid(x * p),
    "softplus_scaled": lambda x, p: softplus(x * p),
    "exp_over": lambda x, p: exp(x / p),
    "sigmoid_gap": lambda a, b: sigmoid(a - b),
    "sigmoid2_gap": lambda a, b: sigmoid((a - b) * mp.ln(2)),
    "tanh_prime": lambda x: sech(x) ** 2,
    "ndtr": lambda x: erfc(-x / sqrt(2)) / 2,
    "gelu_gate": lambda x: sigmoid(2 * sqrt(2 / pi) * (x + CUBIC * x ** 3)),
}
CUBIC = mpf(0.044715)


def arguments(rng, name, far):
    """Exponents to `far` on either side, most of them where every bit of the exponent counts."""
    x = rng.choice([-1, 1]) * rng.choice([rng.uniform(0, far), rng.uniform(0, 4), 10 ** rng.uniform(-12, 0)])
    if name == "tanh_prime":
        return (rng.choice([-1, 1]) * rng.choice([rng.uniform(0, far / 2 + 1), rng.uniform(0, 4), 10 ** rng.uniform(-12, 0)]),)
    if name == "ndtr":
        return (rng.choice([rng.uniform(-sqrt(2 * far), 9), rng.uniform(-2, 2), 10 ** rng.uniform(-12, 0)]),)
    if name == "gelu_gate":
        return (rng.choice([-1, 1]) * rng.choice([rng.uniform(0, (far / 0.0714) ** (1 / 3)), rng.uniform(0, 3), 10 ** rng.uniform(-12, 0)]),)
    other = rng.choice([-1, 1]) * 10 ** rng.uniform(-2, 2)
    return {"exp_over": (x * other, other), "sigmoid_gap": (x + other, other), "sigmoid2_gap": (x + other, other)}.get(name, (x / other, other))


def line(function, args, letter, word, digits, least):
    args = [struct.unpack(letter, struct.pack(letter, a))[0] for a in args]
    value = function(*map(mpf, args))
    exponent = max(frexp(value)[1] - digits, least)
    steps = ldexp(value, -exponent)
    if steps < 1:
        return None
    cut = int(floor(steps))
    number = struct.pack(letter, float(ldexp(mpf(cut), exponent)))
    words = [struct.unpack(word, struct.pack(letter, a))[0] for a in args]
    words += [struct.unpack(word, number)[0], int(floor((steps - cut) * 65536))]
    return " ".join(f"{w:x}" for w in words)


for name, function in FUNCTIONS.items():
    for suffix, (letter, word, digits, least, far) in FORMATS.items():
        rng = random.Random(name)
        lines = [line(function, arguments(rng, name, far), letter, word, digits, least) for _ in range(700)]
        Path(__file__).with_name(f"{name}_{suffix}.txt").write_text("\n".join(x for x in lines if x) + "\n")
