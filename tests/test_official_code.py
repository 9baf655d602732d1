"""The config with the five choices of the authors' code: each arrives in what is built, and nothing else changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from torch import nn

from mmlmseg.config import complete_label_spaces
from mmlmseg.datasets.samplers import DatasetPerRankSampler
from mmlmseg.models.decoders.attention import MultiHeadAttention, UnprojectedAttention
from mmlmseg.models.text.table import NO_OBJECT_TEXT
from mmlmseg.registry import DATA_SAMPLERS, MODELS

CONFIGS = Path(__file__).resolve().parents[1] / 'configs' / 'lmseg'
DATASETS = 'ade20k-cityscapes-cocostuff10k-mapillary'


def read(name: str) -> Config:
    return Config.fromfile(CONFIGS / f'lmseg_clip-r50_{name}.py')


def leaves(config: Any, path: str = '') -> dict[str, Any]:
    """All settings of a nested config by their paths."""
    if not isinstance(config, dict):
        return {path: config}
    return {key: value for name, child in config.items() for key, value in leaves(child, f'{path}.{name}').items()}


@pytest.fixture(scope='module')
def config() -> Config:
    """The config, with random weights."""
    config = read(f'official-code_{DATASETS}')
    complete_label_spaces(config)
    init_default_scope(config.default_scope)
    config.model.backbone.pretrained = config.model.decode_head.text.encoder.pretrained = None
    return config


@pytest.fixture(scope='module')
def model(config: Config) -> nn.Module:
    return MODELS.build(config.model)


def test_differs_from_the_paper_in_five_choices_only() -> None:
    official, paper = (leaves(read(name).to_dict()) for name in (f'official-code_{DATASETS}', DATASETS))
    assert paper.keys() <= official.keys()
    assert {key for key in official if key not in paper or official[key] != paper[key]} == {
        '.model.decode_head.queries.learn_content',
        '.model.decode_head.decoder.project_keys_values',
        '.model.decode_head.text.encoder.template',
        '.model.decode_head.classifier.learn_tau',
        '.train_dataloader.sampler.type',
        '.train_dataloader.sampler.batch_size',
    }


def test_contents_of_queries_are_learned_without_decay(config: Config, model: nn.Module) -> None:
    queries = model.decode_head.queries
    content, position = queries(('cityscapes',))
    assert content[0].equal(queries.content.weight)
    assert not content.equal(position)
    groups = build_optim_wrapper(model, config.optim_wrapper).optimizer.param_groups
    decays = {id(parameter): group['weight_decay'] for group in groups for parameter in group['params']}
    assert decays[id(queries.content.weight)] == decays[id(queries.position.weight)] == 0


def test_cross_attention_does_not_project_keys_and_values(model: nn.Module) -> None:
    layers = model.decode_head.decoder.layers
    assert len(layers) == 6
    for layer in layers:
        assert isinstance(layer.self_attention.attention, MultiHeadAttention)
        assert isinstance(layer.image_attention.attention, UnprojectedAttention)
        assert isinstance(layer.text_attention.attention, UnprojectedAttention)


def test_tau_is_learned_from_the_papers_on(model: nn.Module) -> None:
    log_scale = dict(model.decode_head.classifier.named_parameters())['log_scale']
    assert (-log_scale).exp().item() == pytest.approx(0.07)


def test_class_names_and_no_object_follow_a_photo_of(model: nn.Module) -> None:
    text = model.decode_head.text
    text.categories(['cityscapes'])
    tokens, tower = text.encoder._tokens, text.encoder.tower
    assert tokens['traffic light'] == tower.tokenise('a photo of traffic light')
    assert tokens[NO_OBJECT_TEXT] == tower.tokenise('a photo of background')
    assert len(text.encoder.prompt) == 8


def test_each_step_of_a_rank_holds_one_dataset(config: Config) -> None:
    sampler = DATA_SAMPLERS.build(config.train_dataloader.sampler, default_args=dict(dataset=range(9), seed=0))
    assert isinstance(sampler, DatasetPerRankSampler)
    assert sampler.batch_size == config.train_dataloader.batch_size
