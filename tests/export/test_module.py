"""The module that is exported answers as the model does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from mmdet.models.layers import TransformerEncoderPixelDecoder
from torch import Tensor

from mmlmseg.errors import OptionError
from mmlmseg.export.module import ExportedModel
from mmlmseg.label_space import LabelSpace


def asked(model: Any, images: Tensor, spaces: list[Any]) -> list[Any]:
    """The predictions of a model for RGB images ``[B, 3, H, W]``, each in all spaces."""
    from mmseg.structures import SegDataSample

    samples = []
    for _ in images:
        sample = SegDataSample()
        size = tuple(images.shape[-2:])
        sample.set_metainfo(dict(img_shape=size, ori_shape=size, label_spaces=tuple(spaces)))
        samples.append(sample)
    data = model.data_preprocessor(dict(inputs=[own.flip(0) for own in images], data_samples=samples))
    with torch.no_grad():
        return model.predictions(data['inputs'][0], [sample.metainfo for sample in data['data_samples']])


@pytest.mark.parametrize('resi', [False, True])
@pytest.mark.parametrize('size', [(64, 96), (50, 70)])
def test_masks_and_classes_of_several_label_spaces_are_the_models(
    tiny: Callable[..., Any], spaces: list[LabelSpace], resi: bool, size: tuple[int, int]
) -> None:
    model, images = tiny(resi), torch.rand(2, 3, *size) * 255
    module = ExportedModel(model, spaces, 'panoptic').eval()
    with torch.no_grad():
        found = module(images)
    assert module.outputs == tuple(
        f'{kind}:{space.name}' for space in spaces for kind in ('class_probabilities', 'mask_logits')
    )
    for b, answers in enumerate(asked(model, images, [space.name for space in spaces])):
        for place, answer in enumerate(answers):
            classes, masks = found[2 * place][b], found[2 * place + 1][b]
            torch.testing.assert_close(classes, answer.classes, atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(masks, answer.mask_logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ('head', 'text'),
    [
        (dict(adapters=dict(facade=dict(type='mmlmseg.SpaceAdapter'))), True),
        (dict(classifier=dict(type='mmlmseg.LinearClassifier')), False),
        (dict(classifier=dict(type='mmlmseg.UnifiedClassifier')), False),
        (dict(class_activation='sigmoid'), True),
        (dict(relations=dict(inside=[['facade:wall', 'street:building']])), True),
    ],
)
def test_every_kind_of_head_answers_as_the_model(
    model_config: Callable[..., dict], spaces: list[LabelSpace], head: dict, text: bool
) -> None:
    from mmlmseg.registry import MODELS

    model = MODELS.build(model_config(text=text, **head)).eval()
    for adapter in model.decode_head.adapters.own:
        torch.nn.init.normal_(adapter.up.weight)
    module, images = ExportedModel(model, spaces, 'panoptic').eval(), torch.rand(2, 3, 64, 64) * 255
    with torch.no_grad():
        found = module(images)
    for b, answers in enumerate(asked(model, images, [space.name for space in spaces])):
        for place, answer in enumerate(answers):
            torch.testing.assert_close(found[2 * place][b], answer.classes, atol=1e-5, rtol=1e-4)


def test_rows_that_are_given_are_those_of_a_class_list(tiny: Callable[..., Any]) -> None:
    from mmlmseg.export.rows import text_rows

    model, images = tiny(), torch.rand(1, 3, 40, 64) * 255
    exported = LabelSpace.create('custom', ['sky', 'house'])
    other = LabelSpace.create('other', ['tree', 'road', 'window'])
    given = ExportedModel(model, [exported], text_input=True).eval()
    folded = ExportedModel(model, [other]).eval()
    with torch.no_grad():
        torch.testing.assert_close(given(images, torch.from_numpy(text_rows(model, other)))[0], folded(images)[0])


def test_a_model_that_reads_bgr_is_given_rgb(model_config: Callable[..., dict], street: LabelSpace) -> None:
    from mmlmseg.registry import MODELS

    config = model_config()
    config['data_preprocessor'] = dict(config['data_preprocessor'], bgr_to_rgb=False, mean=[1.0, 2.0, 3.0])
    model = MODELS.build(config).eval()
    image = torch.rand(1, 3, 64, 64) * 255
    module = ExportedModel(model, [street], 'panoptic').eval()
    with torch.no_grad():
        classes = module(image)[0]
    torch.testing.assert_close(classes[0], asked(model, image, ['street'])[0][0].classes, atol=1e-5, rtol=1e-4)


def test_the_model_stays_as_it_is(tiny: Callable[..., Any], street: LabelSpace) -> None:
    model = tiny()
    before = {name: value.clone() for name, value in model.state_dict().items() if isinstance(value, Tensor)}
    ExportedModel(model, [street], text_input=True)
    after = model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert model.decode_head.text is not None


def test_text_rows_of_several_label_spaces_are_refused(tiny: Callable[..., Any], spaces: list[LabelSpace]) -> None:
    with pytest.raises(OptionError, match='one list of classes'):
        ExportedModel(tiny(), spaces, text_input=True)


def test_a_pixel_decoder_that_looks_at_one_image_after_the_other_is_refused(
    tiny: Callable[..., Any], street: LabelSpace
) -> None:
    class Decoder(TransformerEncoderPixelDecoder):
        def __init__(self) -> None:
            torch.nn.Module.__init__(self)

    model = tiny()
    model.decode_head.pixel_features.pixel_decoder = Decoder()
    with pytest.raises(OptionError, match='TransformerEncoderPixelDecoder cannot be exported'):
        ExportedModel(model, [street])
