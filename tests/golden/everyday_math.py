"""Everyday functions that PyTorch's users miss: logarithms of other bases, remainders that are rounded down,
bounds that are tensors, running extremes, quantiles, and elements replaced by index."""

import math

import torch
import torch.nn.functional as F

import common
import operations
from common import floats, integers, of, write
from operations import case

INF, NAN = math.inf, math.nan


def signed(label, op, function, *operands, **attributes):
    """A case of integers that may be negative."""
    case(label, op, function, *operands, **attributes)
    for operand in operations.CASES[-1]["operands"]:
        operand["dtype"] = "i32"


def powers():
    positive = floats(3, 4, low=0.25, high=3)
    for name, function, x, ends in [
        ("exp2", torch.exp2, floats(3, 4), of(0, 1, -3, 10, INF, -INF, NAN)),
        ("log2", torch.log2, positive, of(0, 1, 8, 0.125, INF, NAN)),
        ("log10", torch.log10, positive, of(0, 1, 10, 1000, 100000, INF, NAN)),
        ("rsqrt", torch.rsqrt, positive, of(0, 4, INF, -1, NAN)),
        ("reciprocal", torch.reciprocal, positive, of(0, -4, INF, -INF, NAN)),
        ("square", torch.square, floats(3, 4), of(0, -4, INF, -INF, NAN)),
    ]:
        case(name, name, function, x)
        case(f"{name} at the ends", name, function, ends, once=True)
    for base in [2.0, 0.5, 1.0]:
        case(f"{base} to the power", "power_of", lambda x: torch.pow(base, x), floats(2, 5), base=base)
    case("0 to the power", "power_of", lambda x: torch.pow(0.0, x), of(0, 1, 2.5), base=0, once=True)


def quotients():
    a, b = floats(4, 5), floats(5, low=0.3) * of(1, -1, 1, -1, 1)
    case("remainder", "remainder", torch.remainder, a, b)
    case("remainder by a number", "remainder_by", lambda x: torch.remainder(x, -0.75), a, by=-0.75)
    a = of(-7, 7, -7, 7, 6, -6, 0, 2**-40, -2**-40, 3, -3, -3)
    b = of(3, -3, -3, 3, 3, 3, -3, 1, 1, INF, INF, -INF)
    case("remainder of signs", "remainder", torch.remainder, a, b, once=True)
    case("remainder of signs by rem", "rem", torch.fmod, a, b, once=True)
    more_a, more_b = torch.cat([a, of(5, -5, 0, INF, NAN, 1)]), torch.cat([b, of(0, 0, 0, 3, 1, NAN)])
    for name, function in [("remainder", torch.remainder), ("floor_divide", torch.floor_divide)]:
        case(f"{name} at the ends", name, function, more_a, more_b, result_only=True)
    case("floor_divide", "floor_divide", lambda a, b: torch.div(a, b, rounding_mode="floor"), floats(4, 5),
         floats(5, low=0.3) * of(1, -1, 1, -1, 1), once=True)
    case("floor_divide next to integers", "floor_divide", torch.floor_divide, of(3, 3, 6, -6, 7),
         of(1, 0.75, 0.375, 0.75, 0.875), result_only=True)
    a, b = torch.tensor([-7, 7, -7, 7, 6, -6, 0, -1]), torch.tensor([3, -3, -3, 3, 3, 3, -3, 2**31 - 1])
    for name, function in [("remainder", torch.remainder), ("floor_divide", torch.floor_divide),
                           ("rem", torch.fmod)]:
        signed(f"{name} of integers", name, function, a, b)
        case(f"{name} of counts", name, function, integers(50, 9), 1 + integers(7, 9))
    case("log_add_exp", "log_add_exp", torch.logaddexp, floats(3, 4), floats(4))
    x = of(-INF, INF, INF, NAN, INF, 1000, -1000, 2)
    y = of(-INF, INF, -INF, INF, NAN, 1000, 1000, 2)
    case("log_add_exp at the ends", "log_add_exp", torch.logaddexp, x, y, result_only=True)
    case("log_add_exp far out", "log_add_exp", torch.logaddexp, x[5:], y[5:], once=True)


