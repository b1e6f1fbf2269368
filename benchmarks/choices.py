"""Milliseconds per frame that each optimization saves: the network as it runs, and with one optimization
undone.

    python -m benchmarks.choices [--model instformer-r50] [--size 480x854] [--precision auto] [--batch-size 1]
        [--default-allocator] [--rounds 10]

All variants have the same random weights and process the same frame, in turns. The fastest turn of each part
of the network counts, so that other load on the machine matters little. The last column is the difference to
the first row.
"""

import argparse
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor

from ovvis_cli.benchmarking.machine import stage_clock
from ovvis_cli.benchmarking.meter import Meter
from ovvis_cli.benchmarking.run import NETWORK_STAGES
from ovvis_cli.commands.options import parse_size_hw
from ovvis_cli.inference.allocator import keep_freed_memory
from ovvis_cli.inference.device import DTYPES, Precision, resolve_precision
from ovvis_cli.inference.profiler import StageName
from ovvis_models.backbones.folding import fold_norms, fold_quick_gelus
from ovvis_models.blocks import transformer_layers
from ovvis_models.blocks.decoder_output import DecoderOutput, LayerOutput, PixelFeatures
from ovvis_models.blocks.deformable_attention import DeformableAttention
from ovvis_models.blocks.deformable_attention_reference import deformable_attention_reference
from ovvis_models.catalog import find_spec
from ovvis_models.decoders import query_decoder
from ovvis_models.decoders.query_decoder import QueryDecoder
from ovvis_models.heads.guided_attention import SHARED_BIAS
from ovvis_models.networks import instclip
from ovvis_models.networks.video_network import FrameNetwork
from ovvis_models.precision import round_weights

ROUNDS = 10
AS_IT_RUNS = "as it runs"


@dataclass(frozen=True)
class Form:
    """A network and the patches that are active while it runs."""

    network: FrameNetwork
    during: AbstractContextManager[object] = field(default_factory=nullcontext)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", default="instformer-r50")
    parser.add_argument("--size", default="480x854")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--default-allocator", action="store_true", help="leave out keep_freed_memory, too")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    precision = resolve_precision(options.precision, torch.device("cpu"))
    height, width = parse_size_hw(options.size, option="--size")
    frames = torch.randint(0, 256, (options.batch_size, height, width, 3), dtype=torch.uint8)
    if not options.default_allocator:
        keep_freed_memory()  # as in the ovvis command
    forms = choices(options.model, precision=precision)
    best = in_turns(forms, frames, precision=precision, rounds=options.rounds)
    print(
        f"{options.model}, {options.size}, batch {options.batch_size}, {precision}, "
        f"{torch.get_num_threads()} threads: ms per frame"
    )
    report(best, batch_size=options.batch_size)


def report(best: dict[str, dict[StageName, float]], *, batch_size: int) -> None:
    """Print a row per variant."""
    print(f"{'':36}" + "".join(f"{part:>15}" for part in NETWORK_STAGES) + f"{'all':>15}")
    ms = 1e3 / batch_size
    whole = {name: ms * sum(parts.values()) for name, parts in best.items()}
    for name, parts in best.items():
        row = "".join(f"{ms * seconds:15.0f}" for seconds in parts.values())
        print(f"{name:36}{row}{whole[name]:15.0f}{whole[name] - whole[AS_IT_RUNS]:+8.0f}")


def choices(name: str, *, precision: Precision) -> dict[str, Form]:
    """Return the network as it runs, and with one optimization undone each."""
    of = partial(network_of, name, precision=precision)
    network = of()
    forms = {
        AS_IT_RUNS: Form(network),
        "norms not folded": Form(of(norms=False)),
        "QuickGELUs not folded": Form(of(gelus=False)),
        "channels first": Form(channels_first(of(memory_format=torch.contiguous_format))),
        "deformable attention by grid_sample": Form(
            network, patch.object(DeformableAttention, "forward", deformable_attention_reference)
        ),
        "feed-forward layers whole": Form(network, patch.object(transformer_layers, "CPU_ROWS", 1 << 30)),
        "heads after every decoder layer": Form(network, patch.object(QueryDecoder, "last", with_every_head)),
        "attention masks shrunk as masks": Form(
            network, patch.multiple(query_decoder, shrink_to=not_shrunk, inside_masks=shrunk_masks)
        ),
        "InstCLIP with the whole mask": Form(
            network, patch.object(instclip, "guided_attention", by_whole_mask)
        ),
    }
    if precision != "fp32":
        forms["weights rounded for every batch"] = Form(of(rounded=False))
    return forms


