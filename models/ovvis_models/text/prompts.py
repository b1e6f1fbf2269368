"""The patterns that class names are put in before CLIP's text tower reads them."""

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
"""ViLD's 14 templates, with its exact full stops, as the OpenVIS paper uses them."""


def fill(template: str, name: str) -> str:
    """The template with its `{}` replaced; braces in the name itself are left alone."""
    return template.replace("{}", name, 1)
