"""Writes `torch.jsonl` (ops that are formulas of others: value and gradients by PyTorch, in f64) and `scipy.jsonl` (log
densities by scipy.stats).

A line of either is a case: `op`, `args` (nested lists), `attrs` (numbers), `value`; of `torch.jsonl` also `bar`, the
cotangent of the value, and `grads`, one for each argument.
Run: python3 generate.py
"""
import json
import math
from pathlib import Path

import numpy as np
import scipy.stats as st
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
rng = np.random.default_rng(20)
HERE = Path(__file__).parent
cases = []


def listed(x):
    """JSON has no infinities: they are written as strings."""
    x = x.tolist() if hasattr(x, "tolist") else x
    if isinstance(x, list):
        return [listed(v) for v in x]
    return float(x) if math.isfinite(x) else str(float(x))


def torch_case(op, f, *args, attrs=()):
    args = [torch.tensor(np.asarray(a, dtype=float), requires_grad=True) for a in args]
    y = f(*args, *attrs)
    bar = torch.tensor(np.asarray(rng.uniform(0.25, 1, tuple(y.shape))))
    grads = torch.autograd.grad(y, args, bar, allow_unused=True) if y.requires_grad else [None] * len(args)
    grads = [torch.zeros_like(a) if g is None else g for a, g in zip(args, grads)]
    cases.append(dict(op=op, args=[listed(a.detach()) for a in args], attrs=list(attrs), value=listed(y.detach()),
                      bar=listed(bar), grads=[listed(g) for g in grads]))


def celu(x, alpha):
    """torch's own derivative rounds alpha to f32."""
    return torch.where(x > 0, x, alpha * torch.expm1(x / alpha))


def cosine_embedding(a, b, y, margin, reduction):
    """By its documentation: torch itself adds 1e-12 to the squared norms."""
    cos = F.cosine_similarity(a, b, -1)
    each = torch.where(y == 1, 1 - cos, torch.relu(cos - margin))
    return dict(mean=each.mean(), sum=each.sum(), none=each)[reduction]


x = lambda *shape: rng.normal(0, 2, shape)
kinked = np.array([-40.0, -6.5, -3.2, -1.1, -0.5, -0.1, 0.0, 0.2, 0.5, 1.3, 2.9, 6.0, 7.0, 40.0])
smooth = kinked[kinked != 0.0]
for op, f, attrs in [
    ("celu", celu, (0.7,)), ("hardshrink", F.hardshrink, (0.5,)), ("softshrink", F.softshrink, (0.5,)),
    ("threshold", F.threshold, (0.5, -2.0)), ("relu6", F.relu6, ()), ("hardtanh", F.hardtanh, (-1.0, 2.0)),
    ("tanhshrink", F.tanhshrink, ()), ("hardsigmoid", lambda x: F.relu6(x + 3) / 6, ()), ("hardswish", F.hardswish, ()),
    ("sinc", torch.sinc, ()), ("deg2rad", torch.deg2rad, ()), ("rad2deg", torch.rad2deg, ()),
]:
    torch_case(op, f, kinked if op != "celu" else smooth, attrs=attrs)
