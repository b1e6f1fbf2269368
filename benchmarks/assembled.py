"""Speed of ovvis against a pipeline assembled from libraries, on the same frames with the same weights.

    python -m benchmarks.assembled [--size 480x854] [--frames 4] [--names 482] [--precision fp32]

The assembled pipeline runs the transformers library's Mask2Former per frame, CLIP ViT-B/32 on every masked
crop, and Hungarian matching. It includes the easy optimizations: no gradients, crops made as tensors and
given to CLIP in batches of 32, the vocabulary encoded beforehand. Both read the same video file and write
run-length codes of what they keep; both process one frame as warm-up. Needs the transformers library, which
is in the test extra.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch
import torch.nn.functional as F
import transformers
from open_clip.model import CLIP
from pycocotools import mask as coco_mask
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ovvis_cli.benchmarking.report import figures_of
from ovvis_cli.benchmarking.run import Measured, measure
from ovvis_cli.benchmarking.workload import drawn_video
from ovvis_cli.inference.allocator import keep_freed_memory
from ovvis_cli.inference.device import DTYPES, resolve_device, resolve_precision
from ovvis_cli.inference.engine import engine_of
from ovvis_cli.video.reader import read_frames
from ovvis_models.converters.mask2former import from_published
from ovvis_models.heads.classifier import CLIP_MEAN, CLIP_STD
from ovvis_models.loading import LoadedModel, ready
from ovvis_models.networks.clip import build_clip
from ovvis_models.networks.instclip import InstCLIP
from ovvis_models.preprocess import ImageInput
from ovvis_models.systems.instformer import InstFormerSpec
from ovvis_models.systems.instformer_models import INSTFORMER_R50, R50_PROPOSALS

SPEC = INSTFORMER_R50
CROP_BATCH = 32


class Assembled:
    """Pipeline from frames to run-length codes, names and matches, with the libraries' own calls."""

    def __init__(
        self, proposals: torch.nn.Module, clip: CLIP, *, names: Tensor, image_input: ImageInput
    ) -> None:
        self.proposals, self.clip, self.names = proposals, clip, names
        self.processor = transformers.Mask2FormerImageProcessor(
            size={"shortest_edge": image_input.short_side, "longest_edge": image_input.max_side}
        )
        self.crop_size = SPEC.clip.vision.image_size
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.last_queries: Tensor | None = None

    @torch.inference_mode()
    def __call__(self, image: np.ndarray) -> list[dict[str, object]]:
        """Return the instances of one RGB frame (H, W, 3): code, name, and match in the previous frame."""
        with self._timed("propose"):
            inputs = self.processor(images=image, return_tensors="pt")
            output = self.proposals(pixel_values=inputs["pixel_values"], pixel_mask=inputs["pixel_mask"])
            scores = 1 - output.class_queries_logits[0].softmax(dim=-1)[:, -1]
            queries = F.normalize(output.transformer_decoder_last_hidden_state[0], dim=-1)
            logits = F.interpolate(output.masks_queries_logits, image.shape[:2], mode="bilinear")[0]
            masks = logits > 0
        with self._timed("classify"):
            labels = self._classify(torch.from_numpy(image).permute(2, 0, 1), masks)
        with self._timed("match and encode"):
            before = np.arange(len(queries))
            if self.last_queries is not None:
                _, before = linear_sum_assignment(-(queries @ self.last_queries.T).numpy())
            self.last_queries = queries
            kept = (scores >= SPEC.association.score_floor).nonzero()[:, 0].tolist()
            return [
                {
                    "code": coco_mask.encode(np.asfortranarray(masks[index].numpy(), dtype=np.uint8)),
                    "name": int(labels[index]),
                    "before": int(before[index]),
                }
                for index in kept
            ]

    def _classify(self, image: Tensor, masks: Tensor) -> Tensor:
        mean, std = (torch.tensor(values)[:, None, None] * 255 for values in (CLIP_MEAN, CLIP_STD))
        crops = torch.stack([self._crop(image, mask) for mask in masks])
        crops = (crops - mean) / std
        embeds = torch.cat([self.clip.encode_image(part) for part in torch.split(crops, CROP_BATCH)])
        return (F.normalize(embeds, dim=-1) @ self.names.T).argmax(dim=1)

    def _crop(self, image: Tensor, mask: Tensor) -> Tensor:
        if mask.any():
            rows, columns = (mask.any(dim=dim).nonzero()[:, 0] for dim in (1, 0))
            box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
            image, mask = image[:, box[0], box[1]], mask[box]
        size = (self.crop_size, self.crop_size)
        return F.interpolate((image * mask)[None].float(), size, mode="bilinear", antialias=True)[0]

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        start_s = time.perf_counter()
        yield
        self.seconds[part].append(time.perf_counter() - start_s)


