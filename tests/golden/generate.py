"""Writes operations.json and trajectories.json: what PyTorch computes in f64.

Run by hand, `python tests/golden/generate.py`, with PyTorch (2.15.0 made the files that are
committed); tests only read what it wrote. The same version writes the same numbers, whatever the
machine, up to the last digits.

Both sides begin with equal numbers: operands, weights and batches are multiples of 1/64 or other
fractions that f32 holds exactly. wgrad's reference device computes in f64, but constants in its graphs are f32:
eps of normalisations, learning rates, momenta, and those inside of Adam. Here they are rounded
alike, by `f32()`. Adam's own constants (1 - beta,
ln beta) cannot be given to torch.optim.Adam; so its formula stands below with the rounded ones
(`AdamRounded`), and each model with Adam is trained twice: `losses` and `final` are of the rounded
formula, `judge` holds the losses of torch.optim.Adam itself, with nothing rounded but the learning
rate. Sgd is torch.optim.SGD. The momentum of running statistics is not rounded.

Layouts are wgrad's: the weight of a dense layer is [inputs, units], torch's transposed.
"""

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


# Operations.

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


CASES = []


def case(label, op, function, *operands, once=False, **attributes):
    """The operation `op` with these attributes is `function` of the operands.

    Its first derivatives are the cotangents g of the operands for a random cotangent of the result;
    its second ones are those of <weights, g>, by the operands and by the cotangent, where PyTorch has
    them. `once`: there they are not taken.
    """
    leaves = [x.clone().requires_grad_(x.is_floating_point()) for x in operands]
    y = function(*leaves)
    entry = {"label": label, "op": op, **attributes}
    entry["operands"] = [
        {"dtype": "f32" if x.is_floating_point() else "u32", **array(x)} for x in operands
    ]
    entry["y"] = array(y)
    if y.is_floating_point() and not attributes.get("result_only"):
        cotangent = floats(*y.shape)
        entry["cotangent"] = numbers(cotangent)
        entry["gradients"], entry_twice = derivatives(y, leaves, cotangent, once)
        entry.update(entry_twice)
    CASES.append(entry)


def gradient(y, of, weights=None, **how):
    """Of what does not depend on something, zeros."""
    found = [None] * len(of)
    if y.requires_grad:
        found = torch.autograd.grad(y, of, weights, allow_unused=True, **how)
    # The sum gives memory to zeros that have none.
    return [torch.zeros_like(x) if g is None else torch.zeros_like(x) + g
            for g, x in zip(found, of)]


def derivatives(y, leaves, cotangent, once):
    smooth = [x for x in leaves if x.requires_grad]
    cotangent.requires_grad_()
    first = gradient(y, smooth, cotangent, create_graph=True)
    of_leaf = iter(first)
    listed = [numbers(next(of_leaf)) if x.requires_grad else None for x in leaves]
    if once or not smooth:
        return listed, {}
    weights = [floats(*g.shape, source=WEIGHTS) for g in first]
    try:
        total = sum((g * w).sum() for g, w in zip(first, weights))
        second = gradient(total, [*smooth, cotangent])
    except RuntimeError as error:
        if "is not implemented" not in str(error):
            raise
        return listed, {}
    return listed, {"weights": [numbers(w) for w in weights], "second": [numbers(g) for g in second]}


CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
MAX_POOL = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVG_POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
ADAPTIVE_MAX = {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d}
ADAPTIVE_AVG = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}


def padded(x, padding, value=0.0):
    """Pairs in the order of the axes; torch has them from the last."""
    return F.pad(x, [n for pair in reversed(padding) for n in pair], value=value)


def convolution(label, x, w, stride=None, dilation=None, padding=None, groups=1):
    axes = len(x) - 2
    stride, dilation = stride or [1] * axes, dilation or [1] * axes
    pairs = padding or [[0, 0]] * axes
    case(
        f"convolution {label}", "convolution",
        lambda x, w: CONV[axes](
            padded(x, pairs), w, stride=stride, dilation=dilation, groups=groups),
        floats(*x), floats(*w),
        stride=stride, dilation=dilation, padding=pairs, groups=groups)


def convolutions():
    convolution("1d", [2, 2, 7], [3, 2, 3])
    convolution("1d stride 2 dilation 2", [2, 2, 9], [3, 2, 3], [2], [2], [[1, 2]])
    convolution("2d", [2, 2, 5, 6], [3, 2, 3, 2])
    convolution("2d pointwise", [2, 3, 4, 4], [5, 3, 1, 1])
    convolution("2d padded", [2, 2, 5, 5], [3, 2, 3, 3], padding=[[1, 1], [1, 1]])
    convolution("2d stride 2", [1, 2, 7, 8], [3, 2, 3, 3], [2, 2], padding=[[1, 1], [1, 1]])
    convolution("2d stride 3 leaves a rest", [1, 1, 8, 9], [2, 1, 2, 3], [3, 2])
    convolution("2d dilation", [1, 2, 7, 7], [2, 2, 3, 2], [1, 1], [2, 3])
    convolution("2d asymmetric padding", [2, 2, 4, 5], [2, 2, 3, 3], [2, 1], [1, 1],
                [[0, 2], [2, 1]])
    convolution("2d groups", [2, 4, 5, 5], [6, 2, 3, 3], padding=[[1, 1], [1, 1]], groups=2)
    convolution("2d depthwise", [1, 3, 5, 5], [6, 1, 3, 3], [2, 2], [1, 1], [[1, 1], [1, 1]], 3)
    convolution("2d everything", [2, 4, 9, 8], [4, 2, 3, 2], [2, 3], [2, 1], [[1, 2], [0, 1]], 2)
    convolution("3d", [1, 2, 4, 4, 5], [2, 2, 2, 3, 2], [1, 2, 1], [1, 1, 2],
                [[0, 1], [1, 1], [1, 0]])
    for window in [[3, 3], [2, 4]]:
        case(f"convolution same {window}", "convolution",
             lambda x, w: F.conv2d(x, w, padding="same"),
             floats(1, 2, 5, 6), floats(2, 2, *window),
             stride=[1, 1], dilation=[1, 1], padding="same", groups=1)


