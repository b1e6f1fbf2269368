"""Writer of a weights file with random numbers for a catalog model: real size and speed, no download.

    python benchmarks/random_weights.py instformer-r50 random.safetensors [--seed 0]

`ovvis segment VIDEO --model random.safetensors --classes dog` accepts it. The results are meaningless.
"""

import argparse
from pathlib import Path

import torch

from ovvis_models.catalog import find_spec
from ovvis_models.weights import save_weights


def main() -> None:
    """Build the network and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("file", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    save_weights(find_spec(options.model).build(), options.file, metadata={"model": options.model})


if __name__ == "__main__":
    main()
