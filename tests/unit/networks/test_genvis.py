"""GenVIS: windows, carried queries, the prototype memory and its limit, checkpoints, scoring."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ovvis_models.catalog import CATALOG
from ovvis_models.converters.genvis import to_official
from ovvis_models.decoders.prototype_memory import PrototypeMemory, window_to_drop
from ovvis_models.errors import MismatchedWeightsError, MissingWeightsError
from ovvis_models.loading import LoadedModel, segmenter_for
from ovvis_models.networks.clip import ClipSpec, TextSpec, VisionSpec, build_clip
from ovvis_models.networks.mask_naming import MaskNaming
from ovvis_models.preprocess import geometry, logits_to_input
from ovvis_models.scoring.evidence import SlotEvidence, evidence_of
from ovvis_models.scoring.genvis import BestWindowScoring
from ovvis_models.structures import FrameQueryWindow, WindowSlots
from ovvis_models.systems.spec import TrackerChoice
from ovvis_models.text.naming import ClosedVocabulary, OpenVocabulary

FRAME_HW = (48, 64)
SMALL_CLIP = ClipSpec(
    embed_dim=16,
    vision=VisionSpec(image_size=32, patch_size=16, width=32, layers=1, head_width=16),
    text=TextSpec(context_length=16, vocab_size=49408, width=8, heads=2, layers=1),
    quick_gelu=True,
)
QUERIES, WIDTH = 5, 32


def small(*, window=1, name="genvis-r50-ovis"):
    spec = CATALOG[name]
    return replace(
        spec,
        window=window,
        proposals=replace(
            spec.proposals,
            backbone=replace(spec.proposals.backbone, name="resnet18"),
            width=WIDTH,
            num_heads=2,
            encoder_layers=1,
            encoder_ffn_dim=16,
            decoder_layers=2,
            decoder_ffn_dim=16,
            num_queries=6,
        ),
        window_decoder=replace(
            spec.window_decoder, num_queries=QUERIES, encoder_layers=1, decoder_layers=2, ffn_dim=16
        ),
        proposal_input=replace(spec.proposal_input, short_side=64, max_side=128),
        clip=SMALL_CLIP,
        clip_input=replace(spec.clip_input, short_side=32, max_side=64),
        association=replace(spec.association, score_floor=0.0),
    )


def built(spec):
    torch.manual_seed(0)
    return spec.build().eval()


def loaded(spec):
    return LoadedModel(spec=spec, network=built(spec), weights_sha256="")


def frames(count):
    return torch.randint(
        0, 256, (count, *FRAME_HW, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )


def run(segmenter, film, *, window, first=0):
    """Feed a film window by window; return the slots of each."""
    slots = []
    for start in range(0, len(film), window):
        part = film[start : start + window]
        (one,) = segmenter.encode(part)
        slots.append(segmenter.step(one, range(first + start, first + start + len(part))).slots)
    return slots


@pytest.mark.parametrize("window", [1, 3])
def test_windows_are_the_same_alone_and_together_and_the_last_may_be_shorter(window):
    network = built(small(window=window))
    film = frames(8)
    with torch.inference_mode():
        together = network.encode(film)
        alone = [network.encode(film[start : start + window])[0] for start in range(0, 8, window)]
    assert [len(one.frame_tokens) for one in together] == ([1] * 8 if window == 1 else [3, 3, 2])
    for one, other in zip(together, alone, strict=True):
        assert torch.allclose(one.frame_tokens, other.frame_tokens, atol=1e-4)
        assert one.pixel_embeds.shape == (len(one.frame_tokens), WIDTH, 16, 24)
        assert torch.allclose(one.pixel_embeds, other.pixel_embeds, atol=1e-4)


def test_frames_of_a_window_see_each_other_and_windows_do_not():
    network = built(small(window=3))
    film = frames(6)
    changed = film.clone()
    changed[2] = 255 - changed[2]
    with torch.inference_mode():
        one, other = network.encode(film), network.encode(changed)
    assert not torch.allclose(one[0].frame_tokens[0], other[0].frame_tokens[0], atol=1e-4)
    assert torch.allclose(one[1].frame_tokens, other[1].frame_tokens, atol=1e-4)


def test_a_later_window_depends_on_the_first():
    model = loaded(small())
    film = frames(4)
    changed = film.clone()
    changed[0] = 255 - changed[0]
    slots = [run(segmenter_for(model, rules="published"), one, window=1)[-1] for one in (film, changed)]
    assert not torch.allclose(slots[0].instance_tokens, slots[1].instance_tokens, atol=1e-5)


@pytest.mark.parametrize("rules", ["product", "published"])
def test_a_run_stopped_at_the_end_of_a_window_goes_on_with_the_same_numbers(rules):
    model, film = loaded(small(window=3)), frames(8)
    whole = segmenter_for(model, rules=rules)
    expected = run(whole, film, window=3)
    first, second = segmenter_for(model, rules=rules), segmenter_for(model, rules=rules)
    run(first, film[:3], window=3)
    second.load_state_dict(first.state_dict())
    found = run(second, film[3:], window=3, first=3)
    for one, other in zip(found, expected[1:], strict=True):
        assert torch.equal(one.track_ids, other.track_ids)
        assert torch.equal(one.mask_logits, other.mask_logits)
    again = {track.track_id: track.instance_token for track in second.finish().tracks}
    for track in whole.finish().tracks:
        assert np.array_equal(track.instance_token, again[track.track_id])


def test_the_state_stops_growing_when_its_memory_is_full():
    model, film = loaded(small()), frames(2)
    windows = [*model.network.encode(film)] * 100
    segmenter = segmenter_for(model, tracker=TrackerChoice(name="propagation", memory_windows=8))
    sizes = []
    for number, window in enumerate(windows):
        segmenter.step(window, [number])
        sizes.append(sum(tensor.nbytes for tensor in segmenter.state_dict().values()))
    assert sizes[7] > sizes[0]
    assert set(sizes[20:]) == {sizes[20]}
    fixed = segmenter.state().fixed
    assert len(fixed) == 8
    assert {tensor.shape for tensor in fixed.values()} == {(2, QUERIES, WIDTH)}


def test_under_published_rules_query_i_is_track_i_of_every_window():
    slots = run(segmenter_for(loaded(small()), rules="published"), frames(3), window=1)
    assert [one.track_ids.tolist() for one in slots] == [list(range(1, QUERIES + 1))] * 3
    assert slots[0].instance_tokens.shape == (QUERIES, 26)


def test_under_product_rules_a_query_is_shown_only_where_it_is_an_object_and_keeps_its_track():
    spec = small()
    spec = replace(spec, association=replace(spec.association, score_floor=0.5))
    model = loaded(spec)
    association = spec.associate(model.network, TrackerChoice(name="propagation"), "product")
    pixels = torch.full((1, WIDTH, 16, 24), -1.0)
    for query in range(QUERIES):  # the mask of query i is column i
        pixels[0, query, :, query] = 1.0
    shape = geometry(FRAME_HW, short_side=64, max_side=128)
    window = FrameQueryWindow(frame_tokens=torch.randn(1, 6, WIDTH), pixel_embeds=pixels, geometry=shape)
    state, shown = association.start(window), []
    with torch.inference_mode():
        for no_object in ([-9.0, 9.0, -9.0], [9.0, -9.0, -9.0], [-9.0, 9.0, 9.0]):
            head = FixedHead(no_object + [9.0] * (QUERIES - 3))
            decoder = Decoder(model.network.window_decoder, head)
            state, slots = replace(association, decoder=decoder).step(state, window)
            shown.append(slots.track_ids.tolist())
    assert shown == [[1, 3], [2, 3], [1]]


class FixedHead:
    """Says which queries are no object, whatever they are."""

    def __init__(self, no_object):
        self.logits = torch.zeros(1, QUERIES, 26)
        self.logits[0, :, -1] = torch.tensor(no_object)

    def object_logit(self, logits):
        return torch.logsumexp(logits[..., :-1], dim=-1) - logits[..., -1]


class Decoder:
    """A window decoder with masks of its own and another class head."""

    def __init__(self, decoder, head):
        self.decoder, self.object_head = decoder, head

    def __call__(self, queries, frame_tokens):
        return self.decoder(queries, frame_tokens)

    def __getattr__(self, name):
        return getattr(self.decoder, name)

    def heads(self, queries):
        masks = torch.eye(QUERIES, WIDTH)[None]
        return replace(self.decoder.heads(queries), class_logits=self.object_head.logits, mask_embeds=masks)


def memory_of(count, *, max_windows=None, batch=1):
    """A memory in which entry m of query q holds the number 10 m + q."""
    memory = PrototypeMemory.empty(torch.zeros(batch, QUERIES, 2))
    for number in range(count):
        numbers = (10.0 * number + torch.arange(QUERIES)).expand(2, batch, -1).permute(1, 2, 0)
        memory = memory.append(torch.zeros(batch, QUERIES, 2), numbers, max_windows=max_windows)
    return memory


def test_an_empty_memory_gives_zero_and_a_query_reads_only_its_own_entries():
    keys = torch.zeros(2, QUERIES, 2)
    assert torch.equal(memory_of(0, batch=2).read(keys), keys)
    read = memory_of(3, batch=2).read(keys)  # equal logits: the mean over the windows
    assert torch.allclose(read[..., 0], 10.0 + torch.arange(QUERIES, dtype=torch.float32).expand(2, -1))


def test_attention_is_not_scaled_by_the_width():
    memory = PrototypeMemory.empty(torch.zeros(1, 1, 4))
    memory = memory.append(torch.full((1, 1, 4), 0.5), torch.zeros(1, 1, 4))
    memory = memory.append(torch.zeros(1, 1, 4), torch.zeros(1, 1, 4))
    found = memory.attention(torch.ones(1, 1, 4))[0, 0]
    assert torch.allclose(found, torch.tensor([2.0, 0.0]).softmax(dim=0))


def test_the_memory_is_exact_up_to_its_limit():
    whole, limited = memory_of(8), memory_of(8, max_windows=8)
    assert torch.equal(whole.values, limited.values)
    assert whole.windows.tolist() == limited.windows.tolist() == list(range(8))


@pytest.mark.parametrize("limit", [1, 2, 3, 8, 17])
def test_a_full_memory_keeps_the_first_window_the_newest_half_and_an_even_cover_of_the_rest(limit):
    memory = memory_of(300, max_windows=limit)
    windows = memory.windows.tolist()
    assert len(windows) == limit
    assert memory.num_seen == 300
    assert torch.equal(memory.values[0, :, 0, 0], 10.0 * memory.windows)  # entries go with their windows
    newest = limit - limit // 2
    assert windows[-newest:] == list(range(300 - newest, 300))
    if limit >= 3:
        assert windows[0] == 0
    old = np.diff(windows[: limit - newest + 1])
    if len(old) > 2:
        assert old.max() <= 4 * np.median(old)


def test_the_oldest_of_the_closest_windows_leaves():
    assert window_to_drop(torch.tensor([0, 4, 6, 8, 12, 13, 14, 15])) == 2
    assert window_to_drop(torch.arange(8)) == 1


def published_files(spec, network):
    """The authors' file with the numbers of a network, and what training leaves beside them."""
    own = {name: x for name, x in network.state_dict().items() if not name.startswith("mask_naming.")}
    theirs = to_official(own)
    classes = spec.window_decoder.num_classes + 1
    theirs |= {f"{name}.empty_weight": torch.ones(classes) for name in LOSSES}
    theirs |= {f"vita_module.{name}.weight": torch.ones(WIDTH, WIDTH) for name in SIMILARITY}
    return {"genvis": (Path("model.pth"), theirs)}


