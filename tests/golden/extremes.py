"""The ends of arguments: everything dropped, orders that are not positive, indices of few lines, nothing at all."""

import math

import torch
import torch.nn.functional as F

import common
from common import floats, integers, of, plain
from operations import case, transposed

INF = math.inf


def everything_dropped():
    case("dropout of everything", "dropout", lambda x: F.dropout(x, 1.0), floats(3, 4), p=1)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        for heads, shared in [(2, 2), (4, 2)]:
            attend = lambda q, k, v: F.scaled_dot_product_attention(
                q, k, v, dropout_p=1.0, enable_gqa=True)
            case(f"attention, everything dropped, {heads}", "attention", attend,
                 floats(2, heads, 4, 3), floats(2, shared, 5, 3), floats(2, shared, 5, 2),
                 causal=False, dropout=1)


def output_paddings():
    """Of a stride or more, where dilation allows it."""
    transposed("1d, longer than a stride", [2, 2, 4], [2, 3, 3], [1], [3], None, [2])
    transposed("1d, longer than a stride, of one tap", [1, 2, 3], [2, 2, 1], [1], [4], [[1, 1]], [3])
    transposed("1d, longer than a stride, cropped", [1, 2, 4], [2, 1, 2], [2], [5], [[3, 3]], [4])
    transposed("2d, longer than a stride", [2, 2, 3, 3], [2, 2, 2, 3], [1, 3], [3, 1],
               [[1, 1], [0, 0]], [2, 2])
    transposed("2d, longer than a stride, groups", [1, 4, 3, 3], [4, 1, 2, 3], [2, 1], [3, 2],
               [[0, 2], [1, 0]], [2, 1], 2)
    transposed("3d, longer than a stride", [1, 2, 2, 3, 2], [2, 2, 2, 2, 2], [1, 2, 1], [2, 1, 3],
               [[0, 0], [1, 1], [1, 1]], [1, 1, 2])
    transposed("1d, cut to what is added", [1, 2, 1], [2, 2, 3], [3], None, [[2, 2]], [2])


def lines():
    for axis, shape, indices in [(0, [3, 4], [5, 2]), (1, [3, 4], [2, 6]), (-1, [3, 4], [1, 4]),
                                 (1, [3, 4, 5], [2, 3, 4]), (0, [3, 4, 5], [2, 1, 5]), (1, [3, 4], [0, 2]),
                                 (0, [4], [2])]:
        below = shape[axis]
        case(f"gather_elements {axis} {shape} {indices}", "gather_elements",
             lambda x, k: x.gather(axis, k), floats(*shape), integers(below, *indices).long(), axis=axis)
    for axis, shape, indices in [(0, [3, 4], [2, 2]), (1, [3, 4], [2, 4]), (-1, [3, 4], [1, 3]),
                                 (1, [3, 4, 5], [2, 3, 4]), (1, [3, 4], [0, 2])]:
        into = list(shape)
        into[axis] = 6
        case(f"scatter_add_along_axis {axis} {shape} {indices}", "scatter_add_along_axis",
             # By more than it adds torch has no derivative.
             lambda x, k: torch.zeros(into).scatter_add(axis, k, x[tuple(slice(n) for n in k.shape)]),
             floats(*shape),
             integers(6, *indices).long(), axis=axis, extent=6)
    for axis, shape, indices in [(1, [3, 4], [1, 2]), (0, [4, 1], [2, 3]), (1, [3, 4, 1], [1, 6, 5])]:
        case(f"take_along_axis {axis} {shape} {indices}", "take_along_axis",
             lambda x, k: torch.take_along_dim(x, k, axis), floats(*shape),
             integers(shape[axis], *indices), axis=axis)


