from pathlib import Path

import pytest

from ovvis_cli.errors import UsageError, VocabularyError, exit_code_of
from ovvis_cli.vocabulary.categories import load_table
from ovvis_cli.vocabulary.names import (
    parse_classes,
    read_classes_file,
    resolve_vocabulary,
    vocabulary_of_names,
    vocabulary_of_table,
)


def test_command_line_names() -> None:
    vocabulary = parse_classes(" dog, hot  dog ,Skate_Board")
    assert vocabulary.names == ("dog", "hot dog", "Skate_Board")
    assert vocabulary.prompts == ("dog", "hot dog", "Skate Board")
    assert vocabulary.category_ids == (1, 2, 3)
    assert vocabulary.table is None
    assert vocabulary.class_index(3) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no class names"),
        ("  ", "no class names"),
        ("dog,,cat", "class name 2 in --classes is empty"),
        ("dog,", "class name 2 in --classes is empty"),
        ("dog,_", "class name 2 in --classes is empty"),
        ("dog,cat,DOG", "class name 'DOG' is repeated in --classes (names 1 and 3)"),
        ("hot dog,hot_dog", "class name 'hot_dog' is repeated"),
        ("dog,\x00\x01", "class name 2 in --classes holds unprintable characters"),
        ("dog," + "x" * 201, "class name 2 in --classes is 201 characters long"),
    ],
)
def test_names_that_make_no_vocabulary(text: str, message: str) -> None:
    with pytest.raises(VocabularyError) as caught:
        parse_classes(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert exit_code_of(caught.value) == 3


def test_four_thousand_names() -> None:
    names = [f"thing number {number}" for number in range(4000)]
    vocabulary = parse_classes(",".join(names))
    assert len(vocabulary) == 4000
    assert vocabulary.names[-1] == "thing number 3999"


def test_names_in_other_scripts() -> None:
    assert parse_classes("犬,Straße,собака").names == ("犬", "Straße", "собака")
    with pytest.raises(VocabularyError, match="repeated"):
        parse_classes("Straße,STRASSE")


def test_file_with_comments_blank_lines_and_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes("\ufeff# my classes\r\n\r\ndog\r\n  hot dog  \r\nwine, red\r\n".encode())
    assert read_classes_file(path).names == ("dog", "hot dog", "wine, red")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00\x80", "is not a text file"),
        (b"", "no class names in"),
        (b"# only a comment\n\n", "no class names in"),
        (b"dog\ncat\nDog\n", "'Dog' is repeated"),
    ],
)
def test_files_that_make_no_vocabulary(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes(content)
    with pytest.raises(VocabularyError, match=message):
        read_classes_file(path)


def test_unreadable_files(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.txt"):
        with pytest.raises(VocabularyError, match="cannot read class names"):
            read_classes_file(path)


def test_exactly_one_source_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no class names given"):
        resolve_vocabulary()
    with pytest.raises(UsageError, match="more than once"):
        resolve_vocabulary(classes="dog", table="coco")
    path = tmp_path / "names.txt"
    path.write_text("cat\n")
    assert resolve_vocabulary(classes="dog").names == ("dog",)
    assert resolve_vocabulary(classes_file=path).names == ("cat",)
    assert len(resolve_vocabulary(table="COCO")) == 80


def test_unknown_table_is_a_usage_error_that_lists_the_tables() -> None:
    with pytest.raises(UsageError, match=r"no vocabulary named 'imagenet' \(one of coco, lvis") as caught:
        resolve_vocabulary(table="imagenet")
    assert exit_code_of(caught.value) == 2


def test_table_keeps_the_ids_of_the_data_set() -> None:
    vocabulary = vocabulary_of_table(load_table("coco"))
    assert vocabulary.names[vocabulary.class_index(90)] == "toothbrush"
    with pytest.raises(VocabularyError, match="no category 12 among the 80"):
        vocabulary.class_index(12)  # COCO's ids have holes
    chosen = vocabulary_of_table(load_table("burst"), category_ids=[805, 4])
    assert chosen.names == ("person", "airplane")
    assert chosen.category_ids == (805, 4)


def test_no_names_at_all() -> None:
    with pytest.raises(VocabularyError, match="no class names"):
        vocabulary_of_names([])
