"""The whole programs of programs.txt, as a user of torch writes them: parameters in order, then constants, to the loss."""
import math
import torch, torch.nn.functional as F


# Networks

def mlp(*arrays):
    *layers, x, target = arrays
    for k in range(0, len(layers) - 2, 2):
        x = torch.tanh(torch.addmm(layers[k + 1], x, layers[k]))
    return F.mse_loss(torch.addmm(layers[-1], x, layers[-2]), target)


def gelu_mlp(w1, b1, w2, b2, x):
    return torch.addmm(b2, F.gelu(torch.addmm(b1, x, w1)), w2).square().mean()


def logistic(w, b, x, y):
    return F.binary_cross_entropy_with_logits(torch.addmm(b, x, w), y)


def softmax_regression(w, b, x, y):
    return F.cross_entropy(torch.addmm(b, x, w), y)


def autoencoder(w1, b1, w2, b2, x):
    return F.mse_loss(torch.addmm(b2, torch.sigmoid(torch.addmm(b1, x, w1)), w2), x)


def attention(q, k, v):
    scores = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(q.shape[2]), 2)
    return (scores @ v).square().mean()


def convolutions(w1, b1, w2, b2, x):
    h = torch.relu(F.conv2d(x, w1, b1, padding=1))
    return F.conv2d(h, w2, b2, padding=1).square().mean()


def convolutions_in_line(w1, b1, w2, b2, x):
    h = torch.relu(F.conv1d(x, w1, b1, padding=2))
    return F.conv1d(h, w2, b2, padding=2).square().mean()


def normalised(x, axis):
    centred = x - x.mean(axis, keepdim=True)
    return centred / torch.sqrt(centred.square().mean(axis, keepdim=True) + 1e-5)


def layer_norm(x, gain, bias, target):
    return (normalised(x, 1) * gain + bias - target).square().mean()


def batch_norm(x, gain, bias, target):
    return (normalised(x, 0) * gain + bias - target).square().mean()


def embeddings(table, w, b, words, y):
    return F.cross_entropy(torch.addmm(b, F.embedding(words, table).mean(1), w), y)


# Recurrences

def gru(w_x, w_h, b_x, b_h, x, h):
    for x_t in x:
        xr, xz, xn = torch.addmm(b_x, x_t, w_x).chunk(3, 1)
        hr, hz, hn = torch.addmm(b_h, h, w_h).chunk(3, 1)
        z = torch.sigmoid(xz + hz)
        n = torch.tanh(xn + torch.sigmoid(xr + hr) * hn)
        h = (1 - z) * n + z * h
    return h.square().mean()


def lstm(w_x, w_h, b, x, h):
    c = h
    for x_t in x:
        i, f, g, o = (torch.addmm(b, x_t, w_x) + h @ w_h).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
    return h.square().mean()


def rnn(w_x, w_h, b, x, h):
    for x_t in x:
        h = torch.tanh(torch.addmm(b, x_t, w_x) + h @ w_h)
    return h.square().mean()


def forward_algorithm(start, transitions, evidence):
    steps = torch.log_softmax(transitions, 1)
    a = torch.log_softmax(start, 0) + evidence[0]
    for e in evidence[1:]:
        a = torch.logsumexp(a[:, None] + steps, 0) + e
    return -torch.logsumexp(a, 0)


def kalman(drift, observe, q, r, y, mean, unit):
    move, covariance, loss = unit + drift, unit, 0.0
    noise, blur = torch.diag(torch.exp(q)), torch.diag(torch.exp(r))
    for y_t in y:
        mean = move @ mean
        covariance = move @ covariance @ move.T + noise
        seen = observe @ covariance
        s = seen @ observe.T + blur
        off = y_t - observe @ mean
        gain = torch.linalg.solve(s, seen).T
        loss = loss + torch.dot(off, torch.linalg.solve(s, off)) + torch.logdet(s)
        mean = mean + gain @ off
        covariance = covariance - gain @ seen
    return loss


def runge_kutta(w1, b1, w2, b2, x):
    f = lambda x: torch.addmm(b2, torch.tanh(torch.addmm(b1, x, w1)), w2)
    for _ in range(10):
        k1 = f(x)
        k2 = f(x + 0.05 * k1)
        k3 = f(x + 0.05 * k2)
        k4 = f(x + 0.1 * k3)
        x = x + 0.1 / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return x.square().mean()


def growth(x, rate, capacity):
    for _ in range(200):
        x = x + 0.01 * (rate * x * (1 - x / capacity))
    return x.square().mean()


def lorenz(x, y, z, sigma, rho, beta):
    def f(x, y, z):
        return sigma * (y - x), x * (rho - z) - y, x * y - beta * z

    ahead = lambda s, k, h: [a + h * b for a, b in zip(s, k)]
    s = (x, y, z)
    for _ in range(50):
        k1 = f(*s)
        k2 = f(*ahead(s, k1, 0.005))
        k3 = f(*ahead(s, k2, 0.005))
        k4 = f(*ahead(s, k3, 0.01))
        s = [a + 0.01 / 6 * (p + 2 * q + 2 * r + t) for a, p, q, r, t in zip(s, k1, k2, k3, k4)]
    return s[0] * s[0] + s[1] * s[1] + s[2]


# Statistics

