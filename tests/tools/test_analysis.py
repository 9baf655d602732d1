"""The scripts of tools/analysis, from the command line to the files they write."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from PIL import Image

from mmlmseg.apis import LMSegInferencer
from mmlmseg.lab.scenes import write_folder_dataset
from mmlmseg.registry import MODELS

Load = Callable[[str], ModuleType]


@pytest.fixture(autouse=True)
def fresh_logger() -> None:
    """A logger writes to the output of the test that made it, which is closed in the next one."""
    MMLogger._instance_dict.clear()


@pytest.fixture
def tool(load_script: Callable[[Path], ModuleType]) -> Load:
    return lambda name: load_script(Path(__file__).resolve().parents[2] / 'tools' / 'analysis' / f'{name}.py')


def _error(main: Callable[[list[str]], int], arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which a script ends."""
    capsys.readouterr()
    with pytest.raises(SystemExit, match='2'):
        main(arguments)
    printed = capsys.readouterr().err
    assert printed.count('\n') == 1
    return printed


def _is_drawn(path: Path) -> bool:
    """Whether a picture holds ink and is clear at its rim: nothing is cut off."""
    grey = np.asarray(Image.open(path).convert('L'))
    rim = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return bool(grey.min() < 128 and (rim == 255).all())


def test_cost_curve(tool: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = tool('cost_curve').main
    points = [dict(cost=100, mean=20.0, std=1.0), dict(cost=200, mean=30.0, std=None)]
    results, out = tmp_path / 'results.json', tmp_path / 'figures' / 'cost.png'
    results.write_text(json.dumps(dict(metric='mIoU', curves={'LMSeg': points, 'multi-head': points[:1]})))
    assert main([str(results), '--out', str(out), '--title', 'Five datasets']) == 0
    assert f'wrote {out}' in capsys.readouterr().out
    assert _is_drawn(out)
    results.write_text('{}')
    assert f"error: {results}: has no 'metric'" in _error(main, [str(results), '--out', str(out)], capsys)


def test_training_curves(tool: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = tool('training_curves').main
    for run in ('a', 'b'):
        log = tmp_path / run / '20260101_000000' / 'vis_data' / 'scalars.json'
        log.parent.mkdir(parents=True)
        entries = [dict(loss=9 / step, step=step) for step in range(1, 40)]
        if run == 'a':
            entries.append({'mean/mIoU': 12.5, 'a/IoU.tree': 7.5, 'step': 39})
        log.write_text('\n'.join(map(json.dumps, entries)))
    runs, out = [str(tmp_path / run) for run in 'ab'], tmp_path / 'curves.png'
    assert main([*runs, '--smooth', '5', '--out', str(out)]) == 0
    assert capsys.readouterr().out == f'b did not log mean/mIoU\nwrote {out}\n'
    assert _is_drawn(out)
    assert "no run logged 'los'. Did you mean: loss? They logged loss, mean/mIoU\n" in _error(
        main, [*runs, '--keys', 'los', '--out', 'x.png'], capsys
    )
    assert main([*runs, '--keys', 'a/IoU.tree', '--out', str(out)]) == 0
    assert "no run logged 'a/IoU.tre'. Did you mean: a/IoU.tree?" in _error(
        main, [*runs, '--keys', 'a/IoU.tre', '--out', 'x.png'], capsys
    )
    assert 'give the work directory' in _error(main, [str(tmp_path / 'c'), '--out', str(out)], capsys)
    assert 'x.bmp: a figure is written as .pdf' in _error(main, [*runs, '--out', str(tmp_path / 'x.bmp')], capsys)
    with pytest.raises(SystemExit):
        main([*runs, '--smooth', '-1', '--out', str(out)])


@pytest.fixture
def save_model(model_config: Callable[..., dict], tmp_path: Path) -> Callable[..., tuple[list[str], Any]]:
    """Config and checkpoint of a tiny model, as the command line takes them, and the model."""

    def save(**head: Any) -> tuple[list[str], Any]:
        street, facade = ['sky', 'building', 'tree', 'road', 'car'], ['wall', 'window', 'building']
        config = model_config([dict(name='street', classes=street), dict(name='facade', classes=facade)], **head)
        Config(dict(model=config, default_scope='mmseg')).dump(tmp_path / 'config.py')
        model = MODELS.build(config)
        torch.save(dict(state_dict=model.state_dict()), tmp_path / 'tiny.pth')
        return [str(tmp_path / 'config.py'), str(tmp_path / 'tiny.pth')], model

    return save


def test_text_table_tsne(
    tool: Load, save_model: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tool('text_table_tsne')
    files, model = save_model()
    out = tmp_path / 'names.png'
    assert script.main([*files, '--out', str(out)]) == 0
    assert f'wrote {out}' in capsys.readouterr().out
    assert _is_drawn(out)
    table = model.eval().decode_head.text
    stored = torch.load(files[1], weights_only=True)['state_dict']['decode_head.text.table']
    torch.testing.assert_close(script.vocabulary_rows(table), stored[:-1])  # without no-object
    missing = [files[0], str(tmp_path / 'none.pth'), '--out', str(out)]
    assert 'none.pth: does not exist' in _error(script.main, missing, capsys)
    files, _ = save_model(text=False)
    assert 'has no text table' in _error(script.main, [*files, '--out', str(out)], capsys)


def test_browse_dataset(tool: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = tool('browse_dataset').main
    steps = ['LoadImageFromFile', 'LoadAnnotations', 'PhotoMetricDistortion', 'PackSegInputs']
    datasets = []
    for name in ('street', 'wardrobe'):
        root = write_folder_dataset(tmp_path / name, name, range(3), range(3, 4), size=(48, 64))
        folder = dict(type='mmlmseg.FolderDataset', data_root=str(root), split='train')
        datasets.append(dict(folder, pipeline=[dict(type=step) for step in steps]))
    loader = dict(dataset=dict(type='mmlmseg.MultiDataset', datasets=datasets))
    Config(dict(train_dataloader=loader, default_scope='mmseg')).dump(tmp_path / 'config.py')
    config, out = str(tmp_path / 'config.py'), tmp_path / 'sheets'
    assert main([config, '--out-dir', str(out), '--number', '2']) == 0
    assert f'wrote {out / "street.png"}: 2 of 3 train samples' in capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == ['street.png', 'wardrobe.png']
    assert all(_is_drawn(path) and Image.open(path).width == 1330 for path in out.iterdir())
    assert 'no val_dataloader' in _error(main, [config, '--out-dir', str(out), '--split', 'val'], capsys)
    (tmp_path / 'street' / 'labels' / 'scene_0_00001.png').unlink()
    broken = _error(main, [config, '--out-dir', str(out)], capsys)
    assert 'scene_0_00001' in broken
    assert main([config, '--out-dir', str(tmp_path / 'one'), '--dataset', 'wardrobe']) == 0
    assert [path.name for path in (tmp_path / 'one').iterdir()] == ['wardrobe.png']
    with pytest.raises(SystemExit):
        main([config, '--out-dir', str(out), '--number', '0'])


def test_confusion(
    tool: Load, model_config: Callable[..., dict], tested: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = tool('confusion').main
    names = ('street', 'facade')
    for name in names:
        write_folder_dataset(tmp_path / name, name, range(1), range(1, 3), size=(64, 96))
    folders = [str(tmp_path / name) for name in names]
    model = model_config(folders, text=False)
    panoptic, files = tested({**model, 'test_cfg': dict(tasks=['panoptic'])}, folders)
    out = tmp_path / 'new' / 'out'
    assert main([*files, '--out', str(out)]) == 0
    assert main([*files, '--dataset', 'street', '--label-space', 'facade', '--out', str(out)]) == 0
    stems = ['facade_in_facade', 'street_in_facade', 'street_in_street']
    assert sorted(path.stem for path in out.glob('*.json')) == stems
    assert all(_is_drawn(out / f'{stem}.png') for stem in stems)
    assert 'street in facade' in capsys.readouterr().out

    found = json.loads((out / 'street_in_facade.json').read_text())
    expected = np.zeros((len(found['truth']['classes']), len(found['prediction']['classes'])), dtype=int)
    built = MODELS.build(model)
    built.load_state_dict(panoptic.state_dict())
    inferencer = LMSegInferencer(built.eval())
    for file in sorted((tmp_path / 'street' / 'labels').iterdir())[1:]:  # the first is of the training
        (result,) = inferencer(str(tmp_path / 'street' / 'images' / f'{file.stem}.jpg'), label_space='facade')
        true = np.asarray(Image.open(file))
        np.add.at(expected, (true[true < 255], np.asarray(result.label_map)[true < 255]), 1)
    assert found['counts'] == expected.tolist()
    assert found['images'] == 2
    assert found['ignored_pixels'] + expected.sum() == 2 * 64 * 96

    unknown = _error(main, [*files, '--dataset', 'streat', '--out', str(out)], capsys)
    assert "no dataset 'streat', only street, facade. Did you mean: street?" in unknown
    unknown = _error(main, [*files, '--label-space', 'facades', '--out', str(out)], capsys)
    assert "unknown label space 'facades'" in unknown


def test_class_frequencies(tool: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = tool('class_frequencies').main
    root = write_folder_dataset(tmp_path / 'street', 'street', range(4), range(4, 5), size=(48, 64))
    names = (root / 'train.txt').read_text().split()
    for i, name in enumerate(names):  # of a class in three images, of another in one
        Image.fromarray(np.full((48, 64), i == 3, np.uint8)).save(root / 'labels' / f'{name}.png')
    steps = [dict(type=step) for step in ('LoadImageFromFile', 'LoadAnnotations', 'PackSegInputs')]
    folder = dict(type='mmlmseg.FolderDataset', data_root=str(root), pipeline=steps)
    loader = dict(
        dataset=dict(type='mmlmseg.MultiDataset', datasets=[folder]), sampler=dict(type='mmlmseg.PerImageSampler')
    )
    cfg = Config(dict(train_dataloader=loader, model=dict(decode_head={}), default_scope='mmseg'))
    cfg.dump(tmp_path / 'config.py')
    config, out = str(tmp_path / 'config.py'), tmp_path / 'counts' / 'presence.json'

    def rows(*options: str) -> list[list[str]]:
        capsys.readouterr()
        assert main([config, *options]) == 0
        return [line.split() for line in capsys.readouterr().out.splitlines() if ' INFO - ' not in line]

    plain = rows()
    assert plain[:2] == [['street:', '4', 'images'], ['class', 'images', 'share', 'weight', 'repeat']]
    assert plain[2][-5:] == ['0', '0.0', '%', '1', '-']
    assert [row[-5:] for row in plain[-2:]] == [['1', '25.0', '%', '1', '1'], ['3', '75.0', '%', '1', '1']]
    options = ['train_dataloader.sampler.repeat=1', 'model.decode_head.class_weights.by=frequency']
    *_, rare, common, wrote = rows('--out', str(out), '--cfg-options', *options)
    assert (rare[-2:], common[-2:]) == (['1.46', '2'], ['0.845', '1.15'])  # 1.46 is the root of 3 times 0.845
    assert wrote == ['wrote', str(out)]
    unknown = _error(main, [config, '--cfg-options', 'train_dataloader.sampler.repeat.stret=0.1'], capsys)
    assert "unknown dataset 'stret'" in unknown
    (root / 'train.txt').write_text('\n'.join(names[:3]))
    cfg.train_dataloader.dataset.class_presence = str(out)
    cfg.dump(tmp_path / 'config.py')
    assert rows()[0] == ['street:', '3', 'images']  # what is out of date is counted anew