def norms():
    x = of(0.5, -1.5, 2, -0.25, 1.5, -1.5, 1.5, 3, 0, -2, 0, 1.25, -0.5, 1.5, -0.5, 0.5).reshape(4, 4)
    none = torch.zeros(2, 3)
    norm = torch.linalg.vector_norm
    for p in [0.0, -0.5, -1.0, -2.0, -2.5, -INF, INF, 0.75]:
        # torch has NaN for second derivatives beside a 0, and no derivative at all of order 0.
        once = p not in [INF, -INF]
        result_only = {"result_only": True} if p == 0 else {}
        case(f"norm_p {p}, ties and zeros", "norm_p", lambda x: norm(x, p, dim=1).detach() if p == 0
             else norm(x, p, dim=1), x, p=str(p), axes=[1], once=once, **result_only)
        case(f"norm_p {p} of zeros", "norm_p", lambda x: norm(x, p, dim=1), none, p=str(p), axes=[1],
             once=True, **result_only)
        if p not in [0, INF, -INF]:
            case(f"norm_p {p} without zeros", "norm_p", lambda x: norm(x, p, dim=(0, 1)),
                 floats(2, 4, low=0.5) * of(1, -1, -1, 1), p=str(p), axes=[0, 1])
    far = of(INF, 1, -INF, INF, 2, 1, 0, INF, 1, math.nan, 1, 0.5, math.nan, 2, 1).reshape(5, 3)
    for p in [0.0, -1.0, -2.5, -INF, INF]:
        result_only = {"result_only": True} if p == 0 else {}
        case(f"norm_p {p} of infinities and NaN", "norm_p", lambda x: norm(x, p, dim=1),
             # torch's sign of NaN is 0, by which it passes no cotangent of a largest or smallest that is NaN.
             far[:3] if math.isinf(p) else far, p=str(p), axes=[1], once=True, **result_only)
    for p in [0.0, 0.5, 1.0, 2.0, 3.0]:
        case(f"norm_p {p} of nothing", "norm_p", lambda x: norm(x, p, dim=1), torch.zeros(2, 0),
             p=str(p), axes=[1], once=True, **({"result_only": True} if p == 0 else {}))


def nothing():
    empty, none = torch.zeros(2, 0), torch.zeros(0, 3)
    for name, function in [("sum", torch.sum), ("mean", torch.mean), ("prod", torch.prod),
                           ("log_sum_exp", torch.logsumexp)]:
        for label, x in [("nothing", empty), ("no rows", none)]:
            case(f"{name} of {label}", name, lambda x: function(x, 1), x, axes=[1], once=True)
    for name, function in [("softmax", torch.softmax), ("log_softmax", torch.log_softmax),
                           ("cumprod", torch.cumprod)]:
        for label, x in [("nothing", empty), ("no rows", none)]:
            case(f"{name} along {label}", name, lambda x: function(x, 1), x, axis=1, once=True)
    case("cumsum of nothing", "cumsum", lambda x: x.cumsum(1), empty, axis=1, exclusive=False,
         reverse=False, once=True)
    case("sort of nothing", "sort", lambda x: x.sort(1).values, empty, axis=1, descending=False, once=True)
    case("argsort of nothing", "argsort", lambda x: x.argsort(1), empty, axis=1, descending=False)
    case("top 0", "top_k", lambda x: x.topk(0, 1).values, floats(2, 3), axis=1, k=0, once=True)
    case("cosine_similarity of nothing", "cosine_similarity",
         lambda x, y: F.cosine_similarity(x, y, dim=1), empty, empty, axis=1, once=True)
    for a, b in [([2, 0], [0, 3]), ([0, 2], [2, 3]), ([2, 3], [3, 0])]:
        case(f"matmul {a} {b}", "matmul", torch.matmul, floats(*a), floats(*b), once=True)
    case("layer norm of nothing", "layer_norm", lambda x, s, b: F.layer_norm(x, (0,), s, b, common.EPS),
         empty, floats(0), floats(0), once=True)
    case("amax of no rows", "amax", lambda x: x.amax(1), none, axes=[1], once=True)
    case("one_hot of nothing", "one_hot", lambda k: F.one_hot(k, 3).to(torch.float64),
         torch.zeros(0, dtype=torch.long), classes=3, result_only=True)
    case("trace of nothing", "trace", torch.trace, none, once=True)


def few():
    """Variances of no more elements than are taken off their number, and of those that are alike."""
    x = of(3, -1, 0.5).reshape(3, 1)
    for correction in [1, 2]:
        case(f"variance of one, {correction}", "variance", lambda x: x.var(1, correction=correction).detach(), x,
             axes=[1], correction=correction, result_only=True)
    case("variance of nothing", "variance", lambda x: x.var(1, correction=0).detach(), torch.zeros(2, 0),
         axes=[1], correction=0, result_only=True)
    case("variance of two, 2", "variance", lambda x: x.var(1, correction=2).detach(), floats(3, 2), axes=[1],
         correction=2, result_only=True)
    case("standard_deviation of one", "standard_deviation", lambda x: x.std(1).detach(), x, axes=[1],
         correction=1, result_only=True)
    alike = of(0.5, -1, 0).reshape(3, 1).expand(3, 4).contiguous()
    for correction in [0, 1]:
        case(f"standard_deviation of what is alike, {correction}", "standard_deviation",
             lambda x: x.std(1, correction=correction), alike, axes=[1], correction=correction, once=True)
    case("group norm of one value, two examples", "group_norm",
         lambda x, s, b: F.group_norm(x, 3, s, b, common.EPS), floats(2, 3, 1), floats(3), floats(3), groups=3)