LOSSES = ("criterion", "vita_criterion", "genvis_criterion")
SIMILARITY = ("sim_embed_frame", "sim_embed_clip")


def test_a_published_file_becomes_the_network():
    spec = small()
    network = built(spec)
    torch.manual_seed(5)
    assembled = spec.assemble(published_files(spec, network))
    assert assembled.mask_naming is None
    for name, tensor in assembled.state_dict().items():
        assert torch.equal(network.state_dict()[name], tensor)


def test_a_file_without_a_memory_is_told_to_be_of_vita():
    spec = small()
    files = published_files(spec, built(spec))
    path, theirs = files["genvis"]
    vita = {name: x for name, x in theirs.items() if "pre_memory" not in name and "pre_query" not in name}
    with pytest.raises(MismatchedWeightsError, match="looks like a VITA checkpoint"):
        spec.assemble({"genvis": (path, vita)})
    with pytest.raises(MissingWeightsError, match="needs a GenVIS checkpoint"):
        spec.assemble({"proposals": (path, theirs)})


def test_a_file_with_another_number_of_classes_is_refused():
    theirs = small()
    wanted = small(name="genvis-r50-ytvis2019")
    with pytest.raises(MismatchedWeightsError, match="25 classes; the model needs 40"):
        wanted.assemble(published_files(theirs, built(theirs)))


