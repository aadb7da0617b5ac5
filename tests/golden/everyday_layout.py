"""Layout, padding, resampling, pooling and convolution with the options that everyday models use.

They are in a file of their own, everyday_layout.json, which `python tests/golden/everyday_layout.py`
writes alone.
"""

import torch
import torch.nn.functional as F

import operations
from common import EPS, floats, write
from operations import case


def layout():
    for shape in [[-1, 4], [2, -1, 2], [-1]]:
        case(f"reshape {shape}", "reshape", lambda x: x.reshape(shape), floats(2, 3, 4), shape=shape)
    for shape in [[2, -1, 4], [3, -1, 3, -1]]:
        case(f"broadcast_to {shape}", "broadcast_to", lambda x: x.expand(shape), floats(1, 3, 1)
             if len(shape) == 3 else floats(2, 1, 4), shape=shape)
    for axes in [[0, -1, 1], [-1, -3, -2]]:
        case(f"transpose {axes}", "transpose", lambda x: x.permute(axes), floats(2, 3, 4), axes=axes)
    for start, end in [(0, 2), (2, 0), (-1, 0), (0, -1), (1, -2)]:
        case(f"move_axis {start} {end}", "move_axis", lambda x: x.movedim(start, end),
             floats(2, 3, 4), move=[start, end])
    for start, end in [(-3, None), (None, -1), (1, -2), (-4, -1), (-5, 5)]:
        case(f"slice {start} {end}", "slice", lambda x: x[:, start:end], floats(2, 5),
             start=start, end=end)
    for shifts, axes in [([1, -2], [0, 1]), ([7, 4], [-1, 0]), ([1, 3], [1, 1])]:
        case(f"roll {shifts} {axes}", "roll_axes", lambda x: torch.roll(x, shifts, axes),
             floats(3, 5, 2), shifts=shifts, axes=axes)


def pads():
    """Pairs in the order of the axes; PyTorch has them from the last."""
    modes = ["constant", "reflect", "replicate", "circular"]
    for pairs in [[[1, 2], [0, 1]], [[2, 0], [1, 3]], [[-1, 2], [2, -2]], [[-1, -1], [0, -3]],
                  [[3, -2], [-3, 2]]]:
        for mode in modes:
            # What is cropped cannot come from the other end.
            if mode == "circular" and pairs[0] == [3, -2]:
                continue
            last = [n for pair in reversed(pairs) for n in pair]
            value = {"value": -1.5} if mode == "constant" else {}
            case(f"pad {mode} {pairs}", "pad_mode", lambda x: F.pad(x, last, mode, **value),
                 floats(1, 2, 4, 5), pads=[[0, 0], [0, 0], *pairs], mode=mode)
    for mode in modes[1:]:
        case(f"pad {mode} of volumes", "pad_mode", lambda x: F.pad(x, [1, 1, 2, 0, 0, 1], mode),
             floats(1, 1, 2, 3, 4), pads=[[0, 0], [0, 0], [0, 1], [2, 0], [1, 1]], mode=mode)


def convolutions():
    """With a bias, and what is padded in other ways before."""
    for label, x, w, options in [
        ("1d", [2, 2, 7], [3, 2, 3], {"stride": 2}),
        ("2d", [1, 4, 5, 4], [4, 2, 3, 2], {"stride": (2, 1), "padding": (1, 0), "groups": 2}),
        ("3d", [1, 2, 3, 3, 4], [2, 2, 2, 2, 3], {"padding": 1}),
    ]:
        function = [F.conv1d, F.conv2d, F.conv3d][len(x) - 3]
        case(f"convolution_with_bias {label}", "convolution_with_bias",
             lambda x, w, b: function(x, w, b, **options), floats(*x), floats(*w), floats(w[0]),
             **options)
    for label, x, w, options in [
        ("1d", [2, 2, 4], [2, 3, 3], {"stride": 2}),
        ("2d", [1, 4, 3, 3], [4, 2, 3, 2], {"stride": (2, 1), "padding": (1, 0), "groups": 2}),
    ]:
        function = [F.conv_transpose1d, F.conv_transpose2d][len(x) - 3]
        case(f"transposed_convolution_with_bias {label}", "transposed_convolution_with_bias",
             lambda x, w, b: function(x, w, b, **options), floats(*x), floats(*w),
             floats(w[1] * options.get("groups", 1)), **options)
    for mode in ["reflect", "replicate", "circular"]:
        layer = torch.nn.Conv2d(2, 3, 3, padding=1, padding_mode=mode)

        def convolved(x, w, b):
            return torch.func.functional_call(layer, {"weight": w, "bias": b}, (x,))

        case(f"convolution padded by {mode}", "padded_convolution", convolved,
             floats(1, 2, 4, 5), floats(3, 2, 3, 3), floats(3), mode=mode)


