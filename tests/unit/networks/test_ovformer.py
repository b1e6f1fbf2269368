"""OV2Seg and OVFormer: their parts, windows of several frames, their checkpoints, their scoring."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from ovvis_models.blocks.decoder_output import PixelFeatures
from ovvis_models.decoders.query_decoder import shrink_to
from ovvis_models.decoders.window_features import frames_of_window, window_features
from ovvis_models.errors import MismatchedWeightsError, MissingWeightsError
from ovvis_models.loading import LoadedModel, segmenter_for
from ovvis_models.pillow_resize import resize_like_pillow
from ovvis_models.preprocess import center_squares
from ovvis_models.scoring.evidence import SlotEvidence
from ovvis_models.scoring.ov2seg import MeanOfFramesScoring, MeanOfWindowsScoring
from ovvis_models.text.vocabulary_scores import class_logits, each_alone
from tests.small_ovformer import built, published_files, small

FRAME_HW = (48, 64)


def frames(count):
    return torch.randint(
        0, 256, (count, *FRAME_HW, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )


@pytest.mark.parametrize("size", [(224, 373), (20, 30), (48, 64), (131, 175)])
def test_the_bicubic_resize_is_that_of_pillow(size):
    picture = frames(1)
    picture[0, :20] = torch.where(picture[0, :20] > 128, 255, 0).to(torch.uint8)  # a cubic kernel overshoots
    wanted = Image.fromarray(picture[0].numpy()).resize(size[::-1], Image.Resampling.BICUBIC)
    found = resize_like_pillow(picture, size, kernel="bicubic")[0].permute(1, 2, 0)
    assert np.array_equal(found.numpy(), np.asarray(wanted))


@pytest.mark.parametrize("hw", [(48, 64), (64, 48), (40, 40)])
def test_a_whole_frame_is_cut_to_its_centre(hw):
    picture = torch.zeros((1, *hw, 3), dtype=torch.uint8)
    picture[0, hw[0] // 2 - 4 : hw[0] // 2 + 4, hw[1] // 2 - 4 : hw[1] // 2 + 4] = 255
    square = center_squares(picture, side=32)[0, 0].float()
    assert square.shape == (32, 32)
    assert torch.allclose(square, square.flip(0), atol=2)
    assert torch.allclose(square, square.flip(1), atol=2)


def test_frames_of_a_window_are_stacked_and_come_back():
    features = PixelFeatures(
        levels=tuple(torch.randn(6, 8, 2**scale, 2 * 2**scale) for scale in range(3)),
        positions=tuple(torch.zeros(2 * 4**scale, 8) for scale in range(3)),
        pixel_embeds=torch.randn(6, 8, 8, 16),
    )
    stacked = window_features(features, num_frames=3)
    assert stacked.pixel_embeds.shape == (2, 8, 24, 16)
    alone = frames_of_window(stacked.pixel_embeds, num_frames=3)  # (W, T, C, h, w)
    assert torch.equal(alone.flatten(0, 1), features.pixel_embeds)
    for level, whole in zip(features.levels, stacked.levels, strict=True):  # no frame reads another
        shrunk = shrink_to(stacked.pixel_embeds, whole).unflatten(2, (3, -1)).transpose(1, 2).flatten(0, 1)
        assert torch.allclose(shrunk, shrink_to(features.pixel_embeds, level), atol=1e-6)
    times = stacked.positions[0].unflatten(0, (3, 2))
    assert torch.equal(times[:, 0], times[:, 1])
    assert not torch.allclose(times[0], times[1])
    with pytest.raises(ValueError, match="6 frames are no windows of 4"):
        window_features(features, num_frames=4)


def test_windows_are_the_same_alone_and_together_and_the_last_may_be_shorter():
    network = built(small("ovformer-lvvis-r50", window=3))
    film = frames(8)
    with torch.inference_mode():
        together = network.encode(film)
        alone = [network.encode(film[start : start + 3])[0] for start in (0, 3, 6)]
    assert [window.num_frames for window in together] == [3, 3, 2]
    for one, other in zip(together, alone, strict=True):
        assert torch.allclose(one.query_embeds, other.query_embeds, atol=1e-4)
        assert torch.allclose(one.instance_tokens, other.instance_tokens, atol=1e-4)
        assert one.mask_logits.shape == other.mask_logits.shape == (one.num_frames, 6, 16, 24)[:2] + (16, 24)
        assert torch.allclose(one.instance_tokens.norm(dim=-1), torch.ones(6), atol=1e-5)


def test_the_frames_of_a_window_share_their_queries():
    network = built(small("ovformer-lvvis-r50", window=3))
    film = frames(3)
    changed = film.clone()
    changed[2] = 255 - changed[2]
    with torch.inference_mode():
        (one,), (other,) = network.encode(film), network.encode(changed)
    assert not torch.allclose(one.mask_logits[0], other.mask_logits[0], atol=1e-4)


@pytest.mark.parametrize("name", ["ovformer-r50", "ov2seg-r50"])
def test_image_models_look_at_each_frame_alone(name):
    network = built(small(name))
    film = frames(3)
    with torch.inference_mode():
        together, alone = network.encode(film), network.encode(film[2:])
    assert len(together) == 3
    assert torch.allclose(together[2].instance_tokens, alone[0].instance_tokens, atol=1e-4)


def test_tokens_follow_the_feature_of_the_whole_frame():
    network = built(small("ovformer-r50"))
    queries, features = torch.randn(1, 6, 32), torch.randn(2, 1, 16)
    with torch.inference_mode():
        one, other = (network.tokens(queries, feature[None]) for feature in features)
    assert not torch.allclose(one, other, atol=1e-3)


@pytest.mark.parametrize("rules", ["product", "published"])
def test_a_run_stopped_at_the_end_of_a_window_goes_on_with_the_same_results(rules):
    spec = small("ovformer-lvvis-r50", window=3)
    if rules == "product":  # random networks find little
        spec = replace(spec, association=replace(spec.association, score_floor=0.0))
    model = LoadedModel(spec=spec, network=built(spec), weights_sha256="")
    film = frames(8)
    whole = segmenter_for(model, rules=rules)
    for window, start in zip(whole.encode(film), (0, 3, 6), strict=True):
        whole.step(window, range(start, min(start + 3, 8)))
    first, second = segmenter_for(model, rules=rules), segmenter_for(model, rules=rules)
    (window,) = first.encode(film[:3])
    first.step(window, range(3))
    second.load_state_dict(first.state_dict())
    for start in (3, 6):
        (window,) = second.encode(film[start : start + 3])
        second.step(window, range(start, min(start + 3, 8)))
    one, other = whole.finish(), second.finish()
    assert one.num_frames == other.num_frames == 8
    assert [track.track_id for track in one.tracks] == [track.track_id for track in other.tracks]
    for track, again in zip(one.tracks, other.tracks, strict=True):
        assert np.allclose(track.instance_token, again.instance_token, atol=1e-4)


@pytest.mark.parametrize("name", ["ov2seg-r50", "ovformer-r50", "ovformer-lvvis-r50"])
@pytest.mark.parametrize("text", [True, False], ids=["whole CLIP", "vision tower only"])
def test_published_files_become_the_network(name, text):
    spec = small(name)
    network = built(spec)
    assembled = spec.assemble(published_files(spec, network, text=text))
    assert (assembled.text_encoder is not None) == text
    for ours, theirs in zip(network.proposals.parameters(), assembled.proposals.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    again = spec.build_for(assembled.state_dict().keys())
    again.load_state_dict(assembled.state_dict())
    assert (again.text_encoder is not None) == text
    assert (spec.naming(again).text_encoder is not None) == text


def test_ov2seg_needs_no_clip_but_ovformer_does():
    for name in ("ov2seg-r50", "ovformer-r50"):
        spec = small(name)
        files = published_files(spec, built(spec))
        del files["clip"]
        if name == "ov2seg-r50":
            assert spec.assemble(files).text_encoder is None
        else:
            with pytest.raises(MissingWeightsError, match="also needs a CLIP checkpoint"):
                spec.assemble(files)


def test_a_file_of_the_other_system_is_refused():
    theirs = small("ov2seg-r50")
    files = published_files(theirs, built(theirs))
    with pytest.raises(MissingWeightsError, match="needs an OVFormer checkpoint"):
        small("ovformer-r50").assemble(files)
    wrong = small("ov2seg-r50")
    wrong = replace(wrong, proposals=replace(wrong.proposals, num_queries=7))
    with pytest.raises(MismatchedWeightsError, match=r"6 queries; the model needs 7"):
        wrong.assemble(files)


class Classes:
    """Two classes, the axes of the tokens."""

    def probabilities(self, tokens):
        return each_alone(class_logits(tokens, torch.eye(2), logit_scale=10.0))


def evidence(tokens, object_logits, *, frames_in_it=1, area=8.0):
    slots = len(object_logits)
    return SlotEvidence(
        object_scores=torch.tensor(object_logits).sigmoid(),
        object_logits=torch.tensor(object_logits),
        instance_tokens=torch.tensor(tokens),
        mask_quality=None,
        mask_area=torch.full((frames_in_it, slots), area),
        mask_confidence=torch.full((frames_in_it, slots), area * 0.75),
    )


def test_a_pair_is_scored_by_mean_logits_and_switched_off_where_it_scores_little():
    clear = evidence([[1.0, -1.0], [-1.0, -1.0]], [4.0, -4.0])
    gone = evidence([[-1.0, -1.0], [-1.0, -1.0]], [-8.0, -8.0], area=4.0)
    film = [clear, clear, clear, gone]
    pairs = MeanOfFramesScoring().score(lambda: film, Classes(), num_pairs=1)
    assert (pairs.slot_index.tolist(), pairs.class_index.tolist()) == ([0], [0])
    assert pairs.absent.tolist() == [[False, False, False, True]]
    class_logit, object_logit = torch.tensor(10.0 * 0.5), torch.tensor((3 * 4.0 - 8.0) / 4)
    wanted = (class_logit.sigmoid() * object_logit.sigmoid()).sqrt() * 0.75
    assert pairs.scores.item() == pytest.approx(float(wanted), rel=1e-5)


def test_every_window_counts_once_whatever_its_length():
    long = evidence([[1.0, -1.0]], [2.0], frames_in_it=5)
    short = evidence([[0.0, -1.0]], [0.0], frames_in_it=2)
    pairs = MeanOfWindowsScoring().score(lambda: [long, short], Classes(), num_pairs=5)
    assert pairs.absent.shape == (2, 7)
    assert not pairs.absent.any()
    wanted = (torch.tensor(5.0).sigmoid() * torch.tensor(1.0).sigmoid()).sqrt()
    assert pairs.scores[0].item() == pytest.approx(float(wanted), rel=1e-5)