def test_a_clip_in_the_same_command_names_masks():
    spec = small()
    files = published_files(spec, built(spec))
    torch.manual_seed(4)
    clip = build_clip(SMALL_CLIP)
    assembled = spec.assemble(files | {"clip": (Path("clip.pt"), clip.state_dict())})
    assert torch.equal(
        assembled.mask_naming.instance_encoder.visual.class_embedding, clip.visual.class_embedding
    )
    again = spec.build_for(assembled.state_dict().keys())
    again.load_state_dict(assembled.state_dict())
    vision = {name: x for name, x in clip.state_dict().items() if name.startswith("visual.")}
    assert spec.assemble(files | {"clip": (Path("clip.pt"), vision)}).mask_naming is None


def test_without_a_clip_masks_cannot_be_named():
    spec = small()
    network = spec.compose(clip=None).eval()
    model = LoadedModel(spec=spec, network=network, weights_sha256="")
    segmenter_for(model)
    with pytest.raises(MissingWeightsError, match="installed without a CLIP"):
        segmenter_for(model.with_classifier("instclip"), classifier="instclip")


def test_the_classifier_decides_on_tokens_and_classes_but_not_on_masks():
    closed = loaded(small(window=3))
    opened = closed.with_classifier("instclip")
    assert isinstance(closed.naming, ClosedVocabulary)
    assert isinstance(opened.naming, OpenVocabulary)
    assert (closed.spec.token_dim, opened.spec.token_dim) == (26, SMALL_CLIP.embed_dim)
    assert (closed.spec.reads_words, opened.spec.reads_words) == (False, True)
    found = [
        run(segmenter_for(model, classifier=name, rules="published"), frames(5), window=3)
        for model, name in ((closed, "class-head"), (opened, "instclip"))
    ]
    for one, other in zip(*found, strict=True):
        assert torch.equal(one.track_ids, other.track_ids)
        assert torch.equal(one.mask_logits, other.mask_logits)
        norms = other.instance_tokens.norm(dim=-1)
        assert torch.allclose(norms[norms > 0], torch.ones(int((norms > 0).sum())), atol=1e-5)


