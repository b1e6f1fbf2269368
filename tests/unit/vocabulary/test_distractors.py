import pytest
import torch

from ovvis_cli.vocabulary.distractors import (
    ClosedName,
    closed_distractors,
    diorama_world,
    general_distractors,
    general_names,
)
from ovvis_cli.vocabulary.similarity import distant_from
from ovvis_cli.vocabulary.taxonomy import build_taxonomy, general_taxonomy


def removed(*asked: str) -> set[str]:
    return set(general_names()) - set(general_distractors(asked))


def test_general_vocabulary_is_broad_and_has_no_groups() -> None:
    names = general_names()
    assert len(names) == len(set(names)) > 250
    wanted = {
        "person",
        "cat",
        "dog",
        "bus",
        "chair",
        "pizza",
        "ball",
        "tree",
        "sky",
        "wall",
        "road",
        "hot dog",
    }
    assert wanted <= set(names)
    assert not {"animal", "vehicle", "object", "pet"} & set(names)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("dog", {"dog"}),
        ("Dogs", {"dog"}),
        ("puppy", {"dog"}),
        ("hounds", {"dog"}),
        ("small brown dog", {"dog"}),
        ("hot dog", {"hot dog"}),
        ("hot_dogs", {"hot dog"}),
        ("slice of pizza", {"pizza"}),
        ("bat_(animal)", {"bat", "baseball bat"}),  # a bare "bat" has both meanings
        ("starfish", {"starfish"}),  # no fish
        ("police car", {"car", "wheel"}),
        ("panda", {"panda", "bear"}),  # wider names go too
        ("quokka", set()),  # not understood
    ],
)
def test_what_means_the_same_is_no_distractor(asked: str, expected: set[str]) -> None:
    assert removed(asked) == expected


def test_groups_take_their_members_with_them() -> None:
    assert {"dog", "cat", "rabbit", "hamster"} <= removed("pet")
    assert "car" not in removed("pet")
    assert {"dog", "bird", "duck", "spider"} <= removed("animal")
    assert general_distractors(["object"]) == ()


def test_parts_and_wholes_are_no_distractors_of_each_other() -> None:
    assert {"person", "face", "shirt", "hat"} <= removed("person")
    assert {"person", "hat"} <= removed("hat")
    assert "shirt" not in removed("hat")


def test_others_stay() -> None:
    distractors = general_distractors(["dog", "skateboard"])
    assert {"cat", "wolf", "fox", "hot dog", "person", "bicycle", "road"} <= set(distractors)


def test_written_table_is_consistent() -> None:
    taxonomy = general_taxonomy()
    ambiguous = {name for name, meanings in taxonomy.by_name.items() if len(meanings) > 1}
    assert ambiguous == {"mouse", "bat"}
    assert all(name == name.lower() for name in taxonomy.by_name)


def test_a_group_across_the_tree_reaches_narrower_concepts() -> None:
    taxonomy = build_taxonomy([{"bird": ["parrot"]}, "cat", "car"], over={"pet": ["bird", "cat"]}, parts={})
    overlapping = taxonomy.overlapping(taxonomy.meanings("pet"))
    names = {taxonomy.concepts[index].names[0] for index in overlapping}
    assert names == {"pet", "bird", "parrot", "cat"}


WORLD = (
    ClosedName(name="dog", synonyms=("puppy", "hound")),
    ClosedName(name="bird", synonyms=("sparrow",)),
    ClosedName(name="duck"),
    ClosedName(name="car"),
    ClosedName(name="glorp", synonyms=("blorp",)),
)


@pytest.mark.parametrize(
    ("asked", "left_out"),
    [
        (("dog",), {"dog"}),
        (("Puppies", "car"), {"dog", "car"}),
        (("bird",), {"bird"}),  # in this world a duck is no bird
        (("duck",), {"duck"}),
        (("animal",), {"dog", "bird", "duck"}),
        (("red car",), {"car"}),
        (("blorp",), {"glorp"}),
        (("small glorp",), {"glorp"}),
        (("unicorn",), set()),
    ],
)
def test_closed_world(asked: tuple[str, ...], left_out: set[str]) -> None:
    distractors = closed_distractors(asked, world=WORLD)
    assert {entry.name for entry in WORLD} - set(distractors) == left_out


def test_the_diorama_is_a_closed_world() -> None:
    world = diorama_world()
    assert {"dog", "cat", "skateboard"} <= {entry.name for entry in world}
    distractors = closed_distractors(["dog", "skateboard"], world=world)
    assert set(distractors) == {entry.name for entry in world} - {"dog", "skateboard"}


def test_embeddings_find_synonyms_that_no_table_lists() -> None:
    generator = torch.Generator().manual_seed(0)
    common = torch.randn(1, 64, generator=generator) * 3
    own = torch.randn(20, 64, generator=generator)
    own[7] = own[0] + 0.1 * torch.randn(64, generator=generator)  # row 7 means what row 0 means
    embeds = torch.nn.functional.normalize(own + common, dim=-1)
    assert (embeds[8:] @ embeds[0]).min() > 0.8  # all are alike before the common part is removed
    keep = distant_from(embeds[:2], embeds[2:])
    assert keep.tolist() == [row != 7 for row in range(2, 20)]


def test_few_embeddings_are_compared_as_they_are() -> None:
    asked = torch.tensor([[1.0, 0.0]])
    others = torch.tensor([[0.0, 1.0], [0.99, 0.1]])
    assert distant_from(asked, others).tolist() == [True, False]
    assert distant_from(asked, others, max_cosine=1.1).tolist() == [True, True]
