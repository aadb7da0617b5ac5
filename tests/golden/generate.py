"""Writes operations.json, everyday_math.json, everyday_layout.json, losses.json, schedules.json,
trajectories.json, optimizers.json, models.json and shapes.json: what PyTorch computes in f64.

Run by hand, `python tests/golden/generate.py`, with PyTorch (2.15.0 made the files that are
committed); tests only read what it wrote. The same version writes the same numbers, whatever the
machine, up to the last digits.

Both sides begin with equal numbers: operands, weights and batches are multiples of 1/64 or other
fractions that f32 holds exactly. wgrad's reference device computes in f64, but constants in its graphs are f32:
eps of normalizations, learning rates, momenta, and those inside of Adam. Here they are rounded
alike, by `f32()`. Adam's own constants (1 - beta,
ln beta) cannot be given to torch.optim.Adam; so its formula stands in trajectories.py with the rounded ones
(`AdamRounded`), and each model with Adam is trained twice: `losses` and `final` are of the rounded
formula, `judge` holds the losses of torch.optim.Adam itself, with nothing rounded but the learning
rate. Sgd is torch.optim.SGD. The momentum of running statistics is not rounded. Optimizers in
optimizers.py are PyTorch's own where it has them, with numbers that need no rounding.

Layouts and names of parameters are PyTorch's on both sides.
"""

import torch

import everyday_math
import everyday_layout
import extremes
import functions
import hidden
import losses
import models
import operations
import optimizers
import schedules
import special
import trajectories
from common import write

if __name__ == "__main__":
    operations.every()
    functions.every()
    special.every()
    hidden.every()
    extremes.every()
    write("operations.json", operations.CASES)
    write("everyday_math.json", everyday_math.every())
    write("everyday_layout.json", everyday_layout.every())
    write("losses.json", losses.every())
    write("schedules.json", schedules.every())
    write("trajectories.json", trajectories.every())
    write("optimizers.json", optimizers.every())
    write("models.json", models.every())
    write("shapes.json", models.SHAPES)
    print(len(operations.CASES), "operations with PyTorch", torch.__version__)
