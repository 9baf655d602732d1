from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn

from mmlmseg.errors import CheckpointError, LabelSpaceError, TextBankError
from mmlmseg.label_space import LabelSpace
from mmlmseg.models.numerics import class_probabilities
from mmlmseg.models.postprocess.panoptic import PanopticThresholds, candidates, panoptic_segments
from mmlmseg.models.postprocess.view import View
from mmlmseg.models.structures import HeadOutputs, Prediction

SIZES = {'equal': [(64, 64)] * 4, 'mixed': [(64, 64), (64, 128), (96, 64), (64, 64)]}
SPACES = ['street', 'facade', 'street', 'facade']


def build(config: dict, dtype: torch.dtype = torch.float64) -> nn.Module:
    torch.manual_seed(3)
    model = MODELS.build(config)
    model.init_weights()
    model.to(dtype)
    model.data_preprocessor.cast_dtype = dtype
    return model


def collate(samples: Sequence[dict]) -> dict:
    return dict(inputs=[s['inputs'] for s in samples], data_samples=[copy.deepcopy(s['data_samples']) for s in samples])


def prepare(model: nn.Module, samples: Sequence[dict], training: bool) -> dict:
    data = model.data_preprocessor(collate(samples), training)
    dtype = next(model.parameters()).dtype
    return dict(inputs=[group.to(dtype) for group in data['inputs']], data_samples=data['data_samples'])


def total(losses: dict) -> torch.Tensor:
    return sum(value for key, value in losses.items() if 'loss' in key)


