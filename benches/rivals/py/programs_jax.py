"""The whole programs of programs.txt, as a user of JAX writes them: parameters in order, then constants, to the loss.
Long loops are scans, which are faster here than loops unrolled, and compile in a second instead of minutes."""
import jax, jax.numpy as jnp
import jax.scipy.linalg as jsl
from jax import lax, nn
from jax.scipy.special import gammaln, ndtr


def repeat(step, state, times):
    return lax.scan(lambda s, _: (step(s), None), state, length=times)[0]


def fold(step, state, xs):
    return lax.scan(lambda s, x: (step(s, x), None), state, xs)[0]


# Networks

def mlp(*arrays):
    *layers, x, target = arrays
    for k in range(0, len(layers) - 2, 2):
        x = jnp.tanh(x @ layers[k] + layers[k + 1])
    return jnp.square(x @ layers[-2] + layers[-1] - target).mean()


def gelu_mlp(w1, b1, w2, b2, x):
    return jnp.square(nn.gelu(x @ w1 + b1, approximate=False) @ w2 + b2).mean()


def logistic(w, b, x, y):
    z = x @ w + b
    return (nn.softplus(z) - y * z).mean()


def cross_entropy(logits, y):
    return (nn.logsumexp(logits, 1) - jnp.take_along_axis(logits, y[:, None], 1)[:, 0]).mean()


def softmax_regression(w, b, x, y):
    return cross_entropy(x @ w + b, y)


def autoencoder(w1, b1, w2, b2, x):
    return jnp.square(nn.sigmoid(x @ w1 + b1) @ w2 + b2 - x).mean()


def attention(q, k, v):
    scores = nn.softmax(q @ k.swapaxes(1, 2) / q.shape[2] ** 0.5, 2)
    return jnp.square(scores @ v).mean()


def conv(x, w, b, padding):
    axes = x.ndim - 2
    names = ("NCHW", "OIHW", "NCHW") if axes == 2 else ("NCH", "OIH", "NCH")
    y = lax.conv_general_dilated(x, w, (1,) * axes, [(padding, padding)] * axes, dimension_numbers=names)
    return y + b.reshape(-1, *[1] * axes)


def convolutions(w1, b1, w2, b2, x):
    return jnp.square(conv(nn.relu(conv(x, w1, b1, 1)), w2, b2, 1)).mean()


def convolutions_in_line(w1, b1, w2, b2, x):
    return jnp.square(conv(nn.relu(conv(x, w1, b1, 2)), w2, b2, 2)).mean()


def normalised(x, axis):
    centred = x - x.mean(axis, keepdims=True)
    return centred / jnp.sqrt(jnp.square(centred).mean(axis, keepdims=True) + 1e-5)


def layer_norm(x, gain, bias, target):
    return jnp.square(normalised(x, 1) * gain + bias - target).mean()


def batch_norm(x, gain, bias, target):
    return jnp.square(normalised(x, 0) * gain + bias - target).mean()


def embeddings(table, w, b, words, y):
    return cross_entropy(table[words].mean(1) @ w + b, y)


# Recurrences

def gru(w_x, w_h, b_x, b_h, x, h):
    def step(h, x_t):
        xr, xz, xn = jnp.split(x_t @ w_x + b_x, 3, 1)
        hr, hz, hn = jnp.split(h @ w_h + b_h, 3, 1)
        z = nn.sigmoid(xz + hz)
        n = jnp.tanh(xn + nn.sigmoid(xr + hr) * hn)
        return (1 - z) * n + z * h

    return jnp.square(fold(step, h, x)).mean()


def lstm(w_x, w_h, b, x, h):
    def step(state, x_t):
        h, c = state
        i, f, g, o = jnp.split(x_t @ w_x + b + h @ w_h, 4, 1)
        c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
        return nn.sigmoid(o) * jnp.tanh(c), c

    return jnp.square(fold(step, (h, h), x)[0]).mean()


def rnn(w_x, w_h, b, x, h):
    return jnp.square(fold(lambda h, x_t: jnp.tanh(x_t @ w_x + b + h @ w_h), h, x)).mean()


