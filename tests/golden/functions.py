"""Functions that are written in operations: activations, losses, statistics and the like."""

import math

import torch
import torch.nn.functional as F

import arranging
import options
from common import floats, integers, of
from operations import case


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
    case("binary_cross_entropy", "binary_cross_entropy_with_logits",
         lambda x, t: F.binary_cross_entropy_with_logits(x, t, **none), logits, shares)
    case("binary_cross_entropy far out", "binary_cross_entropy_with_logits",
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
    case("repeat", "repeat_interleave", lambda x: x.repeat_interleave(3, 1), floats(2, 3), times=3, axis=1)
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


def attention():
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        for causal in [False, True]:
            for outer in [[], [2], [2, 3]]:
                case(f"attention {outer} {causal}", "attention",
                     lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=causal),
                     floats(*outer, 4, 3), floats(*outer, 5, 3), floats(*outer, 5, 2), causal=causal)


def masks():
    """At the end, as each case draws a cotangent: so the numbers of other cases stay."""
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        truth = torch.tensor([[1, 0, 0, 1, 1], [1, 1, 0, 0, 1], [0, 1, 1, 1, 0], [0, 0, 0, 1, 0]])
        for name, mask, heads, scale in [
            ("truth", truth, (2, 2), None), ("truth of keys", truth[1:2], (4, 2), None),
            ("numbers", floats(2, 1, 5), (2, 2), None), ("numbers of queries", floats(4, 1), (4, 2), 0.75),
            ("numbers of all", floats(4, 4, 5), (4, 1), None), ("none", None, (4, 2), 0.75),
        ]:
            attend = lambda q, k, v, *mask: F.scaled_dot_product_attention(
                q, k, v, *(m if m.is_floating_point() else m == 1 for m in mask), scale=scale,
                enable_gqa=True)
            (all_heads, shared), more = heads, {} if scale is None else {"scale": scale}
            operands = [floats(2, all_heads, 4, 3), floats(2, shared, 5, 3), floats(2, shared, 5, 2)]
            case(f"attention, mask of {name} {heads}", "attention", attend, *operands,
                 *([] if mask is None else [mask]), causal=False, **more)


def trigonometry():
    inner = {"low": -0.95, "high": 0.95}
    for name, function, bounds, ends in [
        ("tan", torch.tan, {}, of(0, 1e-3, -3, 1.5, 100)),
        ("asin", torch.asin, inner, of(0, 2.0**-20, -1, 1)),
        ("acos", torch.acos, inner, of(0, 2.0**-20, -1, 1)),
        ("atan", torch.atan, {}, of(0, 2.0**-20, -1, 100, 2.0**40, math.inf, -math.inf)),
        ("sinh", torch.sinh, {}, of(0, 2.0**-20, -1, 1, 9, -9)),
        ("cosh", torch.cosh, {}, of(0, 2.0**-20, -1, 1, 9, -9)),
        ("asinh", torch.asinh, {}, of(0, 2.0**-20, -1, 100, -(2.0**60))),
        ("acosh", torch.acosh, {"low": 1.1, "high": 4}, of(1, 1 + 2.0**-20, 2, 2.0**60)),
        ("atanh", torch.atanh, inner, of(0, 2.0**-20, -1, 1)),
    ]:
        case(name, name, function, floats(2, 5, **bounds))
        case(f"{name} at ends", name, function, ends.to(torch.float32).to(torch.float64), once=True)
        case(f"{name} of NaN", name, function, of(math.nan), once=True)
    case("atan2", "atan2", torch.atan2, floats(3, 5), floats(3, 5))
    case("atan2 broadcast", "atan2", torch.atan2, floats(3, 1), floats(4))
    case("atan2 on axes", "atan2", torch.atan2, of(0, 0, -0.0, 1, -1), of(2, -2, -2, 0, 0))
    case("atan2 of zeros and infinities", "atan2", torch.atan2,
         of(0, 0, -0.0, math.inf, -math.inf, math.inf, 3, math.nan),
         of(0, -0.0, -0.0, math.inf, -math.inf, 2, -math.inf, 1), result_only=True)
    for name, function in [("is_inf", torch.isinf), ("is_finite", torch.isfinite)]:
        for values in [of(math.inf, -math.inf, 0), of(math.nan, 2.0**127, -1)]:
            case(f"{name} {values.tolist()}", name, lambda x: function(x).to(torch.float64), values,
                 result_only=True)
    alike = of(1, -1, 0.5, 0, 0, 0, 2, -3, 3, 3, 0, 1).reshape(4, 3)
    for name, order in [("norm_l1", 1), ("norm_max", math.inf)]:
        function = lambda x: torch.linalg.vector_norm(x, order, dim=axes)
        for axes in [[0], [1], [0, 2]]:
            case(f"{name} {axes}", name, function, floats(3, 4, 2), axes=axes)
        for axes in [[1], [0, 1]]:
            case(f"{name} of what is alike {axes}", name, function, alike, axes=axes)
    zeros = floats(3, 5)
    zeros[0, 1] = zeros[1, 0] = zeros[1, 3] = zeros[2, 4] = 0
    for axis in [0, 1, -1]:
        case(f"cumprod {axis}", "cumprod", lambda x: x.cumprod(axis), floats(3, 5), axis=axis)
        case(f"cumprod with zeros {axis}", "cumprod", lambda x: x.cumprod(axis), zeros, axis=axis)
    case("cumprod of 1", "cumprod", lambda x: x.cumprod(1), floats(2, 1), axis=1)
    for name, function in [("shl", torch.bitwise_left_shift), ("shr", torch.bitwise_right_shift)]:
        case(name, name, function, integers(1000, 2, 5), integers(20, 2, 5))
        case(f"{name} broadcast", name, function, integers(1000, 3), integers(20, 2, 1))
    case("shr by many", "shr", torch.bitwise_right_shift, integers(1000, 4), 29 + integers(20, 4))


def ctc():
    def loss(x, targets, lengths, target_lengths, blank):
        return F.ctc_loss(x.log_softmax(-1), targets, lengths, target_lengths, blank=blank,
                          reduction="none")

    for name, steps, targets, lengths, target_lengths, blank in [
        ("one label", 3, [[1]], [3], [1], 0),
        ("several", 7, [[1, 2, 2], [3, 1, 0]], [7, 6], [3, 2], 0),
        ("another blank", 6, [[0, 1], [1, 1]], [5, 6], [2, 2], 2),
        ("nothing said", 4, [[1], [2]], [4, 3], [0, 1], 0),
    ]:
        case(f"ctc {name}", "ctc", lambda x, *rest: loss(x, *rest, blank),
             floats(steps, len(targets), 4), torch.tensor(targets), torch.tensor(lengths),
             torch.tensor(target_lengths), blank=blank, once=True)
    # Two steps are too few for two equal labels.
    case("ctc too short", "ctc", lambda x, *rest: loss(x, *rest, 0).detach(), floats(2, 1, 4),
         torch.tensor([[1, 1]]), torch.tensor([2]), torch.tensor([2]), blank=0, once=True,
         result_only=True)


def every():
    activations()
    losses()
    rearranging()
    statistics()
    attention()
    trigonometry()
    ctc()
    arranging.every()
    masks()
    options.every()
