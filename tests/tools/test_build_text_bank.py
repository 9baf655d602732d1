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
from mmlmseg.models.open_clip_loader import load_open_clip
from mmlmseg.models.text.bank import TextBank
from mmlmseg.models.text.open_tower import open_tower

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


def test_an_encoder_that_counts_words_makes_no_bank_of_unlike_counts_either(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    encoder = SimpleNamespace(
        encode=lambda texts, **_: torch.tensor([[len(text.split()), 1.0] for text in texts]),
        state_dict=lambda: {'weight': torch.ones(1)},
    )
    monkeypatch.setitem(
        sys.modules, 'sentence_transformers', SimpleNamespace(SentenceTransformer=lambda folder, device: encoder)
    )
    (tmp_path / 'names.txt').write_text('traffic light\n')
    with pytest.raises(SystemExit):
        tool.main([str(tmp_path / 'names.txt'), '--encoder', str(tmp_path), '--out', str(tmp_path / 'bank.npy')])
    assert "reads 'sky', 'car'" in (said := capsys.readouterr().err)
    assert 'knows no words' in said
    assert not (tmp_path / 'bank.npy').exists()


def test_reads_a_folder_of_open_clip(tool: ModuleType, tmp_path: Path, clip_config: str) -> None:
    import open_clip

    folder = tmp_path / 'my-clip'
    folder.mkdir()
    config = dict(model_cfg=open_clip.get_model_config(clip_config))
    (folder / 'open_clip_config.json').write_text(json.dumps(config))
    torch.save(load_open_clip(clip_config, None).state_dict(), folder / 'open_clip_pytorch_model.bin')
    (tmp_path / 'names.txt').write_text('tree\n')
    weights = ['', f':{folder / "open_clip_pytorch_model.bin"}']
    for i, file in enumerate(weights):
        out = tmp_path / f'{i}.safetensors'
        encoder = f'open_clip:local-dir:{folder}{file}'
        tool.main([str(tmp_path / 'names.txt'), '--encoder', encoder, '--out', str(out)])
        source = TextBank.load(out).source
        assert source.encoder == 'open_clip:my-clip'
        assert source.weights == open_tower(clip_config, None).digest


def test_reads_the_text_of_dinotxt(tool: ModuleType, tmp_path: Path) -> None:
    sizes = {'token_embedding.weight': (49408, 64), 'positional_embedding': (20, 64)}
    sizes |= {f'ln_final.{kind}': (64,) for kind in ('weight', 'bias')}
    for part, size in {
        'attention.qkv.weight': (192, 64),
        'attention.proj.weight': (64, 64),
        'attention.proj.bias': (64,),
        'feed_forward.fc1.weight': (256, 64),
        'feed_forward.fc1.bias': (256,),
        'feed_forward.fc2.weight': (64, 256),
        'feed_forward.fc2.bias': (64,),
        **{f'{norm}.{kind}': (64,) for norm in ('attention_norm', 'ffn_norm') for kind in ('weight', 'bias')},
    }.items():
        sizes[f'blocks.0.{part}'] = size
    state = {f'backbone.{name}': 0.1 * torch.randn(size) for name, size in sizes.items()}
    torch.save({**state, 'head.linear_projection.weight': torch.randn(12, 64)}, tmp_path / 'text.pth')
    (tmp_path / 'names.txt').write_text('tree\n')
    out = tmp_path / 'bank.safetensors'
    tool.main([str(tmp_path / 'names.txt'), '--encoder', f'dinotxt:{tmp_path / "text.pth"}', '--out', str(out)])
    assert TextBank.load(out).source.encoder == 'dino.txt:1 layers of width 64'


def test_mistakes_are_named(tool: ModuleType, tmp_path: Path, clip_config: str, capsys: Any) -> None:
    (tmp_path / 'names.txt').write_text('tree\n')
    names, out = str(tmp_path / 'names.txt'), str(tmp_path / 'bank.safetensors')
    for arguments, message in (
        (['absent.txt', '--encoder', f'open_clip:{clip_config}'], 'absent.txt: no such file'),
        ([names, '--encoder', f'open_clip:{clip_config}', '--prompt', 'a photo'], 'no place for the class name'),
        ([names, '--encoder', f'open_clip:{clip_config}', '--prompt', '{name} in {place}'], 'one for something else'),
        ([names, '--encoder', 'absent'], 'absent: no such folder'),
        ([names, '--encoder', 'dinotxt:absent.pth'], 'absent.pth: no such file'),
        ([names, '--encoder', 'open_clip:tiny-bonk'], 'Did you mean: tiny-bank'),
    ):
        with pytest.raises(SystemExit):
            tool.main([*arguments, '--out', out])
        assert message in capsys.readouterr().err