def normalizations():
    x = [3, 4, 2, 3]
    # `once`: PyTorch fails at second derivatives without a scale or without a shift.
    for given in ["both", "scale", "shift", "none"]:
        scale = [floats(4)] if given in ["both", "scale"] else []
        shift = [floats(4)] if given in ["both", "shift"] else []

        def affine(rest):
            rest = list(rest)
            weight = rest.pop(0) if scale else None
            return weight, rest.pop(0) if shift else None

        case(f"batch_norm {given}", "batch_norm_given",
             lambda x, m, v, *rest: F.batch_norm(x, m.detach(), v.detach(), *affine(rest), eps=EPS),
             floats(*x), floats(4), floats(4, low=0.25, high=2), *scale, *shift, given=given,
             base_only=True, once=True)
        case(f"batch_norm_training {given}", "batch_norm_training",
             lambda x, *rest: F.batch_norm(x, None, None, *affine(rest), training=True, eps=EPS),
             floats(*x), *scale, *shift, given=given, once=given != "both")
        case(f"instance_norm {given}", "instance_norm",
             lambda x, *rest: F.instance_norm(x, None, None, *affine(rest), eps=EPS),
             floats(*x), *scale, *shift, given=given, once=given != "both")
        case(f"group_norm {given}", "group_norm_given",
             lambda x, *rest: F.group_norm(x, 2, *affine(rest), eps=EPS),
             floats(*x), *scale, *shift, given=given, once=given != "both")
        if given == "none":
            continue
        last = [floats(2, 3) for _ in [*scale, *shift]]
        case(f"layer_norm {given}", "layer_norm_given",
             lambda x, *rest: F.layer_norm(x, [2, 3], *affine(rest), eps=EPS), floats(*x), *last,
             given=given, once=given != "both")

    def statistics(x):
        running = torch.zeros(4), torch.zeros(4)
        # With a momentum of 1 they are those of the batch.
        F.batch_norm(x, *running, training=True, momentum=1.0, eps=EPS)
        return torch.cat(running)

    case("batch_norm_training statistics", "batch_norm_statistics", statistics, floats(*x),
         result_only=True, once=True)


def pools():
    for label, x, extent, options in [
        ("1d", [2, 2, 7], [3], {"stride": 2, "padding": 1}),
        ("2d", [1, 2, 5, 6], [3, 2], {"stride": (2, 1), "padding": (1, 0)}),
        ("2d ceil", [1, 2, 6, 7], [3, 4], {"stride": 3, "padding": (0, 1), "ceil_mode": True}),
        ("3d", [1, 1, 3, 4, 5], [2, 2, 2], {"ceil_mode": True}),
    ]:
        axes = len(extent)
        if axes > 1:
            function = [F.avg_pool2d, F.avg_pool3d][axes - 2]
            run = lambda x: function(x, extent, divisor_override=5, **options)
        else:
            run = lambda x: F.avg_pool1d(x, extent, **options) * 3 / 5
        case(f"sum_pool {label}", "sum_pool", run, floats(*x), extent=extent, divisor=5, **options)
    for p in [1.0, 2.0]:
        case(f"lp_pool ceil {p}", "lp_pool_ceil",
             lambda x: F.lp_pool2d(x, p, (3, 2), stride=2, ceil_mode=True),
             floats(1, 2, 6, 5, low=0.25), p=p)


def resizes():
    half = {"align_corners": False}
    for mode, options in [("nearest", {}), ("nearest-exact", {}), ("bilinear", half),
                          ("bilinear", {"align_corners": True}), ("bicubic", half),
                          ("bicubic", {"align_corners": True}), ("area", {}),
                          ("bilinear", {"antialias": True}), ("bicubic", {"antialias": True})]:
        attributes = {"mode": mode, "smooth": "antialias" in options,
                      "corners": options.get("align_corners", False)}
        name = f"{mode} {options}"
        # Not of an extent that stays: PyTorch copies such an axis on CPUs, for some modes, whatever the
        # factor, and on GPUs it does not.
        for source, factors in [([5, 6], [1.3, 0.7]), ([7, 4], [0.4, 2.25]), ([4, 9], [1.3, 0.35])]:
            case(f"resize_by {name} {factors}", "resize_by",
                 lambda x: F.interpolate(x, scale_factor=factors, mode=mode, **options),
                 floats(1, 2, *source), factors=factors, **attributes)
        if mode == "area" or "antialias" in options:
            for source, sizes in [([5, 6], [3, 4]), ([9, 4], [2, 7]), ([4, 8], [4, 1])]:
                case(f"resize {name} {sizes}", "resize_mode",
                     lambda x: F.interpolate(x, sizes, mode=mode, **options),
                     floats(1, 2, *source), sizes=sizes, **attributes)
    case("resize area of volumes", "resize_mode",
         lambda x: F.interpolate(x, [2, 3, 2], mode="area"), floats(1, 1, 3, 5, 4),
         sizes=[2, 3, 2], mode="area", smooth=False, corners=False)


def grids():
    for corners in [False, True]:
        for mode, beyond in [("zeros", "zeros"), ("border", "edge"), ("reflection", "mirror")]:
            options = {"padding_mode": mode, "align_corners": corners}
            attributes = {"corners": corners, "beyond": beyond}
            name = f"{corners} {beyond}"
            case(f"grid_sample_cubic {name}", "grid_sample_cubic",
                 lambda x, grid: F.grid_sample(x, grid, mode="bicubic", **options),
                 floats(2, 2, 4, 5), floats(2, 3, 2, 2, low=-1.75, high=1.75) + 1 / 128,
                 once=True, **attributes)
            points = floats(1, 2, 2, 3, 3, low=-1.75, high=1.75) + 1 / 128
            case(f"grid_sample of volumes {name}", "grid_sample",
                 lambda x, grid: F.grid_sample(x, grid, **options), floats(1, 2, 3, 4, 5), points,
                 once=True, **attributes)
            case(f"grid_sample_nearest of volumes {name}", "grid_sample_nearest",
                 lambda x, grid: F.grid_sample(x, grid.detach(), mode="nearest", **options),
                 floats(1, 2, 3, 4, 5), points, once=True, base_only=True, **attributes)


def every():
    return operations.apart((41, 43), layout, pads, convolutions, normalizations, pools, resizes, grids)


if __name__ == "__main__":
    write("everyday_layout.json", every())
