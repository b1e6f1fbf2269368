import torch
from torch import nn

from ovvis_models.heads.classifier import CLIP_MEAN, CLIP_STD
from ovvis_models.heads.masked_crops import MaskedCrops, square_boxes

BLACK = [-mean / std for mean, std in zip(CLIP_MEAN, CLIP_STD, strict=True)]
CERTAIN = 100.0


class Recorder(nn.Module):
    """Stands for the vision tower and keeps what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        self.seen.append(crops)
        return crops.mean(dim=(2, 3)) + torch.tensor([1.0, 2.0, 3.0])


def box_mask(top, bottom, left, right, hw=(16, 16)) -> torch.Tensor:
    mask_logits = torch.full(hw, -CERTAIN)
    mask_logits[top:bottom, left:right] = CERTAIN
    return mask_logits


def crop_of(images, mask_logits, **options) -> torch.Tensor:
    recorder = Recorder()
    crops = MaskedCrops(recorder, crop_size=8, embed_dim=3, **options)
    crops.encode_instances(images, mask_logits[None, None])
    return recorder.seen[0][0]


@torch.no_grad()
def test_full_mask_at_clips_own_size_is_clips_embedding(clip) -> None:
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    tokens = MaskedCrops(clip.visual, crop_size=64, embed_dim=24).encode_instances(
        images, torch.full((2, 2, 16, 16), CERTAIN)
    )
    expected = clip.encode_image(images, normalize=True)
    torch.testing.assert_close(tokens, expected[:, None].expand(-1, 2, -1), rtol=0, atol=1e-5)


def test_square_boxes_by_hand() -> None:
    masks = torch.stack([box_mask(2, 6, 4, 6), box_mask(0, 2, 0, 8), box_mask(0, 0, 0, 0)])
    centred = square_boxes(masks, anchor="center") * 16
    assert centred.tolist() == [[3, 2, 7, 6], [0, -3, 8, 5], [0, 0, 16, 16]]
    anchored = square_boxes(masks, anchor="top-left") * 16
    assert anchored.tolist() == [[4, 2, 8, 6], [0, 0, 8, 8], [0, 0, 16, 16]]


def test_square_is_measured_in_pixels_of_a_wide_frame() -> None:
    mask = box_mask(0, 4, 8, 12, hw=(8, 16))[None]
    assert square_boxes(mask, anchor="center").tolist() == [[0.5, 0.0, 0.75, 0.5]]


def test_outside_of_mask_and_frame_is_black() -> None:
    images = torch.ones(1, 3, 16, 16)
    crop = crop_of(images, box_mask(0, 2, 0, 8))  # square from -3 to 5: rows 3 and 4 of 8 show the object
    black = torch.tensor(BLACK)[:, None, None]
    for rows in (slice(0, 2), slice(6, 8)):
        torch.testing.assert_close(crop[:, rows], black.expand(3, 2, 8))
    torch.testing.assert_close(crop[:, 3:5, 1:7], torch.ones(3, 2, 6))


def test_soft_mask_blends_to_black() -> None:
    mask_logits = torch.zeros(16, 16) + 1e-3  # probability one half, but a mask nevertheless
    crop = crop_of(torch.ones(1, 3, 16, 16), mask_logits)
    expected = (torch.tensor(BLACK)[:, None, None] + 1) / 2
    torch.testing.assert_close(crop, expected.expand(3, 8, 8), rtol=0, atol=1e-3)


def test_crop_shows_the_place_of_the_mask_at_another_resolution() -> None:
    images = torch.zeros(1, 3, 64, 64)
    images[..., 32:, 48:] = 5.0
    crop = crop_of(images, box_mask(8, 12, 12, 16))  # pixels 32..48, 48..64 of the image
    assert (crop[:, 1:-1, 1:-1] == 5.0).all()


def test_batches_do_not_change_the_result() -> None:
    generator = torch.Generator().manual_seed(1)
    images, masks = (
        torch.randn(2, 3, 20, 28, generator=generator),
        torch.randn(2, 5, 10, 14, generator=generator),
    )
    results = [
        MaskedCrops(Recorder(), crop_size=8, embed_dim=3, batch_size=size).encode_instances(images, masks)
        for size in (1, 3, 32)
    ]
    assert results[0].shape == (2, 5, 3)
    torch.testing.assert_close(results[0], results[1])
    torch.testing.assert_close(results[0], results[2])
    torch.testing.assert_close(results[0].norm(dim=-1), torch.ones(2, 5))


def test_no_proposals() -> None:
    crops = MaskedCrops(Recorder(), crop_size=8, embed_dim=3)
    assert crops.encode_instances(torch.zeros(2, 3, 16, 16), torch.zeros(2, 0, 4, 4)).shape == (2, 0, 3)
