"""A cutout: one object drawn and cropped to its outline, with a caption."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from ovvis_cli.diorama.canvas import Canvas
from ovvis_cli.diorama.kinds.kind import Kind
from ovvis_cli.diorama.look import Look, random_look

_CAPTION_FRAMES = ("{}", "{}", "{}", "a photo of {}", "a picture of {}", "there is {} in the scene")
_PLURALS = ("scissors", "shears", "clippers", "pliers", "glasses")
_SILENT_H = ("hour", "honest", "heir")
_YOU_SOUND = ("uni", "uku", "use", "ute", "eu", "ewe", "one")
_MIN_ALPHA = 8
_KEEP_COLOR, _KEEP_PATTERN = 0.75, 0.85
_USE_SYNONYM = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutout:
    """An object without background; `rgba` has straight alpha, RGB order, and is cropped to the object."""

    rgba: UInt8[np.ndarray, "h w 4"]
    kind: Kind
    caption: str


def draw_cutout(kind: Kind, rng: np.random.Generator, *, size_px: int) -> Cutout:
    """Draw a new object of `kind` on a canvas of `size_px`; it faces right or left at random.

    Raises:
        RuntimeError: the kind drew nothing.
    """
    look = random_look(rng)
    canvas = Canvas(size_px)
    kind.draw(canvas, look, rng)
    rgba = _crop_to_object(canvas.rgba(), kind)
    if rng.random() < 0.5:
        rgba = np.ascontiguousarray(rgba[:, ::-1])
    return Cutout(rgba=rgba, kind=kind, caption=describe(kind, look, rng))


def describe(kind: Kind, look: Look, rng: np.random.Generator) -> str:
    """Return a caption such as "a striped blue fish", sometimes with a synonym or fewer attributes."""
    name = kind.name
    if kind.synonyms and rng.random() < _USE_SYNONYM:
        name = kind.synonyms[int(rng.integers(len(kind.synonyms)))]
    words = [name]
    if rng.random() < _KEEP_COLOR:
        words.insert(0, look.color_name)
    if look.pattern_name != "plain" and rng.random() < _KEEP_PATTERN:
        words.insert(0, look.pattern_name)
    frame = _CAPTION_FRAMES[int(rng.integers(len(_CAPTION_FRAMES)))]
    return frame.format(with_article(" ".join(words)))


def with_article(phrase: str) -> str:
    """Prepend "a" or "an" to `phrase`, by the sound of its first word; plurals get no article."""
    lower = phrase.lower()
    if lower.endswith(_PLURALS) and "pair of" not in lower:
        return phrase
    begins_with_vowel = lower.startswith(tuple("aeiou")) and not lower.startswith(_YOU_SOUND)
    return f"{'an' if begins_with_vowel or lower.startswith(_SILENT_H) else 'a'} {phrase}"


def _crop_to_object(rgba: UInt8[np.ndarray, "S S 4"], kind: Kind) -> UInt8[np.ndarray, "h w 4"]:
    solid = rgba[:, :, 3] >= _MIN_ALPHA
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    if rows.size == 0:
        raise RuntimeError(f"the kind '{kind.name}' drew nothing")
    return np.ascontiguousarray(rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
