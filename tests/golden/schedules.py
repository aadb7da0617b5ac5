"""Schedules of the learning rate: the rate at every step, where that of the optimizer is 1.

They are in a file of their own, schedules.json, which `python tests/golden/schedules.py` writes alone.
"""

import math
import warnings

import torch
from torch.optim import lr_scheduler as lr

from common import plain, write

# SequentialLR asks its schedulers for a step of its own, which they deprecate.
warnings.filterwarnings("ignore", "The epoch parameter", UserWarning)


def rates(make, steps, metrics=None):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if metrics:
            scheduler.step(metrics[step])
        elif step + 1 < steps:
            scheduler.step()
    return rates


def case(kind, steps, **options):
    return {"kind": kind, **options,
            "factors": rates(lambda of: getattr(lr, kind)(of, **options), steps)}


def made(kind, steps, make, **options):
    return {"kind": kind, **options, "factors": rates(make, steps)}


def plateau(metrics, **options):
    # Of the rate itself, which is not of interest here: every change of it is made.
    make = lambda of: lr.ReduceLROnPlateau(of, eps=0, **options)
    return {"kind": "ReduceLROnPlateau", **options, "metrics": [plain(x) for x in metrics],
            "factors": rates(make, len(metrics), metrics)}


def falling():
    """Falls, rests on a plateau that is not quite flat, and falls again; NaN, and infinite once."""
    values = [1 / (1 + step) for step in range(8)]
    values += [0.125 + 0.001 * math.sin(7 * step) for step in range(14)] + [math.nan, math.inf]
    return values + [0.125 - 0.00001 * step for step in range(20)] + [0.06, 0.05, 0.05, 0.05]


def every():
    return [
        case("StepLR", 40, step_size=7, gamma=0.3),
        case("MultiStepLR", 40, milestones=[5, 12, 12, 30], gamma=0.2),
        case("ExponentialLR", 40, gamma=0.93),
        case("ConstantLR", 20, factor=0.25, total_iters=9),
        case("LinearLR", 30, start_factor=0.2, end_factor=0.9, total_iters=17),
        case("LinearLR", 30, start_factor=1.0, end_factor=0.0, total_iters=25),
        case("PolynomialLR", 40, total_iters=33, power=1.0),
        case("PolynomialLR", 40, total_iters=33, power=2.5),
        # Up to the end, behind which PyTorch's rises again.
        case("CosineAnnealingLR", 41, T_max=40, eta_min=0.0),
        case("CosineAnnealingLR", 30, T_max=29, eta_min=0.05),
        case("CosineAnnealingWarmRestarts", 60, T_0=8, T_mult=1, eta_min=0.0),
        case("CosineAnnealingWarmRestarts", 60, T_0=7, T_mult=2, eta_min=0.01),
        *[case("OneCycleLR", steps, max_lr=1.0, total_steps=steps, cycle_momentum=False, **options)
          for steps, options in [
              (50, {}),
              (37, {"anneal_strategy": "linear"}),
              (40, {"pct_start": 0.45, "div_factor": 10.0, "final_div_factor": 100.0}),
              # The peak is before the first step.
              (3, {}), (1, {}), (10, {"pct_start": 0.0}), (10, {"pct_start": 1.0}),
          ]],
        made("SequentialLR", 50, lambda of: lr.SequentialLR(of, [
            lr.LinearLR(of, start_factor=1 / 11, total_iters=10),
            lr.CosineAnnealingLR(of, T_max=40, eta_min=0.02),
        ], [10]), warm_up=10, T_max=40, eta_min=0.02),
        made("ChainedScheduler", 40, lambda of: lr.ChainedScheduler([
            lr.ConstantLR(of, factor=0.1, total_iters=20), lr.ExponentialLR(of, gamma=0.9),
        ]), factor=0.1, total_iters=20, gamma=0.9),
        plateau(falling(), mode="min", factor=0.1, patience=4),
        plateau(falling(), mode="min", factor=0.5, patience=2, threshold=0.02, cooldown=3),
        plateau(falling(), mode="min", factor=0.5, patience=0, threshold=0.0005,
                threshold_mode="abs", min_lr=0.03),
        plateau([math.nan, *(1 - x for x in falling())], mode="max", factor=0.3, patience=3),
        plateau([1 - x for x in falling()], mode="max", factor=0.3, patience=1, threshold=0.002,
                threshold_mode="abs", cooldown=1, min_lr=0.001),
    ]


if __name__ == "__main__":
    write("schedules.json", every())
