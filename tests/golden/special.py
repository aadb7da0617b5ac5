"""Infinities, NaN and zeros: the values and slopes of elementwise functions there."""

import math

import torch
import torch.nn.functional as F

from common import of
from operations import case

INF, NAN = math.inf, math.nan


def activations():
    ends = of(INF, -INF)
    for name, function in [
        ("relu", torch.relu), ("relu6", F.relu6), ("selu", F.selu), ("gelu", F.gelu),
        ("silu", F.silu), ("mish", F.mish), ("hard_sigmoid", F.hardsigmoid),
        ("hard_tanh", F.hardtanh), ("softplus", F.softplus),
        ("softsign", F.softsign), ("tanh_shrink", F.tanhshrink), ("log_sigmoid", F.logsigmoid),
        ("gelu_tanh", lambda x: F.gelu(x, approximate="tanh")), ("expm1", torch.expm1),
        ("abs", torch.abs), ("sign", torch.sign), ("sqrt", torch.sqrt), ("exp", torch.exp),
        ("log", torch.log), ("log1p", torch.log1p), ("sin", torch.sin), ("cos", torch.cos),
        ("tanh", torch.tanh), ("erf", torch.erf), ("sigmoid", torch.sigmoid),
        ("floor", torch.floor), ("sinh", torch.sinh), ("cosh", torch.cosh), ("tan", torch.tan),
        ("atan", torch.atan), ("asinh", torch.asinh),
    ]:
        case(f"{name} of infinities", name, function, ends, once=True)
        # torch's sign of NaN is 0, and the cotangents of selu and its like pass; here both are NaN.
        if name not in ["abs", "sign", "selu"]:
            case(f"{name} of NaN", name, function, of(NAN), once=True)
    for name, function, attributes in [
        ("leaky_relu", lambda x: F.leaky_relu(x, 0.5), {"slope": 0.5}),
        ("elu", F.elu, {"alpha": 1}),
        ("celu", F.celu, {"alpha": 1}),
        ("soft_shrink", lambda x: F.softshrink(x, 0.5), {"width": 0.5}),
        ("hard_shrink", lambda x: F.hardshrink(x, 0.5), {"width": 0.5}),
        ("threshold", lambda x: F.threshold(x, 0.5, -2.0), {"threshold": 0.5, "value": -2}),
        ("clip", lambda x: x.clamp(-1, 2), {"low": -1, "high": 2}),
    ]:
        case(f"{name} of infinities", name, function, ends, once=True, **attributes)
        # The cotangent of a clamped NaN is 0 in torch, that of hard_tanh passes; here both pass.
        if name not in ["elu", "celu", "clip"]:
            case(f"{name} of NaN", name, function, of(NAN), once=True, **attributes)
    # F.hardswish is NaN at -infinity, as x times 0 is; here it is 0 below -3.
    case("hard_swish of infinity", "hard_swish", F.hardswish, of(INF, 100), once=True)
    case("hard_swish of -infinity", "hard_swish", lambda x: torch.where(x <= -3, 0 * x.sign(), x),
         of(-INF, -100), once=True)
    case("prelu of infinities", "prelu", F.prelu, ends, of(0.5), once=True)


def losses():
    none = {"reduction": "none"}
    x, t = of(INF, -INF, 1, 1, NAN, 1), of(1, 1, INF, -INF, 1, NAN)
    for delta in [0.5, 2]:
        case(f"huber of infinities {delta}", "huber",
             lambda x, t: F.huber_loss(x, t, delta=delta, **none), x, t, delta=delta, once=True)
    for beta, n in [(0, 4), (0.5, 6)]:  # torch's sign of NaN is 0
        case(f"smooth_l1 of infinities {beta}", "smooth_l1",
             lambda x, t: F.smooth_l1_loss(x, t, beta=beta, **none), x[:n], t[:n], delta=beta,
             once=True)
    case("smooth_l1 0 is L1", "smooth_l1",
         lambda x, t: F.smooth_l1_loss(x, t, beta=0, **none), of(1, 2, -1.5, 0), of(3, 2, 1, 0), delta=0)


def powers():
    for p in [0, 1, 2, 3]:
        case(f"power to the number {p}", "power_by", lambda x: x.pow(float(p)), of(0, 0, -1, 2), p=p)


def every():
    activations()
    losses()
    powers()
