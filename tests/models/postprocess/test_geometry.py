from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mmlmseg.models.postprocess.geometry import restore


@pytest.mark.parametrize(('direction', 'axes'), [('horizontal', [2]), ('vertical', [1]), ('diagonal', [1, 2])])
def test_restore_crops_before_it_flips(direction: str, axes: list[int]) -> None:
    image = torch.rand(3, 5, 7)
    padded = F.pad(image.flip(axes), (0, 4, 0, 2), value=9.0)
    meta = dict(img_shape=(5, 7), ori_shape=(5, 7), flip=True, flip_direction=direction)
    assert torch.equal(restore(padded, meta), image)


def test_restore_resizes_to_the_original_image() -> None:
    image = torch.rand(3, 5, 7)
    padded = F.pad(image, (0, 1, 0, 3), value=9.0)
    got = restore(padded, dict(img_shape=(5, 7, 3), ori_shape=(11, 13, 3), flip=False, flip_direction=None))
    torch.testing.assert_close(got, F.interpolate(image[None], size=(11, 13), mode='bilinear', align_corners=False)[0])
    assert torch.equal(restore(padded, dict(img_shape=(5, 7), ori_shape=(5, 7))), image)


def test_restore_refuses_an_unknown_flip() -> None:
    with pytest.raises(ValueError, match=r"flip_direction 'sideways'.*horizontal"):
        restore(torch.rand(1, 2, 2), dict(img_shape=(2, 2), ori_shape=(2, 2), flip=True, flip_direction='sideways'))
