"""What mmseg's own ways to predict find in a model of ours: ``init_model``, ``inference_model``, ``MMSegInferencer``.

They build a model from the ``model`` of a config alone, and read one test pipeline at two places of the config. So the
head waits for the checkpoint to tell its label spaces, and the pipeline is put where they look.
"""

from __future__ import annotations

from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn

from ...compat import NO_DETECTOR
from ...config import inference_steps, parts_of, space_names
from ...errors import LabelSpaceError, OptionError
from ...label_space import LabelSpaces


class AwaitedHead(nn.Module):
    """Stands in for a head whose config names no label spaces, until a checkpoint is loaded that does.

    Whatever else is asked of it, it raises a LabelSpaceError.

    Args:
        config: Of the head.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self._config = dict(config)

    def _with(self, spaces: LabelSpaces) -> dict[str, Any]:
        """The config of the head with these label spaces."""
        return {**self._config, 'label_spaces': list(spaces)}

    def __getattr__(self, name: str) -> Any:
        if name.startswith('_'):
            return super().__getattr__(name)
        raise LabelSpaceError(
            'model.decode_head has no label_spaces, and a model alone does not know its datasets: load a checkpoint, '
            'call mmlmseg.config.complete_label_spaces(cfg) before it is built (tools/ and LMSegInferencer do), or '
            'list them in the config'
        )


class StockInference:
    """The attributes that mmseg's ways to predict set on a model and read from it."""

    decode_head: Any
    _cfg: Config
    _told: dict[str, Any] | None = None

    @property
    def cfg(self) -> Config:
        """The whole config, with a test pipeline where mmseg looks for one."""
        if '_cfg' not in vars(self):
            raise AttributeError('cfg')
        return self._cfg

    @cfg.setter
    def cfg(self, config: Config) -> None:
        scope = DefaultScope.get_current_instance()
        if scope is not None and scope.scope_name == 'mmdet' != config.get('default_scope'):
            raise OptionError(NO_DETECTOR)
        self._cfg = config
        if isinstance(config, Config):
            _place_pipeline(config)

    @property
    def dataset_meta(self) -> dict[str, Any] | None:
        """Classes and palette: of the label space where there is one, whatever is set, else what is set.

        mmseg sets what a checkpoint says beside its weights, or else guesses by the number of classes.
        """
        spaces = () if isinstance(self.decode_head, AwaitedHead) else self.decode_head.label_spaces
        if len(spaces) != 1:
            return self._told
        return dict(classes=list(spaces[0].classes), palette=[list(colour) for colour in spaces[0].palette])

    @dataset_meta.setter
    def dataset_meta(self, meta: dict[str, Any] | None) -> None:
        self._told = meta


def _place_pipeline(config: Config) -> None:
    """Puts a test pipeline that starts from a file where mmseg reads it, also beside the datasets that are joined."""
    config.test_pipeline = _from_file(inference_steps(config))
    if config.get('test_dataloader'):
        dataset = config.test_dataloader.dataset
        first = next(iter(parts_of(dataset).values()))
        dataset.pipeline = _from_file(inference_steps(config, space_names(first)))
    config.setdefault('visualizer', dict(type='mmlmseg.MultiSpaceVisualizer'))


def _from_file(steps: list[Any]) -> list[dict[str, Any]]:
    """The steps, copied as mmseg changes them in place, with none that reads annotations."""
    kinds = [str(step['type']).rsplit('.', 1)[-1] for step in steps]
    loading = ('LoadImageFromFile', 'LoadImage')
    reading: dict[str, Any] = next((step for step, kind in zip(steps, kinds) if kind in loading), {})
    rest = [dict(step) for step, kind in zip(steps, kinds) if not kind.startswith('Load')]
    return [{'type': 'LoadImageFromFile', **reading}, *rest]