def forward_algorithm(start, transitions, evidence):
    steps = nn.log_softmax(transitions, 1)
    a = nn.log_softmax(start) + evidence[0]
    a = fold(lambda a, e: nn.logsumexp(a[:, None] + steps, 0) + e, a, evidence[1:])
    return -nn.logsumexp(a)


def kalman(drift, observe, q, r, y, mean, unit):
    move, noise, blur = unit + drift, jnp.diag(jnp.exp(q)), jnp.diag(jnp.exp(r))

    def step(state, y_t):
        mean, covariance, loss = state
        mean = move @ mean
        covariance = move @ covariance @ move.T + noise
        seen = observe @ covariance
        s = seen @ observe.T + blur
        off = y_t - observe @ mean
        gain = jnp.linalg.solve(s, seen).T
        loss = loss + jnp.dot(off, jnp.linalg.solve(s, off)) + jnp.linalg.slogdet(s)[1]
        return mean + gain @ off, covariance - gain @ seen, loss

    return fold(step, (mean, unit, jnp.zeros((), unit.dtype)), y)[2]


def runge_kutta(w1, b1, w2, b2, x):
    f = lambda x: jnp.tanh(x @ w1 + b1) @ w2 + b2

    def step(x):
        k1 = f(x)
        k2 = f(x + 0.05 * k1)
        k3 = f(x + 0.05 * k2)
        k4 = f(x + 0.1 * k3)
        return x + 0.1 / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    return jnp.square(repeat(step, x, 10)).mean()


def growth(x, rate, capacity):
    return jnp.square(repeat(lambda x: x + 0.01 * (rate * x * (1 - x / capacity)), x, 200)).mean()


def lorenz(x, y, z, sigma, rho, beta):
    def f(x, y, z):
        return sigma * (y - x), x * (rho - z) - y, x * y - beta * z

    ahead = lambda s, k, h: [a + h * b for a, b in zip(s, k)]

    def step(s):
        k1 = f(*s)
        k2 = f(*ahead(s, k1, 0.005))
        k3 = f(*ahead(s, k2, 0.005))
        k4 = f(*ahead(s, k3, 0.01))
        return tuple(a + 0.01 / 6 * (p + 2 * q + 2 * r + t) for a, p, q, r, t in zip(s, k1, k2, k3, k4))

    x, y, z = repeat(step, (x, y, z), 50)
    return x * x + y * y + z


# Statistics

def gaussian_process(log_lengths, log_scale, log_noise, x, y, unit):
    x = x / jnp.exp(log_lengths)
    distances = jnp.square(x[:, None] - x[None]).sum(2)
    k = jnp.exp(2 * log_scale - 0.5 * distances) + jnp.exp(log_noise) * unit
    factor = jnp.linalg.cholesky(k)
    z = jsl.solve_triangular(factor, y, lower=True)
    return 0.5 * jnp.square(z).sum() + jnp.log(jnp.diagonal(factor)).sum()


def normal_cholesky(mean, a, x, unit):
    factor = jnp.linalg.cholesky(a @ a.T + unit)
    z = jsl.solve_triangular(factor, x - mean, lower=True)
    return 0.5 * jnp.square(z).sum() + jnp.log(jnp.diagonal(factor)).sum()


def mixture(logits, means, log_widths, x):
    z = (x[:, None] - means) * jnp.exp(-log_widths)
    parts = nn.log_softmax(logits) - log_widths.sum(1) - 0.5 * jnp.square(z).sum(2)
    return -nn.logsumexp(parts, 1).mean()


def negative_binomial(log_mean, log_r, k):
    r = jnp.exp(log_r)
    total = jnp.logaddexp(log_r, log_mean)
    terms = gammaln(k + r) - gammaln(r) - gammaln(k + 1) + r * (log_r - total) + k * (log_mean - total)
    return -terms.mean()


def black_scholes(spot, strike, time, volatility):
    width = volatility * jnp.sqrt(time)
    d1 = (jnp.log(spot / strike) + (0.02 + 0.5 * volatility * volatility) * time) / width
    return (spot * ndtr(d1) - strike * jnp.exp(-0.02 * time) * ndtr(d1 - width)).mean()


