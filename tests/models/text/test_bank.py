from __future__ import annotations

import copy
import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mmlmseg.checkpoint import TextSource
from mmlmseg.errors import TextBankError
from mmlmseg.label_space import LabelSpace
from mmlmseg.models.text.bank import TextBank, TextBankEncoder, read_names

CPU = torch.device('cpu')
SOURCE = TextSource('toy', 'a {name}', 3, 'abc')


@pytest.fixture
def bank() -> TextBank:
    return TextBank(
        ['tree', 't-shirt', 'traffic light'], torch.arange(9.0).view(3, 3).half(), SOURCE, 'toy.safetensors'
    )


def test_looks_names_up_as_they_come(bank: TextBank) -> None:
    rows = bank.rows(['Tree-other', 'T shirt', 'traffic_light, signal', 'tree'])
    assert rows.dtype == torch.float32
    assert rows[:, 0].tolist() == [0.0, 3.0, 6.0, 0.0]
    assert 'TREE' in bank
    assert 'car' not in bank
    assert len(bank) == 3


def test_a_missing_name_names_the_nearest_and_the_way_out(bank: TextBank) -> None:
    with pytest.raises(TextBankError, match=r"toy\.safetensors.*'trafic lite'.*traffic light.*build_text_bank"):
        bank.rows(['tree', 'trafic lite'])


def test_all_missing_names_are_told_at_once(bank: TextBank) -> None:
    with pytest.raises(TextBankError, match=r"'trafic lite'\. Did you mean: .*\? Nor of: 'yurt', 'hut'\. Make a bank"):
        bank.rows(['trafic lite', 'tree', 'yurt', 'hut'])


def test_survives_saving(bank: TextBank, tmp_path: Path) -> None:
    bank.save(tmp_path / 'new' / 'bank.safetensors')
    loaded = TextBank.load(tmp_path / 'new' / 'bank.safetensors')
    assert loaded.names == bank.names
    assert loaded.source == SOURCE
    assert torch.equal(loaded.rows(bank.names), bank.rows(bank.names))


def test_reads_arrays_with_a_list_of_names(bank: TextBank, tmp_path: Path) -> None:
    bank.save(tmp_path / 'bank.npy')
    (tmp_path / 'others.txt').write_text('# of another kind\na\n\nb\nc\n')
    assert TextBank.load(tmp_path / 'bank.npy').names == bank.names
    loaded = TextBank.load(tmp_path / 'bank.npy', tmp_path / 'others.txt')
    assert loaded.names == ('a', 'b', 'c')
    assert loaded.source.width == 3
    assert loaded.source.weights  # the file's own hash stands in for a provenance


def test_unusable_files_are_named(bank: TextBank, tmp_path: Path) -> None:
    (tmp_path / 'text.safetensors').write_text('no bank')
    save_file({'embeddings': torch.zeros(1, 3)}, str(tmp_path / 'bare.safetensors'))
    save_file({'rows': torch.zeros(1, 3)}, str(tmp_path / 'other.safetensors'))
    np.save(tmp_path / 'lonely.npy', np.zeros((1, 3)))
    np.save(tmp_path / 'ints.npy', np.zeros((1, 3), dtype=int))
    np.save(tmp_path / 'short.npy', np.zeros((2, 3)))
    for name in ('ints', 'short'):
        (tmp_path / f'{name}.txt').write_text('one\n')
    for name, reason in (
        ('text.safetensors', 'not a text bank'),
        ('bare.safetensors', 'lacks encoder'),
        ('other.safetensors', 'not a text bank'),
        ('lonely.npy', 'needs a text file'),
        ('ints.npy', 'needs floats'),
        ('short.npy', '1 names for embeddings'),
        ('absent.safetensors', 'no such text bank'),
    ):
        with pytest.raises(TextBankError, match=rf'{name.split(".")[0]}.*{reason}'):
            TextBank.load(tmp_path / name)


def test_impossible_banks_are_refused() -> None:
    with pytest.raises(TextBankError, match="'T-shirt' twice"):
        TextBank(['t shirt', 'T-shirt'], torch.ones(2, 3), SOURCE)
    with pytest.raises(TextBankError, match='not finite'):
        TextBank(['a'], torch.full((1, 3), torch.nan), SOURCE)
    with pytest.raises(TextBankError, match='width 4'):
        TextBank(['a'], torch.ones(1, 4), SOURCE)