def channels_first(network: FrameNetwork) -> FrameNetwork:
    """Let the network process channels-first images, too; they arrive channels-last."""
    backbone = network.proposals.stages()["backbone"]
    backbone.register_forward_pre_hook(lambda _, images: tuple(image.contiguous() for image in images))
    return network


def with_every_head(decoder: QueryDecoder, features: PixelFeatures) -> LayerOutput:
    """Compute objects and masks after every layer, as in training, and return the last."""
    output: DecoderOutput = decoder(features)
    return output.layers[-1]


def not_shrunk(pixel_embeds: Tensor, level: Tensor) -> tuple[Tensor, torch.Size]:
    """Return the pixel embeddings unchanged, and the size of the masks."""
    return pixel_embeds, level.shape[-2:]


def shrunk_masks(mask_embeds: Tensor, pixels: tuple[Tensor, torch.Size]) -> Tensor:
    """Compute masks at the size of the pixel embeddings, then shrink them to a level: (B, Q, S)."""
    pixel_embeds, level_hw = pixels
    masks = torch.einsum("bqc,bchw->bqhw", mask_embeds, pixel_embeds)
    return F.interpolate(masks, size=level_hw, mode="bilinear", align_corners=False).flatten(2) >= 0


def by_whole_mask(query: Tensor, key: Tensor, value: Tensor, *, bias: Tensor) -> Tensor:
    """Compute `guided_attention` with the full (queries x keys) mask of equation 3."""
    batch, num_instances, num_shared = bias.shape
    mask = query.new_full((batch, query.shape[2], key.shape[2]), float("-inf"))
    mask[:, :-num_instances, :num_shared] = 0
    mask[:, -num_instances:, :num_shared] = bias
    mask[:, -num_instances:, num_shared:].diagonal(dim1=1, dim2=2).fill_(SHARED_BIAS)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None])


def network_of(  # noqa: PLR0913  one for each choice
    name: str,
    *,
    precision: Precision,
    norms: bool = True,
    gelus: bool = True,
    rounded: bool = True,
    memory_format: torch.memory_format = torch.channels_last,
) -> FrameNetwork:
    """Build the network with random weights as `ready` does, except for the given options."""
    torch.manual_seed(0)
    network = find_spec(name).build().eval()
    if norms:
        fold_norms(network.proposals)
    if gelus:
        fold_quick_gelus(network)
    if rounded and precision != "fp32":
        round_weights(network, DTYPES[precision])
    return network.to(memory_format=memory_format)  # type: ignore[call-overload, no-any-return]


def in_turns(
    forms: dict[str, Form], frames: Tensor, *, precision: Precision, rounds: int
) -> dict[str, dict[StageName, float]]:
    """Return the seconds of the fastest turn of each part of each variant, without the first turn."""
    best = {name: dict.fromkeys(NETWORK_STAGES, float("inf")) for name in forms}
    for turn in range(rounds + 1):
        for name, form in forms.items():
            with form.during:
                taken = seconds_of_parts(form.network, frames, precision=precision)
            if turn:
                best[name] = {part: min(best[name][part], taken[part]) for part in NETWORK_STAGES}
    return best


def seconds_of_parts(
    network: FrameNetwork, frames: Tensor, *, precision: Precision
) -> dict[StageName, float]:
    """Return the seconds of the batch in each part of the network."""
    reduced = precision != "fp32"
    clock = Meter(stage_clock(frames.device))
    with (
        torch.inference_mode(),
        torch.autocast("cpu", dtype=DTYPES[precision] if reduced else None, enabled=reduced),
        clock.listening(network),
    ):
        network.predict(frames)
    return {part: sum(sample.amount for sample in clock.samples[part]) for part in NETWORK_STAGES}


if __name__ == "__main__":
    main()
