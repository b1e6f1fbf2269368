"""Adapter files: the trained parts of an InstFormer without the published weights that they were trained on.

These parts are the tokens and LoRA updates of InstCLIP, and the rollout tracker. Unlike published weights,
they may be shared freely. An adapter is loaded together with the model that it was trained on.
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
    """Write the trained parts of a network that is based on the weights of `model`.

    Raises:
        ValueError: when the network has no InstCLIP.
    """
    encoder = network.instance_encoder
    if not isinstance(encoder, InstCLIP):
        raise ValueError("adapters need a network with InstCLIP")
    trained = {name: value for name, value in network.state_dict().items() if name.startswith(_TRAINED)}
    save_tensors(trained, path, metadata={"adapter_of": model, "lora_alpha": str(_alpha(encoder))})


def adapted(spec: ModelSpec, path: Path) -> tuple[InstFormerSpec, dict[str, Tensor]]:
    """Return the spec with the dimensions of an adapter, and the tensors that replace those of the model.

    Raises:
        MissingWeightsError: when the file does not exist.
        CorruptWeightsError: when the file is not a readable safetensors file, or has no valid `lora_alpha`.
        MismatchedWeightsError: when the file is not an adapter, or is an adapter of another model.
    """
    metadata = read_metadata(path)
    owner = metadata.get("adapter_of")
    if owner != spec.name:
        raise MismatchedWeightsError(
            f"{path} is {'not an adapter' if owner is None else f'an adapter of {owner}, not of {spec.name}'}"
        )
    if not isinstance(spec, InstFormerSpec):
        raise MismatchedWeightsError(f"{spec.name} has no InstCLIP, so it cannot use adapters")
    tensors = read_tensors(path)
    unknown = sorted(name for name in tensors if not name.startswith(_TRAINED))
    if unknown:
        names = ", ".join(unknown[:3])
        raise MismatchedWeightsError(f"{path} has tensors that are not part of an adapter: {names}")
    try:
        alpha = float(metadata["lora_alpha"])
    except (KeyError, ValueError) as error:
        raise CorruptWeightsError(f"{path} has no valid lora_alpha in its metadata") from error
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
        return 1.0  # no effect without LoRA
    first = encoder.lora[0]
    assert isinstance(first, QueryValueLoRA)
    return first.query.scale * first.query.down.shape[0]
