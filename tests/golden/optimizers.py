"""Optimizers: parameters after each of some steps along given gradients."""

import math
import random

import torch
from torch import optim

from common import array, f32, floats, numbers

STEPS = 12
# Numbers that f32 holds exactly, and 1 minus which it does: nothing is rounded but logarithms of
# the betas. Those of an entry "by default" are PyTorch's defaults, which wgrad rounds to f32.
LR, DECAY, EPS = 1 / 64, 1 / 16, 2**-20
BETAS = (7 / 8, 1 - 2**-10)
OWN = random.Random(17)


class Rule(optim.Optimizer):
    """A rule that PyTorch has not."""

    def __init__(self, params, **numbers):
        super().__init__(params, numbers)
        self.t = 0

    @torch.no_grad()
    def step(self):
        self.t += 1
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state.update(m=torch.zeros_like(p), v=torch.zeros_like(p))
                self.rule(p, p.grad, state, group)


class Lion(Rule):
    """Program 1 of arXiv:2302.06675."""

    def rule(self, p, g, state, of):
        b1, b2 = of["betas"]
        direction = b1 * state["m"] + (1 - b1) * g
        # Where it is not 0, no rounding changes its sign.
        terms = b1 * state["m"].abs() + (1 - b1) * g.abs()
        assert ((terms == 0) | (direction.abs() > 1e-5 * terms)).all()
        p -= of["lr"] * (direction.sign() + of["decay"] * p)
        state["m"] = b2 * state["m"] + (1 - b2) * g


class Lamb(Rule):
    """Algorithm 2 of arXiv:1904.00962."""

    def rule(self, p, g, state, of):
        b1, b2 = of["betas"]
        state["m"] = b1 * state["m"] + (1 - b1) * g
        state["v"] = b2 * state["v"] + (1 - b2) * g * g
        m, v = state["m"] / (1 - b1**self.t), state["v"] / (1 - b2**self.t)
        direction = m / (v.sqrt() + of["eps"]) + of["decay"] * p
        norm, length = p.norm().item(), direction.norm().item()
        p -= of["lr"] * (norm / length if norm > 0 and length > 0 else 1) * direction


class Muon(Rule):
    """torch.optim.Muon without its rounding to bf16, and with coefficients rounded to f32."""

    def rule(self, p, g, state, of):
        state["m"] = of["momentum"] * state["m"] + (1 - of["momentum"]) * g
        ahead = of["momentum"] * state["m"] + (1 - of["momentum"]) * g
        x = (ahead if of["nesterov"] else state["m"]).flatten(1)
        rows, columns = x.shape
        left, singular, right = torch.linalg.svd(x, full_matrices=False)
        singular = singular / max(x.norm().item(), f32(1e-7))
        a, b, c = f32(3.4445), f32(-4.775), f32(2.0315)
        for _ in range(5):
            singular = a * singular + b * singular**3 + c * singular**5
        x = (left * singular) @ right
        if of["adjust"] == "match_rms_adamw":
            scale = 0.2 * math.sqrt(max(rows, columns))
        else:
            scale = math.sqrt(max(1, rows / columns))
        p *= 1 - of["lr"] * of["decay"]
        p -= of["lr"] * f32(scale) * x.reshape(p.shape)


def given(*shapes):
    """Parameters, the last of which begins at 0, and their gradients: multiples of 1/64, some zero,
    those of the last parameter in the first step, and so small at its end that epsilons count."""
    params = [floats(*shape, source=OWN) for shape in shapes]
    params[-1] = torch.zeros(*shapes[-1])
    gradients = []
    for step in range(STEPS):
        each = [floats(*shape, source=OWN) for shape in shapes]
        each = [torch.where(floats(*g.shape, source=OWN) > -1, g, 0.0) for g in each]
        each[0][0, 0] = 0
        each[-1].view(-1)[-1] *= 2**-20
        if step == 0:
            each[-1] *= 0
        gradients.append(each)
    return params, gradients


VECTORS = given((3, 4), (5,))
MATRICES = given((3, 4), (4, 3, 3, 3), (6, 2))
MUON = dict(lr=LR, momentum=0.95, nesterov=True, decay=0.1)


def after(optimizer, start, gradients):
    """The parameters after each step."""
    params = [p.clone().requires_grad_() for p in start]
    rule = optimizer(params)
    steps = []
    for each in gradients:
        for p, gradient in zip(params, each):
            p.grad = gradient.clone()
        rule.step()
        steps.append([numbers(p) for p in params])
    return steps


def entry(name, optimizer, of="vectors"):
    steps = after(optimizer, *{"vectors": VECTORS, "matrices": MATRICES}[of])
    return {"name": name, "of": of, "after": steps}


