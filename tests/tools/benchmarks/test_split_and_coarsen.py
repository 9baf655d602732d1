from __future__ import annotations

import json
import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from mmlmseg.datasets import MultiDataset
from mmlmseg.errors import DataError, LabelSpaceError, OptionError
from mmlmseg.label_space import LabelSpace
from mmlmseg.models.text import TextBank
from mmlmseg.relations import Relations

BENCHMARKS = Path(__file__).resolve().parents[3] / 'tools' / 'benchmarks'
MAPPINGS = BENCHMARKS / 'coarse'
CLASSES = ('sky', 'car', 'road', 'dog', 'dirt')
MAPPING = {'dog': 'object', 'sky': 'sky', 'road': 'ground', 'dirt': None, 'car': 'object'}
COARSE = {0: 1, 1: 0, 2: 2, 3: 0, 4: 255, 9: 255, 255: 255}  # by fine id; 9 is ignored in the files
TRAIN = [f'town/left_{i}' for i in (10, 9, 8, 7)] + [f'b{i:03d}' for i in range(5)] + ['alone', 'last']
VAL = [f'val_{i}' for i in range(3)]


@pytest.fixture(scope='module')
def tool(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(BENCHMARKS / 'split_and_coarsen.py')


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / 'street'
    generator = np.random.default_rng(0)
    for name in (*TRAIN, *VAL):
        labels = generator.choice([*range(len(CLASSES)), 9, 255], (6, 8)).astype(np.uint8)
        for kind, suffix, pixels in (
            ('images', 'png', generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)),
            ('labels', 'png', labels),
        ):
            file = root / kind / f'{name}.{suffix}'
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(file)
    (root / 'classes.json').write_text(json.dumps(dict(classes=CLASSES, ignore=9, synonyms={'car': ['auto']})))
    for split, names in (('train', TRAIN), ('val', VAL)):
        (root / f'{split}.txt').write_text('\n'.join(names))
    (tmp_path / 'mapping.json').write_text(json.dumps(MAPPING))
    return root


def split_of(folder: Path, split: str) -> list[str]:
    return (folder / f'{split}.txt').read_text().split()


def read(file: Path) -> np.ndarray:
    return np.array(Image.open(file))


