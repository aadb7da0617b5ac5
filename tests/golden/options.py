"""What functions do with options: weights, targets of other kinds, orders, offsets, edges."""

import torch
import torch.nn.functional as F

import common
from common import floats, integers, of
from operations import case


def losses():
    none = {"reduction": "none"}
    x, t = 4 * floats(3, 5), floats(3, 5, low=0, high=1)
    bce = F.binary_cross_entropy_with_logits
    case("weighted_binary_cross_entropy", "weighted_binary_cross_entropy_with_logits",
         lambda x, t, w: bce(x, t, pos_weight=w.detach(), **none), x, t, floats(5, low=0.25, high=3),
         base_only=True, once=True)
    log = floats(3, 5, low=-3, high=0)
    case("kl_divergence_of_logarithms", "kl_divergence_of_logarithms",
         lambda x, t: F.kl_div(x, t, log_target=True, **none), floats(3, 5), log)
    weights = floats(5, low=0.25, high=2)
    for ignored in [None, 2]:
        for reduction in ["none", "mean", "sum"]:
            i = {} if ignored is None else {"ignore_index": ignored}
            case(f"negative log likelihood {ignored} {reduction}", "nll_with",
                 lambda x, k, w: F.nll_loss(x, k, w.detach(), reduction=reduction, **i), floats(6, 5),
                 torch.tensor([0, 4, 2, 2, 1, 3]), weights, ignored=ignored, reduction=reduction,
                 base_only=True, once=True)
    for smoothing in [0, 0.1]:
        for weighted in [False, True]:
            w = [weights] if weighted else []
            case(f"cross entropy of probabilities {smoothing} {weighted}", "soft_cross_entropy_with",
                 lambda x, t, *w: F.cross_entropy(x, t, *[v.detach() for v in w],
                                                  label_smoothing=smoothing, **none),
                 floats(4, 5), floats(4, 5, low=0, high=1), *w, smoothing=smoothing, base_only=True,
                 once=True)
    signs = of(1, -1, 1, -1, -1)
    for margin in [0.0, 0.5, -0.75]:
        case(f"cosine_embedding {margin}", "cosine_embedding",
             lambda x, y, t: F.cosine_embedding_loss(x, y, t.detach(), margin=margin, **none),
             floats(5, 4), floats(5, 4), signs, margin=margin, once=True, result_only=True)
    near = torch.cat([floats(2, 4) / 2**30, floats(1, 4)])
    case("cosine_similarity of next to nothing", "cosine_similarity",
         lambda x, y: F.cosine_similarity(x, y, dim=1), near, floats(3, 4), axis=1, result_only=True)
    for name, steps, targets, lengths in [("possible", 5, [[1, 2], [3, 1]], [5, 4]),
                                          ("impossible", 3, [[1, 1], [1, 2]], [2, 3])]:
        case(f"ctc of what is {name}", "ctc_where_possible",
             lambda x, *rest: F.ctc_loss(x.log_softmax(-1), *rest, reduction="none",
                                         zero_infinity=True),
             floats(steps, 2, 4), torch.tensor(targets), torch.tensor(lengths), torch.tensor([2, 2]),
             once=True)


def functions():
    for beta, threshold in [(2.5, 20.0), (0.5, 1.0), (-1.5, 20.0)]:
        case(f"softplus_with {beta} {threshold}", "softplus_with",
             lambda x: F.softplus(x, beta, threshold), 4 * floats(2, 5), beta=beta,
             threshold=threshold)
    zeros = floats(3, 4)
    zeros[0, 1] = zeros[2, 3] = 0
    for p in [0.5, 1.0, 1.5, 2.0, 3.0, float("inf")]:
        x = zeros if p > 1 else floats(3, 4)
        case(f"norm_p {p}", "norm_p", lambda x: torch.linalg.vector_norm(x, p, dim=1), x,
             p=str(p), axes=[1], once=p in [1.5])
    case("norm_p of zeros", "norm_p", lambda x: torch.linalg.vector_norm(x, 3.0, dim=1),
         torch.zeros(2, 3), p="3", axes=[1], once=True)
    for offset in [-3, -1, 1, 2, 5]:
        case(f"diagonal_at {offset}", "diagonal_at",
             lambda x: x.diagonal(offset, dim1=-2, dim2=-1), floats(2, 3, 4), offset=offset)
    for corners in [False, True]:
        for mode in ["zeros", "border", "reflection"]:
            options = {"padding_mode": mode, "align_corners": corners}
            name = {"zeros": "zeros", "border": "edge", "reflection": "mirror"}[mode]
            grid = floats(2, 3, 2, 2, low=-3, high=3) + 1 / 128
            case(f"grid_sample_nearest {corners} {mode}", "grid_sample_nearest",
                 lambda x, grid: F.grid_sample(x, grid.detach(), mode="nearest", **options),
                 floats(2, 2, 4, 5), grid, corners=corners, beyond=name)
            if mode == "reflection":
                case(f"grid_sample {corners} {mode}", "grid_sample",
                     lambda x, grid: F.grid_sample(x, grid, **options), floats(2, 2, 4, 5), grid,
                     corners=corners, beyond=name)


def every():
    # Numbers of their own: cases that were there before keep theirs.
    before = common.NUMBERS.getstate()
    common.NUMBERS.seed(23)
    losses()
    functions()
    common.NUMBERS.setstate(before)
