"""ADBench's objectives in torch, vectorised as on our side (benches/adbench), on the same data, and held to the same files."""
import json, math, os
import numpy as np
import torch

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../adbench/data")
M64 = (1 << 64) - 1


class Draw:
    """SplitMix64: the same numbers as benches/adbench/draw.rs."""

    def __init__(self, seed):
        self.state = seed

    def bits(self, *shape):
        n = int(np.prod(shape))
        with np.errstate(over="ignore"):
            z = np.uint64(self.state & M64) + (np.arange(n, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z = z ^ (z >> np.uint64(31))
        self.state = (self.state + n * 0x9E3779B97F4A7C15) & M64
        return z.reshape(shape)

    def uniform(self, *shape):
        return unit(self.bits(*shape))

    def normal(self, *shape):
        u = self.uniform(*shape, 4)
        return (u[..., 0] + u[..., 1] + u[..., 2] + u[..., 3] - 2.0) * 1.7320508075688772


def unit(bits):
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0 ** -53


def tensor(a):
    return torch.tensor(np.ascontiguousarray(a))


def gmm(d, K, n, seed, gamma, m):
    r = Draw(seed)
    t = d * (d - 1) // 2
    alpha, mu = r.normal(K), r.uniform(K, d)
    ql = r.normal(K, d + t) * np.where(np.arange(d + t) < d, 0.25, 1.0 / math.sqrt(d))
    x = tensor(r.normal(n, d).T)
    places = np.full((d, d), d + t)
    places[np.arange(d), np.arange(d)] = np.arange(d)
    below = [(i, j) for j in range(d) for i in range(j + 1, d)]
    for k, (i, j) in enumerate(below):
        places[i, j] = d + k
    places, zero = tensor(places.ravel()), torch.zeros(K, 1, dtype=torch.float64)
    N = d + m + 1
    lgamma = d * (d - 1) / 4 * math.log(math.pi) + sum(math.lgamma((N + 1 - j) / 2) for j in range(1, d + 1))
    constant = K * (N * d * (math.log(gamma) - 0.5 * math.log(2)) - lgamma) - 0.5 * n * d * math.log(2 * math.pi)

    def loss(alpha, mu, ql):
        q, l = ql[:, :d], ql[:, d:]
        diagonal = torch.exp(q)
        factors = torch.cat([diagonal, l, zero], 1).index_select(1, places).view(K, d, d)
        centres = factors @ mu.unsqueeze(-1)
        distance = ((factors @ x - centres) ** 2).sum(1)
        evidence = torch.logsumexp((alpha + q.sum(1)).unsqueeze(-1) - 0.5 * distance, 0)
        prior = 0.5 * gamma ** 2 * ((diagonal ** 2).sum() + (l ** 2).sum()) - m * q.sum()
        return evidence.sum() - n * torch.logsumexp(alpha, 0) - prior + constant

    return [alpha, mu, ql], loss


def ba(n, m, p, seed, zero_rot0):
    r = Draw(seed)
    u = r.uniform(n, 11)
    c = np.concatenate([0.6 * (u[:, :3] - 0.5), u[:, 3:6] - 0.5, 500 + 100 * u[:, 6:7], 320 + 10 * u[:, 7:8], 240 + 10 * u[:, 8:9],
                        0.1 * (u[:, 9:10] - 0.5), 0.01 * (u[:, 10:] - 0.5)], 1)
    if zero_rot0:
        c[0, :3] = 0
    u = r.uniform(m, 3)
    X = np.concatenate([4 * (u[:, :2] - 0.5), 6 + 2 * u[:, 2:]], 1)
    w = 0.5 + r.uniform(p)
    seen_x, seen_y = tensor((r.uniform(p, 2) * [640.0, 480.0]).T)
    camera, point = torch.arange(p) % n, torch.arange(p) % m

    def loss(cameras, points, w):
        r1, r2, r3, c1, c2, c3, f, x0, y0, k1, k2 = cameras.t().index_select(1, camera).unbind(0)
        p1, p2, p3 = points.t().index_select(1, point).unbind(0)
        a1, a2, a3 = p1 - c1, p2 - c2, p3 - c3
        angle2 = r1 * r1 + r2 * r2 + r3 * r3
        still = angle2 == 0
        angle2 = torch.where(still, 1.0, angle2)
        angle = torch.sqrt(angle2)
        cosine = torch.cos(angle)
        sine = torch.where(still, 1.0, torch.sin(angle) / angle)
        versine = torch.where(still, 0.0, (1 - cosine) / angle2)
        cosine = torch.where(still, 1.0, cosine)
        along = (r1 * a1 + r2 * a2 + r3 * a3) * versine
        y1 = a1 * cosine + (r2 * a3 - r3 * a2) * sine + r1 * along
        y2 = a2 * cosine + (r3 * a1 - r1 * a3) * sine + r2 * along
        y3 = a3 * cosine + (r1 * a2 - r2 * a1) * sine + r3 * along
        u, v = y1 / y3, y2 / y3
        radius2 = u * u + v * v
        scale = (1 + radius2 * (k1 + k2 * radius2)) * f
        rx, ry = (u * scale + x0 - seen_x) * w, (v * scale + y0 - seen_y) * w
        e = 1 - w * w
        return 0.5 * (rx * rx + ry * ry + e * e).sum()

    return [c, X, w], loss


def lstm(l, c, b, seed):
    r = Draw(seed)
    draw = lambda *shape: 2 * (r.uniform(*shape) - 0.5)
    layers, ends, state = draw(l, 8, b), draw(3, b), tensor(draw(l, 2, b))
    sequence = tensor((r.uniform(c, b) >= 0.5).astype(np.float64))

    def loss(layers, ends):
        weights = [w.unbind(0) for w in layers.unbind(0)]
        states = [s.unbind(0) for s in state.unbind(0)]
        sigmoid, tanh, gate = torch.sigmoid, torch.tanh, torch.addcmul
        outputs = []
        for x in (sequence[:-1] * ends[0]).unbind(0):
            for k, (wf, wi, wo, wc, bf, bi, bo, bc) in enumerate(weights):
                h, s = states[k]
                s = sigmoid(gate(bf, x, wf)) * s + sigmoid(gate(bi, h, wi)) * tanh(gate(bc, h, wc))
                x = sigmoid(gate(bo, x, wo)) * tanh(s)
                states[k] = x, s
            outputs.append(x)
        y = torch.stack(outputs) * ends[1] + ends[2]
        total = ((y - torch.log(2 + torch.exp(y).sum(1, keepdim=True))) * sequence[1:]).sum()
        return -total / (b * (c - 1))

    return [layers, ends], loss


def frame(a, b, c, t):
    (sa, ca), (sb, cb), (sc, cc) = [(math.sin(v), math.cos(v)) for v in (a, b, c)]
    out = np.eye(4)
    rx = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    ry = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    out[:3, :3] = np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]]) @ ry @ rx
    out[:3, 3] = t
    return out


