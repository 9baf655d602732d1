from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from mmlmseg.errors import TextBankError
from mmlmseg.models.text.bank import TextBank

TOOL = Path(__file__).parents[2] / 'tools' / 'build_text_bank.py'


@pytest.fixture(scope='module')
def tool(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(TOOL)


@pytest.fixture
def clip_config(tmp_path: Path) -> str:
    import open_clip

    config = dict(
        embed_dim=12,
        quick_gelu=True,
        vision_cfg=dict(image_size=64, layers=[1, 1, 1, 1], width=8, patch_size=None),
        text_cfg=dict(context_length=20, vocab_size=49408, width=16, heads=2, layers=1),
    )
    (tmp_path / 'tiny-bank.json').write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / 'tiny-bank.json')
    return 'tiny-bank'


def test_gathers_names_once(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / 'names.txt').write_text('# list\nTree-other\nt shirt\nCar\n')
    (tmp_path / 'classes.json').write_text(json.dumps(dict(name='x', classes=['car', 'T-shirt', 'road, route'])))
    names = tool.collect_names([str(tmp_path / 'names.txt'), str(tmp_path)])
    assert names == ['background', 'car', 'road', 'route', 't shirt', 'tree']
    with pytest.raises(TextBankError, match=r'absent\.txt: no such file'):
        tool.collect_names(['absent.txt'])


def test_makes_a_clip_bank(tool: ModuleType, tmp_path: Path, clip_config: str, capsys: Any) -> None:
    from mmlmseg.models.text.open_tower import open_tower

    (tmp_path / 'names.txt').write_text('tree\ntraffic light\n')
    out = tmp_path / 'out' / 'bank.safetensors'
    tool.main([str(tmp_path / 'names.txt'), '--encoder', f'open_clip:{clip_config}', '--out', str(out)])
    assert '3 names, width 12, open_clip:tiny-bank' in capsys.readouterr().out
    bank, tower = TextBank.load(out), open_tower(clip_config, None)
    assert bank.source.prompt == 'a photo of a {name}'
    assert bank.source.weights == tower.digest
    expected = tower.encode_texts(['a photo of a traffic light'])
    torch.testing.assert_close(bank.rows(['Traffic light']), expected, atol=2e-3, rtol=2e-3)


def test_reads_a_sentence_transformers_folder(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class SentenceTransformer:
        """What the tool uses of the library's class."""

        def __init__(self, folder: str, device: str) -> None:
            assert Path(folder).is_dir()

        def encode(self, texts: list[str], **kwargs: bool) -> torch.Tensor:
            return torch.tensor([[len(text), 1.0] for text in texts])

        def state_dict(self) -> dict[str, torch.Tensor]:
            return {'weight': torch.ones(1)}

    monkeypatch.setitem(sys.modules, 'sentence_transformers', SimpleNamespace(SentenceTransformer=SentenceTransformer))
    (tmp_path / 'names.txt').write_text('tree\n')
    out = tmp_path / 'bank.safetensors'
    tool.main([str(tmp_path / 'names.txt'), '--encoder', str(tmp_path), '--encoder-name', 'toy', '--out', str(out)])
    bank = TextBank.load(out)
    assert bank.source.encoder == 'sentence-transformers:toy'
    assert bank.rows(['tree']).tolist() == [[len('a photo of a tree'), 1.0]]


def test_an_encoder_that_reads_all_names_alike_makes_no_bank(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    encode = SimpleNamespace(
        encode=lambda texts, **_: torch.ones(len(texts), 2), state_dict=lambda: {'weight': torch.ones(1)}
    )
    monkeypatch.setitem(
        sys.modules, 'sentence_transformers', SimpleNamespace(SentenceTransformer=lambda folder, device: encode)
    )
    (tmp_path / 'names.txt').write_text('tree\ncar\n')
    out = tmp_path / 'bank.safetensors'
    with pytest.raises(SystemExit) as stop:
        tool.main([str(tmp_path / 'names.txt'), '--encoder', str(tmp_path), '--out', str(out)])
    assert stop.value.code == 2
    assert f"{tmp_path.name} cannot tell 'background' and 'car' apart" in capsys.readouterr().err
    assert not out.exists()


def test_mistakes_are_named(tool: ModuleType, tmp_path: Path, clip_config: str, capsys: Any) -> None:
    (tmp_path / 'names.txt').write_text('tree\n')
    names, out = str(tmp_path / 'names.txt'), str(tmp_path / 'bank.safetensors')
    for arguments, message in (
        (['absent.txt', '--encoder', f'open_clip:{clip_config}'], 'absent.txt: no such file'),
        ([names, '--encoder', f'open_clip:{clip_config}', '--prompt', 'a photo'], 'no place for the class name'),
        ([names, '--encoder', f'open_clip:{clip_config}', '--prompt', '{name} in {place}'], 'one for something else'),
        ([names, '--encoder', 'absent'], 'absent: no such folder'),
        ([names, '--encoder', 'open_clip:tiny-bonk'], 'Did you mean: tiny-bank'),
    ):
        with pytest.raises(SystemExit):
            tool.main([*arguments, '--out', out])
        assert message in capsys.readouterr().err