def test_halves_share_no_image_and_every_label_is_the_mapped_one(
    tool: ModuleType, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'out'
    for _ in range(2):  # the second time everything is there already
        assert tool.main([str(source), str(tmp_path / 'mapping.json'), '--out', str(out), '--name', 'town']) == 0
    fine, coarse, truth = (out / name for name in ('fine', 'coarse', 'coarse_with_fine_truth'))
    assert sorted(split_of(fine, 'train') + split_of(coarse, 'train')) == sorted(TRAIN)
    assert split_of(coarse, 'train') == split_of(truth, 'val')
    assert split_of(fine, 'val') == split_of(coarse, 'val') == VAL
    assert not (truth / 'train.txt').exists()
    declared = Relations.from_config(out / 'relations.yml')
    assert declared.same == (('town_fine:sky', 'town_coarse:sky'), ('town_fine:road', 'town_coarse:ground'))
    assert declared.inside == (('town_fine:car', 'town_coarse:object'), ('town_fine:dog', 'town_coarse:object'))
    for folder, meaning in ((fine, None), (truth, None), (coarse, COARSE)):
        for file in folder.glob('*.txt'):
            for name in file.read_text().split():
                original, written = (read(root / 'labels' / f'{name}.png') for root in (source, folder))
                for y, x in np.ndindex(original.shape):
                    label = int(original[y, x])
                    assert written[y, x] == (COARSE[label] if meaning else 255 if label == 9 else label)
                image = folder / 'images' / f'{name}.png'
                assert image.is_symlink()
                assert image.samefile(source / 'images' / f'{name}.png')
    assert f'{fine / "train"}.txt: 6 images\n' in capsys.readouterr().out


def test_ids_of_the_source_are_read_once(tool: ModuleType, source: Path, tmp_path: Path) -> None:
    ids = {'0': 'dirt', '1': 'car', '2': 'car', '3': None, '4': 'sky', '9': None}
    (source / 'classes.json').write_text(json.dumps(dict(classes=CLASSES, ids=ids)))
    folder = tool.plan(source, tmp_path / 'mapping.json')[0]
    tool.write(folder, source, tmp_path / 'fine')
    assert 'ids' not in json.loads((tmp_path / 'fine' / 'classes.json').read_text())
    (name, *_) = split_of(tmp_path / 'fine', 'train')
    before, after = (read(root / 'labels' / f'{name}.png') for root in (source, tmp_path / 'fine'))
    table = {int(i): 255 if named is None else CLASSES.index(named) for i, named in ids.items()}
    assert after.tolist() == [[table.get(i, 255) for i in row] for row in before.tolist()]


def test_folders_are_datasets_of_two_label_spaces(tool: ModuleType, source: Path, tmp_path: Path) -> None:
    for folder in tool.plan(source, tmp_path / 'mapping.json'):
        tool.write(folder, source, tmp_path / folder.name)
    folders = [('fine', 'train'), ('coarse', 'train'), ('coarse_with_fine_truth', 'val')]
    pipeline = [dict(type='LoadImageFromFile'), dict(type='mmseg.LoadAnnotations')]
    parts = [
        dict(type='mmlmseg.FolderDataset', data_root=str(tmp_path / f), split=split, pipeline=pipeline)
        for f, split in folders
    ]
    dataset = MultiDataset(parts, names=['fine', 'coarse', 'transfer'])
    assert [space.name for (space,) in dataset.spaces] == ['street_fine', 'street_coarse', 'street_fine']
    assert dataset.spaces[0][0].synonyms[1] == ('auto',)
    assert dataset.spaces[1][0].classes == ('object', 'sky', 'ground')
    assert dataset.sizes == [6, 5, 5]
    assert len([dataset[i] for i in range(len(dataset))]) == len(TRAIN) + 5  # every file loads and passes the checks


def test_one_coarse_class_for_all_that_are_not_named(tool: ModuleType, tmp_path: Path) -> None:
    space, file = LabelSpace.create('street', CLASSES), tmp_path / 'mapping.yml'
    file.write_text("{road: ground, '*': rest, dirt: null}")
    classes, table = tool.read_mapping(file, space)
    assert classes == ['ground', 'rest']
    assert [classes[i] if i != 255 else None for i in table[: len(CLASSES)]] == ['rest', 'rest', 'ground', 'rest', None]
    for name in ('paris_artdeco', 'ccp', 'msrc_v2'):
        mapping = yaml.safe_load((MAPPINGS / f'{name}.yml').read_text())
        space = LabelSpace.create(name, ['anything else', *(c for c in mapping if c != '*')])
        assert set(tool.read_mapping(MAPPINGS / f'{name}.yml', space)[0]) == set(mapping.values())
        assert set(mapping.values()) <= set(TextBank.load('minilm').names)


def test_instances_come_along_with_fine_labels(tool: ModuleType, source: Path, tmp_path: Path) -> None:
    for name in (*TRAIN, *VAL):
        file = source / 'instances' / f'{name}.png'
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8)).save(file)
    tool.main([str(source), str(tmp_path / 'mapping.json'), '--out', str(tmp_path / 'out')])
    for folder, split in (('fine', 'train'), ('fine', 'val'), ('coarse_with_fine_truth', 'val')):
        for name in split_of(tmp_path / 'out' / folder, split):
            file = tmp_path / 'out' / folder / 'instances' / f'{name}.png'
            assert file.samefile(source / 'instances' / f'{name}.png')
    assert not (tmp_path / 'out' / 'coarse' / 'instances').exists()