def transposed(label, x, w, stride, dilation=None, crop=None, more=None, groups=1):
    axes = len(x) - 2
    dilation, crop, more = dilation or [1] * axes, crop or [[0, 0]] * axes, more or [0] * axes

    def function(x, w):
        whole = all(low == high for low, high in crop)
        cut = [low if whole else 0 for low, _ in crop]
        y = TRANSPOSED[axes](
            x, w, stride=stride, padding=cut, output_padding=more, groups=groups,
            dilation=dilation)
        # torch cuts as much off both ends: otherwise it cuts nothing, and what is asked for is
        # taken out of the whole.
        for axis, (low, high) in enumerate([] if whole else crop):
            y = y.narrow(2 + axis, low, y.shape[2 + axis] - low - high)
        return y

    case(f"transposed convolution {label}", "transposed_convolution", function,
         floats(*x), floats(*w), stride=stride, dilation=dilation, padding=crop, groups=groups,
         output_padding=more)


def transposed_convolutions():
    transposed("1d", [2, 2, 4], [2, 3, 3], [2])
    transposed("1d output padding", [2, 2, 4], [2, 3, 3], [3], [2], [[1, 1]], [2])
    transposed("2d", [1, 2, 3, 4], [2, 2, 3, 3], [1, 1])
    transposed("2d doubles", [1, 2, 3, 3], [2, 2, 4, 4], [2, 2], None, [[1, 1], [1, 1]])
    transposed("2d output padding", [2, 2, 3, 3], [2, 2, 3, 3], [2, 3], None,
               [[1, 1], [0, 0]], [1, 2])
    transposed("2d groups and dilation", [1, 4, 3, 3], [4, 1, 2, 3], [2, 1], [2, 2],
               [[1, 1], [1, 1]], [1, 0], 2)
    transposed("2d asymmetric", [1, 2, 3, 3], [2, 2, 3, 3], [2, 2], None, [[0, 1], [2, 0]])
    transposed("3d", [1, 2, 2, 3, 2], [2, 2, 2, 2, 3], [1, 2, 2], None,
               [[0, 0], [0, 0], [1, 1]], [0, 1, 1])


def pool(kind, label, x, extent, stride=None, dilation=None, padding=None, ceil=False,
         count=False):
    axes = len(extent)
    stride, dilation = stride or extent, dilation or [1] * axes
    padding = padding or [[0, 0]] * axes
    symmetric = all(low == high for low, high in padding)
    lows = [low for low, _ in padding]

    def function(x):
        if kind == "avg":
            assert symmetric
            return AVG_POOL[axes](x, extent, stride, lows, ceil, count)
        if not symmetric:
            return MAX_POOL[axes](padded(x, padding, -math.inf), extent, stride, 0, dilation, ceil)
        return MAX_POOL[axes](x, extent, stride, lows, dilation, ceil)

    case(f"{kind} pool {label}", f"{kind}_pool", function, x, extent=extent, stride=stride,
         dilation=dilation, padding=padding, ceil_mode=ceil, count_padding=count)


def pools():
    pool("max", "1d", floats(2, 2, 7), [2])
    pool("max", "1d ceil", floats(2, 2, 7), [2], ceil=True)
    pool("max", "2d", floats(2, 2, 6, 6), [2, 2])
    pool("max", "2d ties", ties(2, 2, 6, 6), [3, 3], [2, 2])
    pool("max", "2d ties, padded", ties(1, 2, 6, 5), [3, 2], [2, 1], None, [[1, 1], [1, 1]])
    pool("max", "2d all alike", torch.ones(1, 1, 5, 5), [3, 3], [2, 2], None, [[1, 1], [1, 1]])
    pool("max", "2d below 0, padded", floats(1, 2, 5, 5, low=-2, high=-1), [3, 3], [2, 2], None,
         [[1, 1], [1, 1]])
    pool("max", "2d dilation", floats(1, 2, 7, 8), [2, 3], [1, 2], [3, 2])
    pool("max", "2d dilation, ceil, padded", floats(1, 2, 8, 7), [3, 2], [2, 3], [2, 3],
         [[1, 1], [1, 1]], True)
    pool("max", "2d ceil would begin behind", floats(1, 1, 5, 6), [2, 2], [3, 4], None,
         [[1, 1], [1, 1]], True)
    pool("max", "2d asymmetric padding", floats(1, 2, 5, 5), [3, 3], [2, 2], None,
         [[0, 1], [2, 0]])
    with_nan = floats(1, 1, 6, 6)
    with_nan[0, 0, 1, 2] = math.nan
    pool("max", "2d of NaN", with_nan, [3, 3], [3, 3])
    pool("max", "3d", floats(1, 2, 4, 5, 4), [2, 3, 2], [2, 1, 2], None,
         [[1, 1], [0, 0], [1, 1]])
    for count in [False, True]:
        counted = "padding counts" if count else "padding does not count"
        pool("avg", f"1d, {counted}", floats(2, 2, 7), [3], [2], None, [[1, 1]], False, count)
        pool("avg", f"2d, {counted}", floats(2, 1, 5, 6), [3, 2], [2, 1], None, [[1, 1], [1, 1]],
             False, count)
        pool("avg", f"2d ceil, {counted}", floats(1, 2, 6, 6), [3, 3], [2, 2], None,
             [[1, 1], [1, 1]], True, count)
        pool("avg", f"2d ceil, rests, {counted}", floats(1, 1, 6, 7), [4, 2], [3, 3], None,
             [[1, 1], [0, 0]], True, count)
        pool("avg", f"2d begins behind, {counted}", floats(1, 1, 5, 6), [2, 2], [3, 4], None,
             [[1, 1], [1, 1]], True, count)
        pool("avg", f"3d ceil, {counted}", floats(1, 1, 4, 5, 4), [2, 3, 2], [2, 2, 3], None,
             [[1, 1], [1, 1], [0, 0]], True, count)
    pool("avg", "2d without padding", floats(2, 2, 6, 6), [2, 2])
    for bins in [[1, 1], [2, 3], [3, 5], [5, 4], [7, 2]]:
        axes = len(bins)
        for kind, functions, x in [("max", ADAPTIVE_MAX, ties), ("avg", ADAPTIVE_AVG, floats)]:
            case(f"adaptive {kind} pool {bins}", f"adaptive_{kind}_pool",
                 lambda x: functions[axes](x, bins), x(1, 2, 6, 8), outputs=bins)
    for kind, functions in [("max", ADAPTIVE_MAX), ("avg", ADAPTIVE_AVG)]:
        case(f"adaptive {kind} pool 1d", f"adaptive_{kind}_pool", lambda x: functions[1](x, 3),
             floats(2, 2, 7), outputs=[3])
        case(f"adaptive {kind} pool 3d", f"adaptive_{kind}_pool",
             lambda x: functions[3](x, (2, 3, 1)), floats(1, 1, 3, 4, 5), outputs=[2, 3, 1])