torch_case("logit_with", lambda x, eps: torch.logit(x, eps), [-0.5, 0.0, 1e-9, 0.01, 0.3, 0.5, 0.98, 1.0, 2.0], attrs=(1e-3,))
torch_case("erfinv", torch.erfinv, [-0.99, -0.4, 0.0, 0.6, 0.999])
torch_case("log_ndtr", torch.special.log_ndtr, [-30.0, -3.0, 0.1, 2.0, 6.0])
torch_case("entr", torch.special.entr, [1e-9, 0.3, 1.0, 5.0])
torch_case("i0", torch.special.i0, kinked[2:])
torch_case("i1", torch.special.i1, kinked[2:])
torch_case("i0e", torch.special.i0e, kinked)
torch_case("i1e", torch.special.i1e, kinked)
torch_case("softmin", lambda x: F.softmin(x, -1), x(2, 3))
torch_case("glu", lambda x: F.glu(x, -1), x(3, 4))
torch_case("prelu", lambda x, w: F.prelu(x, w), x(4, 3), [0.2])
torch_case("prelu", lambda x, w: F.prelu(x, w), [-1.0, 0.0, 2.0], [0.2])
torch_case("lerp", torch.lerp, x(2, 3), x(3), rng.uniform(0, 1, (2, 1)))
torch_case("addcmul", lambda x, a, b, v: torch.addcmul(x, a, b, value=v), x(2, 3), x(3), x(2, 1), attrs=(1.7,))
a, b = np.array([-7.5, -2.0, 3.3, 5.5, 8.0]), np.array([2.0, -3.0, 1.1, -2.0, 3.0])
for op, f in [("remainder", torch.remainder), ("fmod", torch.fmod), ("fmax", torch.fmax), ("fmin", torch.fmin),
              ("copysign", torch.copysign), ("logaddexp2", torch.logaddexp2)]:
    torch_case(op, f, a, b)
for op, f in [("fmax", torch.fmax), ("fmin", torch.fmin)]:
    torch_case(op, f, [np.nan, 1.0], [2.0, np.nan])
torch_case("xlogy", torch.xlogy, [0.0, 0.0, 2.0, -1.5], [0.5, 3.0, 0.2, 4.0])
torch_case("xlog1py", torch.special.xlog1py, [0.0, 2.0, -1.5], [0.5, -0.2, 4.0])
holes = np.array([[1.0, np.nan, 3.0], [np.nan, -2.0, 0.5]])
torch_case("nansum", torch.nansum, holes)
torch_case("nanmean", torch.nanmean, holes)
torch_case("nanmean_axes", lambda x: torch.nanmean(x, 0), holes)
torch_case("nan_to_num", lambda x, n, p, m: torch.nan_to_num(x, n, p, m), [np.nan, np.inf, -np.inf, 2.0], attrs=(0.5, 9.0, -8.0))
for p in (1.0, 2.0, 3.0):
    torch_case("normalize", lambda x, p: F.normalize(x, p, -1), x(2, 3), attrs=(p,))
torch_case("cosine_similarity", lambda a, b: F.cosine_similarity(a, b, -1), x(2, 3), x(3))
signs = np.array([1.0, -1.0, 1.0, -1.0])
for code, reduction in enumerate(("mean", "sum", "none")):
    r = (float(code),)
    how = dict(reduction=reduction)
    torch_case("gaussian_nll_loss", lambda x, t, v, _: F.gaussian_nll_loss(x, t, v, **how), x(3), [0.3, -1.0, 2.0], [0.5, 1e-9, 2.0], attrs=r)
    torch_case("poisson_nll_loss", lambda x, t, _: F.poisson_nll_loss(x, t, **how), x(4), [0.0, 1.0, 3.0, 7.0], attrs=r)
    torch_case("poisson_nll_loss_of_rate", lambda x, t, _: F.poisson_nll_loss(x, t, log_input=False, **how), [0.0, 1.5, 3.0], [0.0, 1.0, 7.0], attrs=r)
    y = torch.tensor(signs)
    torch_case("hinge_embedding_loss", lambda x, _: F.hinge_embedding_loss(x, y, 1.2, **how), [0.5, 0.3, -2.0, 4.0], attrs=r)
    torch_case("soft_margin_loss", lambda x, _: F.soft_margin_loss(x, y, **how), [0.5, 0.3, -200.0, 40.0], attrs=r)
    torch_case("margin_ranking_loss", lambda a, b, _: F.margin_ranking_loss(a, b, y, 0.3, **how), x(4), x(4), attrs=r)
    torch_case("cosine_embedding_loss", lambda a, b, _: cosine_embedding(a, b, y, 0.1, reduction), x(4, 3), x(4, 3), attrs=r)
    torch_case("triplet_margin_loss", lambda a, p, n, _: F.triplet_margin_loss(a, p, n, 0.4, **how), x(4, 3), x(4, 3), x(4, 3), attrs=r)