def test_absent_classes_are_told(
    tool: ModuleType, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in split_of(source, 'train'):
        file = source / 'labels' / f'{name}.png'
        labels = read(file)
        labels[np.isin(labels, [1, 3])] = 0
        Image.fromarray(labels).save(file)
    tool.main([str(source), str(tmp_path / 'mapping.json'), '--out', str(tmp_path)])
    told = capsys.readouterr().out
    for folder, split, absent in (
        ('fine', 'train', ': 6 images, without car, dog\n'),
        ('fine', 'val', ': 3 images\n'),
        ('coarse', 'train', ': 5 images, without object\n'),
        ('coarse_with_fine_truth', 'val', ': 5 images, without car, dog\n'),
    ):
        assert f'{tmp_path / folder / split}.txt{absent}' in told


def test_copies_where_links_fail(
    tool: ModuleType, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError('no links here')

    monkeypatch.setattr(Path, 'symlink_to', refuse)
    tool.main([str(source), str(tmp_path / 'mapping.json'), '--out', str(tmp_path)])
    for name in split_of(tmp_path / 'coarse', 'train'):
        copy = tmp_path / 'coarse' / 'images' / f'{name}.png'
        assert not copy.is_symlink()
        assert copy.read_bytes() == (source / 'images' / f'{name}.png').read_bytes()


@pytest.mark.parametrize('lengths', [[1], [2], [1, 1, 1, 1], [3, 5, 7], [62, 101, 204], [1, 8, 1, 9, 1]])
def test_sequences_are_cut_once(tool: ModuleType, lengths: list[int]) -> None:
    sequences = [[f'{chr(97 + k)}_{i * 37}' for i in range(length)] for k, length in enumerate(lengths)]
    names = [name for sequence in sequences for name in sequence]
    first, second = tool.cut_sequences(random.Random(0).sample(names, len(names)))
    assert sorted(first + second) == sorted(names)
    assert len(first) - len(second) in (0, 1)
    for sequence in sequences:
        where = [name in first for name in sequence]
        assert where == sorted(where, reverse=True)  # frames of the first half, then those of the second
        assert abs(2 * sum(where) - len(where)) <= 1


def test_unusable_mappings_are_named(tool: ModuleType, tmp_path: Path) -> None:
    space, file = LabelSpace.create('street', CLASSES), tmp_path / 'mapping.yml'
    for content, error, message in (
        ('[sky]', OptionError, r'mapping\.yml: needs a coarse class'),
        ('sky: 3', OptionError, r'mapping\.yml: needs a coarse class'),
        ('sky: [', OptionError, r'mapping\.yml: neither YAML nor JSON \(while parsing'),
        (yaml.dump({**MAPPING, 'cart': 'object'}), LabelSpaceError, r"no class 'cart'\. Did you mean: car"),
        ('{sky: sky, car: object}', LabelSpaceError, r'mapping\.yml: lacks road, dog, dirt; give null'),
        (yaml.dump({**MAPPING, 'car': 'Sky'}), LabelSpaceError, r"mapping\.yml: .*'sky' and 'Sky'|'Sky' and 'sky'"),
        (yaml.dump(dict.fromkeys(CLASSES)), LabelSpaceError, r'mapping\.yml: .*no classes'),
    ):
        file.write_text(content)
        with pytest.raises(error, match=message):
            tool.read_mapping(file, space)
    with pytest.raises(OptionError, match='no such mapping file'):
        tool.read_mapping(tmp_path / 'absent.yml', space)


def test_unusable_data_is_named(
    tool: ModuleType, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mapping = tmp_path / 'mapping.json'
    with pytest.raises(OptionError, match='is the dataset itself'):
        tool.write(tool.plan(source, mapping)[0], source, source / '..' / source.name)
    label = source / 'labels' / 'alone.png'
    Image.fromarray(np.full((6, 8), 7, np.uint8)).save(label)
    with pytest.raises(SystemExit, match='2'):
        tool.main([str(source), str(mapping), '--out', str(tmp_path)])
    assert f'{label}: label id 7 is outside the label space' in capsys.readouterr().err
    assert not (tmp_path / 'fine' / 'train.txt').exists()
    (source / 'train.txt').write_text('alone')
    with pytest.raises(DataError, match=r'train\.txt: a single sample'):
        tool.plan(source, mapping)


def test_coarse_classes_of_camvid_are_in_the_shipped_bank(tool: ModuleType) -> None:
    mapping = yaml.safe_load((MAPPINGS / 'camvid11.yml').read_text())
    classes, _ = tool.read_mapping(MAPPINGS / 'camvid11.yml', LabelSpace.create('camvid11', list(mapping)))
    assert classes == ['sky', 'structure', 'ground', 'nature', 'object']
    assert set(classes) <= set(TextBank.load('minilm').names)


def test_camvid(tool: ModuleType, shared_data: Path) -> None:
    root = shared_data / 'camvid11'
    fine, coarse, truth = tool.plan(root, MAPPINGS / 'camvid11.yml', 'camvid')
    halves = [folder.splits['train'] for folder in (fine, coarse)]
    assert [len(half) for half in halves] == [184, 183]
    assert set(halves[0]).isdisjoint(halves[1])
    assert truth.splits == dict(val=halves[1])
    listed = (root / 'train.txt').read_text().split()  # by sequence, in the order of time
    sides = [name in halves[0] for name in listed]
    assert sum(a and not b for a, b in pairwise(sides)) == 3  # one cut in each of the three sequences
    for half in halves:  # both hold every class
        present = {label for name in half for label in np.unique(read(root / 'labels' / f'{name}.png')).tolist()}
        assert present >= set(range(11))