def beginning(name, start, gradients):
    gradients = [[numbers(g) for g in each] for each in gradients]
    return {"name": name, "start": [array(p) for p in start], "gradients": gradients}


def muon_is_torchs():
    """The formula above is that of PyTorch, as far as bf16 can tell."""
    flat = given((3, 4), (6, 2))
    for adjust in ["original", "match_rms_adamw"]:
        theirs = after(lambda p: optim.Muon(p, lr=LR, adjust_lr_fn=adjust), *flat)
        ours = after(lambda p: Muon(p, **MUON, adjust=adjust), *flat)
        for p, q in zip(theirs[-1], ours[-1]):
            # They went about 1/5.
            assert all(abs(a - b) < 0.02 for a, b in zip(p, q)), (p, q)


def every():
    muon_is_torchs()
    adam = dict(lr=LR, betas=BETAS, eps=EPS)
    muon = dict(lr=LR, momentum=7 / 8, nesterov=True, decay=DECAY, adjust="original")
    decayed = dict(weight_decay=DECAY)
    return [
        beginning("vectors", *VECTORS),
        beginning("matrices", *MATRICES),
        entry("sgd", lambda p: optim.SGD(p, lr=LR)),
        entry("sgd momentum", lambda p: optim.SGD(p, lr=LR, momentum=7 / 8)),
        entry("sgd nesterov decay",
              lambda p: optim.SGD(p, lr=LR, momentum=7 / 8, nesterov=True, **decayed)),
        entry("adam by default", lambda p: optim.Adam(p, lr=LR)),
        entry("adam", lambda p: optim.Adam(p, **adam)),
        entry("adam decay", lambda p: optim.Adam(p, **adam, **decayed)),
        entry("adam amsgrad", lambda p: optim.Adam(p, **adam, amsgrad=True)),
        entry("adamw by default", lambda p: optim.AdamW(p, lr=LR)),
        entry("adamw", lambda p: optim.AdamW(p, **adam, **decayed)),
        entry("nadam by default", lambda p: optim.NAdam(p, lr=LR)),
        entry("nadam", lambda p: optim.NAdam(p, **adam, momentum_decay=1 / 32, **decayed)),
        entry("nadam decoupled",
              lambda p: optim.NAdam(p, **adam, **decayed, decoupled_weight_decay=True)),
        entry("radam by default", lambda p: optim.RAdam(p, lr=LR)),
        entry("radam", lambda p: optim.RAdam(p, **adam, **decayed)),
        entry("radam decoupled",
              lambda p: optim.RAdam(p, **adam, **decayed, decoupled_weight_decay=True)),
        entry("radam short", lambda p: optim.RAdam(p, lr=LR, betas=(0.5, 0.75))),
        entry("adagrad by default", lambda p: optim.Adagrad(p, lr=LR)),
        entry("adagrad", lambda p: optim.Adagrad(
            p, lr=LR, lr_decay=1 / 8, initial_accumulator_value=1 / 4, eps=EPS, **decayed)),
        entry("adadelta by default", lambda p: optim.Adadelta(p)),
        entry("adadelta", lambda p: optim.Adadelta(p, lr=0.5, rho=7 / 8, eps=2**-12, **decayed)),
        entry("rmsprop by default", lambda p: optim.RMSprop(p, lr=LR)),
        entry("rmsprop", lambda p: optim.RMSprop(p, lr=LR, alpha=7 / 8, eps=EPS, **decayed)),
        entry("rmsprop momentum",
              lambda p: optim.RMSprop(p, lr=LR, alpha=7 / 8, eps=EPS, momentum=0.5)),
        entry("rmsprop centered",
              lambda p: optim.RMSprop(p, lr=LR, alpha=7 / 8, eps=EPS, momentum=0.5, centered=True)),
        entry("lion by default", lambda p: Lion(p, lr=LR, betas=(0.9, 0.99), decay=0.0)),
        entry("lion", lambda p: Lion(p, lr=LR, betas=(7 / 8, 31 / 32), decay=DECAY)),
        entry("lamb by default",
              lambda p: Lamb(p, lr=LR, betas=(0.9, 0.999), eps=1e-6, decay=0.01)),
        entry("lamb", lambda p: Lamb(p, lr=LR, betas=BETAS, eps=EPS, decay=0.0)),
        entry("muon by default", lambda p: Muon(p, **MUON, adjust="original"), "matrices"),
        entry("muon", lambda p: Muon(p, **muon), "matrices"),
        entry("muon plain", lambda p: Muon(p, **{**muon, "nesterov": False}), "matrices"),
        entry("muon as adamw",
              lambda p: Muon(p, **{**muon, "adjust": "match_rms_adamw"}), "matrices"),
    ]
