"""What passes the checks of a config, and what is only cautioned against; refusals stand in ``tests/bad_inputs``."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmlmseg.config import read_config
from mmlmseg.config_checks import cautions, check_config, loads_labels, without_workers
from mmlmseg.errors import OptionError, TextBankError

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


@pytest.mark.parametrize(
    'name', ['demo/lmseg_demo', 'resi/resi_r18_clash3-panoptic', 'baselines/multi-head_r18_clash5']
)
def test_shipped_configs_pass_without_a_word(name: str) -> None:
    cfg = read_config(CONFIGS / f'{name}.py')
    check_config(cfg)
    check_config(cfg, ['test'])
    assert cautions(cfg) == []


def test_text_towers_are_looked_at_before_a_training_and_no_other_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint serves its own label spaces without what reads text."""
    monkeypatch.setattr('mmlmseg.models.text.text_side.find_spec', lambda _: None)
    cfg = read_config(CONFIGS / 'demo' / 'lmseg_demo.py')
    encoder = dict(type='mmlmseg.OpenClipText', model='ViT-B-16-SigLIP', pretrained='webli')
    cfg.model.decode_head.text.encoder = encoder
    check_config(cfg, ['test'])
    with pytest.raises(TextBankError, match=r'needs a package that is not there: pip install "mmlmseg\[hf\]"'):
        check_config(cfg, ['train'])


@pytest.mark.parametrize(
    ('best', 'prefix'),
    [
        ('a/mIoU', None),
        ('mean/aAcc', None),
        ('a/IoU.tree', None),
        ('b/x/IoU.a.b', 'x'),
        ('mean/x/mIoU', 'x'),
        ('auto', None),
    ],
)
def test_the_best_checkpoint_may_go_by_any_result(best: str, prefix: str | None) -> None:
    parts = dict(datasets=[dict(type='A'), dict(type='B')], names=['a', 'b'])
    metrics: dict[str, Any] = dict(type='mmlmseg.SemanticIoU', prefix=prefix)
    cfg = Config(
        dict(
            val_dataloader=dict(dataset=dict(type='mmlmseg.MultiDataset', **parts)),
            val_evaluator=dict(type='mmlmseg.MultiDatasetEvaluator', metrics=metrics),
            default_hooks=dict(checkpoint=dict(save_best=best)),
        )
    )
    from mmlmseg.config_checks.results import check_save_best

    check_save_best(cfg)


OBJECTS = dict(type='mmlmseg.InstanceDataset', ann_file='val.json')


@pytest.mark.parametrize(
    ('parts', 'evaluator', 'refused'),
    [
        ([OBJECTS], {}, True),
        ([dict(OBJECTS, rest='ignore')], {}, False),
        ([dict(type='mmlmseg.FolderDataset'), dict(type='RepeatDataset', times=2, dataset=OBJECTS)], {}, True),
        ([OBJECTS], dict(per_dataset=dict(own=dict(type='mmlmseg.InstanceAP'))), False),
    ],
)
def test_an_iou_of_objects_alone_is_refused_before_the_training(
    parts: list[dict], evaluator: dict, refused: bool
) -> None:
    from mmlmseg.config_checks.results import check_truth

    names = ['stuff', 'own'][-len(parts) :]
    cfg = Config(
        dict(
            val_dataloader=dict(dataset=dict(type='mmlmseg.MultiDataset', datasets=parts, names=names)),
            val_evaluator=dict(
                type='mmlmseg.MultiDatasetEvaluator', metrics=dict(type='mmlmseg.SemanticIoU'), **evaluator
            ),
        )
    )
    expected = pytest.raises(OptionError, match=r"truth of 'own' is objects alone") if refused else nullcontext()
    with DefaultScope.overwrite_default_scope('mmseg'), expected:
        check_truth(cfg, 'val')


def schedule(*own: Mapping[str, Any], **loop: Any) -> list[str]:
    schedulers = [dict(type='PolyLR', by_epoch=False, **one) for one in own]
    return cautions(Config(dict(train_cfg=dict(max_iters=10, **loop), param_scheduler=schedulers, val_dataloader={})))


def test_a_schedule_that_ends_elsewhere_is_said() -> None:
    assert schedule(dict(end=3), dict(begin=3, end=10), val_interval=5) == []
    assert 'ends at iteration 5, the training at 10: the learning rate stays' in schedule(dict(end=5))[0]
    assert 'does not come to its end' in schedule(dict(end=50))[0]
    assert 'milestones at [12]' in schedule(dict(milestones=[8, 12]))[0]


def test_a_misspelt_entry_is_said() -> None:
    assert 'Did you mean: custom_hooks?' in cautions(Config(dict(custom_hook=[])))[0]
    assert cautions(Config(dict(train_sets=[], crop_size=3, optimizer={}))) == []


def test_loaders_without_workers_lose_what_needs_them() -> None:
    cfg = Config(dict(train_dataloader=dict(num_workers=0, persistent_workers=True), val_dataloader=None))
    cfg.test_dataloader = dict(num_workers=2, persistent_workers=True)
    without_workers(cfg)
    assert 'persistent_workers' not in cfg.train_dataloader
    assert cfg.test_dataloader.persistent_workers


def test_labels_are_found_inside_of_other_steps_and_below_wrappers() -> None:
    image, labels = dict(type='LoadImageFromFile'), dict(type='mmlmseg.LoadSegments')
    nested = dict(type='TestTimeAug', transforms=[[dict(type='RandomFlip')], [labels]])
    assert loads_labels(dict(type='RepeatDataset', dataset=dict(type='A', pipeline=[image, nested])))
    assert not loads_labels(dict(type='A', pipeline=[image]))
