"""Functions that arrange elements: equations, pictures, windows, indices."""

import random

import torch
import torch.nn.functional as F

from common import floats
from operations import case


def einsum():
    for equation, *shapes in [
        ("ij,jk->ik", [3, 4], [4, 2]), ("bij,bjk->bik", [2, 3, 4], [2, 4, 2]), ("bji,bkj->ikb", [2, 4, 3], [2, 2, 4]),
        ("bij,jk", [2, 3, 4], [4, 2]), ("ba,Ab", [3, 2], [2, 3]), ("ij->ji", [3, 4]), ("ij->", [3, 4]),
        ("ii", [3, 3]), ("ii->i", [3, 3]), ("iji->j", [3, 4, 3]), ("i,j->ij", [3], [4]), ("i,i->", [5], [5]),
        ("ij,ij->i", [3, 4], [3, 4]), ("ij,kl->il", [3, 4], [2, 3]), ("ij,jk,kl->il", [2, 3], [3, 4], [4, 2]),
        ("bn,anm,bm->ba", [2, 3], [4, 3, 2], [2, 2]), ("...ij,...jk->...ik", [2, 3, 2, 3], [2, 3, 3, 2]),
        ("...ij,...jk", [2, 3, 2, 3], [3, 3, 2]), ("i...->...", [3, 2, 4]), ("...i->i", [3, 2, 4]),
        ("b h q d , b h k d -> b h q k", [2, 2, 3, 4], [2, 2, 2, 4]), ("ij,ij->j", [3, 1], [3, 4]), (",i->i", [], [4]),
    ]:
        case(f"einsum {equation}", "einsum", lambda *x: torch.einsum(equation, *x),
             *[floats(*shape) for shape in shapes], equation=equation)


def resize():
    for between, mode, corners in [
        ("nearest", "nearest", None), ("nearest_middle", "nearest-exact", None), ("linear", "bilinear", False),
        ("linear", "bilinear", True), ("cubic", "bicubic", False), ("cubic", "bicubic", True),
    ]:
        for source, sizes in [([3, 4], [6, 8]), ([5, 6], [3, 2]), ([4, 3], [5, 7]), ([2, 5], [2, 1])]:
            case(f"resize {mode} {corners} {source} {sizes}", "resize",
                 lambda x: F.interpolate(x, sizes, mode=mode, align_corners=corners),
                 floats(1, 2, *source), sizes=sizes, between=between, corners=bool(corners))
    for corners in [False, True]:
        for beyond, mode in [("zeros", "zeros"), ("edge", "border")]:
            case(f"grid_sample {corners} {beyond}", "grid_sample",
                 lambda x, grid: F.grid_sample(x, grid, padding_mode=mode, align_corners=corners),
                 floats(2, 2, 4, 5), floats(2, 3, 2, 2, low=-1.5, high=1.5) + 1 / 128, corners=corners,
                 beyond=beyond)


def windows():
    for kernel, dilation, padding, stride in [(2, 1, 0, 1), (3, 1, 1, 2), ((2, 3), (2, 1), (1, 0), (1, 2))]:
        pair = lambda x: list(x) if isinstance(x, tuple) else [x, x]
        options = {"dilation": dilation, "padding": padding, "stride": stride}
        attributes = {"kernel": pair(kernel)} | {key: pair(value) for key, value in options.items()}
        name = f"{kernel} {dilation} {padding} {stride}"
        x = floats(2, 2, 5, 6)
        columns = F.unfold(x, kernel, **options)
        case(f"unfold {name}", "unfold", lambda x: F.unfold(x, kernel, **options), x, **attributes)
        case(f"fold {name}", "fold", lambda x: F.fold(x, (5, 6), kernel, **options),
             floats(*columns.shape), sizes=[5, 6], **attributes)
    for p in [2.0, 3.0]:
        case(f"lp_pool {p}", "lp_pool", lambda x: F.lp_pool2d(x, p, 2), floats(1, 2, 4, 6, low=0.25), p=p)
    for size in [2, 3, 5]:
        case(f"local_response_norm {size}", "local_response_norm",
             lambda x: F.local_response_norm(x, size, 0.5, 0.75, 2.0), floats(2, 4, 3), size=size)
    x = floats(2, 2, 4, 6)
    y, places = F.max_pool2d(x, 2, return_indices=True)
    case("max_unpool", "max_unpool", lambda y, i: F.max_unpool2d(y, i, 2), y, places, sizes=[4, 6])
    case("places of the largest", "max_pool_indices",
         lambda x: F.max_pool2d(x, (2, 3), (2, 1), return_indices=True)[1].to(torch.float64), x,
         once=True, result_only=True)


def coordinates():
    at = torch.tensor([[0, 2], [2, 0], [1, 1], [0, 2]])
    case("gather_nd", "gather_nd", lambda x, i: x[i[:, 0], i[:, 1]], floats(3, 4, 2), at)
    case("gather_nd of all", "gather_nd", lambda x, i: x[i[:, 0], i[:, 1]], floats(3, 4), at)
    put = lambda x, i, u: x.index_put((i[:, 0], i[:, 1]), u, accumulate=True)
    case("scatter_nd", "scatter_nd", put, floats(3, 4, 2), at, floats(4, 2))
    case("scatter_nd of all", "scatter_nd", put, floats(3, 4), at, floats(4))


BYTES = random.Random(29)


def scaled(t):
    """Multiples of 1/64 whose largest, along all axes but the first too, is 127 of them."""
    t = t.clamp(-127 / 64, 127 / 64)
    t.flatten(1)[:, 0] = 127 / 64
    return t


def quantized():
    def product(x, w):
        scales = [(t.abs().amax(dim, keepdim=True) / 127) for t, dim in [(x, (0, 1)), (w, (1,))]]
        a, b = ((t / s).round().clamp(-127, 127) for t, s in zip([x, w], scales))
        return a @ b.T

    for m, n, k in [(3, 4, 8), (5, 2, 7), (1, 9, 33)]:
        case(f"product of bytes {m} {n} {k}", "matmul_i8", lambda x, w: product(x, w).detach(),
             scaled(floats(m, k)), scaled(floats(n, k)), once=True, result_only=True)
    def nearest(t, dims):
        scale = t.abs().amax(dims, keepdim=True) / 127
        return (t / scale).round().clamp(-127, 127)

    def convolved(x, w, **how):
        return F.conv2d(nearest(x, (0, 1, 2, 3)), nearest(w, (1, 2, 3)), **how)

    # Of their own, so that the numbers of other cases stay.
    own = lambda *shape: scaled(floats(*shape, source=BYTES))
    for groups, channels in [(1, 5), (2, 6)]:
        case(f"convolution of bytes {groups}", "convolution_i8",
             lambda x, w: convolved(x, w, stride=2, padding=1, groups=groups).detach(),
             own(2, channels, 7, 6), own(4, channels // groups, 3, 3), groups=groups, once=True,
             result_only=True)
    case("requantize", "requantize", lambda x, r: (x * r).round().clamp(-127, 127).detach(),
         64 * own(5, 6), floats(6, source=BYTES), once=True, result_only=True)
    for scale in [0.25, 1.0]:
        case(f"quantize {scale}", "quantize", lambda x: (x / scale).round().clamp(-127, 127).detach(),
             40 * floats(3, 6), scale=scale, once=True, result_only=True)


def every():
    einsum()
    resize()
    windows()
    coordinates()
    quantized()
