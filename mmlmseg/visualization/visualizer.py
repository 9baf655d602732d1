"""A visualiser that draws each sample in its own label space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import mmcv
import numpy as np
from mmengine.dist import master_only
from mmengine.visualization import Visualizer
from mmseg.structures import SegDataSample

from ..errors import LabelSpaceError
from ..label_space import LabelSpace
from ..registry import VISUALIZERS
from .drawing import Colour, Panel, Picture, panel_grid
from .label_panel import TITLES, label_panel, mask_panels

_PANEL_WIDTHS = (256, 640)  # narrower panels have no room for a legend, wider ones make pictures of many megabytes


@VISUALIZERS.register_module()
class MultiSpaceVisualizer(Visualizer):
    """Image, truth and prediction side by side, each with a legend of the classes that it holds.

    In several label spaces the truth is above the prediction, and each space has a column.

    Works under mmseg's ``SegVisualizationHook``. Names and colours come from the sample: from its free class list, its
    dataset (stamped by ``mmlmseg.MultiDataset``), or its label space; else from a plain ``dataset_meta``.

    Args:
        name: Name of the instance.
        alpha: Strength of the colours over the image, 0 to 1.
        **kwargs: Those of :class:`mmengine.visualization.Visualizer` (``vis_backends``, ``save_dir``, ...).
    """

    def __init__(self, name: str = 'visualizer', alpha: float = 0.6, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.alpha = alpha

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
    ) -> None:
        """Draw a sample and hand it to the backends, to a window or to a file.

        Args:
            name: Name of the picture; the sample's dataset is put before it.
            image: RGB, uint8 [H, W, 3].
            data_sample: With truth and prediction as far as there are any, see :func:`label_panel`; or with
                ``gt_masks``, ``pred_masks`` in several ``label_spaces``, see :func:`mask_panels`.
            draw_gt: Whether to draw the truth.
            draw_pred: Whether to draw the prediction.
            show: Whether to open a window; nothing is stored then.
            wait_time: Seconds to show it; 0 waits for a key.
            out_file: Write to this file instead of the backends.
            step: Step to file it under.

        Raises:
            LabelSpaceError: The label space of the sample is not known.
        """
        picture = image
        if data_sample is not None:
            sources = [source for source, draw in (('gt', draw_gt), ('pred', draw_pred)) if draw]
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
        classes, palette = self.classes_of(meta)
        whole = Panel(image, _origin(meta))
        if 'label_spaces' not in meta:
            panels = [label_panel(sample, source, image, classes, palette, self.alpha) for source in sources]
            return [[whole, *(panel for panel in panels if panel)]]
        colours = iter(palette)
        spaces = [
            LabelSpace.create(name, own, palette=list(islice(colours, len(own))))
            for name, own in zip(meta['label_spaces'], meta['classes'], strict=True)
        ]
        rows = [
            [whole, *mask_panels(sample.get(f'{source}_masks'), image, spaces, TITLES[source], self.alpha)]
            for source in sources
            if f'{source}_masks' in sample
        ]
        return rows or [[whole]]

    def classes_of(self, meta: Mapping[str, Any]) -> tuple[Sequence[str], Sequence[Colour]]:
        """Find class names and colours of a sample.

        Args:
            meta: Its metainfo.

        Returns:
            Names and RGB colours, one per class.

        Raises:
            LabelSpaceError: Neither the metainfo nor ``dataset_meta`` tells.
        """
        space = meta.get('label_space')
        if isinstance(space, LabelSpace):
            return space.classes, space.palette
        known: Mapping[str, Any] = self.dataset_meta or {}
        datasets: Mapping[str, Any] = known.get('datasets', {})
        by_space = {entry['label_space']: entry for entry in datasets.values()}
        found = datasets.get(str(meta.get('dataset'))) or by_space.get(space) or known
        if 'classes' not in found:
            raise LabelSpaceError(
                f'cannot draw {meta.get("img_path", "a sample")}: nothing is known of its dataset '
                f'{meta.get("dataset")!r} or label space {space!r} (known: {", ".join(datasets) or "none"}); set '
                'visualizer.dataset_meta to the metainfo of the dataset'
            )
        return found['classes'], found['palette']


def _origin(meta: Mapping[str, Any]) -> str:
    space = meta.get('label_space')
    return str(meta.get('dataset') or (space.name if isinstance(space, LabelSpace) else space) or 'image')
