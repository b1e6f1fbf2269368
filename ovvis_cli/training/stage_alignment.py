"""Trains the query decoder and the embedding alignment of an OVFormer on windows of frames.

Backbone, pixel decoder, objectness map and CLIP are frozen. They take most of the time, so each batch is used
several times, some steps apart, and their output is kept until its last use.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ovvis_cli.diorama.kinds import BASE_KINDS
from ovvis_cli.training.loop import Stage
from ovvis_cli.training.recipe import AlignmentStage
from ovvis_cli.training.stage_proposals import require_no_padding, targets_on
from ovvis_cli.training.windows import NO_NAME, WindowBatch, WindowSample, WindowSource, collate
from ovvis_models.blocks.decoder_output import DecoderOutput, PixelFeatures
from ovvis_models.decoders.queries import GuidedQueries
from ovvis_models.decoders.window_features import window_features
from ovvis_models.losses.federated_classes import class_loss, sample_classes
from ovvis_models.losses.guided_criterion import GuidedCriterion, GuidedWeights
from ovvis_models.losses.masks import PointSampling
from ovvis_models.losses.query_targets import query_targets
from ovvis_models.losses.targets import Target, gather_objects
from ovvis_models.networks.clip import tokenize
from ovvis_models.networks.ovformer import WindowOVFormer
from ovvis_models.preprocess import proposal_images
from ovvis_models.text.vocabulary import encode_vocabulary
from ovvis_models.text.vocabulary_scores import class_logits


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFeatures:
    """Output of the frozen networks for the windows of a batch."""

    pixels: PixelFeatures  # of stacked frames
    frames: Float[Tensor, "B T D"]  # CLIP's features


def alignment_stage(
    settings: AlignmentStage, network: WindowOVFormer, *, logit_scale: float, device: torch.device
) -> Stage[WindowSample, WindowBatch]:
    """Return the stage, which trains `trained_parts` of the network on `device`; the rest is frozen.

    Args:
        settings: settings of the stage.
        network: with a trained proposal network, whose queries are guided, and a trained CLIP.
        logit_scale: of cosine similarities with class names.
        device: device to train on.

    Raises:
        UsageError: frames of the size in `settings` would be padded.
    """
    frozen = FrozenNetworks(network, settings, device=device)
    class_embeds = base_class_embeds(network).to(device)
    criterion = GuidedCriterion(
        sampling=PointSampling(num_points=settings.num_points),
        weights=GuidedWeights(
            object=settings.object_weight,
            mask_bce=settings.mask_weight,
            dice=settings.dice_weight,
            margin=0.0,
            heatmap=0.0,
        ),
    )

    def losses(batch: WindowBatch) -> dict[str, Tensor]:
        features = frozen.features(batch)
        output = network.proposals.query_decoder(features.pixels)
        targets = targets_on(device, batch.stacked)
        found = criterion(network.proposals.with_one_object_logit(output), targets)
        tokens = torch.stack([network.tokens(layer.query_embeds, features.frames) for layer in output.layers])
        logits = class_logits(tokens, class_embeds, logit_scale=logit_scale)
        kind_indices = kinds_of_queries(output, targets, batch.kind_indices.to(device))
        named = named_loss(logits, kind_indices, num_classes=settings.num_classes)
        return found | {"classes": settings.class_weight * named}

    return Stage(
        name="alignment",
        model=trained_parts(network),
        draw=WindowSource(settings).draw,
        collate=collate,
        losses=losses,
        schedule=settings.schedule,
    )


def trained_parts(network: WindowOVFormer) -> nn.ModuleDict:
    """Return the modules that the stage trains; the objectness map of guided queries in them is frozen."""
    decoder = network.proposals.query_decoder
    if isinstance(decoder.queries, GuidedQueries):
        decoder.queries.heatmap.requires_grad_(requires_grad=False)
    return nn.ModuleDict({"query_decoder": decoder, "alignment": network.alignment})


def base_class_embeds(network: WindowOVFormer) -> Float[Tensor, "K D"]:
    """Return the embeddings of the names of all base kinds, in order, by the network's text encoder."""
    assert network.text_encoder is not None, "a model in training has a text encoder"
    with torch.no_grad():
        return encode_vocabulary(network.text_encoder, tokenize, [kind.name for kind in BASE_KINDS])


class FrozenNetworks:
    """Backbone, pixel decoder and CLIP of a network; remembers their output for the last batches."""

    def __init__(self, network: WindowOVFormer, settings: AlignmentStage, *, device: torch.device) -> None:
        """Move the whole network to the device.

        Raises:
            UsageError: frames of the size in `settings` would be padded.
        """
        require_no_padding(settings.frame_hw, network.image_input)
        network = network.eval().to(device)
        self.network: WindowOVFormer = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.device = device
        self._capacity = settings.batches_per_round
        self._kept: dict[int, WindowFeatures] = {}  # by batch number, oldest first

    def features(self, batch: WindowBatch) -> WindowFeatures:
        """Return the features of a batch, computed unless they are remembered."""
        if batch.batch_number not in self._kept:
            if len(self._kept) >= self._capacity:
                del self._kept[next(iter(self._kept))]
            self._kept[batch.batch_number] = self._computed(batch)
        return self._kept[batch.batch_number]

    @torch.no_grad()
    def _computed(self, batch: WindowBatch) -> WindowFeatures:
        frames, proposals = batch.frames.to(self.device), self.network.proposals
        images, _ = proposal_images(frames, self.network.image_input)
        pixels = proposals.pixel_decoder(proposals.backbone(images))
        clip_features = self.network.frame_features(frames)
        return WindowFeatures(
            pixels=window_features(pixels, num_frames=batch.num_frames),
            frames=torch.unflatten(clip_features, 0, (-1, batch.num_frames)),
        )


def kinds_of_queries(
    output: DecoderOutput, targets: Sequence[Target], kind_indices: Int[Tensor, " G"]
) -> Int[Tensor, "B Q"]:
    """Return the kind of the object that each guided query starts on, or NO_NAME.

    Args:
        output: of the query decoder.
        targets: of each window.
        kind_indices: of all objects, window by window.
    """
    assert output.origin is not None, "the queries are guided"
    points = output.origin.points
    pairs = query_targets(points, gather_objects(targets, dtype=points.dtype))
    of_queries = torch.full(points.shape[:2], NO_NAME, device=points.device)
    of_queries[pairs.objects.image_index, pairs.query_index] = kind_indices[pairs.object_index]
    return of_queries


def named_loss(
    logits: Float[Tensor, "L B Q K"], kind_indices: Int[Tensor, "B Q"], *, num_classes: int
) -> Float[Tensor, ""]:
    """Return the class loss of the queries that have a name.

    Args:
        logits: of the K base kinds, for every query in each layer.
        kind_indices: class of each query, or NO_NAME.
        num_classes: how many classes are compared; all base kinds are equally frequent.
    """
    named = kind_indices != NO_NAME
    frequency = logits.new_ones(logits.shape[-1])
    sampled = sample_classes(kind_indices[named], frequency=frequency, num_classes=num_classes)
    return class_loss(
        logits[:, named], kind_indices[named], sampled=sampled, num_queries=kind_indices.numel()
    )