def normalisations():
    for shape in [[4, 3], [3, 2, 5], [2, 3, 4, 3]]:
        c = shape[1]
        case(f"batch norm {shape}", "batch_norm",
             lambda x, s, b: F.batch_norm(x, None, None, s, b, True, 0.1, EPS),
             floats(*shape), floats(c), floats(c))
        if len(shape) > 2:
            case(f"instance norm {shape}", "group_norm",
                 lambda x, s, b: F.instance_norm(x, None, None, s, b, True, 0.1, EPS),
                 floats(*shape), floats(c), floats(c), groups=c)
    case("batch norm of what hardly varies", "batch_norm",
         lambda x, s, b: F.batch_norm(x, None, None, s, b, True, 0.1, EPS),
         1 + floats(4, 2) / 1024, floats(2), floats(2))
    for axes in [1, 2]:
        shape = [3, 4, 5]
        case(f"layer norm of {axes}", "layer_norm",
             lambda x, s, b: F.layer_norm(x, x.shape[3 - axes:], s, b, EPS),
             floats(*shape), floats(*shape[3 - axes:]), floats(*shape[3 - axes:]))
    for groups in [1, 2, 4]:
        case(f"group norm, {groups} groups", "group_norm",
             lambda x, s, b: F.group_norm(x, groups, s, b, EPS),
             floats(2, 4, 3, 3), floats(4), floats(4), groups=groups)
    case("layer norm of what is alike", "layer_norm",
         lambda x, s, b: F.layer_norm(x, (4,), s, b, EPS),
         of(0.5, -1, 0).reshape(3, 1).expand(3, 4).contiguous(), floats(4), floats(4))
    case("rms norm of zeros", "rms_norm", lambda x, s: F.rms_norm(x, (4,), s, EPS),
         torch.zeros(2, 4), floats(4))
    case("rms norm", "rms_norm", lambda x, s: F.rms_norm(x, (5,), s, EPS), floats(3, 5), floats(5))


def along():
    for axis in [0, 1, -1]:
        case(f"cumsum {axis}", "cumsum", lambda x: x.cumsum(axis), floats(3, 4, 5), axis=axis,
             exclusive=False, reverse=False)
    case("cumsum from the end", "cumsum", lambda x: x.flip(1).cumsum(1).flip(1), floats(3, 6),
         axis=1, exclusive=False, reverse=True)
    case("cumsum, exclusive", "cumsum", lambda x: x.cumsum(1) - x, floats(3, 6), axis=1,
         exclusive=True, reverse=False)
    late = floats(2, 200)
    late[0, 150], late[1, 97] = math.inf, math.nan
    case("cumsum, late infinity and NaN", "cumsum", lambda x: x.cumsum(1), late, axis=1,
         exclusive=False, reverse=False)
    case("argsort of zeros of both signs", "argsort", lambda x: x.sort(dim=1, stable=True).indices,
         of(0, -0.0, 1, -0.0, 0, -1).reshape(1, 6), axis=1, descending=False)
    special = of(1, math.nan, -1, 2, 2, math.inf, 0, math.nan, -math.inf, 1, -1, 0).reshape(2, 6)
    for name, x in [("distinct", floats(3, 7)), ("ties", ties(3, 9)), ("NaN", special)]:
        for down in [False, True]:
            order = "descending" if down else "ascending"
            case(f"sort {name} {order}", "sort",
                 lambda x: x.sort(dim=1, descending=down, stable=True).values, x, axis=1,
                 descending=down)
            case(f"argsort {name} {order}", "argsort",
                 lambda x: x.sort(dim=1, descending=down, stable=True).indices, x, axis=1,
                 descending=down)
    for name, x in [("distinct", floats(3, 7)), ("NaN", special)]:
        case(f"top 3 of {name}", "top_k", lambda x: x.topk(3, dim=1).values, x, axis=1, k=3)
    # Which of equals topk takes is left open; wgrad takes the first, as a stable sort does.
    case("top 3 of ties", "top_k",
         lambda x: x.sort(dim=1, descending=True, stable=True).values[:, :3], ties(3, 9), axis=1,
         k=3)
    for axis in [0, 1]:
        case(f"softmax {axis}", "softmax", lambda x: x.softmax(axis), 4 * floats(4, 5), axis=axis)
        case(f"log_softmax {axis}", "log_softmax", lambda x: x.log_softmax(axis),
             4 * floats(4, 5), axis=axis)
    masked = floats(3, 5)
    masked[0, 1] = masked[0, 3] = masked[2, 0] = -math.inf
    case("softmax of what is masked", "softmax", lambda x: x.softmax(1), masked, axis=1)
    case("log_softmax of what is masked", "log_softmax", lambda x: x.log_softmax(1), masked, axis=1)
    case("cross entropy of what is masked", "cross_entropy",
         lambda x, k: F.cross_entropy(x, k, reduction="none"), masked, torch.tensor([0, 2, 4]))
    case("cross entropy of what is masked away", "cross_entropy",
         lambda x, k: F.cross_entropy(x, k, reduction="none"), masked, torch.tensor([1, 2, 0]))
    nothing = floats(4, 3)
    nothing[0] = -math.inf
    nothing[1, 1] = math.inf
    nothing[2, 2] = math.nan
    case("softmax of nothing", "softmax", lambda x: x.softmax(1), nothing, axis=1)
    case("log_softmax of nothing", "log_softmax", lambda x: x.log_softmax(1), nothing, axis=1)
    case("softmax of large numbers", "softmax", lambda x: x.softmax(1), 500 * floats(3, 4), axis=1)
    case("log_softmax of large numbers", "log_softmax", lambda x: x.log_softmax(1),
         500 * floats(3, 4), axis=1)
    case("cross entropy", "cross_entropy",
         lambda x, k: F.cross_entropy(x, k, reduction="none"), 4 * floats(6, 5), integers(5, 6))
    case("cross entropy of sequences", "cross_entropy",
         lambda x, k: F.cross_entropy(x.movedim(-1, 1), k, reduction="none"),
         floats(2, 3, 4), integers(4, 2, 3))
    case("cross entropy of large numbers", "cross_entropy",
         lambda x, k: F.cross_entropy(x, k, reduction="none"), 500 * floats(4, 3), integers(3, 4))
    for axis in [0, 1]:
        case(f"take_along_axis {axis}", "take_along_axis", lambda x, k: x.gather(axis, k),
             floats(4, 4), integers(4, 4, 4), axis=axis)
        case(f"scatter_add_along_axis {axis}", "scatter_add_along_axis",
             lambda x, k: torch.zeros(*[6 if a == axis else 4 for a in range(2)])
             .scatter_add(axis, k, x),
             floats(4, 4), integers(6, 4, 4), axis=axis, extent=6)
        case(f"gather {axis}", "gather",
             lambda x, k: x.index_select(axis, k), floats(5, 4), integers(4, 7), axis=axis)
        shape = [3, 3]
        shape[axis] = 8
        case(f"scatter_add {axis}", "scatter_add",
             lambda x, k: torch.zeros(*[5 if a == axis else 3 for a in range(2)])
             .index_add(axis, k, x),
             floats(*shape), integers(5, 8), axis=axis, extent=5)
    case("embedding", "gather", lambda x, k: F.embedding(k, x), floats(5, 3), integers(5, 2, 4),
         axis=0)


