"""OVFormer as a system: queries aligned with CLIP's feature of the frames, by frame or by window."""

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ovvis_models.backbones.clip_maps import clip_maps
from ovvis_models.converters.clip import from_open_clip, has_text, vision_only
from ovvis_models.converters.ov2seg import from_official, load_official, official_state
from ovvis_models.converters.parts import PublishedFiles, convert_part, require_parts
from ovvis_models.heads.alignment import EmbeddingAlignment
from ovvis_models.heads.frame_features import FrameFeatures
from ovvis_models.networks.clip import build_clip
from ovvis_models.networks.mask2former import build_mask2former
from ovvis_models.networks.ovformer import OVFormer, OVFormerParts, WindowOVFormer
from ovvis_models.scoring.ov2seg import MeanOfFramesScoring, MeanOfWindowsScoring
from ovvis_models.systems.ov2seg import QueryNamingSpec
from ovvis_models.systems.spec import PublishedProtocol
from ovvis_models.text.encoder import TextEncoder

if TYPE_CHECKING:
    from open_clip.model import CLIP

_NUM_RESULTS = 50  # hard-coded for windows; frames follow the data set

QueriesOf = Literal["frame", "window"]
"""What a set of queries describes: a frame (the image model), or all frames of a window (the video model)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OVFormerSpec(QueryNamingSpec[OVFormerParts]):
    """The numbers of an OVFormer."""

    queries_of: QueriesOf

    @property
    def published(self) -> PublishedProtocol:
        """The protocol of OVFormer: its image model is run as OV2Seg, its video model has one of its own."""
        if self.queries_of == "frame":
            return PublishedProtocol(
                tracker="momentum", tracked_by="query", scoring=MeanOfFramesScoring(), num_results=None
            )
        return PublishedProtocol(
            tracker="adjacent",
            tracked_by="query",
            scoring=MeanOfWindowsScoring(),
            num_results=_NUM_RESULTS,
        )

    def build(self) -> OVFormerParts:
        """Return the networks with random weights, on the CPU."""
        return self.compose(clip=build_clip(self.clip), has_text=True)

    def compose(self, *, clip: "CLIP", has_text: bool) -> OVFormerParts:
        """Return the networks with both towers of a CLIP, or its vision tower alone; all else is random.

        Where the spec has no backbone, a copy of the vision tower is the backbone, too.
        """
        network = OVFormer if self.queries_of == "frame" else WindowOVFormer
        maps = clip_maps(deepcopy(clip.visual)) if self.proposals.backbone is None else None
        return network(
            proposals=build_mask2former(self.proposals, backbone=maps),
            frame_features=FrameFeatures(clip.visual),
            alignment=EmbeddingAlignment(self.proposals.width, embed_dim=self.token_dim),
            text_encoder=TextEncoder(clip) if has_text else None,
            image_input=self.proposal_input,
            window=self.window,
        )

    def assemble(self, files: PublishedFiles) -> OVFormerParts:
        """See `SystemSpec.assemble`: the authors' file, and a CLIP whose text tower may be absent."""
        file, clip_file = require_parts(files, "ovformer", "clip", model=self.name)
        clip, with_text = build_clip(self.clip), has_text(clip_file[1])
        wanted = clip.state_dict() if with_text else vision_only(clip.state_dict())
        clip.load_state_dict(convert_part(clip_file, from_open_clip, wanted), strict=with_text)
        network = self.compose(clip=clip, has_text=with_text)
        expected = official_state(proposals=network.proposals, naming=network.alignment)
        state = convert_part(file, from_official, expected)
        load_official(state, proposals=network.proposals, naming=network.alignment)
        return network
