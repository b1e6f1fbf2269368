"""OV2Seg as a system: queries mapped into CLIP's space, matched to a running mean of their looks."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ovvis_models.converters.clip import from_open_clip, has_text
from ovvis_models.converters.ov2seg import from_official, load_official, official_state
from ovvis_models.converters.parts import PublishedFiles, convert_part, require_parts
from ovvis_models.heads.alignment import query_projection
from ovvis_models.networks.clip import ClipSpec, build_clip
from ovvis_models.networks.mask2former import Mask2FormerSpec, build_mask2former
from ovvis_models.networks.ov2seg import OV2Seg
from ovvis_models.networks.video_network import TextNetwork
from ovvis_models.scoring.ov2seg import CLASS_EXPONENT, MeanOfFramesScoring
from ovvis_models.scoring.track_table import RootScoreWeighted
from ovvis_models.systems.spec import PublishedProtocol, SystemSpec
from ovvis_models.text.encoder import TextEncoder
from ovvis_models.text.naming import OpenVocabulary
from ovvis_models.text.vocabulary_scores import each_alone

if TYPE_CHECKING:
    from open_clip.model import CLIP

Named = TypeVar("Named", bound=TextNetwork)

LOGIT_SCALE = 50.0  # fixed in the published code
_NUM_RESULTS = 50  # of the published configuration
_TEXT = "text_encoder."


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryNamingSpec(SystemSpec[Named]):
    """What OV2Seg and OVFormer share: classes named by the queries, in CLIP's space.

    The authors' files hold no text tower. Without a CLIP that has one, class embeddings come from a file.
    """

    proposals: Mask2FormerSpec
    clip: ClipSpec
    learned_prompts: bool = True  # the authors embed class names with learned prompts, not templates

    @property
    def reads_words(self) -> bool:
        """It names any words."""
        return True

    @property
    def token_dim(self) -> int:
        """Width of CLIP's embeddings."""
        return self.clip.embed_dim

    @property
    def token_mean(self) -> RootScoreWeighted:
        """Mean weighted by the root of the object score."""
        return RootScoreWeighted()

    def build_for(self, tensor_names: Collection[str]) -> Named:
        """Return the networks, without a text encoder where the file holds none."""
        network = self.build()
        if not any(name.startswith(_TEXT) for name in tensor_names):
            network.text_encoder = None
        return network

    def naming(self, network: Named) -> OpenVocabulary:
        """Return the text encoder, if there is one; each class is scored alone."""
        return OpenVocabulary(
            text_encoder=network.text_encoder,
            embed_dim=self.token_dim,
            domain=self.text_domain,
            class_exponent=CLASS_EXPONENT,
            link=each_alone,
            logit_scale=LOGIT_SCALE,
            learned_prompts=self.learned_prompts,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OV2SegSpec(QueryNamingSpec[OV2Seg]):
    """The numbers of an OV2Seg."""

    @property
    def published(self) -> PublishedProtocol:
        """The protocol of OV2Seg."""
        return PublishedProtocol(
            tracker="momentum",
            tracked_by="query",
            scoring=MeanOfFramesScoring(),
            num_results=_NUM_RESULTS,
        )

    def build(self) -> OV2Seg:
        """Return the networks with random weights, on the CPU."""
        return self.compose(clip=build_clip(self.clip))

    def compose(self, *, clip: "CLIP | None") -> OV2Seg:
        """Return the networks with the text tower of a CLIP, or without one; all else is random."""
        return OV2Seg(
            proposals=build_mask2former(self.proposals),
            projection=query_projection(self.proposals.width, embed_dim=self.token_dim),
            text_encoder=None if clip is None else TextEncoder(clip),
            image_input=self.proposal_input,
        )

    def assemble(self, files: PublishedFiles) -> OV2Seg:
        """See `SystemSpec.assemble`: the authors' file, and a CLIP for its text tower."""
        (file,) = require_parts(files, "ov2seg", model=self.name)
        clip: "CLIP | None" = None
        if "clip" in files and has_text(files["clip"][1]):
            clip = build_clip(self.clip)
            clip.load_state_dict(convert_part(files["clip"], from_open_clip, clip.state_dict()))
        network = self.compose(clip=clip)
        expected = official_state(proposals=network.proposals, naming=network.projection)
        state = convert_part(file, from_official, expected)
        load_official(state, proposals=network.proposals, naming=network.projection)
        return network
