"""Operations, with their first and second derivatives."""

import math

import torch
import torch.nn.functional as F

from common import EPS, NUMBERS, WEIGHTS, array, floats, integers, numbers, of, ties

CASES = []


def case(label, op, function, *operands, once=False, **attributes):
    """The operation `op` with these attributes is `function` of the operands.

    Its first derivatives are the cotangents g of the operands for a random cotangent of the result;
    its second ones are those of <weights, g>, by the operands and by the cotangent. `once`: they are
    not taken, because PyTorch has none, or because they are no convention worth keeping.
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


def apart(seeds, *parts):
    """The cases of these parts, with numbers of their own: a case more elsewhere does not change them."""
    sources = [NUMBERS, WEIGHTS]
    before, first = [source.getstate() for source in sources], len(CASES)
    for source, seed in zip(sources, seeds):
        source.seed(seed)
    for part in parts:
        part()
    for source, state in zip(sources, before):
        source.setstate(state)
    cases = CASES[first:]
    del CASES[first:]
    return cases


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
    total = sum((g * w).sum() for g, w in zip(first, weights))
    second = gradient(total, [*smooth, cotangent])
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


def normalizations():
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
    for name, function in [("amax", torch.amax), ("amin", torch.amin)]:
        for axes in [[0], [1], [0, 1]]:
            case(f"{name} {axes} with ties", name, lambda x: function(x, axes), x, axes=axes)
    odd = of(1, math.nan, 3, 3, math.inf, math.inf, 0, 1, *[-math.inf] * 4).reshape(3, 4)
    for name, function in [("amax", torch.amax), ("amin", torch.amin)]:
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
    case("max of one", "amax", lambda x: x.amax(1), floats(3, 1), axes=[1])
    case("min with ties along two axes", "amin", lambda x: x.amin((0, 2)), ties(2, 3, 4),
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


def every():
    convolutions()
    transposed_convolutions()
    pools()
    normalizations()
    along()
    reductions()
    pointwise()
    conventions()
