"""The interface of proposal networks, and of the specs that build them.

A system takes any of them: images in, class-agnostic proposals out.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from ovvis_models.sources import Part
from ovvis_models.structures import Proposals

ProposalStage = Literal["backbone", "pixel decoder", "query decoder"]


class ProposalNetwork(nn.Module):
    """A network that finds objects in images, whatever their class."""

    @abstractmethod
    def propose(self, images: Float[Tensor, "B 3 H W"]) -> Proposals:
        """Return the proposals of prepared images; see `preprocess.proposal_images`."""

    @abstractmethod
    def stages(self) -> Mapping[ProposalStage, nn.Module]:
        """Return the modules that compute each stage, for measurements; one may contain the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalSpec(ABC):
    """The numbers that every proposal network has, and what can be made of them."""

    width: int  # of the query embeddings
    num_queries: int
    decoder_layers: int

    @property
    @abstractmethod
    def backbone_name(self) -> str:
        """The backbone in words."""

    @property
    @abstractmethod
    def part(self) -> Part:
        """The kind of published file that holds its weights."""

    @abstractmethod
    def build(self) -> ProposalNetwork:
        """Return the network with random weights, on the CPU.

        Raises:
            MissingPackageError: it needs a package that is not installed.
        """

    @abstractmethod
    def convert(self, published: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return published tensors under the names of `expected`, the state dict of the network.

        Raises:
            MismatchedWeightsError: they belong to another network.
        """

    def require_packages(self) -> None:  # noqa: B027  most networks need none
        """Do nothing where all packages that the network needs are installed.

        Raises:
            MissingPackageError: one is missing.
        """
