"""Losses with their options, axes and reductions.

They are in a file of their own, losses.json, which `python tests/golden/losses.py` writes alone.
"""

import torch
import torch.nn.functional as F

import operations
from common import floats, integers, of, write
from operations import case


def signs(*shape):
    return torch.where(floats(*shape) > 0, 1.0, -1.0)


def reductions():
    """Of every kind of loss: of elements, of rows, and of three operands."""
    x, t = floats(3, 4, 2), floats(3, 4, 2)
    shares = (floats(3, 6, low=0, high=2) / 2).clamp(1 / 64, 63 / 64)
    for reduction in ["mean", "sum"]:
        r = {"reduction": reduction}
        for name, function in [("squared_error", F.mse_loss), ("absolute_error", F.l1_loss)]:
            case(f"{name} {reduction}", name, lambda x, t: function(x, t, **r), x, t, **r)
        case(f"huber {reduction}", "huber", lambda x, t: F.huber_loss(x, t, delta=0.3, **r), x, t,
             delta=0.3, **r)
        case(f"smooth_l1 {reduction}", "smooth_l1", lambda x, t: F.smooth_l1_loss(x, t, beta=0.3, **r),
             x, t, delta=0.3, **r)
        case(f"triplet_margin {reduction}", "triplet_margin",
             lambda a, p, n: F.triplet_margin_loss(a, p, n, **r), floats(5, 4), floats(5, 4),
             floats(5, 4), margin=1, **r)
        case(f"cosine_embedding {reduction}", "cosine_embedding",
             lambda x, y, t: F.cosine_embedding_loss(x, y, t.detach(), margin=0.3, **r), floats(4, 3),
             floats(4, 3), signs(4), margin=0.3, **r)
        case(f"binary_cross_entropy_with_logits {reduction}", "binary_cross_entropy_with_logits",
             lambda x, t: F.binary_cross_entropy_with_logits(x, t, **r), floats(3, 6), shares, **r)
        case(f"cross_entropy {reduction}", "cross_entropy", lambda x, k: F.cross_entropy(x, k, **r),
             floats(4, 5), integers(5, 4), **r)
        case(f"negative_log_likelihood {reduction}", "negative_log_likelihood",
             lambda x, k: F.nll_loss(x, k, **r), floats(4, 5), integers(5, 4), **r)
        case(f"soft_cross_entropy {reduction}", "soft_cross_entropy",
             lambda x, t: F.cross_entropy(x, t, **r), floats(4, 5), floats(4, 5, low=0, high=1), **r)
        lengths, of_targets = torch.tensor([4, 3, 4]), torch.tensor([2, 0, 1])
        case(f"ctc {reduction}", "ctc",
             lambda x, t, n, m: F.ctc_loss(x.log_softmax(-1), t, n, m, **r), floats(4, 3, 4),
             1 + integers(3, 3, 2), lengths, of_targets, blank=0, once=True, **r)
    for reduction in ["mean", "sum", "batchmean"]:
        case(f"kl_divergence {reduction}", "kl_divergence",
             lambda x, t: F.kl_div(x, t, reduction=reduction), floats(3, 6), shares, reduction=reduction)
        case(f"kl_divergence_of_logarithms {reduction}", "kl_divergence_of_logarithms",
             lambda x, t: F.kl_div(x, t, reduction=reduction, log_target=True), floats(3, 6),
             floats(3, 6), reduction=reduction)


def axes():
    """Classes are on axis 1 in PyTorch, also where all extents are equal."""
    for reduction in ["none", "mean", "sum"]:
        r = {"reduction": reduction, "axis": 1}
        how = {"reduction": reduction}
        for shape in [[2, 3, 4], [3, 3, 3], [2, 3, 2, 2]]:
            rows = [shape[0], *shape[2:]]
            labels = integers(shape[1], *rows)
            case(f"cross_entropy of axis 1 {shape} {reduction}", "cross_entropy",
                 lambda x, k: F.cross_entropy(x, k, **how), floats(*shape), labels, **r)
            case(f"negative_log_likelihood of axis 1 {shape} {reduction}", "negative_log_likelihood",
                 lambda x, k: F.nll_loss(x, k, **how), floats(*shape), labels, **r)
            case(f"soft_cross_entropy of axis 1 {shape} {reduction}", "soft_cross_entropy",
                 lambda x, t: F.cross_entropy(x, t, **how), floats(*shape),
                 floats(*shape, low=0, high=1), **r)
            weights = floats(shape[1], low=0.25, high=2)
            case(f"weighted cross_entropy of axis 1 {shape} {reduction}", "cross_entropy_with",
                 lambda x, k, w: F.cross_entropy(x, k, w.detach(), label_smoothing=0.1, ignore_index=1,
                                                 **how),
                 floats(*shape), labels, weights, smoothing=0.1, ignored=1, base_only=True, once=True, **r)
            case(f"smoothed soft_cross_entropy of axis 1 {shape} {reduction}",
                 "soft_cross_entropy_with",
                 lambda x, t, w: F.cross_entropy(x, t, w.detach(), label_smoothing=0.1, **how),
                 floats(*shape), floats(*shape, low=0, high=1), weights, smoothing=0.1, base_only=True,
                 once=True, **r)


