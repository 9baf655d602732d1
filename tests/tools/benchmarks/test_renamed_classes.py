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
from PIL import Image

from mmlmseg.apis import LMSegInferencer
from mmlmseg.errors import LabelSpaceError, OptionError
from mmlmseg.lab.scenes import write_folder_dataset
from mmlmseg.label_space import LabelSpace, LabelSpaces
from mmlmseg.models.text import TextBank, TextTable
from mmlmseg.registry import MODELS

SPACES = ('street', 'facade')


@pytest.fixture(scope='module')
def tool(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(Path(__file__).resolve().parents[3] / 'tools' / 'benchmarks' / 'renamed_classes.py')


@pytest.fixture
def files(model_config: Callable[..., dict[str, Any]], tmp_path: Path) -> list[str]:
    """Config, checkpoint and synonyms, of a random model over drawn scenes: the name ``street 0`` of a space's class 0
    reads as class 1 does, and so on around."""
    minilm = TextBank.load('minilm')
    names, rows, synonyms = ['background'], [minilm.rows(['background'])[0]], {}
    for space in SPACES:
        write_folder_dataset(tmp_path / space, space, [0], range(1, 4), size=(64, 96))
        classes = LabelSpace.from_json(tmp_path / space).classes
        synonyms[space] = {c: f'{space} {i}' for i, c in enumerate(classes)}
        for i, c in enumerate(classes):
            names += [synonyms[space][c], *([c] if c not in names else [])]
            rows += [*minilm.rows([classes[(i + 1) % len(classes)]]), *(minilm.rows([c]) if names[-1] == c else [])]
    TextBank(names, torch.stack(rows), minilm.source).save(tmp_path / 'bank.safetensors')
    pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
    folder = dict(type='mmlmseg.FolderDataset', split='val', pipeline=pipeline)
    config = Config(
        dict(
            model=model_config([str(tmp_path / space) for space in SPACES]),
            test_dataloader=dict(
                batch_size=2,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
                dataset=dict(
                    type='mmlmseg.MultiDataset',
                    datasets=[dict(folder, data_root=str(tmp_path / space)) for space in SPACES],
                ),
            ),
            default_scope='mmseg',
            custom_imports=dict(imports=['mmlmseg']),
        )
    )
    config.model.decode_head.text.encoder.bank = str(tmp_path / 'bank.safetensors')
    config.dump(tmp_path / 'config.py')
    torch.save(dict(state_dict=MODELS.build(config.model).state_dict()), tmp_path / 'tiny.pth')
    (tmp_path / 'synonyms.json').write_text(json.dumps(dict(test_synonyms={**synonyms, 'elsewhere': {'a': 'b'}})))
    return [str(tmp_path / name) for name in ('config.py', 'tiny.pth', 'synonyms.json')]


def mean_iou(predictions: list[np.ndarray], truths: list[np.ndarray], num_classes: int) -> tuple[float, list[float]]:
    """Brute force: in percent, overall and by class."""
    prediction, truth = np.concatenate(predictions, None), np.concatenate(truths, None)
    prediction, truth = prediction[truth != 255], truth[truth != 255]
    ious = []
    for k in range(num_classes):
        union = ((prediction == k) | (truth == k)).sum()
        ious.append(100 * ((prediction == k) & (truth == k)).sum() / union if union else np.nan)
    return float(np.nanmean(ious)), ious


def test_scores_are_those_of_the_new_names(tool: ModuleType, files: list[str], tmp_path: Path) -> None:
    config, checkpoint, synonyms = files
    out = tmp_path / 'new' / 'renamed.json'
    assert tool.main([config, checkpoint, '--synonyms', synonyms, '--out', str(out), '--device', 'cpu']) == 0
    report = json.loads(out.read_text())
    assert report['text'] == 'text bank bank.safetensors'
    assert report['results']['original'] != report['results']['renamed']
    inferencer = LMSegInferencer(config, checkpoint, 'cpu')
    for space in SPACES:
        classes = inferencer.label_spaces.get(space).classes
        stems = (tmp_path / space / 'val.txt').read_text().split()
        paths = [str(tmp_path / space / 'images' / f'{stem}.jpg') for stem in stems]
        truths = [np.array(Image.open(tmp_path / space / 'labels' / f'{stem}.png')) for stem in stems]
        predictions = [r.label_map.astype(int) for r in inferencer(paths, label_space=space, show_progress=False)]
        turned = [(p - 1) % len(classes) for p in predictions]  # asked as class 0, class 1 is found
        summary = report['datasets'][space]
        for names, given in (('original', predictions), ('renamed', turned)):
            overall, ious = mean_iou(given, truths, len(classes))
            assert report['results'][names][f'{space}/mIoU'] == pytest.approx(overall, abs=0.006)
            assert summary['means']['all'][names] == pytest.approx(overall, abs=0.006)
            assert [s[names] for s in summary['classes'].values()] == [
                None if np.isnan(iou) else pytest.approx(iou, abs=0.006) for iou in ious
            ]
        assert summary['means']['renamed'] == summary['means']['all']
        assert summary['means']['unchanged'] == {'count': 0, 'original': None, 'renamed': None, 'kept': None}
        assert [s['name'] for s in summary['classes'].values()] == [f'{space} {i}' for i in range(len(classes))]


def test_kept_is_read_where_a_class_keeps_its_name(tool: ModuleType) -> None:
    classes = ['a', 'b', 'c', 'd', 'e']
    names = {'a': 'A', 'c': 'C', 'd': 'D'}
    assert (tool.every_other(names, 0), tool.every_other(names, 1)) == ({'a': 'A', 'd': 'D'}, {'c': 'C'})
    nan = float('nan')
    original, renamed, first, second = (
        torch.tensor(ious).double()
        for ious in ([0.5, 0.6, 0.7, 0.8, nan], [0.1, 0.2, nan, 0.4, nan], [0, 0.3, 0.6, 0, 0.2], [0.5, 0, 0, 0.7, 0])
    )
    summary = tool.summarise(classes, names, [original, renamed, first, second])
    assert summary['means'] == {
        'all': {'count': 5, 'original': 65.0, 'renamed': 23.33, 'kept': 46.0},
        'renamed': {'count': 3, 'original': 66.67, 'renamed': 25.0, 'kept': 60.0},
        'unchanged': {'count': 2, 'original': 60.0, 'renamed': 20.0, 'kept': 25.0},
    }
    assert summary['classes']['c'] == {'name': 'C', 'original': 70.0, 'renamed': None, 'kept': 60.0}
    assert summary['classes']['e'] == {'name': 'e', 'original': None, 'renamed': None, 'kept': 20.0}


def test_renaming_keeps_everything_but_the_name(tool: ModuleType) -> None:
    space = LabelSpace.create('s', ['Sky', 'car'], synonyms={'car': ['auto']}, things=['car'], palette=[[1, 2, 3]] * 2)
    renamed = tool.rename(space, {'car': 'automobile'})
    assert renamed == LabelSpace.create('s', ['Sky', 'automobile'], things=['automobile'], palette=[[1, 2, 3]] * 2)
    with pytest.raises(LabelSpaceError, match=r"no class 'cars' to rename.*car"):
        tool.rename(space, {'cars': 'automobile'})
    with pytest.raises(LabelSpaceError, match="both mean 'sky'"):
        tool.rename(space, {'car': 'sky'})


def test_names_the_model_was_trained_on_are_refused(tool: ModuleType) -> None:
    spaces = LabelSpaces(
        [LabelSpace.create('a', ['car'], synonyms={'car': ['auto']}), LabelSpace.create('b', ['motor-car'])]
    )
    encoder = dict(type='mmlmseg.TextBankEncoder')
    fixed, sampled = TextTable(spaces, encoder, 8), TextTable(spaces, encoder, 8, sample_synonyms=True)
    tool.check_unseen(sampled, {'a': {'car': 'automobile'}})
    tool.check_unseen(fixed, {'a': {'car': 'auto'}})
    with pytest.raises(LabelSpaceError, match=r"b/motor-car as 'auto' \(a/car\)"):
        tool.check_unseen(sampled, {'a': {}, 'b': {'motor-car': 'auto'}})
    with pytest.raises(LabelSpaceError, match=r"a/car as 'motor car' \(b/motor-car\)"):
        tool.check_unseen(fixed, {'a': {'car': 'motor car'}})
    with pytest.raises(LabelSpaceError, match='reads no class names'):
        tool.check_unseen(None, {})


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        ('{"test_synonyms": ', 'JSONDecodeError'),
        ('{"street": {"car": "auto"}}', 'KeyError'),
        ('[]', 'TypeError'),
        ('{"test_synonyms": {"street": ["car"]}}', 'AttributeError'),
        (None, 'no such file of synonyms'),
    ],
)
def test_unusable_files_of_synonyms_are_named(
    tool: ModuleType, spaces: list[LabelSpace], tmp_path: Path, content: str | None, reason: str
) -> None:
    file = tmp_path / 'names.json'
    if content is not None:
        file.write_text(content)
    with pytest.raises(OptionError, match=rf'names\.json: .*{reason}'):
        tool.read_names(file, LabelSpaces(spaces))


def test_every_label_space_must_be_named(tool: ModuleType, spaces: list[LabelSpace], tmp_path: Path) -> None:
    file = tmp_path / 'names.json'
    file.write_text(json.dumps(dict(test_synonyms=dict(street={'car': 'automobile'}, fasade={}))))
    with pytest.raises(LabelSpaceError, match=r"no label space 'facade'.*Did you mean: fasade"):
        tool.read_names(file, LabelSpaces(spaces))
    assert tool.read_names(file, LabelSpaces(spaces[:1])) == {'street': {'car': 'automobile'}}


def test_errors_are_one_line(
    tool: ModuleType, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, checkpoint, _ = files
    with pytest.raises(SystemExit, match='2'):
        tool.main([config, checkpoint, '--synonyms', 'absent.json', '--out', str(tmp_path / 'out.json')])
    assert 'error: absent.json: no such file' in capsys.readouterr().err
