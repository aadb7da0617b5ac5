"""What is not finite, and queries that see no key. At the end, so that the numbers of other cases stay."""

import math

import torch
import torch.nn.functional as F

from common import floats
from operations import case


def blind_queries():
    """The second query sees no key, and no query the fourth key of five."""
    truth = torch.tensor([[1, 0, 1, 0, 1], [0, 0, 0, 0, 0], [0, 1, 1, 0, 0], [1, 0, 0, 0, 1]])
    numbers = floats(4, 5).masked_fill(truth == 0, -math.inf)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        for name, mask in [("truth", truth), ("numbers", numbers)]:
            for heads, shared in [(2, 2), (4, 2)]:
                attend = lambda q, k, v, m: F.scaled_dot_product_attention(
                    q, k, v, m if m.is_floating_point() else m == 1, enable_gqa=True)
                operands = [floats(2, heads, 4, 3), floats(2, shared, 5, 3), floats(2, shared, 5, 2)]
                case(f"attention, a query sees nothing, {name} {heads}", "attention", attend, *operands,
                     mask, causal=False)


def infinities():
    """An infinite weight meets padding, which is multiplied; and gaps of a stride, which are not."""
    x, w = floats(1, 2, 4, 4), floats(3, 2, 3, 3)
    w[0, 0, 0, 0], w[1, 1, 1, 2], w[2, 0, 1, 1] = math.inf, -math.inf, math.nan
    case("convolution 2d, not finite", "convolution",
         lambda x, w: F.conv2d(x, w, padding=1).detach(), x, w, stride=[1, 1], dilation=[1, 1],
         padding=[[1, 1], [1, 1]], groups=1, result_only=True)
    x, w = floats(1, 2, 3, 3), floats(2, 3, 3, 3)
    w[0, 0, 0, 0], w[1, 1, 1, 2], w[1, 2, 1, 1] = math.inf, -math.inf, math.nan
    case("transposed convolution, not finite", "transposed_convolution",
         lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1).detach(), x, w, stride=[2, 2],
         dilation=[1, 1], padding=[[1, 1], [1, 1]], groups=1, output_padding=[0, 0],
         result_only=True)


def every():
    blind_queries()
    infinities()