def bounds():
    x, low, high = 2 * floats(3, 4), floats(4, low=-2, high=0), floats(3, 1, low=0.25, high=2)
    clamp = torch.clamp
    case("clip between tensors", "clip_to", clamp, x, low, high)
    case("clip above a tensor", "clip_to", lambda x, low: x.clamp(min=low), x, low, high="inf")
    case("clip below a tensor", "clip_to", lambda x, high: x.clamp(max=high), x, high, low="-inf")
    case("clip above a tensor and below 0.5", "clip_to",
         lambda x, low: x.clamp(low, torch.full_like(low, 0.5).detach()), x, low, high=0.5)
    # Every order of three numbers.
    three = torch.cartesian_prod(of(0, 1, 2), of(0, 1, 2), of(0, 1, 2))
    case("clip at ties", "clip_to", clamp, *(x.contiguous() for x in three.unbind(1)), once=True)
    # torch's cotangents of what is NaN go to x, unless that is beyond the other bound.
    x, low, high = of(NAN, 0, 0, NAN, 1, 0.5), of(0, NAN, -1, NAN, NAN, 0), of(1, 1, NAN, NAN, NAN, NAN)
    case("clip of NaN", "clip_to", clamp, x, low, high, result_only=True)
    for low, high in [(-2, 3), (0.5, 0.5), (-INF, 1)]:
        name = {-INF: "-inf"}.get(low, low)
        case(f"hard_tanh_with {low} {high}", "hard_tanh_with", lambda x: F.hardtanh(x, low, high),
             2 * floats(3, 4), low=name, high=high)
    case("hard_tanh_with at its ends", "hard_tanh_with", lambda x: F.hardtanh(x, -2, 3),
         of(-2, 3, 0, INF, -INF, NAN), low=-2, high=3, once=True)
    signed("clip of integers", "clip_to", lambda x: x.clamp(-3, 5), torch.arange(-6, 9), low=-3, high=5)


def lines():
    x = floats(3, 5, 4)
    ties = of(1, -INF, 1, 3, 3, 2, NAN, 5, NAN, INF).reshape(2, 5)
    for name, function in [("cummax", torch.cummax), ("cummin", torch.cummin)]:
        for axis in [0, 1, -1]:
            case(f"{name} {axis}", name, lambda x: function(x, axis).values, x, axis=axis)
        case(f"{name} of ties", name, lambda x: function(x, 1).values, of(2, 1, 2, 2, 1, 3).reshape(1, 6), axis=1)
        case(f"{name} of NaN", name, lambda x: function(x, 1).values, ties, axis=1, once=True)
        case(f"{name} of NaN, indices", f"{name}_indices", lambda x: function(x, 1).indices, ties, axis=1)
        case(f"{name} of nothing", name, lambda x: function(x, 1).values, torch.zeros(2, 0), axis=1, once=True)
        signed(f"{name} of integers", name, lambda x: function(x, 0).values, torch.tensor([3, -2, 3, 7, -9, 7]), axis=0)
    for axis in [0, 1, -1]:
        case(f"log_cumsum_exp {axis}", "log_cumsum_exp", lambda x: x.logcumsumexp(axis), x, axis=axis, once=True)
    far = of(-INF, -INF, 1, 10000, -10000, 10000)
    case("log_cumsum_exp far out", "log_cumsum_exp", lambda x: x.logcumsumexp(0), far, axis=0, result_only=True)
    # torch's derivative of leading infinities is NaN.
    case("log_cumsum_exp of large numbers", "log_cumsum_exp", lambda x: x.logcumsumexp(0), far[2:], axis=0, once=True)
    case("log_cumsum_exp of NaN", "log_cumsum_exp", lambda x: x.logcumsumexp(0), of(1, NAN, 2), axis=0,
         result_only=True)
    for axis in [0, 1, -1]:
        case(f"median {axis}", "median", lambda x: x.median(axis).values, x, axis=axis)
        case(f"median {axis}, indices", "median_indices", lambda x: x.median(axis).indices, x, axis=axis)
    nans = of(1, NAN, 3, 2, NAN, 0, 4, 1, 2, 6).reshape(2, 5)
    nan = of(1, NAN, 3, 2, -1, 0, 4, 1, 2, 6).reshape(2, 5)
    case("median of NaN", "median", lambda x: x.median(1).values, nans, axis=1, once=True)
    case("median of NaN, indices", "median_indices", lambda x: x.median(1).indices, nans, axis=1)
    for method in ["linear", "lower", "higher", "midpoint", "nearest"]:
        for axis in [0, 1]:
            qs = [0.0, 0.125, 0.25, 0.5, 0.6875, 1.0]
            case(f"quantile {method} {axis}", "quantiles",
                 lambda x: torch.quantile(x, torch.tensor(qs), axis, interpolation=method), floats(4, 6), axis=axis,
                 qs=qs, method=method)
        case(f"quantile {method} of NaN", "quantiles",
             lambda x: torch.quantile(x, torch.tensor([0.25, 0.5]), 1, interpolation=method), nan, axis=1,
             qs=[0.25, 0.5], method=method, once=True)
    case("quantile 0.3", "quantile", lambda x: torch.quantile(x, 0.3, 1), floats(3, 7), axis=1, q=0.3)
    for k in [0, 2, 5]:
        case(f"bottom {k}", "bottom_k", lambda x: x.topk(k, 1, largest=False).values, x, axis=1, k=k, once=k == 0)
    case("bottom 4 with NaN", "bottom_k", lambda x: x.topk(4, 0, largest=False).values, of(3, NAN, 1, 2), axis=0, k=4,
         once=True)