def reductions():
    x = of(1, 3, 3, -2, 0, 3, 5, -2, -2, 1, 1, 1).reshape(3, 4)
    for name, function in [("max", torch.amax), ("min", torch.amin)]:
        for axes in [[0], [1], [0, 1]]:
            case(f"{name} {axes} with ties", name, lambda x: function(x, axes), x, axes=axes)
    odd = of(1, math.nan, 3, 3, math.inf, math.inf, 0, 1, *[-math.inf] * 4).reshape(3, 4)
    for name, function in [("max", torch.amax), ("min", torch.amin)]:
        case(f"{name} of NaN and infinities", name, lambda x: function(x, 1), odd, axes=[1])
    case("argmax of infinities", "argmax", lambda x: x.argmax(1), odd, axes=[1])
    case("argmin of infinities", "argmin", lambda x: x.argmin(1), odd, axes=[1])
    # By its NaN a product is linear: the second derivative is a number, which torch makes NaN of.
    case("prod of NaN", "prod", lambda x: x.prod(1), of(math.nan, 0, 2, 3).reshape(1, 4), axes=[1],
         once=True)
    case("sum of NaN", "sum", lambda x: x.sum(1), odd, axes=[1])
    for label, x in [
        ("no zero", floats(2, 4, low=0.5)),
        ("a zero", of(2, 0, 3, -1, 1, 2, 3, 4).reshape(2, 4)),
        ("two zeros", of(2, 0, 3, 0, 0, 0, 0, 0).reshape(2, 4)),
    ]:
        case(f"prod of {label}", "prod", lambda x: x.prod(1), x, axes=[1])
        case(f"prod of all, {label}", "prod", lambda x: x.prod(), x, axes=[0, 1])
    case("sum", "sum", lambda x: x.sum((0, 2)), floats(3, 4, 5), axes=[0, 2])
    case("mean", "mean", lambda x: x.mean((0, 2)), floats(3, 4, 5), axes=[0, 2])
    case("mean of 3 of 3", "mean", lambda x: x.mean(-1), floats(3, 3), axes=[-1])
    # Where NaN or several largest are: the first.
    tied = of(1, 3, 3, math.nan, 0, math.nan, 2, 2, 1, 1, 1, 0).reshape(3, 4)
    case("argmax", "argmax", lambda x: x.argmax(1), tied, axes=[1])
    case("argmin", "argmin", lambda x: x.argmin(1), tied, axes=[1])
    for a, b in [([3, 4], [4, 5]), ([2, 3, 4], [2, 4, 2]), ([2, 1, 3, 4], [3, 4, 2]), ([4], [4])]:
        case(f"matmul {a} {b}", "matmul", torch.matmul, floats(*a), floats(*b))


def pointwise():
    corners = of(-2, -1, -0.5, 0, 0.5, 1, 2, -0.0)
    for name in ["abs", "relu", "sign", "floor", "ceil", "round", "trunc", "exp", "tanh",
                 "sigmoid", "sin", "cos", "erf"]:
        case(name, name, getattr(torch, name), corners)
    halves = of(-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5)
    case("round of halves", "round", torch.round, halves)
    case("sqrt", "sqrt", torch.sqrt, of(0, 0.25, 1, 4))
    case("log", "log", torch.log, of(0.25, 1, 4, 0))
    case("log1p", "log1p", torch.log1p, of(-0.5, 0, 1, 2.0 ** -20))
    case("sigmoid far out", "sigmoid", torch.sigmoid, of(-80, -30, 30, 80))
    case("tanh far out", "tanh", torch.tanh, of(-80, -30, 30, 80))
    a, b = of(1, 2, 3, 0, -1, 0, math.nan, 1), of(1, 3, 2, 0, -1, -0.0, 1, math.nan)
    case("maximum with ties and NaN", "maximum", torch.maximum, a, b)
    case("minimum with ties and NaN", "minimum", torch.minimum, a, b)
    case("remainder of a quotient that is cut", "rem", torch.fmod, of(5, -5, 5, -5, 1.5, -1.5),
         of(3, 3, -3, -3, 0.5, 1))
    case("quotient", "div", torch.div, floats(6), floats(6, low=1))
    case("quotient, broadcast", "div", torch.div, floats(2, 3, 1), floats(1, 4, low=1))
    case("power", "pow", torch.pow, floats(6, low=0.25), floats(6))
    case("power at 0", "pow", torch.pow, of(0, 0, 0, 0, 1, -2, -2),
         of(0, 1, 2, 3, 0, 2, 3), base_only=True, once=True)
    # torch takes 0 for the derivative by the exponent at 0^0, but NaN for that of the cotangent's
    # way to it.
    case("power to 0 and of 0, by the exponent", "pow", torch.pow, of(0, 0, 0, 1, 2),
         of(0, 1, 2, 0, 0), once=True)
    case("power of 0 to what is negative", "pow", torch.pow, of(0, 0, 0), of(-1, -2, -0.5))
    case("power of what is negative", "pow", torch.pow, of(-1, -2, -0.5, -4),
         of(2, -1, 0.5, 1.5))
    case("remainder by 0", "rem", torch.fmod, of(1, -3, 0), of(0, 0, 0))
    case("quotient by 0", "div", torch.div, of(1, -3, 0), of(0, 0, 0))
    case("relu of NaN", "relu", torch.relu, of(math.nan, math.inf, -math.inf))
    case("log below 0", "log", torch.log, of(-1, -0.0, math.inf))
    case("sqrt below 0", "sqrt", torch.sqrt, of(-1, math.inf))
    case("product, broadcast", "mul", torch.mul, floats(2, 1, 3), floats(4, 1))


