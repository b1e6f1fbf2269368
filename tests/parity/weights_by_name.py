"""Weights that are a function of their names, so that a fixture needs to carry none.

The rule, which the computed references follow too: the generator of a tensor is numpy's PCG64, seeded with
the CRC-32 of its name. A running variance is uniform in [0.5, 1.5). All else is normal: a vector called
`weight` (the scale of a norm) around 1 with deviation 0.1, other vectors and scalars around 0 with deviation
0.1, and tensors of two axes or more around 0 with deviation 1 / sqrt(fan in), the fan in being the product of
all axes but the first. Values are float32. Integer tensors are not set. Then, in the order listed, every gain
whose pattern is found in the name multiplies it.
"""

import math
import re
from collections.abc import Mapping
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

VECTOR_DEVIATION = 0.1


def weights_of_layout(
    layout: Mapping[str, Mapping[str, object]], *, gains: Mapping[str, float]
) -> dict[str, Tensor]:
    """Return every float tensor of `layout` ({name: {"shape": [...], "dtype": ...}}) by the rule."""
    weights = {}
    for name, entry in layout.items():
        if not str(entry["dtype"]).startswith("float"):
            continue
        values = torch.from_numpy(weight(name, tuple(entry["shape"])))  # type: ignore[arg-type]
        for pattern, gain in gains.items():
            if re.search(pattern, name):
                values = values * torch.tensor(gain, dtype=torch.float32)
        weights[name] = values
    return weights


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return one tensor by the rule, before gains."""
    generator = np.random.Generator(np.random.PCG64(crc32(name.encode())))
    if name.endswith("running_var"):
        return np.asarray(generator.random(shape) + 0.5, dtype=np.float32)
    normal = generator.standard_normal(shape)
    if len(shape) > 1:
        return np.asarray(normal / math.sqrt(math.prod(shape[1:])), dtype=np.float32)
    center = 1.0 if len(shape) == 1 and name.endswith(".weight") else 0.0
    return np.asarray(center + VECTOR_DEVIATION * normal, dtype=np.float32)
