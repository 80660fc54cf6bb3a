"""The table of whole programs, programs.txt: what each is, and its deterministic data."""
import os, re
import numpy as np
from common import labels, rnd

ARRAY = re.compile(r"(eye)?(number|[\dx]+)(?:<(\d+))?(?:\*([\d.]+))?([+-][\d.]+)?")


def rows():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../programs.txt")
    for line in open(path):
        if line.strip() and not line.startswith("#"):
            name, what, params, constants = (cell.strip() for cell in line.split("|"))
            yield name, (what, params.split(), constants.split())


TABLE = dict(rows())


def function(name, module):
    """The function of a program: that of its name up to the first number."""
    return getattr(module, re.split(r"_\d", name)[0])


def array(spec, seed):
    kind, size, below, scale, shift = ARRAY.fullmatch(spec).groups()
    shape = () if size == "number" else tuple(int(n) for n in size.split("x"))
    if below:
        return labels(seed, int(np.prod(shape)), int(below)).reshape(shape)
    values = np.eye(*shape) if kind else rnd(seed, *shape)
    return float(shift or 0) + float(scale or 1) * values


def inputs(name):
    """(list of arrays to differentiate, list of constant arrays), as common.inputs."""
    _, params, constants = TABLE[name]
    arrays = [array(spec, k + 1) for k, spec in enumerate(params + constants)]
    return arrays[:len(params)], arrays[len(params):]