# Trajectories.

STEPS = 100
BETAS, ADAM_EPS = (0.9, 0.999), 1e-8


class AdamRounded:
    """Adam with the constants of its formula rounded to f32, as graphs of wgrad have them."""

    def __init__(self, params, lr):
        self.params, self.lr, self.t = list(params), f32(lr), 0
        self.m = [torch.zeros_like(p) for p in self.params]
        self.v = [torch.zeros_like(p) for p in self.params]

    def step(self):
        self.t += 1
        first, second = BETAS
        c1 = 1 - math.exp(self.t * f32(math.log(first)))
        c2 = 1 - math.exp(self.t * f32(math.log(second)))
        with torch.no_grad():
            for p, m, v in zip(self.params, self.m, self.v):
                m.mul_(f32(first)).add_(p.grad * f32(1 - first))
                v.mul_(f32(second)).add_(p.grad * p.grad * f32(1 - second))
                p -= self.lr / c1 * m / (v.sqrt() / math.sqrt(c2) + f32(ADAM_EPS))


class Judge:
    """torch.optim.Adam, with nothing rounded but the learning rate, which is a variable."""

    def __init__(self, params, lr):
        self.adam = torch.optim.Adam(list(params), lr=f32(lr), betas=BETAS, eps=ADAM_EPS)

    def step(self):
        self.adam.step()


def mlp(w, x, state):
    x = F.relu(x @ w["0:dense/weight"] + w["0:dense/bias"])
    x = torch.tanh(x @ w["2:dense/weight"] + w["2:dense/bias"])
    return x @ w["4:dense/weight"] + w["4:dense/bias"]


def cnn(w, x, state, training=True):
    x = F.conv2d(x, w["0:conv2d/weight"], w["0:conv2d/bias"], padding=1)
    x = F.batch_norm(x, state["1:batch_norm/running_mean"], state["1:batch_norm/running_var"],
                     w["1:batch_norm/scale"], w["1:batch_norm/shift"], training, 0.1, EPS)
    x = F.max_pool2d(F.relu(x), 2)
    x = F.relu(F.conv2d(x, w["4:conv2d/weight"], w["4:conv2d/bias"], stride=2, padding=1))
    return x.mean((2, 3)) @ w["7:dense/weight"] + w["7:dense/bias"]


def embedding(w, x, state):
    x = F.embedding(x, w["embedding/weight"]).mean(1)
    return x @ w["dense/weight"] + w["dense/bias"]


def train(model, weights, state, batches, optimizer):
    w = {path: value.clone().requires_grad_() for path, value in weights.items()}
    state = {path: value.clone() for path, value in state.items()}
    optimizer = optimizer(w.values())
    losses = []
    for step in range(STEPS):
        x, labels = batches[step % len(batches)]
        loss = F.cross_entropy(model(w, x, state), labels)
        for p in w.values():
            p.grad = None
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, w, state


def trajectory(name, model, weights, batches, optimizer, judge=None, state=None):
    state = state or {}
    losses, w, after = train(model, weights, state, batches, optimizer)
    entry = {
        "name": name,
        "weights": {path: array(value) for path, value in weights.items()},
        "batches": [
            {"x": {"dtype": "f32" if x.is_floating_point() else "u32", **array(x)},
             "labels": array(labels)}
            for x, labels in batches
        ],
        "losses": losses,
        "final": {path: array(value) for path, value in w.items()},
        "state": {path: array(value) for path, value in after.items()},
    }
    if judge:
        entry["judge"] = train(model, weights, state, batches, judge)[0]
    if state:
        with torch.no_grad():
            entry["evaluated"] = numbers(model(w, batches[0][0], after, training=False))
    return entry


def trajectories():
    NUMBERS.seed(11)
    mlp_weights = {
        "0:dense/weight": floats(6, 16, low=-0.75, high=0.75),
        "0:dense/bias": floats(16, low=-0.25, high=0.25),
        "2:dense/weight": floats(16, 8, low=-0.5, high=0.5),
        "2:dense/bias": torch.zeros(8),
        "4:dense/weight": floats(8, 4, low=-0.5, high=0.5),
        "4:dense/bias": torch.zeros(4),
    }
    cnn_weights = {
        "0:conv2d/weight": floats(4, 2, 3, 3, low=-0.5, high=0.5),
        "0:conv2d/bias": floats(4, low=-0.25, high=0.25),
        "1:batch_norm/scale": torch.ones(4),
        "1:batch_norm/shift": torch.zeros(4),
        "4:conv2d/weight": floats(6, 4, 3, 3, low=-0.375, high=0.375),
        "4:conv2d/bias": torch.zeros(6),
        "7:dense/weight": floats(6, 3, low=-0.75, high=0.75),
        "7:dense/bias": torch.zeros(3),
    }
    cnn_state = {
        "1:batch_norm/running_mean": torch.zeros(4),
        "1:batch_norm/running_var": torch.ones(4),
    }
    embedding_weights = {
        "embedding/weight": floats(20, 6),
        "dense/weight": floats(6, 4, low=-0.75, high=0.75),
        "dense/bias": torch.zeros(4),
    }
    return [
        trajectory("mlp", mlp, mlp_weights,
                   [(floats(12, 6), integers(4, 12)) for _ in range(4)],
                   lambda p: AdamRounded(p, 0.01), lambda p: Judge(p, 0.01)),
        trajectory("cnn", cnn, cnn_weights,
                   [(floats(6, 2, 8, 8), integers(3, 6)) for _ in range(6)],
                   lambda p: torch.optim.SGD(list(p), lr=f32(0.02), momentum=f32(0.9)),
                   state=cnn_state),
        trajectory("embedding", embedding, embedding_weights,
                   [(integers(20, 10, 5), integers(4, 10)) for _ in range(4)],
                   lambda p: AdamRounded(p, 0.02), lambda p: Judge(p, 0.02)),
    ]


