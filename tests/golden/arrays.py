"""Writes arrays.json: how NumPy prints arrays with at most four digits, or with as many as are asked for.

    python arrays.py
"""

import json
import pathlib
import random

import numpy as np

RANDOM = random.Random(3)
CASES = []


def add(array, precision=None):
    mode = "maxprec_equal" if precision is None else "fixed"
    digits = 4 if precision is None else precision
    with np.printoptions(precision=digits, floatmode=mode):
        text = str(array)
    if array.dtype == bool:
        # A truth value is written as Rust writes it; only its first letter differs.
        text = text.replace("True", "true").replace("False", "false")
    stored = array.astype(np.float32) if array.dtype == np.float16 else array
    words = stored.astype(np.uint32) if array.dtype == bool else stored.view(np.uint32)
    dtype = {"float32": "f32", "float16": "f16", "int32": "i32", "uint32": "u32", "bool": "bool"}[array.dtype.name]
    CASES.append(
        {
            "shape": list(array.shape),
            "dtype": dtype,
            "words": [int(word) for word in words.flatten()],
            "precision": precision,
            "text": text,
        }
    )


def f32(values):
    return np.array(values, dtype=np.float32)


for kind in [np.float32, np.float16]:
    for values in [
        [1.0, 2.0, 3.0],
        [0.1, 0.25, -3.0],
        [1 / 3, 2 / 3, 100.0],
        [0.5, 501.0],
        [0.0, -0.0],
        [np.nan, 1.0],
        [np.nan, np.nan],
        [np.inf, -np.inf],
        [np.inf, 1.5, -2.0],
        [-np.inf, 0.0],
        [0.0001, 0.05],
        [0.00009, 0.05],
        [1e-3, 1.1],
        [5e-8, 1.0, -2.0],
        [6.5e4, 1.0],
        [0.99999, 9.99996],
        [0.99997e-4, 9.99996e-5],
        [0.30001, 0.7],
        [2.0**-14, 2.0**-15, 2.0**-24],
        [65504.0, 65472.0],
    ]:
        array = np.array(values, dtype=kind)
        for precision in [None, 0, 2, 7]:
            add(array, precision)
for values in [
    [1e8, 1.0],
    [99999999.0, 16777216.0],
    [123456.7, 654321.1],
    [3.4e38, 1e-38],
    [1e-45, 0.0],
    [1.17549435e-38],
    [1e10, 2.5e10, -3.75e10],
    [1000.0, 1.0],
    [1001.0, 1.0],
    [0.00009999999747378752],
    [8388608.5, 8388609.5],
]:
    for precision in [None, 0, 3]:
        add(f32(values), precision)
for bits in range(60):
    words = np.array([RANDOM.getrandbits(32) for _ in range(3)], dtype=np.uint32)
    add(words.view(np.float32))
    halves = np.array([RANDOM.getrandbits(16) for _ in range(4)], dtype=np.uint16)
    add(halves.view(np.float16))
    add(f32([RANDOM.gauss(0, 10 ** RANDOM.randint(-2, 3)) for _ in range(5)]))

add(np.array([1, -20, 300], dtype=np.int32))
add(np.array([-(2**31), 2**31 - 1], dtype=np.int32))
add(np.array([0, 2**32 - 1], dtype=np.uint32), 2)
add(np.array([True, False, True]))
add(np.array([[True], [False]]))
add(f32([]))
add(f32(np.zeros((2, 0, 3))))
add(f32(np.arange(6).reshape(2, 3)))
add(f32(np.arange(24).reshape(2, 3, 4) / 7))
add(f32(np.arange(16).reshape(2, 2, 2, 2)))
add(f32(np.ones((1, 1, 1, 1, 1))))
add(f32(np.arange(40) / 3))
add(np.arange(200, dtype=np.int32))
add(np.arange(60, dtype=np.int32).reshape(2, 30) - 5)
add(np.arange(1000, dtype=np.int32))
add(np.arange(1001, dtype=np.int32))
add(np.arange(1001, dtype=np.int32).reshape(7, 143))
add(f32(np.arange(1001).reshape(143, 7) / 8))
add(f32(np.arange(4 * 5 * 6 * 9).reshape(4, 5, 6, 9)))
add(f32(np.arange(8 * 2 * 8 * 9).reshape(8, 2, 8, 9)))
add(f32(np.arange(2000).reshape(2000, 1)))
add(f32(np.arange(2000).reshape(1, 2000)))
add(np.zeros((1000, 3, 1), dtype=bool))

path = pathlib.Path(__file__).parent / "arrays.json"
path.write_text("[\n" + ",\n".join(json.dumps(case) for case in CASES) + "\n]\n")
