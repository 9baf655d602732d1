from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from mmlmseg.errors import CheckpointError, TextBankError
from mmlmseg.models.open_clip_loader import load_open_clip
from mmlmseg.models.text import OpenClipText
from mmlmseg.registry import MODELS

CPU = torch.device('cpu')


@pytest.fixture
def encoder(tiny_clip: str) -> OpenClipText:
    return MODELS.build(dict(type='mmlmseg.OpenClipText', model=tiny_clip))


@pytest.mark.parametrize('model', ['tiny-quickgelu', 'tiny-last'])
def test_learns_eight_shared_vectors_and_nothing_else(model: str, tiny_clip: str) -> None:
    encoder: OpenClipText = MODELS.build(dict(type='mmlmseg.OpenClipText', model=model))
    rows = encoder.encode(['tree', 'traffic light'], CPU)
    assert rows.shape == (2, 12)
    assert encoder.width == 12
    torch.testing.assert_close(rows.norm(dim=-1), torch.ones(2))
    rows[0].sum().backward()
    assert [(name, tuple(p.shape)) for name, p in encoder.named_parameters()] == [('prompt', (8, 16))]
    assert encoder.prompt.grad is not None
    assert (encoder.prompt.grad.abs().sum(1) > 0).all()
    assert list(encoder.state_dict()) == ['prompt']


def test_the_tower_is_built_late_and_shared_by_copies(encoder: OpenClipText) -> None:
    twin = copy.deepcopy(encoder)
    assert encoder._shared.value is None
    twin.encode(['tree'], CPU)
    assert encoder.tower is twin.tower
    assert twin.prompt is not encoder.prompt


def test_the_template_follows_the_prompt(tiny_clip: str) -> None:
    torch.manual_seed(1)
    plain = OpenClipText(tiny_clip)
    framed = OpenClipText(tiny_clip, template='a photo of a {name}')
    framed.load_state_dict(plain.state_dict())
    torch.testing.assert_close(framed.encode(['cat'], CPU), plain.encode(['a photo of a cat'], CPU))
    with pytest.raises(ValueError, match='no place for the class name'):
        OpenClipText(tiny_clip, template='a photo')


def test_other_weights_than_the_checkpoint_knows_are_refused(
    encoder: OpenClipText, tiny_clip: str, tmp_path: Path
) -> None:
    clip = load_open_clip(tiny_clip, None)
    with torch.no_grad():
        clip.text_projection.add_(1.0)
    torch.save(clip.state_dict(), tmp_path / 'other.pt')
    other = OpenClipText(tiny_clip, str(tmp_path / 'other.pt'))
    other.expect(encoder.source())
    with pytest.raises(TextBankError, match=r'other\.pt.*weights.*checkpoint was trained with'):
        other.encode(['tree'], CPU)
    with pytest.raises(TextBankError, match='prompt'):
        OpenClipText(tiny_clip, prompt_length=4).expect(encoder.source())


def test_a_missing_file_matters_only_when_text_is_encoded(tiny_clip: str) -> None:
    encoder = OpenClipText(tiny_clip, 'absent/clip.pt')
    with pytest.raises(CheckpointError, match=r'absent/clip\.pt: no such weight file'):
        encoder.encode(['tree'], CPU)


def test_names_that_differ_in_punctuation_only_may_be_read_alike(encoder: OpenClipText) -> None:
    """SigLIP's tokenizers leave it out by design; two such classes of one label space are another matter."""
    encoder.tower.tokeniser.words = lambda text: [7]
    assert encoder.encode(['sign (back)', 'sign back'], CPU).shape == (2, 12)
    with pytest.raises(TextBankError, match=r"'sign \(back\)' and 'car' as the same tokens"):
        encoder.encode(['car'], CPU)
