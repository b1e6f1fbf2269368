"""Lookup of names among the classes of a closed-set model, which are the table it was trained on."""

from collections.abc import Mapping

from ovvis_cli.errors import VocabularyError
from ovvis_cli.vocabulary.categories import load_table, table_name
from ovvis_cli.vocabulary.names import Vocabulary
from ovvis_cli.vocabulary.words import fold, prompt_text, spellings

_NUM_SHOWN = 8


def class_columns(vocabulary: Vocabulary, *, model_name: str, closed_set: str) -> tuple[int, ...]:
    """Return the column of each name in the class head of a model trained on the table `closed_set`.

    Raises:
        VocabularyError: a name is not in that table.
    """
    known = load_table(table_name(closed_set)).categories
    columns = {
        fold(text): column for column, entry in enumerate(known) for text in (entry.name, entry.prompt)
    }
    found = {name: _column(name, columns=columns) for name in vocabulary.names}
    unknown = [name for name, column in found.items() if column is None]
    if unknown:
        others = f" and {len(unknown) - _NUM_SHOWN} more" if len(unknown) > _NUM_SHOWN else ""
        raise VocabularyError(
            f"{model_name} knows only the {len(known)} classes of {closed_set}:"
            f" not {', '.join(unknown[:_NUM_SHOWN])}{others}",
            hint=f"use names of --vocabulary {closed_set}, or a model with an open vocabulary",
        )
    return tuple(column for column in found.values() if column is not None)


def _column(name: str, *, columns: Mapping[str, int]) -> int | None:
    """Return the column of a name or of its singular; None if the head has neither."""
    return next(
        (columns[text] for text in (fold(name), *spellings(prompt_text(name))) if text in columns), None
    )
