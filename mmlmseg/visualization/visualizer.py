"""A visualiser that draws each sample in its own label space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mmcv
import numpy as np
from mmengine.dist import master_only
from mmseg.structures import SegDataSample
from mmseg.visualization import SegLocalVisualizer

from ..errors import LabelSpaceError, OptionError
from ..label_space import LabelSpace
from ..registry import VISUALIZERS
from .drawing import Panel, Picture, panel_grid
from .label_panel import TITLES, label_panels

_PANEL_WIDTHS = (256, 640)  # narrower panels have no room for a legend, wider ones make pictures of many megabytes


@VISUALIZERS.register_module()
class MultiSpaceVisualizer(SegLocalVisualizer):
    """Image, truth and prediction side by side, each with a legend of the classes that it holds.

    In several label spaces the truth is above the prediction, and each space has a column.

    Works under ``mmlmseg.VisualizationHook`` and mmseg's ``SegVisualizationHook``. Names and colours come from the
    sample: from its free class list, its dataset (stamped by ``mmlmseg.MultiDataset``), or its label spaces; else from
    a plain ``dataset_meta``.

    Args:
        name: Name of the instance.
        alpha: Strength of the colours over the image, 0 to 1.
        **kwargs: Those of :class:`mmengine.visualization.Visualizer` (``vis_backends``, ``save_dir``, ...).
    """

    def __init__(self, name: str = 'visualizer', alpha: float = 0.6, **kwargs: Any) -> None:
        super().__init__(name=name, alpha=alpha, **kwargs)

    def set_dataset_meta(self, classes: Any = None, palette: Any = None, dataset_name: str | None = None) -> None:
        """What mmseg calls with the classes that are drawn; without any the samples tell, and none are guessed."""
        if classes is not None or palette is not None or dataset_name is not None:
            super().set_dataset_meta(classes, palette, dataset_name)

    @master_only
    def add_datasample(
        self,
        name: str,
        image: Picture,
        data_sample: SegDataSample | None = None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: float = 0,
        out_file: str | None = None,
        step: int = 0,
        with_labels: bool | None = True,
    ) -> None:
        """Draw a sample and hand it to the backends, to a window or to a file.

        Args:
            name: Name of the picture; the sample's dataset is put before it.
            image: RGB, uint8 [H, W, 3].
            data_sample: With truth and prediction as far as there are any, see :func:`label_panels`.
            draw_gt, draw_pred: Whether to draw the truth, and the prediction.
            show, wait_time: Whether to open a window, and for how many seconds (0 waits for a key); nothing is stored.
            out_file: Write to this file instead of the backends.
            step: Step to file it under.
            with_labels: mmseg's word for a legend, which every picture has.

        Raises:
            OptionError: Where the legend is declined.
        """
        if not with_labels:
            raise OptionError('with_labels=False: pictures of mmlmseg have a legend; leave it out')
        picture = image
        if data_sample is not None:
            sources = [source for source, draw in (('gt', draw_gt), ('pred', draw_pred)) if draw]
            image = _as_read(image, data_sample)
            rows = self._rows(data_sample, sources, image)
            picture = panel_grid(rows, panel_width=int(np.clip(image.shape[1], *_PANEL_WIDTHS)))
            if dataset := data_sample.metainfo.get('dataset'):
                name = f'{dataset}_{name}'  # datasets may hold files of one name
        self.set_image(picture)
        if show:
            self.show(picture, win_name=name, wait_time=wait_time)
        elif out_file is not None:
            mmcv.imwrite(mmcv.rgb2bgr(picture), out_file)
        else:
            self.add_image(name, picture, step)

    def _rows(self, sample: SegDataSample, sources: Sequence[str], image: Picture) -> list[list[Panel]]:
        meta = sample.metainfo
        spaces = self.spaces_of(meta)
        names = '+'.join(space if isinstance(space, str) else space.name for space in meta.get('label_spaces', ()))
        whole = Panel(image, str(meta.get('dataset') or names or 'image'))
        rows = [label_panels(sample, source, image, spaces, TITLES[source], self.alpha) for source in sources]
        if len(spaces) == 1:
            return [[whole, *(panel for row in rows for panel in row)]]
        return [[whole, *row] for row in rows if row] or [[whole]]

    def spaces_of(self, meta: Mapping[str, Any]) -> tuple[LabelSpace, ...]:
        """Finds the label spaces of a sample by its metainfo, or else by ``dataset_meta``."""
        asked = tuple(meta.get('label_spaces', ()))
        if asked and all(isinstance(space, LabelSpace) for space in asked):
            return asked
        known: Mapping[str, Any] = self.dataset_meta or {}
        datasets: Mapping[str, Any] = known.get('datasets', {})
        if meta.get('dataset') in datasets:
            return tuple(map(LabelSpace.from_config, datasets[meta['dataset']]['spaces']))
        by_name = {space['name']: space for entry in datasets.values() for space in entry['spaces']}
        if asked and by_name.keys() >= set(asked):
            return tuple(LabelSpace.from_config(by_name[name]) for name in asked)
        if 'classes' in known:
            return (LabelSpace.from_metainfo('classes', known),)
        raise LabelSpaceError(
            f'cannot draw {meta.get("img_path", "a sample")}: nothing is known of its dataset {meta.get("dataset")!r} '
            f'or label spaces {asked} (known: {", ".join(datasets) or "none"}); set visualizer.dataset_meta to the '
            'metainfo of the dataset'
        )


def _as_read(image: Picture, sample: SegDataSample) -> Picture:
    """The image as the model got it: mmseg's hook turns what its EXIF data say, a config may read it as stored."""
    size = tuple(sample.metainfo.get('ori_shape', image.shape)[:2])
    if image.shape[:2] == size or image.shape[1::-1] != size:
        return image
    return np.ascontiguousarray(mmcv.imread(sample.metainfo['img_path'], flag='color_ignore_orientation')[..., ::-1])