def margins():
    for reduction in ["none", "mean", "sum"]:
        r = {"reduction": reduction}
        for margin in [0.0, 0.301]:
            case(f"margin_ranking {margin} {reduction}", "margin_ranking",
                 lambda x, y, t: F.margin_ranking_loss(x, y, t, margin=margin, **r), floats(3, 4),
                 floats(3, 4), signs(3, 4), margin=margin, **r)
            case(f"hinge_embedding {margin} {reduction}", "hinge_embedding",
                 lambda x, t: F.hinge_embedding_loss(x, t.detach(), margin=margin, **r), floats(3, 4),
                 signs(3, 4), margin=margin, **r)
        for power in [1, 2]:
            case(f"multi_margin {power} {reduction}", "multi_margin",
                 lambda x, k: F.multi_margin_loss(x, k, p=power, margin=0.76, **r), floats(4, 5),
                 integers(5, 4), power=power, margin=0.76, once=True, **r)
        case(f"soft_margin {reduction}", "soft_margin", lambda x, t: F.soft_margin_loss(x, t.detach(), **r),
             floats(3, 4), signs(3, 4), base_only=True, once=True, **r)
        hot = torch.tensor([[1.0, 0, 1, 0], [0, 0, 0, 1], [1, 1, 1, 1], [0, 0, 0, 0]])
        case(f"multilabel_soft_margin {reduction}", "multilabel_soft_margin",
             lambda x, t: F.multilabel_soft_margin_loss(x, t, **r), floats(4, 4), hot, **r)
        # PyTorch lists the classes that are right.
        listed = torch.tensor([[0, 2, -1, -1], [3, -1, -1, -1], [0, 1, 2, 3], [-1, -1, -1, -1]])
        case(f"multilabel_margin {reduction}", "multilabel_margin",
             lambda x, t: F.multilabel_margin_loss(x, listed, **r), floats(4, 4), hot, base_only=True,
             once=True, **r)


def distributions():
    counts = integers(5, 3, 4).to(torch.float64)
    for reduction in ["none", "mean", "sum"]:
        r = {"reduction": reduction}
        for log_input, x in [(True, floats(3, 4)), (False, floats(3, 4, low=0.25, high=4))]:
            for full in [False, True]:
                # By targets PyTorch's constant has a derivative of NaN where it is masked.
                of_all = {"base_only": True, "once": True} if full else {}
                case(f"poisson_nll {log_input} {full} {reduction}", "poisson_nll",
                     lambda x, t: F.poisson_nll_loss(x, t.detach() if full else t,
                                                     log_input=log_input, full=full, eps=0.125, **r),
                     x, counts, log_input=log_input, full=full, eps=0.125, **of_all, **r)
        for shape in [[3, 4], [3, 1]]:
            for full in [False, True]:
                case(f"gaussian_nll {shape} {full} {reduction}", "gaussian_nll",
                     lambda x, t, v: F.gaussian_nll_loss(x, t, v, full=full, eps=0.5, **r),
                     floats(3, 4), floats(3, 4), floats(*shape, low=0.125, high=2), full=full, eps=0.5,
                     **r)
        shares = (floats(3, 6, low=0, high=2) / 2).clamp(0, 1)
        # Second derivatives of PyTorch have 1e-12 added to p (1 - p).
        inside = (floats(3, 6, low=0, high=2) / 2).clamp(1 / 4, 3 / 4)
        case(f"binary_cross_entropy of probabilities {reduction}", "binary_cross_entropy",
             lambda p, t: F.binary_cross_entropy(p, t, **r), inside, shares, **r)
    case("binary_cross_entropy of certainty", "binary_cross_entropy",
         lambda p, t: F.binary_cross_entropy(p, t, reduction="none"), of(0, 1, 0, 1, 0.5, 0.25),
         of(0, 1, 1, 0, 0, 1), result_only=True)


def every():
    return operations.apart((53, 59), reductions, axes, margins, distributions)


if __name__ == "__main__":
    write("losses.json", every())