def write(name, entries):
    lines = ",\n".join(json.dumps(entry, allow_nan=False) for entry in entries)
    (HERE / name).write_text(f"[\n{lines}\n]\n")


def conventions():
    """Where engines differ, once more."""
    # A window that is moved further than it is long, and one that is longer than what it is on.
    convolution("1d leaps", [1, 2, 9], [2, 2, 2], [4])
    convolution("1d all of it", [2, 3, 5], [4, 3, 5])
    convolution("1d wider than its input", [1, 1, 3], [2, 1, 5], padding=[[2, 1]])
    convolution("1d depthwise, doubled", [2, 3, 6], [6, 1, 3], padding=[[1, 1]], groups=3)
    convolution("2d depthwise, dilation", [1, 4, 7, 6], [4, 1, 3, 3], [1, 2], [2, 1],
                [[2, 2], [1, 1]], 4)
    convolution("2d rows only", [2, 2, 6, 3], [3, 2, 3, 1], [2, 1], padding=[[1, 0], [0, 0]])
    convolution("2d pointwise, stride 2", [2, 3, 5, 4], [4, 3, 1, 1], [2, 2])
    convolution("2d pointwise, groups", [2, 6, 3, 3], [4, 3, 1, 1], groups=2)
    convolution("2d of one pixel", [3, 4, 1, 1], [5, 4, 3, 3], padding=[[1, 1], [1, 1]])
    convolution("3d depthwise", [1, 2, 3, 4, 3], [2, 1, 2, 2, 2], groups=2)
    transposed("1d leaps", [1, 2, 3], [2, 2, 2], [4])
    transposed("2d depthwise", [1, 3, 3, 3], [3, 1, 3, 3], [2, 2], None, [[1, 1], [1, 1]], [1, 1], 3)
    transposed("2d pointwise", [2, 3, 3, 2], [3, 4, 1, 1], [1, 1])

    pool("max", "1d, stride 1", floats(2, 2, 7), [3], [1])
    pool("max", "1d leaps", floats(1, 2, 9), [2], [4])
    pool("max", "1d of one", floats(2, 2, 5), [1])
    pool("max", "2d global", ties(2, 3, 4, 4), [4, 4])
    pool("max", "2d overlapping ties", ties(1, 2, 6, 6), [3, 3], [1, 1], None, [[1, 1], [1, 1]])
    several = ties(1, 1, 4, 6)
    several[0, 0, 0, 1] = several[0, 0, 1, 0] = several[0, 0, 3, 5] = math.nan
    several[0, 0, 2, 4] = several[0, 0, 3, 4] = math.nan
    pool("max", "2d of several NaN", several, [2, 2])
    below = floats(1, 1, 4, 4)
    below[0, 0, :2, :2] = -math.inf
    below[0, 0, 2, 3] = math.inf
    pool("max", "2d of infinities", below, [2, 2])
    pool("avg", "1d, stride 1", floats(2, 2, 7), [3], [1], None, [[1, 1]], False, True)
    pool("avg", "2d of one", floats(1, 2, 3, 3), [1, 1])
    pool("avg", "2d of infinities", below, [2, 2])

    case("layer norm of one", "layer_norm", lambda x, s, b: F.layer_norm(x, (1,), s, b, EPS),
         floats(4, 1), floats(1), floats(1))
    case("layer norm of large numbers", "layer_norm",
         lambda x, s, b: F.layer_norm(x, (6,), s, b, EPS), 100 + floats(2, 6), floats(6), floats(6))
    case("batch norm of one row", "batch_norm",
         lambda x, s, b: F.batch_norm(x, None, None, s, b, True, 0.1, EPS),
         floats(1, 3, 4), floats(3), floats(3))
    case("group norm of single channels", "group_norm",
         lambda x, s, b: F.group_norm(x, 4, s, b, EPS), floats(2, 4, 5), floats(4), floats(4),
         groups=4)
    case("rms norm of one", "rms_norm", lambda x, s: F.rms_norm(x, (1,), s, EPS), floats(3, 1),
         floats(1))

    case("cumsum of one", "cumsum", lambda x: x.cumsum(1), floats(3, 1), axis=1, exclusive=False,
         reverse=False)
    case("cumsum from the end, exclusive", "cumsum",
         lambda x: x.flip(0).cumsum(0).flip(0) - x, floats(5, 2), axis=0, exclusive=True,
         reverse=True)
    case("sort of what is alike", "sort",
         lambda x: x.sort(dim=1, descending=True, stable=True).values, torch.ones(2, 5), axis=1,
         descending=True)
    case("top 1", "top_k", lambda x: x.topk(1, dim=0).values, floats(4, 3), axis=0, k=1)
    case("softmax of one", "softmax", lambda x: x.softmax(1), floats(3, 1), axis=1)
    case("softmax of four axes", "softmax", lambda x: x.softmax(2), floats(2, 2, 3, 2), axis=2)
    case("log_softmax of one", "log_softmax", lambda x: x.log_softmax(1), floats(3, 1), axis=1)
    case("cross entropy of one class", "cross_entropy",
         lambda x, k: F.cross_entropy(x, k, reduction="none"), floats(3, 1), integers(1, 3))
    case("gather of one many times", "gather", lambda x, k: x.index_select(0, k), floats(3, 2),
         torch.tensor([1] * 6), axis=0)
    case("scatter_add to one", "scatter_add",
         lambda x, k: torch.zeros(4, 2).index_add(0, k, x), floats(6, 2), torch.tensor([2] * 6),
         axis=0, extent=4)
    case("gather of axis -2", "gather", lambda x, k: x.index_select(1, k), floats(2, 3, 2),
         integers(3, 4), axis=-2)

    for a, b in [([1, 1], [1, 1]), ([3], [3, 2]), ([2, 3], [3]), ([2, 1, 3], [1, 3, 2]),
                 ([3, 2, 2], [2]), ([5, 2, 3], [3, 4])]:
        case(f"matmul {a} {b}", "matmul", torch.matmul, floats(*a), floats(*b))
    case("mean of one", "mean", lambda x: x.mean(1), floats(3, 1), axes=[1])
    case("sum of nothing but one axis", "sum", lambda x: x.sum(-2), floats(2, 3, 4), axes=[-2])
    case("max of one", "max", lambda x: x.amax(1), floats(3, 1), axes=[1])
    case("min with ties along two axes", "min", lambda x: x.amin((0, 2)), ties(2, 3, 4),
         axes=[0, 2])

    far = of(-88, -20, -3.5, 2.0 ** -10, 3.5, 20, 88)
    for name in ["sigmoid", "tanh", "erf", "sin", "cos"]:
        case(f"{name} of many sizes", name, getattr(torch, name), far)
    case("exp of many sizes", "exp", torch.exp, of(-100, -20, -2.0 ** -10, 0, 5, 20))
    odd = of(math.nan, math.inf, -math.inf)
    for name in ["abs", "sign"]:
        case(f"{name} of infinities", name, getattr(torch, name), odd[1:])
    for name in ["exp", "tanh", "sigmoid", "floor", "log1p", "erf"]:
        case(f"{name} of NaN and infinities", name, getattr(torch, name), odd)
    case("power of whole exponents", "pow", torch.pow, of(-3, -2, 2, 3, -1.5, 0.5),
         of(3, 4, -2, 5, -3, 2), base_only=True, once=True)
    case("remainder of infinities and NaN", "rem", torch.fmod, of(math.inf, 3, math.nan, -5.5),
         of(2, math.inf, 2, -math.inf), once=True)
    case("maximum of alike", "maximum", torch.maximum, torch.ones(4), torch.ones(4))
    case("minimum, broadcast with ties", "minimum", torch.minimum, ties(3, 1), ties(1, 4))
    case("quotient of infinities", "div", torch.div, of(1, -1, math.inf, math.inf, 0),
         of(math.inf, -math.inf, 2, math.inf, math.inf))