def hand(nv, nt, nc, complicated, seed):
    r = Draw(seed)
    bones = r.uniform(22, 6) - 0.5
    relative = [frame(*(0.8 * u[:3]), u[3:]) for u in bones]
    absolute = []
    for k, own in enumerate(relative):
        absolute.append(own if k == 0 else absolute[0 if k == 21 or k % 4 == 1 else k - 1] @ own)
    inverse = [np.linalg.inv(a) for a in absolute]
    bits = r.bits(nv, 6)
    rest = np.concatenate([2 * (unit(bits[:, :3]) - 0.5), np.ones((nv, 1))], 1)
    weights, rows = np.zeros((nv, 22)), np.arange(nv)
    first, second, share = bits[:, 3] % np.uint64(22), bits[:, 4] % np.uint64(22), unit(bits[:, 5])
    np.add.at(weights, (rows, first.astype(int)), share)
    np.add.at(weights, (rows, second.astype(int)), 1 - share)
    triangles = (r.bits(nt, 3) % np.uint64(nv // 3)).astype(np.int64) * 3 + np.arange(3)
    corr = (r.bits(nc) % np.uint64(nt if complicated else nv)).astype(np.int64)
    points = tensor(2 * (r.uniform(nc, 3) - 0.5))
    params = [1.2 * (r.uniform(26) - 0.5)] + ([0.5 * r.uniform(nc, 2)] if complicated else [])
    targets = tensor(triangles[corr].T.ravel() if complicated else corr)

    level = lambda k: [4 * f + k for f in range(5)]
    of_fingers = lambda matrix: tensor(np.stack([matrix(4 * f).T for f in range(5)]))
    carried = lambda bones: (weights[:, bones, None] * rest[:, None]).reshape(nv, -1)
    fixed = [0, 21] + level(1)
    still = tensor(carried(fixed) @ np.concatenate([(absolute[b] @ inverse[b]).T[:, :3] for b in fixed]))
    moving = tensor(carried(level(2) + level(3) + level(4)))
    inverse = torch.cat([of_fingers(lambda b: inverse[b + k]) for k in (2, 3, 4)])
    frame2 = of_fingers(lambda b: absolute[b + 1] @ relative[b + 2])
    frame3, frame4 = of_fingers(lambda b: relative[b + 3]), of_fingers(lambda b: relative[b + 4])
    base, cosine, sine = (torch.zeros(4, 4, 4, dtype=torch.float64) for _ in range(3))
    for k, (i, j) in enumerate([(1, 2), (0, 1), (1, 2), (1, 2)]):
        base[k] = torch.eye(4)
        base[k, i, i] = base[k, j, j] = 0
        cosine[k, i, i] = cosine[k, j, j] = 1
        sine[k, i, j], sine[k, j, i] = 1, -1
    skew = torch.zeros(9, 3, dtype=torch.float64)
    for row, column, value in [(1, 2, 1), (2, 1, -1), (3, 2, -1), (5, 0, 1), (6, 1, 1), (7, 0, -1)]:
        skew[row, column] = value
    eye = torch.eye(3, dtype=torch.float64)

    def loss(theta, within=None):
        angles = theta[6:].view(5, 4, 1, 1)
        turns = base + torch.cos(angles) * cosine + torch.sin(angles) * sine
        second = turns[:, 0] @ turns[:, 1] @ frame2
        third = turns[:, 2] @ frame3 @ second
        fourth = turns[:, 3] @ frame4 @ third
        moved = (inverse @ torch.cat([second, third, fourth])).view(60, 4)[:, :3]
        skin = torch.addmm(still, moving, moved)
        axis = theta[:3]
        angle2 = (axis * axis).sum()
        small = angle2 < 1e-8
        angle2 = torch.where(small, 1.0, angle2)
        angle = torch.sqrt(angle2)
        one = torch.where(small, 0.0, torch.sin(angle) / angle)
        two = torch.where(small, 0.0, (1 - torch.cos(angle)) / angle2)
        turn = (skew @ axis).view(3, 3)
        vertices = torch.addmm(theta[3:6], skin, eye + one * turn + two * (turn @ turn))
        reached = vertices.index_select(0, targets)
        if within is not None:
            a, b, c = reached.view(3, nc, 3).unbind(0)
            u, v = within[:, :1], within[:, 1:]
            reached = u * a + v * b + (1 - u - v) * c
        return 0.5 * ((points - reached) ** 2).sum()

    return params, loss


def build(workload):
    """`gmm_d10_K10_n1000` is a gradient, with `/objective` the objective alone: (check, step) as common.serve takes them."""
    name, _, mode = workload.partition("/")
    if mode == "plain":
        raise NotImplementedError(mode)
    reference = json.load(open(f"{DATA}/{name}.json"))
    params, loss = {"gmm": gmm, "ba": ba, "lstm": lstm, "hand": hand}[reference["family"]](**reference["generator_args"])
    params = [tensor(p).requires_grad_() for p in params]

    def gradient():
        for p in params:
            p.grad = None
        y = loss(*params)
        y.backward()
        return y.item()

    def objective():
        with torch.no_grad():
            return loss(*params).item()

    def check():
        y = gradient()
        gradients = [p.grad.numpy().copy() for p in params]
        flat = np.concatenate([g.ravel() for g in gradients])
        entries = reference["gradient"]
        for k, v in enumerate(entries["full"]) if "full" in entries else entries["samples"]:
            assert abs(flat[k] - v) <= 1e-10 * max(1, abs(flat[k]) + abs(v)), f"{name}: entry {k} is {flat[k]}, expected {v}"
        expected = reference["objective"]
        assert abs(y - expected) <= 1e-12 * max(1, abs(expected)), f"{name}: objective {y}, expected {expected}"
        return y, gradients

    return check, objective if mode else gradient


if __name__ == "__main__":
    for file in sorted(os.listdir(DATA)):
        build(file.removesuffix(".json"))[0]()
        print(file, "agrees")