def test_the_shipped_bank_knows_the_usual_names() -> None:
    bank = TextBank.load('minilm')
    assert bank.source.encoder == 'sentence-transformers:all-MiniLM-L6-v2'
    assert bank.source.width == 384
    for dataset in (
        'ADE20KDataset',
        'CityscapesDataset',
        'COCOStuffDataset',
        'LoveDADataset',
        'MapillaryDataset_v1',
        'PascalContextDataset',
        'PascalVOCDataset',
        'PotsdamDataset',
        'iSAIDDataset',
        'mmdet.LVISDataset',
        'mmdet.Objects365V1Dataset',
        'mmlmseg.ADE20KPanopticDataset',
        'mmlmseg.COCOPanopticDataset',
    ):
        space = LabelSpace.from_dataset(dataset)
        bank.rows([*space.names, *(name for own in space.synonyms for name in own)])
    bank.rows(['background', 'automobile', 'motorbike', 'couch', 'trees', 'house', 'human', 'torso', 'meadow'])
    torch.testing.assert_close(bank.rows(bank.names).norm(dim=-1), torch.ones(len(bank)), atol=1e-3, rtol=0)
    near = torch.cosine_similarity(bank.rows(['pavement']), bank.rows(['sidewalk', 'cat']))
    assert near[0] > near[1] + 0.2
    assert Path(bank.where).stat().st_size < 2.5e6


@pytest.mark.parametrize('library', ['mmseg', 'mmdet'])
def test_the_shipped_bank_names_the_classes_of_every_registered_dataset(library: str) -> None:
    importlib.import_module(f'{library}.datasets')
    registered = importlib.import_module(f'{library}.registry').DATASETS.module_dict
    bank = TextBank.load('minilm')
    known = 0
    for name, dataset in registered.items():
        classes = getattr(dataset, 'METAINFO', {}).get('classes')
        if classes and name != 'NYUDataset':  # of depth, whose classes are rooms
            missing = [c for c in LabelSpace.create('any', classes).names if c not in bank]
            assert not missing, name
            known += 1
    assert known > 5


def test_the_shipped_bank_holds_its_list_of_names() -> None:
    listed = read_names(Path(__file__).parents[3] / 'tools' / 'text_bank_names.txt')
    assert sorted(TextBank.load('minilm').names) == sorted(listed)
    assert len(set(listed)) == len(listed)


def test_the_shipped_bank_serves_the_real_folders(shared_data: Path) -> None:
    bank = TextBank.load('minilm')
    for folder in ('camvid11', 'labelmefacade', 'msrc_v2', 'paris_artdeco', 'ccp'):
        bank.rows(LabelSpace.from_json(shared_data / folder).names)


def test_a_bank_gives_unit_rows_and_learns_nothing() -> None:
    encoder = TextBankEncoder()
    rows = encoder.encode(['tree', 'car'], CPU)
    torch.testing.assert_close(rows.norm(dim=-1), torch.ones(2))
    assert encoder.width == 384
    assert not list(encoder.parameters())
    assert not encoder.state_dict()


def test_a_larger_bank_of_the_same_source_will_do_another_will_not(tmp_path: Path) -> None:
    source = TextSource('toy', 'a {name}', 2, 'abc')
    TextBank(['a', 'b'], torch.ones(2, 2), source).save(tmp_path / 'larger.safetensors')
    TextBank(['a'], torch.ones(1, 3), TextSource('toy', 'a {name}', 3, 'abc')).save(tmp_path / 'wider.safetensors')
    TextBankEncoder(str(tmp_path / 'larger.safetensors')).expect(source)
    with pytest.raises(TextBankError, match=r'wider\.safetensors.*width is 3.*trained with 2'):
        TextBankEncoder(str(tmp_path / 'wider.safetensors')).expect(source)


def test_copies_share_the_bank() -> None:
    encoder = TextBankEncoder()
    early = copy.deepcopy(encoder)
    bank = encoder.bank
    late = copy.deepcopy(encoder)
    assert late is not encoder
    assert early.bank is bank
    assert late.bank is bank


def test_a_missing_bank_matters_only_when_text_is_encoded() -> None:
    encoder = TextBankEncoder('absent.safetensors')
    assert encoder.width is None
    with pytest.raises(TextBankError, match=r'absent\.safetensors: no such text bank'):
        encoder.encode(['tree'], CPU)
