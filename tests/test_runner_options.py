"""Options of mmengine's runners are obeyed, or refused before a training starts."""

from __future__ import annotations

from typing import Any

import pytest
from mmengine.config import Config

from mmlmseg.errors import OptionError
from mmlmseg.runner_options import check_strategy, options_as_hooks


@pytest.mark.parametrize(
    ('options', 'hooks'),
    [
        (dict(), None),
        (dict(compile=False, activation_checkpointing=[]), None),
        (dict(compile=True), [dict(type='mmlmseg.CompileHook')]),
        (dict(compile=dict(mode='max-autotune')), [dict(type='mmlmseg.CompileHook', mode='max-autotune')]),
        (
            dict(custom_hooks=[dict(type='Own')], activation_checkpointing='backbone'),
            [dict(type='Own'), dict(type='mmlmseg.ActivationCheckpointingHook', modules=['backbone'])],
        ),
    ],
)
def test_options_of_the_runner_become_hooks(options: dict[str, Any], hooks: list[dict[str, Any]] | None) -> None:
    cfg = Config(options)
    options_as_hooks(cfg)
    assert cfg.get('custom_hooks') == hooks
    assert not {'compile', 'activation_checkpointing'} & set(cfg)


def test_options_of_the_runner_that_cannot_be_read() -> None:
    with pytest.raises(OptionError, match='compile = 3: write True, or options of torch.compile as a dict'):
        options_as_hooks(Config(dict(compile=3)))
    with pytest.raises(OptionError, match='activation_checkpointing = True: write a list of names'):
        options_as_hooks(Config(dict(activation_checkpointing=True)))


FLEXIBLE, FSDP = dict(runner_type='FlexibleRunner'), dict(type='mmlmseg.FSDPStrategy')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(runner_type='FlexibelRunner'), r'no such runner\. Did you mean: FlexibleRunner'),
        (dict(strategy=FSDP), r"obeyed by mmengine's FlexibleRunner alone: add runner_type='FlexibleRunner'"),
        (dict(FLEXIBLE, strategy=dict(type='DeepSpeedStrategy')), "'DeepSpeedStrategy': mmlmseg trains by Single"),
        (dict(FLEXIBLE, strategy=dict(type='FSDPStrategy')), r'Did you mean: .*mmlmseg\.FSDPStrategy'),
        (dict(FLEXIBLE, strategy=FSDP, launcher='none'), r'start them with tools/dist_train\.sh'),
        (dict(FLEXIBLE, strategy=FSDP, custom_hooks=[dict(type='mmlmseg.FreezeHook')]), 'FreezeHook does not go with'),
        (dict(optim_wrapper=dict(optimizer=dict(type='ZeroRedundancyOptimizer'))), 'would wait for the others'),
    ],
)
def test_strategies_that_would_not_be_obeyed_are_refused(options: dict[str, Any], message: str) -> None:
    valid = dict(launcher='pytorch', optim_wrapper=dict(optimizer=dict(type='AdamW')))
    for good in (valid, dict(valid, **FLEXIBLE), dict(valid, **FLEXIBLE, strategy=FSDP)):
        check_strategy(Config(good))
    with pytest.raises(OptionError, match=message):
        check_strategy(Config({**valid, **options}))