(HERE / "torch.jsonl").write_text("\n".join(json.dumps(c) for c in cases) + "\n")

cases = []


def scipy_case(op, f, *args):
    args = np.broadcast_arrays(*[np.asarray(a, dtype=float) for a in args])
    cases.append(dict(op=op, args=[listed(a) for a in args], attrs=[], value=listed(np.asarray(f(*args)))))


line = np.array([-1e8, -300.0, -12.0, -1.0, 0.0, 0.4, 3.0, 50.0, 1e8])
half = np.array([-1.0, 0.0, 1e-300, 1e-9, 0.3, 1.0, 4.0, 60.0, 700.0])
inner = np.array([-0.1, 0.0, 1e-200, 1e-9, 0.2, 0.5, 0.999, 1.0, 1.5])
counts = np.array([-1.0, 0.0, 1.0, 2.5, 4.0, 10.0, 30.0, 200.0])
scipy_case("normal_logpdf", st.norm.logpdf, line, 0.7, 1.9)
scipy_case("lognormal_logpdf", lambda x, m, s: st.lognorm.logpdf(x, s, scale=np.exp(m)), half, 0.5, 1.3)
scipy_case("exponential_logpdf", lambda x, r: st.expon.logpdf(x, scale=1 / r), half, 2.5)
scipy_case("laplace_logpdf", st.laplace.logpdf, line, 0.7, 1.9)
scipy_case("cauchy_logpdf", st.cauchy.logpdf, line, 0.7, 1.9)
for df in (0.5, 3.0, 1e6):
    scipy_case("student_t_logpdf", lambda x, d, m, s: st.t.logpdf(x, d, m, s), line[1:-1], df, 0.7, 1.9)
for shape in (0.5, 1.0, 3.0, 500.0):
    scipy_case("gamma_logpdf", lambda x, a, r: st.gamma.logpdf(x, a, scale=1 / r), half, shape, 2.0)
for ab in ((0.5, 2.0), (1.0, 1.0), (3.0, 40.0)):
    scipy_case("beta_logpdf", st.beta.logpdf, inner, *ab)
for rate in (0.2, 4.0, 150.0):
    scipy_case("poisson_logpmf", lambda k, r: st.poisson.logpmf(k, r), counts, rate)
for p in (0.0, 1e-9, 0.3, 1.0):
    scipy_case("binomial_logpmf", lambda k, n, p: st.binom.logpmf(k, n, p), counts, 30.0, p)
for n, p in ((0.5, 0.2), (4.0, 0.9), (30.0, 0.5)):
    scipy_case("negbinomial_logpmf", lambda k, n, p: st.nbinom.logpmf(k, n, p), counts, n, p)
logits = np.array([-800.0, -3.0, 0.0, 0.5, 30.0])
for outcome in (0.0, 1.0):
    scipy_case("bernoulli_logits_logpmf", lambda y, l: np.where(y == 1, -np.logaddexp(0, -l), -np.logaddexp(0, l)), outcome, logits)
for alpha in ((0.5, 1.0, 2.5), (4.0, 4.0, 4.0)):
    point = (0.2, 0.7, 0.1)
    cases.append(dict(op="dirichlet_logpdf", args=[list(point), list(alpha)], attrs=[], value=float(st.dirichlet.logpdf(point, alpha))))
for n in (1, 3):
    root = np.tril(rng.normal(0, 1, (n, n)), -1) + np.diag(rng.uniform(0.5, 2, n))
    mean = rng.normal(0, 1, n)
    points = rng.normal(0, 2, (4, n))
    value = st.multivariate_normal.logpdf(points, mean, root @ root.T).reshape(4)
    cases.append(dict(op="mvnormal_chol_logpdf", args=[listed(points), listed(mean), listed(root)], attrs=[], value=listed(value)))
(HERE / "scipy.jsonl").write_text("\n".join(json.dumps(c) for c in cases) + "\n")