@pytest.mark.parametrize('sizes', SIZES)
@pytest.mark.parametrize('text', [True, False])
def test_a_mixed_batch_is_the_sum_of_its_samples(model_config, make_sample, text: bool, sizes: str) -> None:
    """Un-normalised losses of single samples over the totals of the batch; the same gradients."""
    model = build(model_config(text=text))
    model.train()
    samples = [make_sample(s, size, seed) for seed, (s, size) in enumerate(zip(SPACES, SIZES[sizes]))]
    num_queries = 8

    batch = model(**prepare(model, samples, True), mode='loss')
    total(batch).backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    def normalisers(data: dict) -> tuple[float, float]:
        counts = [len(s.gt_sem_seg.data.unique()) - 1 for s in data['data_samples']]  # without the ignored label
        return sum(c + 0.1 * (num_queries - c) for c in counts), sum(counts)

    class_total, mask_total = normalisers(prepare(model, samples, True))
    model.zero_grad()
    expected = dict.fromkeys(batch, 0.0)
    for sample in samples:
        data = prepare(model, [sample], True)
        own_class, own_mask = normalisers(data)
        losses = model(**data, mode='loss')
        weighted = {
            key: value * (own_class / class_total if 'cls' in key else own_mask / mask_total)
            for key, value in losses.items()
        }
        total(weighted).backward()
        for key, value in weighted.items():
            expected[key] = expected[key] + value.detach()
    for key, value in batch.items():
        torch.testing.assert_close(value.detach(), torch.as_tensor(expected[key]), rtol=1e-9, atol=1e-9)
    for name, gradient in gradients.items():
        torch.testing.assert_close(dict(model.named_parameters())[name].grad, gradient, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize('sizes', SIZES)
def test_predictions_do_not_depend_on_batch_mates(model_config, make_sample, sizes: str) -> None:
    config = model_config()
    config['test_cfg'] = dict(keep_probabilities=True)
    model = build(config).eval()
    samples = [
        make_sample(s, size, seed, ori_shape=(50, 70)) for seed, (s, size) in enumerate(zip(SPACES, SIZES[sizes]))
    ]
    together = model(**prepare(model, samples, False), mode='predict')
    assert [s.img_path for s in together] == [s['data_samples'].img_path for s in samples]
    for sample, result in zip(samples, together):
        alone = model(**prepare(model, [sample], False), mode='predict')[0]
        num_classes = {'street': 5, 'facade': 3}[result.label_spaces[0]]
        assert result.seg_logits.data.shape == (num_classes, 50, 70)
        torch.testing.assert_close(result.seg_logits.data, alone.seg_logits.data)
        assert result.pred_sem_seg.data.shape == (1, 50, 70)
        assert int(result.pred_sem_seg.data.max()) < num_classes


def test_other_spaces_do_not_touch_the_numbers(model_config, make_sample, spaces) -> None:
    """A model that also knows another, larger space answers the same in the first."""
    models = []
    for known in (spaces[1:], spaces):
        config = model_config(label_spaces=known)
        config['test_cfg'] = dict(keep_probabilities=True)
        models.append(build(config).eval())
    small, large = models
    own = {**dict(large.named_parameters()), **dict(large.named_buffers())}
    for name, value in (*small.named_parameters(), *small.named_buffers()):
        if name != 'decode_head.text.table':
            own[name].data.copy_(value.data)
    large.eval()
    sample = make_sample('facade')
    a, b = (m(**prepare(m, [sample], False), mode='predict')[0].seg_logits.data for m in (small, large))
    assert a.equal(b)


def test_a_free_class_list(model_config, make_sample) -> None:
    model = build(model_config()).eval()
    free = LabelSpace.create('custom', ['motorbike', 'sky', 'house', 'tree', 'grass', 'dog', 'cat'])
    result = model(**prepare(model, [make_sample('street', label_spaces=(free,))], False), mode='predict')[0]
    assert int(result.pred_sem_seg.data.max()) < 7


def test_all_ignore_images_and_more_masks_than_queries(model_config, make_sample, spaces) -> None:
    model = build(model_config(queries=dict(type='mmlmseg.SharedQueries', num_queries=2)))
    samples = [make_sample('street'), make_sample('street', seed=1)]
    samples[1]['data_samples'].gt_sem_seg.data.fill_(255)
    losses = model(**prepare(model, samples, True), mode='loss')
    total(losses).backward()
    assert torch.isfinite(total(losses))
    alone = model(**prepare(model, samples[1:], True), mode='loss')
    total(alone).backward()
    assert float(alone['loss_focal']) == float(alone['loss_dice']) == 0.0
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    missing = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert missing == []


def test_bfloat16_autocast_trains(model_config, make_sample) -> None:
    model = build(model_config(), torch.float32)
    data = prepare(model, [make_sample('street'), make_sample('facade', (96, 64))], True)
    with torch.autocast('cpu', torch.bfloat16):
        losses = model(**data, mode='loss')
    assert all(value.dtype == torch.float32 for value in losses.values())
    total(losses).backward()
    exact = model(**data, mode='loss')
    assert float(total(losses)) == pytest.approx(float(total(exact)), rel=0.05)


def test_an_overflow_of_fp16_is_left_to_the_gradient_scaler(model_config, make_sample) -> None:
    model = build(model_config(), torch.float32)
    data = prepare(model, [make_sample('street')], True)
    outputs = model(**data, mode='tensor')
    half = HeadOutputs(outputs[0].class_logits, outputs[0].mask_logits.half().fill_(torch.inf), outputs[0].valid)
    losses = model.decode_head.criterion([half], [model.decode_head.targets(data['data_samples'])])
    assert not torch.isfinite(losses['loss_dice'] + losses['loss_focal'])


def test_sync_bn_is_refused(model_config) -> None:
    config = model_config()
    config['backbone'] = dict(type='mmseg.ResNet', depth=18, norm_cfg=dict(type='SyncBN'))
    with pytest.raises(ValueError, match=r'backbone\.bn1 is a trainable SyncBN'):
        MODELS.build(config)
    config['backbone']['norm_eval'] = True
    MODELS.build(config)


def test_trained_batch_norm_is_refused_where_sizes_meet(model_config, make_sample) -> None:
    config = model_config()
    config['backbone'] = dict(type='mmseg.ResNet', depth=18, norm_cfg=dict(type='BN'))
    model = build(config, torch.float32).train()
    model(**prepare(model, [make_sample('street'), make_sample('street')], True), mode='loss')
    with pytest.raises(ValueError, match=r'images of different sizes \(64x64, 96x64\)'):
        model(**prepare(model, [make_sample('street'), make_sample('street', (96, 64))], True), mode='loss')


def test_a_checkpoint_knows_its_label_spaces(model_config, spaces, tmp_path) -> None:
    from mmengine.runner import load_checkpoint, save_checkpoint

    model = build(model_config(), torch.float32)
    file = str(tmp_path / 'model.pth')
    save_checkpoint(dict(state_dict=model.state_dict()), file)
    load_checkpoint(model, file)

    others = build(model_config(label_spaces=spaces[:1]), torch.float32)
    with pytest.raises(CheckpointError, match='trained on the label spaces street, facade, the config has street'):
        load_checkpoint(others, file)
    renamed = [spaces[0], LabelSpace.create('facade', ['wall', 'door', 'building'])]
    with pytest.raises(CheckpointError, match="'facade' differs .*id 1: 'window' there, 'door' here"):
        load_checkpoint(build(model_config(label_spaces=renamed), torch.float32), file)
    wider = model_config(queries=dict(type='mmlmseg.SharedQueries', num_queries=9))
    with pytest.raises(CheckpointError, match=r'queries\.position\.weight has shape \(8, 32\), the model \(9, 32\)'):
        load_checkpoint(build(wider, torch.float32), file)
    deeper = model_config()
    deeper['decode_head']['decoder']['num_layers'] = 3
    with pytest.raises(CheckpointError, match=r'decoder\.layers\.2.* is missing.* and \d+ more'):
        load_checkpoint(build(deeper, torch.float32), file)
    shallower = model_config()
    shallower['decode_head']['decoder']['num_layers'] = 1
    with pytest.raises(CheckpointError, match=r'decoder\.layers\.1.* is not of this model'):
        load_checkpoint(build(shallower, torch.float32), file)

    save_checkpoint(dict(state_dict=nn.Linear(2, 2).state_dict()), file)
    with pytest.raises(CheckpointError, match='holds no label spaces'):
        load_checkpoint(model, file)


def test_named_spaces_need_no_bank(model_config, make_sample, tmp_path) -> None:
    from mmlmseg.checkpoint import TextSource
    from mmlmseg.models.text import TextBank

    names = ['sky', 'building', 'tree', 'road', 'car', 'wall', 'window', 'background']
    bank = tmp_path / 'own.safetensors'
    TextBank(names, torch.randn(len(names), 16), TextSource('toy', '{name}', 16, 'none')).save(bank)
    config = model_config(text=True)
    config['decode_head']['text'] = dict(
        type='mmlmseg.TextTable', encoder=dict(type='mmlmseg.TextBankEncoder', bank=str(bank))
    )
    config['test_cfg'] = dict(keep_probabilities=True)
    model = build(config).eval()
    state = model.state_dict()
    expected = model(**prepare(model, [make_sample('facade')], False), mode='predict')[0].seg_logits.data

    bank.unlink()
    loaded = MODELS.build(config).double()
    loaded.load_state_dict(state, strict=False)
    result = loaded.eval()(**prepare(loaded, [make_sample('facade')], False), mode='predict')[0].seg_logits.data
    torch.testing.assert_close(result, expected)
    data = prepare(loaded, [make_sample('facade', label_spaces=(LabelSpace.create('custom', ['motorbike']),))], False)
    with pytest.raises(TextBankError, match=r'own\.safetensors'):
        loaded(**data, mode='predict')


def test_ema_weights_save_and_load_their_own_table(model_config, make_sample, tmp_path) -> None:
    from mmengine.model import ExponentialMovingAverage
    from mmengine.runner import load_checkpoint, save_checkpoint

    model = build(model_config(), torch.float32)
    ema = ExponentialMovingAverage(model, momentum=0.5)
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    for seed in range(2):
        total(model(**prepare(model, [make_sample('street', seed=seed)], True), mode='loss')).backward()
        optimiser.step()
        ema.update_parameters(model)
    averaged = {key[len('module.') :]: v for key, v in ema.state_dict().items() if key.startswith('module.')}
    file = str(tmp_path / 'ema.pth')
    save_checkpoint(dict(state_dict=averaged), file)
    loaded = build(model_config(), torch.float32)
    load_checkpoint(loaded, file)
    rows = [m.eval().decode_head.categories(['street', 'facade']).rows for m in (loaded, ema.module, model)]
    torch.testing.assert_close(rows[0], rows[1])
    assert not torch.allclose(rows[0], rows[2])


@pytest.mark.slow
def test_a_class_named_background_overfits_one_image(model_config, make_sample) -> None:
    """The no-object row also reads "background"; the two must not be confused."""
    space = LabelSpace.create('street', ['background', 'person', 'car'])
    model = build(model_config(label_spaces=[space]), torch.float32).train()
    sample = make_sample('street')
    sample['data_samples'].gt_sem_seg.data.remainder_(3)
    sample['data_samples'].gt_sem_seg.data[:, :4, :4] = 255
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    data = prepare(model, [sample], True)
    for _ in range(150):
        optimiser.zero_grad()
        total(model(**data, mode='loss')).backward()
        optimiser.step()
    truth = sample['data_samples'].gt_sem_seg.data
    result = model.eval()(**prepare(model, [sample], False), mode='predict')[0].pred_sem_seg.data
    counted = truth != 255
    assert float((result == truth)[counted].float().mean()) > 0.97


def test_panoptic_results_are_those_of_the_pure_function(model_config, make_sample) -> None:
    thresholds = dict(object=0.0, overlap=0.0, per_space=dict(facade=dict(object=0.2)))
    config = dict(model_config(), test_cfg=dict(tasks=['semantic', 'panoptic'], panoptic=thresholds))
    model = MODELS.build(config).eval()
    samples = [make_sample('street', ori_shape=(50, 70)), make_sample('facade', (96, 64), seed=1)]
    batch = dict(inputs=[s['inputs'] for s in samples], data_samples=[s['data_samples'] for s in samples])
    results = model.test_step(copy.deepcopy(batch))
    semantic = MODELS.build(model_config()).eval()
    semantic.load_state_dict(model.state_dict())
    for result, alone in zip(results, semantic.test_step(copy.deepcopy(batch)), strict=True):
        assert torch.equal(result.pred_sem_seg.data, alone.pred_sem_seg.data)
        assert 'pred_segments' not in alone
        found = result.pred_segments
        space = model.decode_head.space_of(result.label_spaces[0])
        assert found.ids.dtype == torch.int32
        assert tuple(found.ids.shape) == (1, *result.ori_shape)
        assert int(found.ids.max()) <= len(found.labels) == len(found.scores)
        assert all(0 <= label < space.num_classes for label in found.labels)

        data = model.data_preprocessor(copy.deepcopy(batch), False)
        outputs = {o.metainfo['label_spaces'][0]: (g, o) for g, o in zip(data['inputs'], data['data_samples'])}
        image, own = outputs[space.name]
        raw = model.encode_decode(image, [own])
        columns = [*range(space.num_classes), -1]
        classes = class_probabilities(raw.class_logits[-1, 0][:, columns], raw.valid[0, columns], 'softmax')
        limits = PanopticThresholds(0.2 if space.name == 'facade' else 0.0, 0.0)
        prediction = Prediction(classes, raw.mask_logits[-1, 0], space)
        taking_part = candidates(prediction, View(tuple(image.shape[-2:]), own.metainfo), limits.object)
        expected = panoptic_segments([taking_part], [space], [limits])
        assert torch.equal(found.ids, expected.ids)
        assert found.labels.tolist() == expected.labels.tolist()


@pytest.mark.parametrize(
    ('test_cfg', 'error', 'message'),
    [
        (dict(tasks=['instances']), ValueError, 'choose from semantic, panoptic, instance'),
        (dict(tasks=[]), ValueError, 'choose from'),
        (
            dict(panoptic=dict(per_space=dict(streets=dict(object=0.5)))),
            LabelSpaceError,
            "'streets'.*Did you mean: street",
        ),
        (dict(panoptic=dict(object=80)), ValueError, 'from 0 to 1'),
    ],
)
def test_unusable_test_options_are_errors(model_config, test_cfg: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        MODELS.build(dict(model_config(), test_cfg=test_cfg))


def test_a_neck_stands_between_backbone_and_head(model_config, make_sample) -> None:
    config = model_config(in_channels=[32] * 4)
    neck = dict(type='mmseg.FPN', in_channels=[64, 128, 256, 512], out_channels=32, num_outs=4)
    model = MODELS.build(dict(config, neck=neck))
    data = prepare(model, [make_sample('street')], True)
    losses = model(**data, mode='loss')
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in model.neck.parameters())
    assert [tuple(m.shape[1:]) for m in model.extract_feat(data['inputs'][0])] == [
        (32, 64 // s, 64 // s) for s in (4, 8, 16, 32)
    ]


@pytest.mark.parametrize(('patch', 'warns'), [(16, False), (14, True)])
def test_maps_that_do_not_fill_the_image_are_worth_a_warning(
    model_config, patch: int, warns: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = MODELS.build(model_config())
    rows, columns = -(-64 // patch), -(-96 // patch)  # as transformers that pad to whole patches give them
    monkeypatch.setattr(model.backbone, 'forward', lambda images: [torch.zeros(1, 8, rows, columns)])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter('always')
        model.extract_feat(torch.zeros(1, 3, 64, 96))
    assert ['size_divisor' in str(one.message) for one in told] == [True] * warns
