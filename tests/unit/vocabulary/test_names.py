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
    with pytest.raises(UsageError, match=r"unknown vocabulary 'imagenet' \(one of coco, lvis") as caught:
        resolve_vocabulary(table="imagenet")
    assert exit_code_of(caught.value) == 2


def test_table_keeps_the_ids_of_the_data_set() -> None:
    vocabulary = vocabulary_of_table(load_table("coco"))
    assert vocabulary.names[vocabulary.class_index(90)] == "toothbrush"
    with pytest.raises(VocabularyError, match="category 12 is not in the vocabulary of 80"):
        vocabulary.class_index(12)  # COCO's ids have holes
    chosen = vocabulary_of_table(load_table("burst"), category_ids=[805, 4])
    assert chosen.names == ("person", "airplane")
    assert chosen.category_ids == (805, 4)


def test_no_names_at_all() -> None:
    with pytest.raises(VocabularyError, match="no class names"):
        vocabulary_of_names([])


@pytest.mark.parametrize(
    "content",
    [
        '["dog", "hot dog", "wine, red"]',
        '[\n  "dog",\n  "hot dog",\n  "wine, red"\n]\n',
        "- dog\n- hot dog\n- wine, red\n",
        "---\n# my classes\n- dog   # a comment\n- 'hot dog'\n\n- \"wine, red\"\n",
        "  - dog\n  - hot dog\n  - wine, red\n",
        "dog\nhot dog\nwine, red\n",
    ],
)
def test_a_file_may_be_lines_or_a_list_in_json_or_yaml(tmp_path: Path, content: str) -> None:
    path = tmp_path / "names"
    path.write_text(content)
    assert read_classes_file(path).names == ("dog", "hot dog", "wine, red")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"names": ["dog"]}', "holds a JSON object"),
        ("['dog', 'cat']", "not valid JSON, line 1 column 2"),
        ('["dog", "cat"', "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('["dog", 3]', "item 2 of the list is not a text: 3"),
        ("names:\n  - dog\n  - cat\n", "line 1: 'names:'"),
        ("names:\n  0: person\n  1: car\n", "line 1: 'names:'"),
        ("0: person\n1: car\n", "line 1: '0: person'"),
        ("- name: dog\n- name: cat\n", "line 1: 'name: dog'"),
        ("- [dog, cat]\n", "line 1"),
        ("dog\n- cat\n", "line 2: '- cat'"),
        ("dog,\ncat,\n", "line 1: 'dog,'"),
        ('"dog"\n"cat"\n', "line 1"),
        ("dog\n'cat'\n", "line 2"),
        ('names = ["dog", "cat"]\n', "line 1"),
        ("<class>dog</class>\n", "line 1"),
        ("* dog\n* cat\n", "line 1"),
        ("dog\n...\n", "line 2"),
    ],
)
def test_lines_of_syntax_are_never_names(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "names.txt"
    path.write_text(content)
    with pytest.raises(VocabularyError) as caught:
        read_classes_file(path)
    assert message in str(caught.value)
    assert "one class name on each line" in str(caught.value)


def test_names_that_only_look_like_syntax_are_names(tmp_path: Path) -> None:
    names = ("hot-dog", "bow_(weapon)", "children's book", "T-shirt", "7-up can", "horse & cart", "the dogs'")
    path = tmp_path / "names.txt"
    path.write_text("\n".join(names))
    assert read_classes_file(path).names == names


def test_names_of_joined_signs_are_printable() -> None:
    names = (
        "👨\u200d👩\u200d👧",
        "می\u200cخواهم",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    )
    assert vocabulary_of_names(names).names == names
    with pytest.raises(VocabularyError, match="unprintable"):
        vocabulary_of_names(["a\u202eb"])


def test_two_codes_of_one_letter_are_one_name() -> None:
    assert parse_classes("cafe\u0301").names == ("caf\u00e9",)
    with pytest.raises(VocabularyError, match="repeated"):
        parse_classes("cafe\u0301,CAF\u00c9")
