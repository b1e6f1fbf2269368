"""What training adds to a model, as a file of its own: LoRA and tokens of InstCLIP, and the rollout tracker.

Published weights may not be passed on freely; what was trained on top of them may. An adapter file holds only
that, and is put on the model that it was trained on.
"""

from dataclasses import replace
from pathlib import Path
from typing import Final

from torch import Tensor

from ovvis_models.errors import CorruptWeightsError, MismatchedWeightsError
from ovvis_models.heads.lora import QueryValueLoRA
from ovvis_models.networks.instclip import InstCLIP
from ovvis_models.networks.instformer import InstFormer
from ovvis_models.systems.instformer import InstClipSpec, InstFormerSpec
from ovvis_models.systems.spec import AssociationSpec, ModelSpec
from ovvis_models.weights import read_metadata, read_tensors, save_tensors

_TOKENS: Final = "instance_encoder.instance_token"
_LORA: Final = "instance_encoder.lora."
_DOWN: Final = f"{_LORA}0.query.down"  # (rank, width)
_HIDDEN: Final = "tracker.cell.weight_hh"  # (3 R, R)
_TRAINED: Final = (_TOKENS, "instance_encoder.register_token", _LORA, "tracker.")


def save_adapter(network: InstFormer, path: Path, *, model: str) -> None:
    """Writes what was trained of a network that was built on the weights of `model`.

    Raises:
        ValueError: the network has no InstCLIP.
    """
    encoder = network.instance_encoder
    if not isinstance(encoder, InstCLIP):
        raise ValueError("only networks with InstCLIP have adapters")
    trained = {name: value for name, value in network.state_dict().items() if name.startswith(_TRAINED)}
    save_tensors(trained, path, metadata={"adapter_of": model, "lora_alpha": str(_alpha(encoder))})


def adapted(spec: ModelSpec, path: Path) -> tuple[InstFormerSpec, dict[str, Tensor]]:
    """The spec with the numbers of an adapter file, and the tensors to be put over those of the model.

    Raises:
        MissingWeightsError: there is no such file.
        CorruptWeightsError: it is no readable safetensors file, or lacks a number.
        MismatchedWeightsError: it is no adapter, or one of another model.
    """
    metadata = read_metadata(path)
    owner = metadata.get("adapter_of")
    if owner != spec.name:
        raise MismatchedWeightsError(
            f"{path} is not an adapter file"
            if owner is None
            else f"{path} is an adapter of {owner}, not of {spec.name}"
        )
    if not isinstance(spec, InstFormerSpec):
        raise MismatchedWeightsError(f"{spec.name} takes no adapters: it has no InstCLIP")
    tensors = read_tensors(path)
    unknown = sorted(name for name in tensors if not name.startswith(_TRAINED))
    if unknown:
        raise MismatchedWeightsError(f"{path} holds more than an adapter: {', '.join(unknown[:3])}")
    try:
        alpha = float(metadata["lora_alpha"])
    except (KeyError, ValueError) as error:
        raise CorruptWeightsError(f"{path} does not say its lora_alpha") from error
    changed = replace(
        spec,
        instclip=_instclip(spec.instclip, tensors, alpha=alpha),
        association=_association(spec.association, tensors),
    )
    return changed, tensors


def _instclip(spec: InstClipSpec, tensors: dict[str, Tensor], *, alpha: float) -> InstClipSpec:
    num_tokens = tensors[_TOKENS].shape[0] if _TOKENS in tensors else spec.num_instance_tokens
    rank = tensors[_DOWN].shape[0] if _DOWN in tensors else spec.lora_rank
    return replace(spec, num_instance_tokens=num_tokens, lora_rank=rank, lora_alpha=alpha)


def _association(spec: AssociationSpec, tensors: dict[str, Tensor]) -> AssociationSpec:
    return replace(spec, hidden_dim=tensors[_HIDDEN].shape[-1]) if _HIDDEN in tensors else spec


def _alpha(encoder: InstCLIP) -> float:
    if encoder.lora is None:
        return 1.0  # of no effect
    first = encoder.lora[0]
    assert isinstance(first, QueryValueLoRA)
    return first.query.scale * first.query.down.shape[0]
