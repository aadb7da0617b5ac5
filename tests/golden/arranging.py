"""Functions that arrange elements: equations, pictures, windows, indices."""

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


def every():
    einsum()
