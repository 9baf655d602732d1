"""The fixed list of synonyms, and the config that trains with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmlmseg.class_texts import readings
from mmlmseg.config import complete_label_spaces
from mmlmseg.label_space import LabelSpace
from mmlmseg.models.text import TextBank
from mmlmseg.names import name_key
from mmlmseg.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
FILE = CONFIGS / '_base_' / 'synonyms' / 'clash5.json'
TRAIN, TEST = json.loads(FILE.read_text(encoding='utf-8')).values()
SPACES = ('camvid11', 'labelmefacade', 'msrc_v2', 'paris_artdeco', 'ccp')


def listed_classes(space: str) -> list[str]:
    """The classes that the file names."""
    return list(dict.fromkeys([*TRAIN[space], *TEST[space]]))


def check_no_test_name_is_trained(classes: dict[str, list[str]]) -> None:
    trained = {name_key(name) for space in SPACES for names in TRAIN[space].values() for name in names}
    trained |= {name_key(name) for space in SPACES for name in classes[space]}
    assert len(trained) > 150
    for space in SPACES:
        for c, name in TEST[space].items():
            assert name_key(name) not in trained, f'{space}: {c} is to be tested as {name!r}, which is trained'


def test_no_test_name_is_trained_in_any_space() -> None:
    check_no_test_name_is_trained({space: listed_classes(space) for space in SPACES})


def test_the_real_spaces_have_these_classes_and_train_on_no_test_name(shared_data: Path) -> None:
    classes = {space: list(LabelSpace.from_json(shared_data / space).classes) for space in SPACES}
    for space in SPACES:
        assert set(listed_classes(space)) <= set(classes[space])
        LabelSpace.create(space, [TEST[space].get(c, c) for c in classes[space]])  # no two classes of one name
        assert len(TEST[space]) > 0.6 * len(classes[space])
    check_no_test_name_is_trained(classes)


@pytest.mark.parametrize('space', SPACES)
def test_every_synonym_can_be_read_and_names_one_class(space: str) -> None:
    bank = TextBank.load('minilm')
    bank.rows([*TEST[space].values(), *(name for names in TRAIN[space].values() for name in names)])
    given = LabelSpace.create(space, listed_classes(space), synonyms=TRAIN[space])
    expected = [(c, *TRAIN[space].get(c, ())) for c in listed_classes(space)]
    assert readings(given) == expected
    LabelSpace.create(space, list(TEST[space].values()))


def test_the_overlay_trains_on_the_train_synonyms_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MMLMSEG_DATA', str(tmp_path))
    for space in SPACES:
        (tmp_path / space).mkdir()
        (tmp_path / space / 'classes.json').write_text(json.dumps(dict(classes=listed_classes(space))))
    base, config = (
        Config.fromfile(CONFIGS / 'lmseg' / f'lmseg_r18_{name}.py') for name in ('clash5', 'clash5_synonyms')
    )
    init_default_scope(config.default_scope)
    text = MODELS.build(config.model).decode_head.text
    text.init_weights()  # would refuse a synonym that the bank lacks
    assert text.sample_synonyms
    for space in SPACES:
        expected = tuple(tuple(TRAIN[space].get(c, ())) for c in listed_classes(space))
        assert text.label_spaces.get(space).synonyms == expected
    plain = config.model.copy()
    plain.decode_head.label_spaces = [LabelSpace.from_json(s.path).to_dict() for s in plain.decode_head.label_spaces]
    complete_label_spaces(base)
    del plain.decode_head.text['sample_synonyms']
    assert plain == base.model
    assert config.train_dataloader == base.train_dataloader
