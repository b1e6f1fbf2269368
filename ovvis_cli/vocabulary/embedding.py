"""Embedding of a vocabulary with CLIP's text encoder: the requested names, then the distractors."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ovvis_cli.vocabulary.cache import TextCache, hash_weights
from ovvis_cli.vocabulary.distractors import (
    ClosedName,
    closed_distractors,
    general_distractors,
    general_names,
)
from ovvis_cli.vocabulary.known_words import known_words
from ovvis_cli.vocabulary.names import Vocabulary
from ovvis_cli.vocabulary.similarity import distant_from
from ovvis_models.networks.clip import tokenize
from ovvis_models.text.encoder import TextEncoder
from ovvis_models.text.prompts import PROMPT_TEMPLATES
from ovvis_models.text.vocabulary import Progress, encode_vocabulary


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedVocabulary:
    """An embedded vocabulary; rows of `class_embeds` are the requested names, then the distractors."""

    vocabulary: Vocabulary
    distractors: tuple[str, ...]
    class_embeds: Float[Tensor, "K D"]  # float32, unit norm, on the CPU

    @property
    def num_asked(self) -> int:
        """Number of leading rows that belong to requested names."""
        return len(self.vocabulary)


class VocabularyEmbedder:
    """Embedder of vocabularies with one text tower and a disk cache.

    `world` is the closed world of a tower that was trained on nothing else (the embedded models); its names
    are then the distractors. Otherwise distractors come from the general vocabulary. `progress` is called
    while prompts are encoded; it is not called if all of them are cached.
    """

    def __init__(
        self,
        text_encoder: TextEncoder,
        *,
        cache: TextCache | None = None,
        world: Sequence[ClosedName] | None = None,
        templates: Sequence[str] = PROMPT_TEMPLATES,
        progress: Progress | None = None,
    ) -> None:
        self._text_encoder = text_encoder
        self._weights_hash = hash_weights(text_encoder)
        self._cache = cache or TextCache()
        self._world = None if world is None else tuple(world)
        self._templates = tuple(templates)
        self._progress = progress

    def embed(
        self,
        vocabulary: Vocabulary,
        *,
        distractors: bool = True,
        asked_embeds: Float[Tensor, "K D"] | None = None,
    ) -> EmbeddedVocabulary:
        """Return the vocabulary's embeddings, or `asked_embeds`, followed by distractors if requested."""
        if asked_embeds is None:
            asked_embeds = self._encode(self._prompts(vocabulary))
        if not distractors:
            return EmbeddedVocabulary(vocabulary=vocabulary, distractors=(), class_embeds=asked_embeds)
        candidates, chosen = self._candidates(vocabulary.names)
        candidate_embeds = self._encode(candidates)  # the same list in every run, so that it is cached
        is_chosen = torch.tensor([name in chosen for name in candidates])
        keep = is_chosen & distant_from(asked_embeds, candidate_embeds)
        return EmbeddedVocabulary(
            vocabulary=vocabulary,
            distractors=tuple(name for name, kept in zip(candidates, keep.tolist(), strict=True) if kept),
            class_embeds=torch.cat([asked_embeds, candidate_embeds[keep]]),
        )

    def _prompts(self, vocabulary: Vocabulary) -> tuple[str, ...]:
        """Return the prompts in the spelling that the text tower was trained on."""
        if self._world is None:
            return vocabulary.prompts
        known = known_words(self._world)
        return tuple(known.spelled(prompt) for prompt in vocabulary.prompts)

    def _candidates(self, asked: Sequence[str]) -> tuple[tuple[str, ...], frozenset[str]]:
        """Return all candidate distractors, and those that are allowed for the requested names."""
        if self._world is None:
            return general_names(), frozenset(general_distractors(asked))
        names = tuple(entry.name for entry in self._world)
        return names, frozenset(closed_distractors(asked, world=self._world))

    def _encode(self, prompts: Sequence[str]) -> Float[Tensor, "K D"]:
        return self._cache.load_or_encode(
            prompts,
            templates=self._templates,
            weights_hash=self._weights_hash,
            encode=lambda names: encode_vocabulary(
                self._text_encoder, tokenize, names, templates=self._templates, progress=self._progress
            ),
        )