def activations():
    # torch's own derivative of hardsigmoid has 1 / 6 in f32.
    sixths = lambda x: F.relu6(x + 3) / 6
    kinks = of(-6, -3, -1, -0.5, 0, 0.5, 1, 3, 6, 19, -19)
    for name, function in [
        ("relu6", F.relu6), ("selu", F.selu), ("gelu", F.gelu), ("silu", F.silu), ("mish", F.mish),
        ("hard_sigmoid", sixths), ("hard_swish", lambda x: x * sixths(x)), ("hard_tanh", F.hardtanh),
        ("softplus", F.softplus), ("softsign", F.softsign), ("tanh_shrink", F.tanhshrink),
        ("log_sigmoid", F.logsigmoid), ("gelu_tanh", lambda x: F.gelu(x, approximate="tanh")),
        ("expm1", torch.expm1),
    ]:
        case(name, name, function, 4 * floats(2, 5))
        # Of second order torch takes 0 at the kink of ELU and its like, wgrad the limit from below.
        case(f"{name} at kinks", name, function, kinks, once=name == "selu")
        if name != "selu":  # whose cotangent passes NaN in torch, and becomes NaN here
            case(f"{name} of NaN", name, function, of(math.nan), once=True)
    for name, function, attributes in [
        ("leaky_relu", lambda x: F.leaky_relu(x, 0.01), {"slope": 0.01}),
        ("leaky_relu", lambda x: F.leaky_relu(x, 0.3), {"slope": 0.3}),
        ("elu", lambda x: F.elu(x, 0.7), {"alpha": 0.7}),
        ("elu", F.elu, {"alpha": 1}),
        # torch's own derivative of celu has 1 / alpha in f32.
        ("celu", lambda x: torch.where(x > 0, x, 0.3 * torch.expm1(x / 0.3)), {"alpha": 0.3}),
        ("celu", lambda x: F.celu(x, 2.5), {"alpha": 2.5}),
        ("soft_shrink", lambda x: F.softshrink(x, 0.5), {"width": 0.5}),
        ("hard_shrink", lambda x: F.hardshrink(x, 0.5), {"width": 0.5}),
        ("threshold", lambda x: F.threshold(x, 0.5, -2.0), {"threshold": 0.5, "value": -2}),
    ]:
        case(f"{name} {attributes}", name, function, 4 * floats(2, 5), **attributes)
        case(f"{name} {attributes} at kinks", name, function, kinks,
             once=name in ["elu", "celu"], **attributes)
    case("prelu", "prelu", F.prelu, floats(2, 3, 4), floats(3))
    case("prelu of one slope", "prelu", F.prelu, floats(2, 3, 4), floats(1))
    case("prelu of a vector", "prelu", F.prelu, floats(5), floats(1))
    for axis in [0, 1, -1]:
        case(f"glu {axis}", "glu", lambda x: F.glu(x, axis), floats(2, 4, 6), axis=axis)