class FrameNumbers(torch.nn.Module):
    """An instance encoder whose token is the number of the frame, on an axis of its own."""

    size_divisor, embed_dim = 16, 2

    def encode_instances(self, images, mask_logits):
        tokens = torch.eye(len(images))[:, None]
        return tokens.expand(-1, mask_logits.shape[1], -1)


def test_a_mask_is_named_by_the_frames_that_show_it():
    naming = MaskNaming(instance_encoder=FrameNumbers(), text_encoder=None, clip_input=small().clip_input)
    shape = geometry((64, 64), short_side=64, max_side=64)
    masks = torch.full((2, 3, 16, 16), -1.0)
    masks[0, 0, 3, 3] = masks[:, 1, 3, 3] = 1.0  # in the first frame, in both, in none
    tokens = naming.tokens(torch.zeros(2, 3, 32, 32), masks, shape)
    assert torch.allclose(tokens, torch.tensor([[1.0, 0.0], [0.5**0.5, 0.5**0.5], [0.0, 0.0]]))


class Classes:
    """The first two columns of three are classes."""

    def probabilities(self, tokens):
        return tokens.softmax(dim=-1)[:, :2]


def evidence(logits, *, area, confidence):
    count = len(logits)
    return SlotEvidence(
        object_scores=torch.ones(count),
        object_logits=torch.zeros(count),
        instance_tokens=torch.tensor(logits),
        mask_quality=None,
        mask_area=torch.tensor(area),
        mask_confidence=torch.tensor(confidence),
    )


def test_the_best_window_counts_and_the_mask_quality_of_the_video_multiplies():
    sure = evidence([[5.0, 0.0, 0.0], [0.0, 1.0, 0.0]], area=[[10.0, 4.0]], confidence=[[9.0, 2.0]])
    gone = evidence(
        [[0.0, 0.0, 9.0], [0.0, 4.0, 0.0]],
        area=[[0.0, 0.0], [30.0, 4.0]],
        confidence=[[0.0, 0.0], [15.0, 4.0]],
    )
    pairs = BestWindowScoring().score(lambda: [sure, gone], Classes(), num_pairs=2)
    best = torch.tensor([[5.0, 0.0, 0.0], [0.0, 4.0, 0.0]]).softmax(dim=-1)
    wanted = {(0, 0): float(best[0, 0]) * 24 / 40, (1, 1): float(best[1, 1]) * 6 / 8}
    found = dict(
        zip(
            zip(pairs.slot_index.tolist(), pairs.class_index.tolist(), strict=True), pairs.scores, strict=True
        )
    )
    assert found.keys() == wanted.keys()
    assert all(float(found[key]) == pytest.approx(wanted[key], rel=1e-5) for key in wanted)
    assert pairs.scores[0] >= pairs.scores[1]  # ranked after the quality
    assert pairs.absent.shape == (2, 3)
    assert not pairs.absent.any()


def test_masks_can_be_measured_at_the_size_of_the_resized_frame():
    shape = geometry((40, 60), short_side=40, max_side=64)
    torch.manual_seed(2)
    masks = torch.randn(2, 20, shape.padded_hw[0] // 4, shape.padded_hw[1] // 4)
    slots = WindowSlots(
        track_ids=torch.arange(1, 21),
        object_scores=torch.ones(20),
        object_logits=torch.ones(20),
        instance_tokens=torch.zeros(20, 3),
        mask_quality=None,
        mask_logits=masks,
        geometry=shape,
    )
    found = evidence_of(slots, measured_at="resized frame")
    for frame in range(2):
        sized = logits_to_input(masks[frame], shape)
        assert sized.shape == (20, 40, 60)
        inside = sized > 0
        assert torch.equal(found.mask_area[frame], inside.flatten(1).sum(dim=1).float())
        assert torch.allclose(found.mask_confidence[frame], (sized.sigmoid() * inside).flatten(1).sum(dim=1))
