"""Seconds to embed the LV-VIS vocabulary (1,196 names x 14 templates) with a random ViT-B/32 text tower.

    python benchmarks/vocabulary.py [--threads 2] [--names 1196]

Runs twice with one new cache folder; the second run reads the cache. Progress goes to stderr.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch

from ovvis_cli.vocabulary.cache import TextCache
from ovvis_cli.vocabulary.categories import load_table
from ovvis_cli.vocabulary.embedding import VocabularyEmbedder
from ovvis_cli.vocabulary.names import vocabulary_of_table
from ovvis_models.backbones.folding import fold_quick_gelus
from ovvis_models.networks.clip import VIT_B_32, build_clip
from ovvis_models.text.encoder import TextEncoder


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--names", type=int, default=None, help="only the first so many")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    encoder = TextEncoder(build_clip(VIT_B_32)).eval()
    fold_quick_gelus(encoder)
    table = load_table("lvvis")
    chosen = [category.category_id for category in table.categories][: options.names]
    vocabulary = vocabulary_of_table(table, category_ids=chosen)
    with tempfile.TemporaryDirectory() as folder:
        for run in ("first", "second"):
            embedder = VocabularyEmbedder(encoder, cache=TextCache(Path(folder)), progress=tell)
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            embedder.embed(vocabulary, distractors=False)
            wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
            print(f"{run} run, {len(vocabulary)} names: {wall_s:.2f} s, {cpu_s:.2f} s of CPU time")


def tell(done: int, total: int) -> None:
    """Print progress."""
    print(f"\r{done} of {total} prompts", end="" if done < total else "\n", file=sys.stderr)


if __name__ == "__main__":
    main()
