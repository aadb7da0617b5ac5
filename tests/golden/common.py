"""What every part of the generator uses: numbers that f32 holds exactly, and how they are written."""

import json
import math
import pathlib
import random
import struct

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
HERE = pathlib.Path(__file__).parent


def f32(x):
    """The f32 next to x."""
    return struct.unpack("f", struct.pack("f", x))[0]


EPS = f32(1e-5)


def plain(x):
    """Numbers as JSON has them; those it has not, as words."""
    if isinstance(x, float) and not math.isfinite(x):
        return "nan" if math.isnan(x) else ("inf" if x > 0 else "-inf")
    return int(x) if isinstance(x, float) and x == int(x) and abs(x) < 1e9 and x != 0 else x


def numbers(t):
    return [plain(x) for x in t.detach().contiguous().flatten().tolist()]


def array(t):
    return {"shape": list(t.shape), "data": numbers(t)}


NUMBERS = random.Random(7)
# Of their own, so that a case more does not change the numbers of those that are there.
WEIGHTS = random.Random(13)


def floats(*shape, low=-2.0, high=2.0, source=NUMBERS):
    """Multiples of 1/64."""
    n = math.prod(shape)
    data = [source.randint(int(low * 64), int(high * 64)) / 64 for _ in range(n)]
    return torch.tensor(data).reshape(shape)


def ties(*shape):
    """Few different numbers, so that many are alike."""
    n = math.prod(shape)
    return torch.tensor([NUMBERS.randint(-1, 2) / 2 for _ in range(n)]).reshape(shape)


def integers(below, *shape):
    n = math.prod(shape)
    return torch.tensor([NUMBERS.randrange(below) for _ in range(n)]).reshape(shape)


def of(*values):
    return torch.tensor([float(v) for v in values])


def write(name, entries):
    lines = ",\n".join(json.dumps(entry, allow_nan=False) for entry in entries)
    (HERE / name).write_text(f"[\n{lines}\n]\n")