def distinct(below, *shape):
    """Indices of which none occurs twice along the last axis."""
    rows = math.prod(shape[:-1])
    return torch.stack([torch.tensor(common.NUMBERS.sample(range(below), shape[-1])) for _ in range(rows)]).reshape(
        shape)


def scatters():
    for shape, at in [([3, 6], [3, 4]), ([3, 6], [2, 6]), ([2, 3, 5], [2, 2, 3])]:
        case(f"scatter_elements {shape} {at}", "scatter_elements", lambda x, k, u: x.scatter(-1, k, u), floats(*shape),
             distinct(shape[-1], *at), floats(*at), axis=-1)
    case("scatter_elements 0", "scatter_elements", lambda x, k, u: x.scatter(0, k, u), floats(6, 3),
         distinct(6, 3, 4).T.contiguous(), floats(4, 3), axis=0)
    # More updates than indices: torch has no derivative of them.
    case("scatter_elements, longer updates", "scatter_elements", lambda x, k, u: x.scatter(1, k, u).detach(),
         floats(3, 6), distinct(6, 2, 3), floats(3, 4), axis=1, result_only=True)
    case("scatter_elements of a number", "scatter_number", lambda x, k: x.scatter(1, k, 0.5), floats(3, 6),
         integers(6, 3, 4), axis=1, number=0.5)
    case("scatter_elements, no updates", "scatter_elements", lambda x, k, u: x.scatter(1, k, u), floats(2, 3),
         torch.zeros(2, 0, dtype=torch.long), torch.zeros(2, 0), axis=1, once=True)
    for include_self in [True, False]:
        for name in ["sum", "prod", "mean", "amax", "amin"]:
            for axis, shape, at in [(1, [3, 4], [3, 6]), (0, [4, 3], [5, 2]), (1, [2, 3, 2], [2, 5, 2])]:
                case(f"scatter_reduce {name} {axis} {shape} {include_self}", "scatter_reduce",
                     lambda x, k, u: x.scatter_reduce(axis, k, u, name, include_self=include_self), floats(*shape),
                     integers(shape[axis], *at), floats(*at), axis=axis, reduction=name, include_self=include_self,
                     once=True)
        for name in ["amax", "amin"]:
            # torch counts elements that are not included among those that share.
            case(f"scatter_reduce {name} of ties {include_self}", "scatter_reduce",
                 lambda x, k, u: x.scatter_reduce(0, k, u, name, include_self=include_self), of(1, 2, 0.25, 4),
                 torch.tensor([0, 0, 2, 2, 2]), of(1, 5, 3, 3, 0) if name == "amax" else of(0.5, 0.5, 3, 0.5, 0.5),
                 axis=0, reduction=name, include_self=include_self, once=True)
    x, k, u = of(0, 2, 0, 1.5), torch.tensor([0, 0, 2, 2, 3]), of(0, 5, 0, 3, 2)
    case("scatter_reduce prod of zeros", "scatter_reduce", lambda x, k, u: x.scatter_reduce(0, k, u, "prod"), x, k, u,
         axis=0, reduction="prod", include_self=True, once=True)
    for name in ["sum", "prod", "mean", "amax", "amin"]:
        case(f"scatter_reduce {name} of NaN", "scatter_reduce",
             lambda x, k, u: x.scatter_reduce(0, k, u, name).detach(), of(INF, 2, NAN, 4, 1), torch.tensor([0, 0, 2, 4, 1]),
             of(-INF, 5, 3, NAN, INF), axis=0, reduction=name, include_self=True, result_only=True)
        signed(f"scatter_reduce {name} of integers", "scatter_reduce",
               lambda x, k, u: x.scatter_reduce(0, k, u, name), torch.tensor([7, -7, 3]), torch.tensor([0, 1, 1, 0]),
               torch.tensor([-4, 4, 2, 9]), axis=0, reduction=name, include_self=True)
        operations.CASES[-1]["operands"][1]["dtype"] = "u32"
    for axis, shape in [(0, [5, 2]), (1, [2, 5, 3])]:
        updates = [*shape]
        updates[axis] = 3
        case(f"index_copy {axis}", "index_copy", lambda x, k, u: x.index_copy(axis, k, u), floats(*shape),
             distinct(5, 3), floats(*updates), axis=axis)
    case("index_put", "index_put", lambda x, k, u: x.index_put((k[:, 0], k[:, 1]), u), floats(3, 4, 2),
         torch.tensor([[2, 1], [0, 3], [1, 1]]), floats(3, 2))


def every():
    return operations.apart((53, 59), powers, quotients, bounds, lines, scatters)


if __name__ == "__main__":
    write("everyday_math.json", every())