def gaussian_process(log_lengths, log_scale, log_noise, x, y, unit):
    x = x / torch.exp(log_lengths)
    distances = (x[:, None] - x[None]).square().sum(2)
    k = torch.exp(2 * log_scale - 0.5 * distances) + torch.exp(log_noise) * unit
    factor = torch.linalg.cholesky(k)
    z = torch.linalg.solve_triangular(factor, y[:, None], upper=False)
    return 0.5 * z.square().sum() + torch.log(torch.diagonal(factor)).sum()


def normal_cholesky(mean, a, x, unit):
    factor = torch.linalg.cholesky(a @ a.T + unit)
    z = torch.linalg.solve_triangular(factor, (x - mean)[:, None], upper=False)
    return 0.5 * z.square().sum() + torch.log(torch.diagonal(factor)).sum()


def mixture(logits, means, log_widths, x):
    z = (x[:, None] - means) * torch.exp(-log_widths)
    parts = torch.log_softmax(logits, 0) - log_widths.sum(1) - 0.5 * z.square().sum(2)
    return -torch.logsumexp(parts, 1).mean()


def negative_binomial(log_mean, log_r, k):
    r = torch.exp(log_r)
    total = torch.logaddexp(log_r, log_mean)
    terms = torch.lgamma(k + r) - torch.lgamma(r) - torch.lgamma(k + 1) + r * (log_r - total) + k * (log_mean - total)
    return -terms.mean()


def black_scholes(spot, strike, time, volatility):
    width = volatility * torch.sqrt(time)
    d1 = (torch.log(spot / strike) + (0.02 + 0.5 * volatility * volatility) * time) / width
    return (spot * torch.special.ndtr(d1) - strike * torch.exp(-0.02 * time) * torch.special.ndtr(d1 - width)).mean()


def factorisation(u, v, ratings):
    return (u @ v.T - ratings).square().mean() + 1e-4 * (u.square().sum() + v.square().sum())


def cosines(a, b):
    return ((a * b).sum(1) / torch.sqrt((a * a).sum(1) * (b * b).sum(1))).square().mean()


# Fields and bodies

def rosenbrock(x):
    a, b = x[:-1], x[1:]
    return (100 * (b - a * a).square() + (1 - a).square()).sum()


def heat(u, conductivity, target):
    for _ in range(50):
        u = u + conductivity * (torch.roll(u, 1) + torch.roll(u, -1) - 2 * u)
    return (u - target).square().mean()


def neighbours(u):
    return torch.roll(u, 1, 0) + torch.roll(u, -1, 0) + torch.roll(u, 1, 1) + torch.roll(u, -1, 1)


def heat_plane(u, target):
    for _ in range(10):
        u = u + 0.1 * (neighbours(u) - 4 * u)
    return (u - target).square().mean()


def laplacian(u):
    return (neighbours(u) - 4 * u).square().mean()


def total_variation(x, noisy):
    roughness = torch.diff(x, dim=0).abs().sum() + torch.diff(x, dim=1).abs().sum()
    return 0.1 * roughness + (x - noisy).square().sum()


def pair_potential(x):
    closeness = (1 + (x[:, None] - x[None]).square().sum(2)) ** -3
    return (closeness * closeness - closeness).sum()


# Arrays

def sum_squares_last(x):
    return (x * x).sum(1).square().mean()


def sum_squares_first(x):
    return (x * x).sum(0).square().mean()


def row_column_tanh(x, row, column):
    return torch.tanh(x * row + column).mean()


def polynomial(c, x, y):
    p = c[5]
    for k in range(4, -1, -1):
        p = p * x + c[k]
    return (p - y).square().mean()


def quadratic_form(x, a):
    return torch.dot(x, a @ x)


def inverse_det(a, unit):
    a = a + unit
    return torch.linalg.inv(a).square().sum() + torch.linalg.det(a)


def systems(a, b, unit):
    return torch.linalg.solve(a + unit, b).square().mean()


def cumulative_sums(x):
    return torch.cumsum(x, 1).square().mean()


def sorted_rows(x, weights):
    return (torch.sort(x, dim=1, stable=True).values * weights).square().mean()


def largest_of_rows(x):
    return x.amax(1).square().mean()


# Op by op

def mse_ops(x, t):
    d = x - t
    return d.square().mean()


def w3_ops(x, a, b):
    gate = torch.tanh(x * a + b).square() * torch.sigmoid(x)
    return (gate + torch.exp(-x * x)).mean()


def huber_ops(x, t):
    size = (x - t).abs()
    near = size.clamp(max=0.7)
    return (0.5 * near.square() + 0.7 * (size - near)).mean()


def mlp_ops(w1, b1, w2, b2, w3, b3, x, t):
    linear = lambda x, w, b: x @ w + b
    h = torch.relu(linear(x, w1, b1))
    h = torch.relu(linear(h, w2, b2))
    return (linear(h, w3, b3) - t).square().mean()


def diffs(x):
    down, along = torch.diff(x, dim=0), torch.diff(x, dim=1)
    return down.square().mean() + along.square().mean() + down.abs().mean() + along.abs().mean()


def residual_ops(x, a, b):
    for _ in range(6):
        x = x + torch.tanh(a * x + b)
    return x.square().mean()


def scan_ops(x, a):
    for _ in range(20):
        x = x + 0.1 * (a * x * (1 - x))
    return x.mean()
