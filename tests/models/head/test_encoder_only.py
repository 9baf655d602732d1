"""The encoder-only row: queries among the patches of a vision transformer's last blocks."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.registry import MODELS
from torch import Tensor

from mmlmseg.errors import OptionError
from mmlmseg.label_space import LabelSpace
from mmlmseg.models.decoders.joint_blocks import inside_masks, masked_share

WIDTH = 32
TINY: dict[str, dict[str, Any]] = {  # by what tells transformers apart here: class and register tokens, positions
    'vit_tiny_patch16_224': dict(embed_dim=WIDTH, depth=4, num_heads=2),
    'vit_small_patch14_reg4_dinov2': dict(embed_dim=WIDTH, depth=4, num_heads=2),
    'vit_small_patch16_dinov3': dict(embed_dim=WIDTH, depth=4, num_heads=2),
    'eva02_tiny_patch14_224': dict(embed_dim=WIDTH, depth=4, num_heads=2),
    'vit_base_patch16_siglip_gap_224': dict(embed_dim=WIDTH, depth=4, num_heads=2),
}


def config_of(model_config: Any, spaces: list[LabelSpace], model: str = 'vit_small_patch16_dinov3', **more: Any) -> Any:
    """A tiny encoder-only model."""
    config = model_config(spaces)
    head = config['decode_head']
    config['backbone'] = dict(type='mmlmseg.JointViT', model=model, joint_blocks=2, options=TINY[model])
    config['data_preprocessor']['size_divisor'] = 14 if 'patch14' in model else 16
    guided = more.pop('category_guided', False)
    masked = more.pop('masked_attention', True)
    kept = {key: head[key] for key in ('label_spaces', 'channels', 'queries', 'text', 'classifier', 'criterion')}
    config['decode_head'] = dict(
        type='mmlmseg.EncoderOnlyHead',
        decoder=dict(type='mmlmseg.JointBlocks', category_guided=guided, masked_attention=masked),
        **{**kept, **more},
    )
    return config


def batch_of(model: Any, samples: list[dict[str, Any]], training: bool) -> Any:
    return model.data_preprocessor({key: [s[key] for s in samples] for key in samples[0]}, training)


@pytest.mark.parametrize('model', TINY)
@pytest.mark.parametrize('guided', [False, True])
def test_every_transformer_learns(model_config: Any, spaces: Any, make_sample: Any, model: str, guided: bool) -> None:
    built = MODELS.build(config_of(model_config, spaces, model, category_guided=guided)).train()
    built.init_weights()
    samples = [make_sample('street'), make_sample('facade', (64, 96), seed=1)]
    losses = built.loss(**batch_of(built, samples, True))
    assert len(losses) == 3 * 3  # before two blocks and after them
    sum(losses.values()).backward()
    idle = [name for name, p in built.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not idle
    sample = built.eval().predict(**batch_of(built, samples, False))[1]
    assert sample.pred_sem_seg.data.shape == (1, 64, 96)


@pytest.mark.parametrize('guided', [False, True])
def test_segments_are_learned_and_found(model_config: Any, spaces: Any, make_sample: Any, guided: bool) -> None:
    """Panoptic and instance results come of the same queries, in one label space and in several at once."""
    config = config_of(model_config, spaces, category_guided=guided, criterion=dict(type='mmlmseg.PointCriterion'))
    model = MODELS.build(dict(config, test_cfg=dict(tasks=['semantic', 'panoptic', 'instance']))).train()
    model.init_weights()
    samples = [make_sample('street'), make_sample('facade', seed=1)]
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    values = []
    for _ in range(12):
        total = sum(model.loss(**batch_of(model, copy.deepcopy(samples), True)).values())
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        values.append(total.item())
    assert values[-1] < 0.8 * values[0]
    data = batch_of(model.eval(), samples, False)
    found = model.predict(**data)[0]
    assert found.pred_segments.ids.shape[-2:] == found.pred_sem_seg.data.shape[-2:]
    things = {i for i, own in enumerate(spaces[0].is_thing) if own}
    assert set(found.pred_instances.labels.tolist()) <= things
    samples[0]['data_samples'].set_metainfo(dict(label_spaces=('street', 'facade')))
    asked = model.predict(**batch_of(model, samples[:1], False))[0].pred_segments
    assert asked.size == found.pred_segments.size
    assert asked.labels.numel() > 0
    assert asked.labels.max() < sum(space.num_classes for space in spaces)


def test_all_blocks_run_as_in_the_transformer(model_config: Any, spaces: Any) -> None:
    """Without queries, the joint blocks are those of timm, rotary positions included."""
    for name in TINY:
        model = MODELS.build(config_of(model_config, spaces, name)).eval()
        side = 4 * model.backbone.size_divisor
        images = torch.randn(2, 3, side, side + model.backbone.size_divisor)
        with torch.no_grad():
            tokens = model.backbone(images)
            nobody = images.new_zeros(2, 0, WIDTH)
            ((_, patches),) = model.decode_head.decoder(tokens, nobody, None, None)
            whole = model.backbone.model.forward_features(images)[:, tokens.prefix.shape[1] :]
        torch.testing.assert_close(patches.flatten(2).transpose(1, 2), whole, atol=1e-5, rtol=1e-4)


def test_rotary_positions_are_of_patches_alone(model_config: Any, spaces: Any) -> None:
    """A query is answered the same wherever in the sequence it stands."""
    model = MODELS.build(config_of(model_config, spaces)).eval()
    with torch.no_grad():
        tokens = model.backbone(torch.randn(1, 3, 64, 64))
        queries = torch.randn(1, 5, WIDTH)
        ((found, patches),) = model.decode_head.decoder(tokens, queries, None, None)
        ((turned, same),) = model.decode_head.decoder(tokens, queries.flip(1), None, None)
    torch.testing.assert_close(found.flip(1), turned)
    torch.testing.assert_close(patches, same)


@pytest.mark.parametrize('guided', [False, True])
def test_a_space_is_answered_alike_beside_others(model_config: Any, spaces: Any, guided: bool) -> None:
    model = MODELS.build(config_of(model_config, spaces, category_guided=guided)).eval().double()
    images, meta = torch.randn(2, 3, 64, 96).double(), dict(batch_input_shape=(64, 96), img_shape=(64, 96))
    with torch.no_grad():
        feats = model.extract_feat(images)

        def ask(*names: str) -> Any:
            width = max(space.num_classes for space in spaces)
            return model.decode_head(feats, [meta] * 2, model.decode_head.categories([*names] * 2, width))

        both, alone = ask('street', 'facade'), ask('facade')
    for key in ('class_logits', 'mask_logits'):
        torch.testing.assert_close(getattr(both, key)[:, 1::2], getattr(alone, key))


def test_text_guides_by_the_asked_classes_only(model_config: Any, spaces: Any) -> None:
    """Columns of padding say nothing."""
    model = MODELS.build(config_of(model_config, spaces, category_guided=True)).eval()
    feats = model.extract_feat(torch.randn(1, 3, 64, 64))
    meta = dict(batch_input_shape=(64, 64), img_shape=(64, 64))
    narrow, wide = (
        model.decode_head(feats, [meta], model.decode_head.categories(['facade'], width)).mask_logits
        for width in (None, 9)
    )
    torch.testing.assert_close(narrow, wide)


def test_masks_hold_all_queries_at_first_and_none_at_last() -> None:
    hub = MessageHub.get_instance('annealing')
    shares: dict[float, list[float]] = {}
    for done in (0, 20, 30, 40, 60, 80, 100):
        hub.update_info('max_iters', 100)
        hub.update_info('iter', done)
        shares[done] = [masked_share(block, 3) for block in range(3)]
    hub.update_info('max_iters', None)
    assert shares[0] == shares[20] == [1, 1, 1]
    assert shares[30] == [pytest.approx(0.5**0.9), 1, 1]
    assert shares[40] == [0, 1, 1]
    assert shares[60] == [0, 0, 1]
    assert shares[80] == shares[100] == [0, 0, 0]


def test_held_queries_look_inside_their_masks() -> None:
    logits = torch.full((1, 3, 8, 8), -1.0)
    logits[0, 0, :4] = 1.0
    logits[0, 1, :, 6:] = 1.0
    expected = torch.zeros(3, 2, 4, dtype=torch.bool)
    expected[0, 0] = expected[1, :, 3] = True
    assert inside_masks(logits, (2, 4), 1.0)[0].unflatten(1, (2, 4)).equal(expected)
    assert inside_masks(logits, (2, 4), 0.0).all()
    many = inside_masks(logits.repeat(400, 1, 1, 1), (2, 4), 0.25)[:, 2].all(-1).float().mean()
    assert many.item() == pytest.approx(0.75, abs=0.07)


def test_masked_attention_is_of_training_alone(model_config: Any, spaces: Any) -> None:
    name = 'vit_tiny_patch16_224'  # others begin with blocks that change next to nothing
    model = MODELS.build(config_of(model_config, spaces, name)).eval()
    plain = MODELS.build(config_of(model_config, spaces, name, masked_attention=False)).eval()
    plain.load_state_dict(model.state_dict())
    images, meta = torch.randn(1, 3, 64, 64), dict(batch_input_shape=(64, 64), img_shape=(64, 64))

    @torch.no_grad()
    def ask(one: Any) -> Tensor:
        outputs = one.decode_head(one.extract_feat(images), [meta], one.decode_head.categories(['street']))
        return outputs.mask_logits[-1]

    assert ask(model).equal(ask(plain))
    assert not ask(model.train()).allclose(ask(plain.train()))


def test_a_checkpoint_brings_everything_back(model_config: Any, spaces: Any) -> None:
    config = config_of(model_config, spaces, category_guided=True)
    model = MODELS.build(copy.deepcopy(config)).eval()
    again = MODELS.build(config).eval()
    again.load_state_dict(model.state_dict())
    for (name, one), (_, other) in zip(model.named_parameters(), again.named_parameters(), strict=True):
        assert one.equal(other), name


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(joint_blocks=4), 'joint_blocks = 4; vit_small_patch16_dinov3 has 4 blocks, of which 1 to 3'),
        (dict(frozen=True), 'last blocks learn to take queries'),
        (dict(model='convnext_atto', options={}), 'convnext_atto is no plain vision transformer'),
        (dict(out_indices=(1, 3)), r'out_indices = \(1, 3\), but it gives no maps of blocks'),
    ],
)
def test_what_cannot_work_is_refused(model_config: Any, spaces: Any, change: dict, message: str) -> None:
    config = config_of(model_config, spaces)
    config['backbone'].update(change)
    with pytest.raises(OptionError, match=message):
        MODELS.build(config)


def test_widths_must_agree(model_config: Any, spaces: Any) -> None:
    model = MODELS.build(config_of(model_config, spaces, channels=16))
    feats = model.extract_feat(torch.zeros(1, 3, 64, 64))
    meta = dict(batch_input_shape=(64, 64), img_shape=(64, 64))
    with pytest.raises(OptionError, match='transformer is 32 wide.*write channels=32'):
        model.decode_head(feats, [meta], model.decode_head.categories(['street']))


def test_parts_for_maps_and_parts_for_tokens_are_not_mixed(model_config: Any, spaces: Any) -> None:
    ours, others = config_of(model_config, spaces), model_config(spaces)
    ours['data_preprocessor'].pop('size_divisor')
    neck = dict(type='mmlmseg.SimpleFeaturePyramid', in_channels=WIDTH, out_channels=8)
    swapped = [dict(ours['decode_head'], decoder=others['decode_head']['decoder'])]
    swapped.append(dict(others['decode_head'], decoder=ours['decode_head']['decoder']))
    for config, message in (
        (dict(ours, neck=neck), 'neck = SimpleFeaturePyramid takes maps'),
        (dict(ours, backbone=others['backbone']), 'backbone = ResNet does not go with'),
        (dict(ours, decode_head=others['decode_head']), 'backbone = JointViT does not go with'),
        (dict(ours, decode_head=swapped[0]), 'decoder = CategoryGuidedDecoder does not go with EncoderOnlyHead'),
        (dict(others, decode_head=swapped[1]), 'decoder = JointBlocks does not go with QueryHead'),
    ):
        with pytest.raises(OptionError, match=message):
            MODELS.build(config)
