"""Vocabulary of a run, from the command line, a file, or the table of a data set."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ovvis_cli.choices import TableName
from ovvis_cli.errors import UsageError, VocabularyError
from ovvis_cli.vocabulary.categories import CategoryTable, load_table, table_name
from ovvis_cli.vocabulary.classes_file import names_of_text
from ovvis_cli.vocabulary.words import fold, prompt_text
from ovvis_models.errors import printable

MAX_NAME_LENGTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """K requested names; class indices and category ids are converted only here.

    The class index 0..K-1 is the position in `names`; category ids are those of the data set, or 1..K for the
    user's names.
    """

    names: tuple[str, ...]  # as shown and written to results
    prompts: tuple[str, ...]  # as used in prompts
    category_ids: tuple[int, ...]
    table: TableName | None  # data set of the names; None for the user's names

    def __len__(self) -> int:
        return len(self.names)

    def class_index(self, category_id: int) -> int:
        """Return the position of a category. Raises VocabularyError if it is not in this vocabulary."""
        try:
            return self.category_ids.index(category_id)
        except ValueError:
            raise VocabularyError(
                f"category {category_id} is not in the vocabulary of {len(self)} categories"
            ) from None


def resolve_vocabulary(
    *, classes: str | None = None, classes_file: Path | None = None, table: str | None = None
) -> Vocabulary:
    """Return the vocabulary of the options `--classes`, `--classes-file` and `--vocabulary`.

    Raises:
        UsageError: none or more than one of them is given, or the table is unknown.
        VocabularyError: no names, an empty, unprintable, too long or repeated name, or an unreadable file.
    """
    given = sum(option is not None for option in (classes, classes_file, table))
    if given != 1:
        problem = "no class names given" if given == 0 else "class names given more than once"
        raise UsageError(problem, hint='use one of --classes "a,b", --classes-file FILE, --vocabulary NAME')
    if classes is not None:
        return parse_classes(classes)
    if classes_file is not None:
        return read_classes_file(classes_file)
    return vocabulary_of_table(load_table(table_name(table or "")))


def parse_classes(text: str) -> Vocabulary:
    """Parse comma-separated names. Raises VocabularyError as `vocabulary_of_names` does."""
    if not text.strip():
        raise VocabularyError("no class names in --classes", hint='for example --classes "dog,skateboard"')
    return vocabulary_of_names(text.split(","), where="--classes")


def read_classes_file(path: Path) -> Vocabulary:
    """Read a UTF-8 file with one name per line, or with a JSON or YAML list of names.

    Blank lines and lines starting with # are skipped.

    Raises:
        VocabularyError: the file cannot be read, is not text or has another syntax; or as
            `vocabulary_of_names`.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise VocabularyError(
            f"{path} is not a text file", hint="one class name on each line, in UTF-8"
        ) from error
    except OSError as error:
        raise VocabularyError(f"cannot read class names from {path}: {error.strerror}") from error
    names = names_of_text(text, where=str(path))
    if not names:
        raise VocabularyError(f"no class names in {path}", hint="one class name on each line")
    return vocabulary_of_names(names, where=str(path))


def vocabulary_of_names(names: Iterable[str], *, where: str = "the class names") -> Vocabulary:
    """Return the vocabulary of the given names, with white space normalised, in Unicode's composed form.

    Names that differ only in case, spaces, `_` or `-` are equal.

    Raises:
        VocabularyError: there is no name, or one is empty, unprintable, over 200 characters long or repeated.
    """
    clean = tuple(unicodedata.normalize("NFC", " ".join(name.split())) for name in names)
    if not clean:
        raise VocabularyError(f"no class names in {where}")
    seen: dict[str, int] = {}
    for position, name in enumerate(clean, start=1):
        _check_name(name, position=position, where=where)
        first = seen.setdefault(fold(name), position)
        if first != position:
            raise VocabularyError(
                f"class name '{name}' is repeated in {where} (names {first} and {position})",
                hint="name each class once; case, spaces, '_' and '-' make no difference",
            )
    return Vocabulary(
        names=clean,
        prompts=tuple(prompt_text(name) for name in clean),
        category_ids=tuple(range(1, len(clean) + 1)),
        table=None,
    )


def vocabulary_of_table(table: CategoryTable, *, category_ids: Sequence[int] | None = None) -> Vocabulary:
    """Return all categories of a data set, or those of `category_ids` in that order.

    Raises:
        KeyError: an id is unknown.
    """
    by_id = table.by_id()
    chosen = table.categories if category_ids is None else tuple(by_id[number] for number in category_ids)
    return Vocabulary(
        names=tuple(category.name for category in chosen),
        prompts=tuple(category.prompt for category in chosen),
        category_ids=tuple(category.category_id for category in chosen),
        table=table.name,
    )


def _check_name(name: str, *, position: int, where: str) -> None:
    if not fold(prompt_text(name)):
        raise VocabularyError(
            f"class name {position} in {where} is empty", hint="look for a doubled or trailing comma"
        )
    if printable(name) != name:
        raise VocabularyError(f"class name {position} in {where} holds unprintable characters")
    if len(name) > MAX_NAME_LENGTH:
        raise VocabularyError(
            f"class name {position} in {where} is {len(name)} characters long",
            hint=f"at most {MAX_NAME_LENGTH}; a name is a short noun phrase",
        )
