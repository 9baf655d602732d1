"""A label space is added to a trained model: it learns, and nothing that the model said before changes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS
from mmengine.runner import Runner
from torch import Tensor, nn

from mmlmseg.apis.model import build_model
from mmlmseg.checkpoint import CheckpointRecord
from mmlmseg.engine import FreezeHook
from mmlmseg.engine.add_label_space import add_label_spaces
from mmlmseg.errors import CheckpointError, LabelSpaceError, TextBankError
from mmlmseg.lab.scenes import write_folder_dataset
from mmlmseg.label_space import LabelSpace

GARDEN = LabelSpace.create('garden', ['tree', 'grass', 'house', 'cat', 'dog', 'sky'], things=['cat', 'dog'])
YARD = LabelSpace.create('yard', ['grass', 'bicycle'])
ADAPTER = dict(type='mmlmseg.SpaceAdapter', width=8)
MASKED = dict(
    type='mmlmseg.MaskedAttentionDecoder', num_levels=1, num_layers=2, num_heads=4, ffn_channels=64, dropout=0.1
)


def own_queries(mode: str) -> dict[str, Any]:
    return dict(type='mmlmseg.LabelSpaceQueries', num_queries=8, mode=mode)


METHODS: dict[str, dict[str, Any]] = {
    'RESI, replace': dict(decoder=MASKED, queries=own_queries('replace')),
    'RESI, add': dict(decoder=MASKED, queries=own_queries('add')),
    'RESI, adapter': dict(decoder=MASKED, queries=own_queries('add'), adapters=dict(garden=ADAPTER)),
    'LMSeg, adapter': dict(adapters=dict(garden=ADAPTER)),
    'multi-head': dict(text=False),
}
RESI, LMSEG = METHODS['RESI, replace'], METHODS['LMSeg, adapter']


class Make:
    """Makes models of a method, narrow, with dropout and batch norm that is trained."""

    def __init__(self, model_config: Callable[..., dict[str, Any]], spaces: list[LabelSpace]) -> None:
        self.model_config, self.spaces = model_config, spaces

    def config(self, method: dict[str, Any], added: Sequence[LabelSpace] = (), **head: Any) -> dict[str, Any]:
        head = {**method, **head}
        # The new spaces stand between the old ones: parameters find their space by its name.
        spaces = [self.spaces[0], *added, *self.spaces[1:]]
        names = [space.name for space in spaces]
        head['adapters'] = {name: own for name, own in head.get('adapters', {}).items() if name in names}
        config = self.model_config(label_spaces=spaces, **head)
        config['decode_head']['decoder']['dropout'] = 0.1
        config['backbone'] = dict(type='mmseg.ResNet', depth=18, base_channels=8, norm_cfg=dict(type='BN'))
        config['decode_head']['in_channels'] = [8, 16, 32, 64]
        thresholds = dict(object=0.0, overlap=0.3)
        config['test_cfg'] = dict(tasks=['semantic', 'panoptic'], panoptic=thresholds, keep_probabilities=True)
        return config

    def __call__(self, method: dict[str, Any], added: Sequence[LabelSpace] = (), **head: Any) -> nn.Module:
        model = MODELS.build(self.config(method, added, **head))
        model.init_weights()
        return model

    def trained(self, method: dict[str, Any], **head: Any) -> nn.Module:
        """One of the old spaces, as if it had been trained: no parameter is what it starts from."""
        model = self(method, **head)
        with torch.no_grad():
            for parameter in model.decode_head.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
            for module in model.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.running_mean.normal_(std=0.1)
                    module.running_var.uniform_(0.5, 2.0)
        return model.eval()


@pytest.fixture
def make(model_config, spaces) -> Make:
    return Make(model_config, spaces)


@pytest.fixture
def images(make_sample) -> dict[str, dict[str, Any]]:
    return {
        'street': make_sample('street'),
        'facade': make_sample('facade', (96, 64), seed=1),
        'garden': make_sample('street', seed=2, label_spaces=('garden',), dataset='garden'),
        'garden, larger': make_sample('street', (96, 64), seed=3, label_spaces=('garden',), dataset='garden'),
        'yard': make_sample('street', seed=4, label_spaces=('yard',), dataset='yard'),
        'both': make_sample('street', (96, 64), seed=5, label_spaces=('street', 'facade')),
        'all': make_sample('street', seed=6, label_spaces=('facade', 'garden')),
    }


def batch(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return dict(inputs=[s['inputs'] for s in samples], data_samples=[copy.deepcopy(s['data_samples']) for s in samples])


@torch.no_grad()
def predictions(model: nn.Module, samples: Sequence[dict[str, Any]]) -> Iterator[Tensor]:
    """All that a model says of images, the logits of all layers and what is made of them."""
    model.eval()
    for sample in samples:
        for outputs in model(**model.data_preprocessor(batch([sample]), False), mode='tensor'):
            yield outputs.class_logits
            yield outputs.mask_logits
    for result in model.test_step(batch(samples)):
        segments = result.pred_segments
        yield segments.ids if len(result.label_spaces) == 1 else segments.masks
        yield segments.labels
        yield segments.scores
        if len(result.label_spaces) == 1:
            yield result.pred_sem_seg.data
            yield result.seg_logits.data


def same(first: Iterator[Tensor], second: Iterator[Tensor]) -> bool:
    pairs = list(zip(first, second, strict=True))
    assert len(pairs) > 4
    return all(torch.equal(a, b) for a, b in pairs)


def extended(make: Make, old: nn.Module, method: dict[str, Any], added: Sequence[LabelSpace], **head: Any) -> Any:
    """A model with more spaces on the weights of an old one, and what is new of it."""
    new = make(method, added, **head)
    return new, add_label_spaces(new, old.state_dict())


def learn(model: nn.Module, new: list[str], samples: Sequence[dict[str, Any]], steps: int = 8) -> list[float]:
    """Real steps of AdamW with weight decay, on groups of two sizes; the classification loss of each."""
    optimiser = build_optim_wrapper(model, dict(optimizer=dict(type='AdamW', lr=0.05, weight_decay=0.1)))
    hook, runner = FreezeHook(new), SimpleNamespace(model=model)
    hook.after_load_checkpoint(runner, {})
    hook.before_train(runner)
    losses = []
    for _ in range(steps):
        model.train()
        data = batch(samples)
        hook.before_train_iter(runner, 0, data)
        losses.append(model.train_step(data, optimiser)['loss_cls'].item())
    hook.after_train(runner)
    return losses


def old_name(name: str) -> str:
    """What a parameter was called before a space was put behind the first one."""
    return name.replace('queries.own.2', 'queries.own.1').replace('classifier.layers.2', 'classifier.layers.1')


@pytest.mark.parametrize('method', METHODS)
def test_a_space_is_learned_and_the_others_stay(make: Make, images, method: str) -> None:
    old = make.trained(METHODS[method])
    state = copy.deepcopy(old.state_dict())
    new, trained = extended(make, old, METHODS[method], [GARDEN])
    known = [images[name] for name in ('street', 'facade', 'both')]
    assert same(predictions(old, known), predictions(new, known))
    start = list(predictions(new, [images['garden']]))
    losses = learn(new, trained, [images['garden'], images['garden, larger']])
    assert losses[-1] < losses[0]
    assert same(predictions(old, known), predictions(new, known))
    assert not same(iter(start), predictions(new, [images['garden']]))

    learned = new.state_dict()
    kept = {old_name(name): value for name, value in learned.items() if not name.startswith(tuple(trained))}
    for name, value in state.items():
        if name.endswith('text.table'):
            names = CheckpointRecord.of(learned).label_spaces.vocabulary
            rows = dict(zip(names, learned[name]))
            old_names = CheckpointRecord.of(state).label_spaces.vocabulary
            assert torch.equal(torch.stack([rows[own] for own in old_names]), value[:-1])
            assert torch.equal(learned[name][-1], value[-1])
        elif not name.endswith('_extra_state'):
            assert torch.equal(kept[name], value), name
    finished = make(METHODS[method], [GARDEN])
    finished.load_state_dict(copy.deepcopy(learned))
    assert all(torch.equal(value, finished.state_dict()[name]) for name, value in learned.items())
    everything = [*known, images['garden'], images['all']]
    assert same(predictions(new, everything), predictions(finished, everything))


@pytest.mark.parametrize('mode', ['replace', 'add'])
def test_queries_start_from_the_mean_of_the_others(make: Make, mode: str) -> None:
    method = dict(RESI, queries=own_queries(mode))
    old = make.trained(method)
    new, trained = extended(make, old, method, [GARDEN, YARD])
    assert trained == ['decode_head.queries.own.1', 'decode_head.queries.own.2']
    own, before = new.decode_head.queries.own, old.decode_head.queries.own
    assert not own[0].equal(own[3])
    assert [own[0].equal(before[0]), own[3].equal(before[1])] == [True, True]
    for added in own[1:3]:
        torch.testing.assert_close(added.detach(), (own[0] + own[3]).detach() / 2)


def test_an_adapter_starts_from_what_names_alone_give(make: Make, images) -> None:
    old = make.trained(LMSEG)
    new, _ = extended(make, old, LMSEG, [GARDEN])
    by_name = copy.deepcopy(images['garden'])
    by_name['data_samples'].set_metainfo(dict(label_spaces=(GARDEN,)))
    for a, b in zip(predictions(old, [by_name]), predictions(new, [images['garden']]), strict=True):
        torch.testing.assert_close(a, b)


def test_rows_of_new_names_are_made_as_those_of_the_checkpoint(make: Make, tiny_clip: str) -> None:
    for encoder in (dict(type='mmlmseg.TextBankEncoder'), dict(type='mmlmseg.OpenClipText', model=tiny_clip)):
        configs = [make.config(LMSEG, added) for added in ([], [GARDEN])]
        for config in configs:
            config['decode_head']['text'] = dict(type='mmlmseg.TextTable', encoder=encoder)
        old, new = (MODELS.build(config).eval() for config in configs)
        state = copy.deepcopy(old.state_dict())
        add_label_spaces(new, state)
        names = [CheckpointRecord.of(one).label_spaces.vocabulary for one in (state, new.state_dict())]
        assert set(names[1]) - set(names[0]) == {'grass', 'house', 'cat', 'dog'}
        table, rows = new.state_dict()['decode_head.text.table'], state['decode_head.text.table']
        assert table[[names[1].index(name) for name in names[0]]].equal(rows[:-1])
        assert table[-1].equal(rows[-1])
        expected = old.decode_head.categories([GARDEN]).rows[0]
        torch.testing.assert_close(new.train().decode_head.categories(['garden']).rows[0], expected)


def test_names_that_the_model_knows_need_no_encoder(make: Make) -> None:
    known = LabelSpace.create('scene', ['car', 'wall'])
    config = make.config(RESI, [known])
    config['decode_head']['text'] = dict(
        type='mmlmseg.TextTable', encoder=dict(type='mmlmseg.TextBankEncoder', bank='absent.safetensors')
    )
    old, new = make.trained(RESI), MODELS.build(config)
    add_label_spaces(new, old.state_dict())
    rows = new.eval().decode_head.categories(['scene', 'street', 'facade']).rows
    assert rows[0, 0].equal(rows[1, 4])
    assert rows[0, 1].equal(rows[2, 0])


def test_spaces_are_added_one_after_the_other(make: Make, images) -> None:
    first, trained = extended(make, make.trained(LMSEG), LMSEG, [GARDEN])
    learn(first, trained, [images['garden']], 2)
    adapters = dict(garden=ADAPTER, yard=dict(ADAPTER, width=5))
    second, trained = extended(make, first, LMSEG, [YARD, GARDEN], adapters=adapters)
    assert trained == ['decode_head.adapters.own.0']
    images['yard']['data_samples'].gt_sem_seg.data.clamp_(max=1)
    learn(second, trained, [images['yard']], 2)
    known = [images[name] for name in ('street', 'facade', 'garden', 'all')]
    assert same(predictions(first, known), predictions(second, known))


def test_every_trained_parameter_has_a_gradient(make: Make, images) -> None:
    method = dict(RESI, adapters=dict(garden=ADAPTER, yard=ADAPTER))
    model, trained = extended(make, make.trained(RESI), method, [GARDEN, YARD])
    assert trained == [
        f'decode_head.{part}.own.{i}' for part, first in (('queries', 1), ('adapters', 0)) for i in (first, first + 1)
    ]
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(tuple(trained)))
    losses = model.eval()(**model.data_preprocessor(batch([images['garden']]), True), mode='loss')
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    found = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
    assert len(found) == 2 + 2 * 4
    assert all(grad is not None for grad in found.values())
    assert {name for name, grad in found.items() if grad.eq(0).all()} == {
        'decode_head.queries.own.2',
        *(f'decode_head.adapters.own.{i}.down.{what}' for i in (0, 1) for what in ('weight', 'bias')),  # up is zero
        *(f'decode_head.adapters.own.1.up.{what}' for what in ('weight', 'bias')),
    }


def outputs(model: nn.Module, sample: dict[str, Any], **asked: Any) -> tuple[Tensor, Tensor]:
    """Class and mask logits in float64."""
    sample = copy.deepcopy(sample)
    sample['data_samples'].set_metainfo(asked)
    data = model.data_preprocessor(batch([sample]), False)
    found = model([group.double() for group in data['inputs']], data['data_samples'], mode='tensor')[0]
    return found.class_logits, found.mask_logits


def test_several_spaces_at_once_are_the_union_of_single_ones(make: Make, images) -> None:
    for method in (dict(RESI, adapters=dict(garden=ADAPTER)), LMSEG):
        model, trained = extended(make, make.trained(method), method, [GARDEN])
        learn(model, trained, [images['garden']], 2)
        model.double().eval()
        model.data_preprocessor.cast_dtype = torch.float64

        classes, masks = outputs(model, images['garden'], label_spaces=('street', 'garden', 'facade'))
        for b, space in enumerate(('street', 'garden', 'facade')):
            own_classes, own_masks = outputs(model, images['garden'], label_spaces=(space,))
            width = own_classes.shape[-1] - 1
            torch.testing.assert_close(classes[:, b, :, :width], own_classes[:, 0, :, :-1], rtol=0, atol=1e-10)
            torch.testing.assert_close(masks[:, b], own_masks[:, 0], rtol=0, atol=1e-10)


def run(folder: Path, config: dict[str, Any], new: list[str], steps: int, **start: Any) -> nn.Module:
    """Trains on drawn facades as a config would, in bfloat16."""
    pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
    datasets = [dict(type='mmlmseg.FolderDataset', data_root=str(folder / 'facade'), pipeline=pipeline)]
    runner = Runner(
        model=copy.deepcopy(config),
        work_dir=str(folder / f'{steps}-{len(start)}'),
        train_dataloader=dict(
            batch_size=2,
            num_workers=0,
            sampler=dict(type='mmlmseg.PerImageSampler'),
            dataset=dict(type='mmlmseg.MultiDataset', datasets=datasets),
        ),
        train_cfg=dict(type='mmlmseg.ResumableTrainLoop', max_iters=steps),
        optim_wrapper=dict(
            type='mmlmseg.BFloat16OptimWrapper',
            optimizer=dict(type='AdamW', lr=0.01, weight_decay=0.1),
            clip_grad=dict(max_norm=1.0),
            paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys={'decode_head.queries': dict(decay_mult=0.0)}),
        ),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1)),
        custom_hooks=[dict(type='EMAHook'), dict(type='mmlmseg.FreezeHook', trained=new)],
        randomness=dict(seed=3),
        default_scope='mmseg',
        experiment_name=f'{folder.name}-{steps}-{len(start)}',
        log_level='ERROR',
        **start,
    )
    runner.train()
    return runner.model


def test_a_run_needs_load_from_and_can_be_resumed(model_config, tmp_path: Path) -> None:
    for space in ('street', 'facade'):
        write_folder_dataset(tmp_path / space, space, range(4), range(4, 5), size=(64, 64))
    make = Make(model_config, [LabelSpace.from_json(tmp_path / 'street')])
    facade = LabelSpace.from_json(tmp_path / 'facade')
    method = dict(RESI, adapters=dict(facade=ADAPTER))
    config = make.config(method, [facade])
    old = make.trained(RESI)
    state = {name: value.clone() for name, value in old.state_dict().items()}
    start, new = extended(make, old, method, [facade])
    torch.save(dict(state_dict=start.state_dict()), tmp_path / 'start.pth')

    with pytest.raises(CheckpointError, match='FreezeHook .* of a model that holds no trained weights.*load_from'):
        run(tmp_path, config, new, 1)
    whole = run(tmp_path, config, new, 3, load_from=str(tmp_path / 'start.pth')).state_dict()
    for name, value in state.items():
        if not name.endswith(('_extra_state', 'text.table')):
            assert torch.equal(whole[name], value), name
    resumed = run(tmp_path, config, new, 3, load_from=str(tmp_path / '3-1' / 'iter_1.pth'), resume=True).state_dict()
    for name, value in whole.items():
        assert torch.equal(resumed[name], value), name

    # The averaged weights, too, hold the trained model untouched; inference reads the finished checkpoint as any other.
    served = build_model(
        Config(dict(model=config, default_scope='mmseg')), tmp_path / '3-1' / 'iter_3.pth'
    ).state_dict()
    assert all(
        torch.equal(served[name], value) for name, value in state.items() if name in dict(old.named_parameters())
    )
    assert not torch.equal(served['decode_head.queries.own.1'], whole['decode_head.queries.own.1'])


def test_what_cannot_be_added(make: Make) -> None:
    state = make.trained(RESI).state_dict()

    def refused(config: dict[str, Any]) -> None:
        add_label_spaces(MODELS.build(config), state)

    message = 'trained on the label spaces street, facade, the config has street, facade; .* at least one more'
    with pytest.raises(CheckpointError, match=message):
        refused(make.config(RESI))
    config = make.config(RESI, [GARDEN])
    config['decode_head']['label_spaces'].pop()
    with pytest.raises(CheckpointError, match='spaces street, facade, the config has street, garden; .*all those of'):
        refused(config)
    with pytest.raises(LabelSpaceError, match=r"'garden' is added, but nothing would be trained.*adapters=dict\(gard"):
        refused(make.config(dict(), [GARDEN]))
    with pytest.raises(LabelSpaceError, match='cannot be added to a model with UnifiedClassifier'):
        refused(make.config(dict(text=False, classifier=dict(type='mmlmseg.UnifiedClassifier')), [GARDEN]))


def test_checkpoints_that_do_not_fit(make: Make, spaces) -> None:
    def refused(method: dict[str, Any] = RESI, known: Sequence[LabelSpace] = (), **head: Any) -> None:
        other = Make(make.model_config, list(known) or spaces).trained(method, **head)
        add_label_spaces(make(RESI, [GARDEN]), other.state_dict())

    with pytest.raises(CheckpointError, match="'facade' differs .*id 1: 'door' there, 'window' here"):
        refused(known=[spaces[0], LabelSpace.create('facade', ['wall', 'door', 'building'])])
    with pytest.raises(CheckpointError, match=r'queries\.own\.0 is missing.*queries\.position\.weight is not of this'):
        refused(dict(RESI, queries=dict(type='mmlmseg.SharedQueries', num_queries=8)))
    with pytest.raises(CheckpointError, match=r'holds adapters of street, the config of none'):
        refused(RESI, adapters=dict(street=ADAPTER))
    with pytest.raises(CheckpointError, match=r'the checkpoint does not fit the model: .* has shape \(16, '):
        refused(channels=16)
    with pytest.raises(CheckpointError, match=r'text\.no_object is missing'):
        refused(dict(RESI, text=False))
    with pytest.raises(CheckpointError, match="trained with class_activation='sigmoid', the config has .*'softmax'"):
        refused(class_activation='sigmoid')
    strange = LabelSpace.create('garden', ['tree', 'gnomeish'])
    model = MODELS.build(make.config(RESI, [strange]))
    with pytest.raises(TextBankError, match="class name 'gnomeish'"):
        add_label_spaces(model, make.trained(RESI).state_dict())
    with pytest.raises(
        CheckpointError, match=r'spaces street, facade, the config has .*; tools/add_label_.* adds gard'
    ):
        make(RESI, [GARDEN]).load_state_dict(make.trained(RESI).state_dict())


def test_relations_must_leave_the_old_answers(make: Make) -> None:
    old, new = make.spaces[0], GARDEN
    finer = f'{new.name}:cat'
    coarser = f'{old.name}:{old.classes[1]}'
    trained = make(LMSEG, [])
    kept = make(LMSEG, [GARDEN], relations=dict(inside=[[coarser, finer]]))
    add_label_spaces(kept, trained.state_dict())  # the old class is inside a new one
    changed = make(LMSEG, [GARDEN], relations=dict(inside=[[finer, coarser]]))
    with pytest.raises(LabelSpaceError, match=f'{coarser} would hold {finer}, but held nothing'):
        add_label_spaces(changed, trained.state_dict())