def sizes():
    for between, mode in [("nearest", "nearest"), ("nearest_middle", "nearest-exact"), ("linear", "linear")]:
        for source, size in [(3, 64), (128, 3), (1, 9), (7, 1)]:
            case(f"resize {mode} {source} {size}", "resize",
                 lambda x: F.interpolate(x, size, mode=mode), floats(1, 2, source), sizes=[size],
                 between=between, corners=False)
    for between, mode, corners in [("nearest", "nearest", None), ("nearest_middle", "nearest-exact", None),
                                   ("linear", "trilinear", False), ("linear", "trilinear", True)]:
        case(f"resize 3d {mode} {corners}", "resize",
             lambda x: F.interpolate(x, (4, 2, 5), mode=mode, align_corners=corners),
             floats(1, 1, 2, 3, 2), sizes=[4, 2, 5], between=between, corners=bool(corners))


def ranges():
    x = of(-3, -1, 0, 1, 1.5, 2, 3)
    for low, high in [(1, 1), (-INF, INF)]:
        case(f"clip {low} {high}", "clip", lambda x: x.clamp(low, high), x, low=plain(low), high=plain(high))
    for alpha in [0.0, -1.0]:
        for name, function, key in [("elu", F.elu, "alpha"), ("leaky_relu", F.leaky_relu, "slope")]:
            case(f"{name} {alpha}", name, lambda x: function(x, alpha), x, once=alpha < 0, **{key: alpha})
    case("celu -1", "celu", lambda x: F.celu(x, -1.0), x, alpha=-1, once=True)
    case("soft_shrink 0", "soft_shrink", lambda x: F.softshrink(x, 0.0), x, width=0)
    case("hard_shrink 0", "hard_shrink", lambda x: F.hardshrink(x, 0.0), x, width=0)
    case("softplus, all beyond the threshold", "softplus_with", lambda x: F.softplus(x, 1.0, -5.0), x, beta=1,
         threshold=-5)
    case("power by -0.5", "power_by", lambda x: x.pow(-0.5), of(0, 4, 0.25), p=-0.5, once=True)
    case("cumprod of zeros", "cumprod", lambda x: x.cumprod(0), of(0, 2, 0, 3), axis=0)


def windows():
    for size in [1, 4, 6, 9]:
        case(f"local_response_norm {size} of 2", "local_response_norm",
             lambda x: F.local_response_norm(x, size, 0.5, 0.75, 2.0), floats(2, 2, 3), size=size)
    x = floats(1, 2, 4, 6, low=0.25) * (1 - 2 * integers(2, 1, 2, 4, 6))
    for p in [-1.0, -2.0, 0.5, INF, -INF]:
        y = x.abs() if p == 0.5 else x
        case(f"lp_pool {p}", "lp_pool", lambda x: F.lp_pool2d(x, p, 2), y, p=plain(p), once=True)
    for kind, function in [("max", F.adaptive_max_pool2d), ("avg", F.adaptive_avg_pool2d)]:
        for outputs in [(0, 2), (3, 0)]:
            case(f"adaptive {kind} pool {outputs}", f"adaptive_{kind}_pool",
                 lambda x: function(x, outputs).detach(), floats(1, 2, 3, 4), outputs=list(outputs),
                 result_only=True)
    geometry = {"stride": [1], "dilation": [1], "padding": [[0, 0]], "groups": 1}
    case("convolution of no images", "convolution", F.conv1d, floats(0, 2, 5), floats(3, 2, 2), once=True, **geometry)
    case("max pool of no images", "max_pool", lambda x: F.max_pool1d(x, 2), floats(0, 2, 5), extent=[2], stride=[2],
         dilation=[1], padding=[[0, 0]], ceil_mode=False, count_padding=False, once=True)


