"""Checkpoints of other code, parts that are frozen, and the doors of other packages."""

from __future__ import annotations

import functools
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from published import Published, our_config, ours
from refusals import Refusals

from mmlmseg.checkpoint_files import check_checkpoint_file, read_checkpoint
from mmlmseg.config import complete_label_spaces
from mmlmseg.conversion import converted, read_published
from mmlmseg.engine import FreezeHook, FreezePartsHook
from mmlmseg.errors import CheckpointError, LabelSpaceError, OptionError
from mmlmseg.models.segmentors import MultiSpaceSegmentor
from mmlmseg.visualization import MultiSpaceVisualizer

REFUSALS = Refusals()


@functools.cache
def weights(kind: str = 'maskformer') -> dict[str, Any]:
    return Published(kind).state_dict()


@functools.cache
def model(kind: str = 'maskformer') -> Any:
    return ours(kind)


def wider(kind: str = 'maskformer', part: str = '', factor: int = 2) -> dict[str, Any]:
    """Published weights, of which those with a part in their names are wider."""
    return {n: v.repeat(factor, *[1] * (v.dim() - 1)) if part in n and v.dim() else v for n, v in weights(kind).items()}


@REFUSALS.by(CheckpointError, 'no MaskFormer or Mask2Former', 'mmdetection', 'bbox_head.fc_cls.weight')
def a_detector(folder: Path) -> None:
    converted({'backbone.conv1.weight': torch.ones(1), 'bbox_head.fc_cls.weight': torch.ones(1)}, model())


@REFUSALS.by(CheckpointError, 'backbone.conv1.weight has (128, 3, 7, 7) there, (64, 3, 7, 7)', 'the same backbone')
def another_backbone(folder: Path) -> None:
    converted(wider(part='backbone'), model())


@REFUSALS.by(CheckpointError, 'pixel_decoder.lateral_convs.0.conv.weight', ' more; give it the same', 'channels')
def another_width_of_the_pixel_decoder(folder: Path) -> None:
    converted(wider(part='pixel_decoder'), model())


@REFUSALS.by(CheckpointError, 'decoder.layers.0.feed_forward.layers.0.weight has (128, 32) there, (64, 32)')
def another_width_of_the_decoder(folder: Path) -> None:
    converted(wider(part='ffn.layers.0'), model())


@REFUSALS.by(CheckpointError, 'decode_head.decoder.level.weight has (6, 32) there, (3, 32)', 'levels')
def another_number_of_levels(folder: Path) -> None:
    converted(wider('mask2former', 'level_embed'), model('mask2former'))


@REFUSALS.by(CheckpointError, "OpenMMLab's MaskFormer", 'nothing in common')
def a_part_that_the_model_lacks(folder: Path) -> None:
    converted({'decode_head.query_embed.weight': torch.ones(3, 5)}, model())


@REFUSALS.by(CheckpointError, 'names 2 classes', 'head has 3')
def fewer_names_than_classes(folder: Path) -> None:
    converted(weights(), model(), classes=['sky', 'tree'])


@REFUSALS.by(CheckpointError, '2 tensors of the model', 'decode_head.classifier.layers.0.weight', 'train first')
def a_prediction_before_the_training(folder: Path) -> None:
    own = ours('maskformer', [dict(name='a', classes=['car', 'road'])])
    own.load_state_dict(dict(weights()))
    own.predict([torch.rand(1, 3, 32, 32)], [])


@REFUSALS.by(CheckpointError, 'no label spaces', 'load_from of a training', 'tools/convert_checkpoint.py')
def a_test_of_published_weights(folder: Path) -> None:
    complete_label_spaces(Config(dict(model=our_config('maskformer'))), weights())


@REFUSALS.by(CheckpointError, 'zoo.pkl: is not a checkpoint', 'tools/convert_checkpoint.py')
def a_pickle_as_load_from(folder: Path) -> None:
    (folder / 'zoo.pkl').write_bytes(pickle.dumps(dict(model={})))
    check_checkpoint_file(folder / 'zoo.pkl')


@REFUSALS.by(CheckpointError, "zoo.pkl: is no pickle of arrays under 'model'", 'pathlib')
def a_pickle_that_holds_code(folder: Path) -> None:
    (folder / 'zoo.pkl').write_bytes(pickle.dumps(dict(model=Path('x'))))
    read_published(folder / 'zoo.pkl')


@REFUSALS.by(CheckpointError, "zoo.pkl: is no pickle of arrays under 'model'", 'detectron2')
def a_pickle_of_something_else(folder: Path) -> None:
    (folder / 'zoo.pkl').write_bytes(pickle.dumps([1, 2]))
    read_published(folder / 'zoo.pkl')


@REFUSALS.by(CheckpointError, 'zoo.pkl: does not exist')
def a_pickle_that_is_not_there(folder: Path) -> None:
    read_published(folder / 'zoo.pkl')


@REFUSALS.by(CheckpointError, 'final.pth: is not a checkpoint', 'list')
def a_model_that_is_no_state_dict(folder: Path) -> None:
    torch.save(['model'], folder / 'final.pth')
    read_checkpoint(folder / 'final.pth')


@REFUSALS.by(OptionError, "model.pretrained = 'r50.pth'", "backbone=dict(init_cfg=dict(type='Pretrained'")
def weights_of_the_backbone_at_the_model(folder: Path) -> None:
    MODELS.build({**our_config('maskformer'), 'pretrained': 'r50.pth'})


@REFUSALS.by(LabelSpaceError, 'no label_spaces', 'load a checkpoint', 'LMSegInferencer')
def a_model_without_label_spaces_or_checkpoint(folder: Path) -> None:
    config = our_config('maskformer')
    del config['decode_head']['label_spaces']
    MODELS.build(config).predict([torch.rand(1, 3, 32, 32)], [])


@REFUSALS.by(OptionError, 'mmdet', 'mmlmseg.apis.LMSegInferencer')
def a_detector_of_ours(folder: Path) -> None:
    from mmdet.registry import MODELS as DETECTORS

    DETECTORS.build(our_config('maskformer'))


@REFUSALS.by(OptionError, 'mmdet', 'mmlmseg.apis.LMSegInferencer')
def an_inferencer_of_mmdet(folder: Path) -> None:
    own: MultiSpaceSegmentor = ours('maskformer')
    with DefaultScope.overwrite_default_scope('mmdet'):
        own.cfg = Config(dict(default_scope='mmseg'))


@REFUSALS.by(OptionError, 'with_labels', 'legend')
def a_picture_without_legend(folder: Path) -> None:
    MultiSpaceVisualizer().add_datasample('x', torch.zeros(8, 8, 3).numpy(), with_labels=False)


@REFUSALS.by(OptionError, "FreezePartsHook.frozen = 'backbone'", 'a list', "['backbone']")
def a_name_for_a_list_of_names(folder: Path) -> None:
    FreezePartsHook('backbone')


@REFUSALS.by(OptionError, 'FreezeHook.trained = []', 'a list')
def nothing_to_train(folder: Path) -> None:
    FreezeHook([])


@REFUSALS.by(OptionError, "begins with 'bakbone'", 'Did you mean: backbone')
def a_part_that_is_misspelt(folder: Path) -> None:
    FreezePartsHook(['bakbone']).before_train(SimpleNamespace(model=model()))


@REFUSALS.by(OptionError, 'find_unused_parameters = True')
def several_processes_that_wait(folder: Path) -> None:
    FreezePartsHook(['backbone']).before_train(SimpleNamespace(model=SimpleNamespace(find_unused_parameters=False)))