def losses():
    none = {"reduction": "none"}
    x, t = 2 * floats(3, 6), 2 * floats(3, 6)
    x[0, :3], t[0, :3] = of(1, 2, 0.5), of(1, 1.5, 1.5)
    case("squared_error", "squared_error", lambda x, t: F.mse_loss(x, t, **none), x, t)
    case("absolute_error", "absolute_error", lambda x, t: F.l1_loss(x, t, **none), x, t)
    for delta in [0.5, 1.0, 2.3]:
        case(f"huber {delta}", "huber", lambda x, t: F.huber_loss(x, t, delta=delta, **none), x, t,
             delta=delta)
        case(f"smooth_l1 {delta}", "smooth_l1",
             lambda x, t: F.smooth_l1_loss(x, t, beta=delta, **none), x, t, delta=delta)
    shares = (floats(3, 6, low=0, high=2) / 2).clamp(0, 1)
    shares[1, 0], shares[1, 1] = 0, 1
    logits = 4 * floats(3, 6)
    case("binary_cross_entropy", "binary_cross_entropy",
         lambda x, t: F.binary_cross_entropy_with_logits(x, t, **none), logits, shares)
    case("binary_cross_entropy far out", "binary_cross_entropy",
         lambda x, t: F.binary_cross_entropy_with_logits(x, t, **none), of(-90, -19, 19, 90),
         of(0, 1, 0.5, 1))
    some = shares.clamp(1 / 64, 1)
    case("kl_divergence", "kl_divergence", lambda x, t: F.kl_div(x, t, **none), floats(3, 6), some)
    signs = torch.where(floats(3, 6) > 0, 1.0, -1.0)
    case("hinge", "hinge", lambda x, t: F.relu(1 - x * t), floats(3, 6), signs)
    for shape in [[4, 5], [2, 3, 4]]:
        case(f"negative_log_likelihood {shape}", "negative_log_likelihood",
             lambda x, k: F.nll_loss(x.movedim(-1, 1), k, **none), floats(*shape),
             integers(shape[-1], *shape[:-1]))
        case(f"soft_cross_entropy {shape}", "soft_cross_entropy",
             lambda x, t: F.cross_entropy(x.movedim(-1, 1), t.movedim(-1, 1), **none),
             floats(*shape), floats(*shape, low=0, high=1))
    weights = floats(5, low=0.25, high=2)
    labels = torch.tensor([0, 4, 2, 2, 1, 3])
    for smoothing in [0, 0.1]:
        for weighted in [False, True]:
            for ignored in [None, 2]:
                for reduction in ["none", "mean"]:
                    w = {"weight": weights} if weighted else {}
                    i = {} if ignored is None else {"ignore_index": ignored}
                    case(f"cross entropy {smoothing} {weighted} {ignored} {reduction}",
                         "cross_entropy_with",
                         lambda x, k, *w: F.cross_entropy(
                             x, k, *[v.detach() for v in w], label_smoothing=smoothing,
                             reduction=reduction, **i),
                         floats(6, 5), labels, *w.values(), smoothing=smoothing, ignored=ignored,
                         reduction=reduction, base_only=True, once=weighted)
    for axis in [0, 1]:
        case(f"cosine_similarity {axis}", "cosine_similarity",
             lambda x, y: F.cosine_similarity(x, y, dim=axis), floats(3, 4), floats(3, 4), axis=axis)
    for margin in [1.0, 0.3]:
        case(f"triplet_margin {margin}", "triplet_margin",
             lambda a, p, n: F.triplet_margin_loss(a, p, n, margin=margin, **none), floats(5, 4),
             floats(5, 4), floats(5, 4), margin=margin)


def rearranging():
    case("one_hot", "one_hot", lambda k: F.one_hot(k, 5).to(torch.float64), integers(5, 2, 3), classes=5)
    for shift, axis in [(2, 0), (-1, 1), (7, 1)]:
        case(f"roll {shift} {axis}", "roll", lambda x: x.roll(shift, axis), floats(3, 4), shift=shift,
             axis=axis)
    case("tile", "tile", lambda x: x.tile(1, 3), floats(2, 3), times=3, axis=1)
    case("repeat", "repeat", lambda x: x.repeat_interleave(3, 1), floats(2, 3), times=3, axis=1)
    for diagonal in [-2, 0, 1]:
        case(f"lower triangle {diagonal}", "triangle", lambda x: x.tril(diagonal), floats(2, 4, 3),
             upper=False, diagonal=diagonal)
        case(f"upper triangle {diagonal}", "triangle", lambda x: x.triu(diagonal), floats(3, 4),
             upper=True, diagonal=diagonal)
    for shape in [[3, 3], [2, 5], [4, 2], [2, 3, 4]]:
        case(f"diagonal {shape}", "diagonal", lambda x: x.diagonal(dim1=-2, dim2=-1), floats(*shape))
    case("trace", "trace", torch.trace, floats(3, 4))
    case("outer", "outer", torch.outer, floats(3), floats(4))
    case("depth_to_space 2", "depth_to_space", lambda x: F.pixel_shuffle(x, 2), floats(2, 8, 2, 3), r=2)
    case("depth_to_space 3", "depth_to_space", lambda x: F.pixel_shuffle(x, 3), floats(1, 9, 2, 1), r=3)
    case("space_to_depth", "space_to_depth", lambda x: F.pixel_unshuffle(x, 2), floats(2, 3, 4, 2), r=2)
    for low, high in [(2, 1), (0, 3), (3, 0)]:
        case(f"pad_reflect {low} {high}", "pad_reflect",
             lambda x: F.pad(x, (low, high), mode="reflect"), floats(1, 2, 4), axis=2, padding=[[low, high]])
        case(f"pad_replicate {low} {high}", "pad_replicate",
             lambda x: F.pad(x, (low, high), mode="replicate"), floats(1, 2, 3), axis=2,
             padding=[[low, high]])


def statistics():
    for low, high in [(-1, 1), (0.25, 0.5)]:
        case(f"clip {low} {high}", "clip", lambda x: x.clamp(low, high), floats(3, 4), low=low,
             high=high)
    case("clip at its ends", "clip", lambda x: x.clamp(-1, 1), of(-1, 1, 0, 2, -3), low=-1, high=1)
    for axes in [[0], [1], [0, 2]]:
        x = floats(3, 4, 2)
        case(f"log_sum_exp {axes}", "log_sum_exp", lambda x: x.logsumexp(axes), 4 * x, axes=axes)
        for correction in [0, 1]:
            case(f"variance {axes} {correction}", "variance",
                 lambda x: x.var(axes, correction=correction), x, axes=axes, correction=correction)
            case(f"standard_deviation {axes} {correction}", "standard_deviation",
                 lambda x: x.std(axes, correction=correction), x, axes=axes, correction=correction)
        case(f"norm {axes}", "norm", lambda x: torch.linalg.vector_norm(x, dim=axes), x, axes=axes)
    far = of(800, 799, -math.inf, 0, -math.inf, -math.inf, math.inf, 0).reshape(4, 2)
    case("log_sum_exp far out", "log_sum_exp", lambda x: x.logsumexp(1), far[:2], axes=[1])
    case("log_sum_exp of infinities", "log_sum_exp", lambda x: x.logsumexp(1).detach(), far, axes=[1],
         once=True, result_only=True)


if __name__ == "__main__":
    convolutions()
    transposed_convolutions()
    pools()
    normalisations()
    along()
    reductions()
    pointwise()
    conventions()
    activations()
    losses()
    rearranging()
    statistics()
    write("operations.json", CASES)
    write("trajectories.json", trajectories())
    print(len(CASES), "operations with PyTorch", torch.__version__)
