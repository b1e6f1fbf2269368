"""CLIP-VIS as a system: decoders and mask pooling on one convolutional CLIP, top-K association."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ovvis_models.backbones.clip_maps import clip_maps
from ovvis_models.converters.clip_vis import has_text, split, with_counters, without_backbone
from ovvis_models.converters.mask2former import from_published
from ovvis_models.converters.parts import PublishedFile, PublishedFiles, convert_part, require_parts
from ovvis_models.errors import MissingWeightsError
from ovvis_models.heads.mask_pooling import mask_pooling
from ovvis_models.networks.clip import ClipSpec, build_clip
from ovvis_models.networks.clip_vis import ClipVis
from ovvis_models.networks.mask2former import Mask2FormerSpec, build_mask2former
from ovvis_models.scoring.clip_vis import CLASS_EXPONENT, ClipVisScoring
from ovvis_models.scoring.track_table import QualityWeighted
from ovvis_models.systems.spec import PublishedProtocol, SystemSpec
from ovvis_models.text.encoder import TextEncoder
from ovvis_models.text.naming import OpenVocabulary

if TYPE_CHECKING:
    from open_clip.model import CLIP

_NUM_RESULTS = 50  # DETECTIONS_PER_IMAGE of every published configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipVisSpec(SystemSpec[ClipVis]):
    """The numbers of a CLIP-VIS; its proposals have no backbone of their own."""

    proposals: Mask2FormerSpec
    clip: ClipSpec
    scoring: ClipVisScoring = ClipVisScoring()

    @property
    def reads_words(self) -> bool:
        """It has a text encoder."""
        return True

    @property
    def token_dim(self) -> int:
        """Width of CLIP's embeddings."""
        return self.clip.embed_dim

    @property
    def token_mean(self) -> QualityWeighted:
        """Mean weighted by object score and mask quality."""
        return QualityWeighted()

    @property
    def published(self) -> PublishedProtocol:
        """The protocol of CLIP-VIS, Sec. 3.3 and 3.4, as its code runs it."""
        return PublishedProtocol(
            tracker="top-k", tracked_by="query", scoring=self.scoring, num_results=_NUM_RESULTS
        )

    def build(self) -> ClipVis:
        """Return the networks with random weights, on the CPU."""
        return self.compose(clip=build_clip(self.clip))

    def compose(self, *, clip: "CLIP") -> ClipVis:
        """Return the networks on a CLIP whose tower both parts share; the decoders are random."""
        return ClipVis(
            proposals=build_mask2former(self.proposals, backbone=clip_maps(clip.visual)),
            pooling=mask_pooling(clip.visual),
            text_encoder=TextEncoder(clip),
            image_input=self.proposal_input,
        )

    def assemble(self, files: PublishedFiles) -> ClipVis:
        """See `SystemSpec.assemble`: one file, or two where the first lacks CLIP's text tower."""
        ((path, tensors),) = require_parts(files, "clip-vis", model=self.name)
        parts = split(tensors)
        clip = build_clip(self.clip)
        if has_text(tensors):
            clip_file: PublishedFile = (path, parts.clip)
        elif "clip" in files:
            clip_file = files["clip"]
        else:
            raise MissingWeightsError(
                f"{path} lacks CLIP's text tower: {self.name} also needs a CLIP checkpoint",
                hint="name both files in one command",
            )
        clip.load_state_dict(convert_part(clip_file, with_counters, clip.state_dict()))
        network = self.compose(clip=clip)
        state = without_backbone(network.proposals.state_dict())
        network.proposals.load_state_dict(
            convert_part((path, parts.decoders), from_published, state), strict=False
        )
        return network

    def naming(self, network: ClipVis) -> OpenVocabulary:
        """Return the text encoder of its CLIP."""
        return OpenVocabulary(
            text_encoder=network.text_encoder,
            embed_dim=self.token_dim,
            domain=self.text_domain,
            class_exponent=CLASS_EXPONENT,
            splits_synonyms=True,
        )
