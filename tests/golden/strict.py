"""PyTorch loads what wgrad saved, with strict=True, and computes the same.

Run by hand, with a folder that a test has filled:

    WGRAD_SAVE_MODELS=/tmp/saved cargo nextest run saved_models_are_what_pytorch_can_load
    python tests/golden/strict.py /tmp/saved
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import load_file

import models


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    models.every()
    worst, count = 0.0, 0
    for path in sorted(folder.glob("*.safetensors")):
        module, inputs, call = models.MODULES[path.stem]
        state = load_file(path)
        # Counters are whole numbers, of which PyTorch has larger ones.
        state = {key: value if value.is_floating_point() else value.to(torch.int64)
                 for key, value in state.items()}
        module.load_state_dict(state, strict=True)
        module.eval()
        with torch.no_grad():
            ys = call(module, **inputs)
        ys = ys if isinstance(ys, tuple) else (ys,)
        for y, got in zip(ys, json.loads(path.with_suffix(".json").read_text()), strict=True):
            by = (torch.tensor(got) - y.flatten()).abs() / y.abs().max().clamp_min(1)
            worst = max(worst, by.max().item())
            assert worst < 1e-5, f"{path.stem}: {worst}"
        count += 1
    print(f"{count} models, apart by {worst:.1e} at most, with PyTorch {torch.__version__}")
