"""The commands of docs/paper_tables.md make what their rows say; no data is needed to know."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmlmseg import cli
from mmlmseg.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
ROWS = re.findall(
    r'^\| (?:(\d+)k \|)?.*`(.*)` \|$', (ROOT / 'docs' / 'paper_tables.md').read_text(encoding='utf-8'), re.MULTILINE
)


def trainings(row: str) -> list[list[str]]:
    """The words that train.py gets from the command of a row: one list, or one for each turn of a loop."""
    loop = re.fullmatch(r'for d in (.+?); do (.+); done', row)
    turns = [loop[2].replace('$d', name) for name in loop[1].split()] if loop else [row]
    called = [shlex.split(turn) for turn in turns]
    assert {(script, gpus) for script, _, gpus, *_ in called} == {('tools/dist_train.sh', '8')}
    return [[config, *options] for _, config, _, *options in called]


@pytest.fixture(scope='module')
def rows(load_script: Callable[[Path], ModuleType]) -> list[tuple[str, list[Config]]]:
    """The cost in thousands where a row says it, and its configs after what train.py does before it trains."""
    script = load_script(ROOT / 'tools' / 'train.py')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.delenv('MMLMSEG_DATA', raising=False)

        def load(words: list[str]) -> Config:
            patch.setattr('sys.argv', ['train.py', *words])
            return cli.load_config(script.parse_args())

        return [(cost, [load(words) for words in trainings(command)]) for cost, command in ROWS]


def test_every_row_trains_for_what_it_costs(rows: list[tuple[str, list[Config]]]) -> None:
    assert sum(cost != '' for cost, _ in rows) > 25
    for cost, configs in rows:
        lengths = [config.train_cfg.max_iters for config in configs]
        assert [config.param_scheduler.end for config in configs] == lengths
        assert not cost or sum(lengths) == 1000 * int(cost)
        assert len({config.work_dir for config in configs}) == len(configs)


@pytest.mark.slow
def test_every_row_has_the_models_of_its_datasets(rows: list[tuple[str, list[Config]]]) -> None:
    """Equal models are built once; pretrained weights are left out."""
    models = {}
    for _, configs in rows:
        for config in configs:
            init_default_scope(config.default_scope)
            text = config.model.decode_head.text or dict(encoder={})
            for part in (config.model.backbone, text['encoder']):
                part.pop('init_cfg', None)
                if 'pretrained' in part:
                    part.pretrained = None
            names = config.train_dataloader.dataset.names
            assert config.val_dataloader.dataset.names == config.test_dataloader.dataset.names == names
            assert len(config.model.decode_head.label_spaces) == len(names)
            models[json.dumps(config.model.to_dict(), sort_keys=True)] = config.model
    assert len(models) > 25
    for model in models.values():
        assert MODELS.build(model).label_spaces.to_list() == model.decode_head.label_spaces