def places():
    x = floats(3, 4)
    for diagonal in [-(2**31), -4, -3, 4, 5, 2**31 - 1]:
        for upper, function in [(False, torch.tril), (True, torch.triu)]:
            case(f"triangle {diagonal} {upper}", "triangle", lambda x: function(x, diagonal), x, upper=upper,
                 diagonal=diagonal)
    for shift in [-(2**40), 2**40 + 1, 12]:
        case(f"roll {shift}", "roll", lambda x: x.roll(shift, 1), x, shift=shift, axis=1)
    case("roll of nothing", "roll", lambda x: x.roll(3, 1), torch.zeros(2, 0), shift=3, axis=1, once=True)
    case("tile 0", "tile", lambda x: x.tile(1, 0), x, times=0, axis=1, once=True)
    case("repeat_interleave 0", "repeat_interleave", lambda x: x.repeat_interleave(0, 1), x, times=0, axis=1,
         once=True)
    case("glu of nothing", "glu", lambda x: F.glu(x, 1), torch.zeros(2, 0), axis=1, once=True)
    case("depth_to_space of no images", "depth_to_space", lambda x: F.pixel_shuffle(x, 2).detach(),
         torch.zeros(0, 4, 2, 2), r=2, result_only=True)
    case("outer of nothing", "outer", torch.outer, torch.zeros(0), floats(3), once=True)
    case("inner product of nothing", "matmul", torch.matmul, torch.zeros(0), torch.zeros(0), once=True)
    case("einsum of nothing", "einsum", lambda a, b: torch.einsum("ij,jk->ik", a, b), torch.zeros(2, 0),
         torch.zeros(0, 3), equation="ij,jk->ik", once=True)
    case("top 3 of 3 with NaN", "top_k", lambda x: x.topk(3, 0).values, of(1, math.nan, 3), axis=0, k=3)
    case("gather by no indices", "gather", lambda x, k: x.index_select(0, k), x,
         torch.zeros(0, dtype=torch.long), axis=0, once=True)
    case("scatter_add of no updates", "scatter_add", lambda x, k: torch.zeros(5, 4).index_add(0, k, x),
         torch.zeros(0, 4), torch.zeros(0, dtype=torch.long), axis=0, extent=5, once=True)
    for low in [0, 2]:
        case(f"pad_reflect {low} of 3", "pad_reflect", lambda x: F.pad(x, (low, 2), mode="reflect"), floats(2, 3),
             padding=[[low, 2]], axis=1)
    for extents in [(2, 0, 3), (0, 2, 3)]:
        t, s, d = extents
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            case(f"attention {extents}", "attention", F.scaled_dot_product_attention, floats(1, t, d),
                 floats(1, s, d), floats(1, s, 2), causal=False, once=True)


def losses():
    none, labels = torch.zeros(0, 3), torch.zeros(0, dtype=torch.long)
    plainly = {"smoothing": 0, "ignored": None}
    case("mean cross entropy of no rows", "cross_entropy_with", F.cross_entropy, none, labels, once=True,
         reduction="mean", **plainly)
    case("mean cross entropy of what is ignored", "cross_entropy_with",
         lambda x, k: F.cross_entropy(x, k, ignore_index=1).detach(), floats(2, 3), torch.tensor([1, 1]),
         once=True, reduction="mean", smoothing=0, ignored=1, result_only=True)
    case("kl_divergence of 0 and below", "kl_divergence", lambda x, t: F.kl_div(x, t.detach(), reduction="none"),
         of(-1, 0, 1), of(0, 0.5, 0), once=True, base_only=True)
    case("kl_divergence of targets below 0", "kl_divergence", lambda x, t: F.kl_div(x, t, reduction="none").detach(),
         of(1), of(-1), once=True, result_only=True)
    for longest, lengths in [(0, [0, 0]), (2, [0, 1])]:
        case(f"ctc of {lengths} labels of {longest}", "ctc",
             lambda x, *rest: F.ctc_loss(x.log_softmax(-1), *rest, reduction="none"), floats(4, 2, 3),
             torch.ones(2, longest, dtype=torch.long), torch.tensor([4, 3]), torch.tensor(lengths), blank=0,
             once=True)


def every():
    # Numbers of their own: cases that were there before keep theirs.
    before = common.NUMBERS.getstate(), common.WEIGHTS.getstate()
    common.NUMBERS.seed(37)
    common.WEIGHTS.seed(41)
    everything_dropped()
    output_paddings()
    lines()
    norms()
    nothing()
    few()
    sizes()
    ranges()
    windows()
    places()
    losses()
    common.NUMBERS.setstate(before[0])
    common.WEIGHTS.setstate(before[1])
