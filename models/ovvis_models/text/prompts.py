"""Prompt templates: sentences that class names are inserted into before CLIP encodes them."""

_SIZES = ("small", "medium", "large")

PROMPT_TEMPLATES: tuple[str, ...] = (
    "a photo of a {}.",
    "This is a photo of a {}",
    "There is a {} in the scene",
    "There is the {} in the scene",
    "a photo of a {} in the scene",
    *(f"a photo of a {size} {{}}." for size in _SIZES),
    *(f"This is a photo of a {size} {{}}." for size in _SIZES),
    *(f"There is a {size} {{}} in the scene." for size in _SIZES),
)
"""ViLD's 14 templates with its exact punctuation, as used in the OpenVIS paper."""


def fill(template: str, name: str) -> str:
    """Return the template with its first `{}` replaced by the name; braces in the name are kept."""
    return template.replace("{}", name, 1)