def their_mask2former() -> torch.nn.Module:
    """Build the library's network with the numbers of instformer-r50 and random weights."""
    spec = R50_PROPOSALS
    config = transformers.Mask2FormerConfig(
        backbone_config=transformers.ResNetConfig(out_features=[f"stage{index}" for index in range(1, 5)]),
        encoder_layers=spec.encoder_layers,
        decoder_layers=spec.decoder_layers + 1,  # the library counts the heads
        num_queries=spec.num_queries,
        num_labels=spec.num_classes,
    )
    return transformers.Mask2FormerForUniversalSegmentation(config).eval()


def same_weights(spec: InstFormerSpec, proposals: torch.nn.Module, clip: CLIP) -> LoadedModel:
    """Build instformer-r50 with the weights of the libraries' two networks."""
    network = spec.build()
    network.proposals.load_state_dict(from_published(proposals.state_dict(), network.proposals.state_dict()))
    instclip = network.instance_encoder
    assert isinstance(instclip, InstCLIP)
    instclip.visual.load_state_dict(clip.visual.state_dict())
    instclip.start_from_class_token()
    return LoadedModel(spec=spec, network=ready(network), weights_sha256="0" * 64)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", default="480x854")
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--names", type=int, default=482)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--precision", default="fp32", choices=sorted(DTYPES), help="of ovvis")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    height, width = (int(side) for side in options.size.split("x"))
    proposals, clip = their_mask2former(), build_clip(SPEC.clip).eval()
    model = same_weights(SPEC, proposals, clip)
    names = F.normalize(torch.randn(options.names, SPEC.token_dim), dim=-1)
    assembled = Assembled(proposals, clip, names=names, image_input=SPEC.proposal_input)
    device = resolve_device("cpu")
    engine = engine_of(model, device=device, precision=resolve_precision(options.precision, device))
    with TemporaryDirectory() as folder:
        video = drawn_video(Path(folder), frame_hw=(height, width), num_frames=options.frames + 1)
        start_s = 0.0
        for number, frame in enumerate(read_frames(video)):
            if number == 1:  # the first frame is warm-up
                assembled.seconds.clear()
                start_s = time.perf_counter()
            assembled(frame.image)
        theirs_s = (time.perf_counter() - start_s) / options.frames
        keep_freed_memory()  # as in the ovvis command
        ours = measure(engine, video=video, num_classes=options.names, batch_size=1)
    report(assembled, theirs_s=theirs_s, ours=ours)


def report(assembled: Assembled, *, theirs_s: float, ours: Measured) -> None:
    """Print the seconds per frame of both and of their parts, and the ratio."""
    ours_s = ours.analysis_s / ours.num_frames
    parts = ", ".join(f"{name} {median(values):.2f}" for name, values in assembled.seconds.items())
    print(f"assembled  {theirs_s:.2f} s a frame: {parts}")
    figures = figures_of(ours)
    print(
        f"ovvis      {ours_s:.2f} s per frame, {ours.engine.precision}: networks {figures.network_s:.2f}, at"
        f" {figures.peak_share:.0%} of the matmul peak of {ours.matmul_peak_flops / 1e9:.0f} GFLOP/s"
    )
    print(f"{theirs_s / ours_s:.2f} times as fast")


if __name__ == "__main__":
    main()
