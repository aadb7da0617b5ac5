"""Whole trainings, step by step."""

import math

import torch
import torch.nn.functional as F

from common import EPS, NUMBERS, array, f32, floats, integers, numbers

STEPS = 100
BETAS, ADAM_EPS = (0.9, 0.999), 1e-8


class AdamRounded:
    """Adam with the constants of its formula rounded to f32, as graphs of wgrad have them."""

    def __init__(self, params, lr):
        self.params, self.lr, self.t = list(params), f32(lr), 0
        self.m = [torch.zeros_like(p) for p in self.params]
        self.v = [torch.zeros_like(p) for p in self.params]

    def step(self):
        self.t += 1
        first, second = BETAS
        c1 = 1 - math.exp(self.t * f32(math.log(first)))
        c2 = 1 - math.exp(self.t * f32(math.log(second)))
        with torch.no_grad():
            for p, m, v in zip(self.params, self.m, self.v):
                m.mul_(f32(first)).add_(p.grad * f32(1 - first))
                v.mul_(f32(second)).add_(p.grad * p.grad * f32(1 - second))
                p -= self.lr / c1 * m / (v.sqrt() / math.sqrt(c2) + f32(ADAM_EPS))


class Judge:
    """torch.optim.Adam, with nothing rounded but the learning rate, which is a variable."""

    def __init__(self, params, lr):
        self.adam = torch.optim.Adam(list(params), lr=f32(lr), betas=BETAS, eps=ADAM_EPS)

    def step(self):
        self.adam.step()


def mlp(w, x, state):
    x = F.relu(x @ w["0:dense/weight"].T + w["0:dense/bias"])
    x = torch.tanh(x @ w["2:dense/weight"].T + w["2:dense/bias"])
    return x @ w["4:dense/weight"].T + w["4:dense/bias"]


def cnn(w, x, state, training=True):
    x = F.conv2d(x, w["0:conv2d/weight"], w["0:conv2d/bias"], padding=1)
    x = F.batch_norm(x, state["1:batch_norm/running_mean"], state["1:batch_norm/running_var"],
                     w["1:batch_norm/weight"], w["1:batch_norm/bias"], training, 0.1, EPS)
    x = F.max_pool2d(F.relu(x), 2)
    x = F.relu(F.conv2d(x, w["4:conv2d/weight"], w["4:conv2d/bias"], stride=2, padding=1))
    return x.mean((2, 3)) @ w["7:dense/weight"].T + w["7:dense/bias"]


def embedding(w, x, state):
    x = F.embedding(x, w["embedding/weight"]).mean(1)
    return x @ w["dense/weight"].T + w["dense/bias"]


def train(model, weights, state, batches, optimizer):
    w = {path: value.clone().requires_grad_() for path, value in weights.items()}
    state = {path: value.clone() for path, value in state.items()}
    optimizer = optimizer(w.values())
    losses = []
    for step in range(STEPS):
        x, labels = batches[step % len(batches)]
        loss = F.cross_entropy(model(w, x, state), labels)
        for p in w.values():
            p.grad = None
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, w, state


def trajectory(name, model, weights, batches, optimizer, judge=None, state=None):
    state = state or {}
    losses, w, after = train(model, weights, state, batches, optimizer)
    entry = {
        "name": name,
        "weights": {path: array(value) for path, value in weights.items()},
        "batches": [
            {"x": {"dtype": "f32" if x.is_floating_point() else "u32", **array(x)},
             "labels": array(labels)}
            for x, labels in batches
        ],
        "losses": losses,
        "final": {path: array(value) for path, value in w.items()},
        "state": {path: array(value) for path, value in after.items()},
    }
    if judge:
        entry["judge"] = train(model, weights, state, batches, judge)[0]
    if state:
        with torch.no_grad():
            entry["evaluated"] = numbers(model(w, batches[0][0], after, training=False))
    return entry


def every():
    NUMBERS.seed(11)
    mlp_weights = {
        "0:dense/weight": floats(6, 16, low=-0.75, high=0.75).T.contiguous(),
        "0:dense/bias": floats(16, low=-0.25, high=0.25),
        "2:dense/weight": floats(16, 8, low=-0.5, high=0.5).T.contiguous(),
        "2:dense/bias": torch.zeros(8),
        "4:dense/weight": floats(8, 4, low=-0.5, high=0.5).T.contiguous(),
        "4:dense/bias": torch.zeros(4),
    }
    cnn_weights = {
        "0:conv2d/weight": floats(4, 2, 3, 3, low=-0.5, high=0.5),
        "0:conv2d/bias": floats(4, low=-0.25, high=0.25),
        "1:batch_norm/weight": torch.ones(4),
        "1:batch_norm/bias": torch.zeros(4),
        "4:conv2d/weight": floats(6, 4, 3, 3, low=-0.375, high=0.375),
        "4:conv2d/bias": torch.zeros(6),
        "7:dense/weight": floats(6, 3, low=-0.75, high=0.75).T.contiguous(),
        "7:dense/bias": torch.zeros(3),
    }
    cnn_state = {
        "1:batch_norm/running_mean": torch.zeros(4),
        "1:batch_norm/running_var": torch.ones(4),
    }
    embedding_weights = {
        "embedding/weight": floats(20, 6),
        "dense/weight": floats(6, 4, low=-0.75, high=0.75).T.contiguous(),
        "dense/bias": torch.zeros(4),
    }
    return [
        trajectory("mlp", mlp, mlp_weights,
                   [(floats(12, 6), integers(4, 12)) for _ in range(4)],
                   lambda p: AdamRounded(p, 0.01), lambda p: Judge(p, 0.01)),
        trajectory("cnn", cnn, cnn_weights,
                   [(floats(6, 2, 8, 8), integers(3, 6)) for _ in range(6)],
                   lambda p: torch.optim.SGD(list(p), lr=f32(0.02), momentum=f32(0.9)),
                   state=cnn_state),
        trajectory("embedding", embedding, embedding_weights,
                   [(integers(20, 10, 5), integers(4, 10)) for _ in range(4)],
                   lambda p: AdamRounded(p, 0.02), lambda p: Judge(p, 0.02)),
    ]