def factorisation(u, v, ratings):
    return jnp.square(u @ v.T - ratings).mean() + 1e-4 * (jnp.square(u).sum() + jnp.square(v).sum())


def cosines(a, b):
    return jnp.square((a * b).sum(1) / jnp.sqrt((a * a).sum(1) * (b * b).sum(1))).mean()


# Fields and bodies

def rosenbrock(x):
    a, b = x[:-1], x[1:]
    return (100 * jnp.square(b - a * a) + jnp.square(1 - a)).sum()


def heat(u, conductivity, target):
    step = lambda u: u + conductivity * (jnp.roll(u, 1) + jnp.roll(u, -1) - 2 * u)
    return jnp.square(repeat(step, u, 50) - target).mean()


def neighbours(u):
    return jnp.roll(u, 1, 0) + jnp.roll(u, -1, 0) + jnp.roll(u, 1, 1) + jnp.roll(u, -1, 1)


def heat_plane(u, target):
    return jnp.square(repeat(lambda u: u + 0.1 * (neighbours(u) - 4 * u), u, 10) - target).mean()


def laplacian(u):
    return jnp.square(neighbours(u) - 4 * u).mean()


def total_variation(x, noisy):
    roughness = jnp.abs(jnp.diff(x, axis=0)).sum() + jnp.abs(jnp.diff(x, axis=1)).sum()
    return 0.1 * roughness + jnp.square(x - noisy).sum()


def pair_potential(x):
    closeness = (1 + jnp.square(x[:, None] - x[None]).sum(2)) ** -3
    return (closeness * closeness - closeness).sum()


# Arrays

def sum_squares_last(x):
    return jnp.square((x * x).sum(1)).mean()


def sum_squares_first(x):
    return jnp.square((x * x).sum(0)).mean()


def row_column_tanh(x, row, column):
    return jnp.tanh(x * row + column).mean()


def polynomial(c, x, y):
    return jnp.square(jnp.polyval(c[::-1], x) - y).mean()


def quadratic_form(x, a):
    return jnp.dot(x, a @ x)


def inverse_det(a, unit):
    a = a + unit
    return jnp.square(jnp.linalg.inv(a)).sum() + jnp.linalg.det(a)


def systems(a, b, unit):
    return jnp.square(jnp.linalg.solve(a + unit, b)).mean()


def cumulative_sums(x):
    return jnp.square(jnp.cumsum(x, 1)).mean()


def sorted_rows(x, weights):
    return jnp.square(jnp.sort(x, 1) * weights).mean()


def largest_of_rows(x):
    return jnp.square(x.max(1)).mean()


# Op by op, which is all one to a compiler

def mse_ops(x, t):
    d = x - t
    return jnp.square(d).mean()


def w3_ops(x, a, b):
    gate = jnp.square(jnp.tanh(x * a + b)) * nn.sigmoid(x)
    return (gate + jnp.exp(-x * x)).mean()


def huber_ops(x, t):
    size = jnp.abs(x - t)
    near = jnp.minimum(size, 0.7)
    return (0.5 * jnp.square(near) + 0.7 * (size - near)).mean()


def mlp_ops(w1, b1, w2, b2, w3, b3, x, t):
    linear = lambda x, w, b: x @ w + b
    h = nn.relu(linear(x, w1, b1))
    h = nn.relu(linear(h, w2, b2))
    return jnp.square(linear(h, w3, b3) - t).mean()


def diffs(x):
    down, along = jnp.diff(x, axis=0), jnp.diff(x, axis=1)
    return jnp.square(down).mean() + jnp.square(along).mean() + jnp.abs(down).mean() + jnp.abs(along).mean()


def residual_ops(x, a, b):
    for _ in range(6):
        x = x + jnp.tanh(a * x + b)
    return jnp.square(x).mean()


def scan_ops(x, a):
    for _ in range(20):
        x = x + 0.1 * (a * x * (1 - x))
    return x.mean()
