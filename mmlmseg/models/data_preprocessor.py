"""From a batch of unlike images to groups of equal size, with little padding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor
from torch.nn import functional as F

from ..errors import DataError, OptionError
from ..registry import MODELS
from ..segments import IGNORE_INDEX, VOID
from ..traces import fault_of_traces

Size = tuple[int, int]
Channels = Sequence[float] | Mapping[int, Sequence[float]]
"""A value for each channel, or such values by the number of channels."""
USUAL_DIVISOR = 32
"""What images are padded to multiples of, where the backbone allows: the coarsest stride of most."""


def group_sizes(sizes: Sequence[Size], divisor: int, max_padding: float) -> list[tuple[Size, list[int]]]:
    """Groups images that can share a canvas.

    Each image is padded to multiples of the divisor; equal results form a group. Then the two groups that fit each
    other best are joined, as long as the padding that joining adds stays under a share of the joint group's pixels.

    Args:
        sizes: (H, W) of each image.
        divisor: What height and width of a canvas are multiples of.
        max_padding: The share of pixels that joining may add; 0 never joins.

    Returns:
        For each group the (H, W) of its canvas and its images, both in the order of the batch.

    Example:
        >>> group_sizes([(60, 60), (500, 500), (64, 64)], 32, 0.15)
        [((64, 64), [0, 2]), ((512, 512), [1])]
    """
    padded = [(-(-h // divisor) * divisor, -(-w // divisor) * divisor) for h, w in sizes]
    groups: dict[Size, list[int]] = {}
    for i, size in enumerate(padded):
        groups.setdefault(size, []).append(i)

    def added(canvas: Size, members: list[int]) -> float:
        pixels = canvas[0] * canvas[1] * len(members)
        return 1 - sum(padded[i][0] * padded[i][1] for i in members) / pixels

    while len(groups) > 1:
        joint = []
        for a, b in combinations(sorted(groups), 2):
            canvas = (max(a[0], b[0]), max(a[1], b[1]))
            members = groups[a] + groups[b]
            joint.append((added(canvas, members), a, b, canvas))
        share, a, b, canvas = min(joint)
        if share >= max_padding:
            break
        members = groups.pop(a) + groups.pop(b)
        groups[canvas] = sorted(groups.get(canvas, []) + members)
    return sorted(groups.items(), key=lambda group: group[1][0])


@MODELS.register_module()
class GroupingDataPreProcessor(BaseDataPreprocessor):
    """Normalises images and stacks those of like size and equal channels; a batch becomes one tensor per group.

    The samples come back in the order of the groups; ``batch_index`` in their metainfo is their place in the incoming
    batch. In training, groups are joined while little padding is added, and the truth is padded with ignored pixels, in
    no segment. At test only equal sizes share a tensor, so that a prediction does not depend on its neighbours, and the
    truth stays as it is.

    Args:
        mean: Of each channel, in the order of the output (RGB where ``bgr_to_rgb``). Where images differ in their
            number of channels, a mapping from this number: ``{3: [...], 4: [...]}``.
        std: Likewise.
        bgr_to_rgb: Whether to swap the first three channels; OpenCV loads BGR, and ``mmlmseg.LoadImage`` the first
            three bands likewise.
        size_divisor: What height and width are padded to multiples of; by default what the backbone needs, which is 32
            for most, and 28 for a pyramid over patches of 14 pixels.
        max_padding: The share of pixels that joining groups may add.
        non_blocking: Whether copies to an accelerator may overlap with work on the host.
    """

    def __init__(
        self,
        mean: Channels,
        std: Channels,
        bgr_to_rgb: bool = True,
        size_divisor: int | None = None,
        max_padding: float = 0.15,
        non_blocking: bool = True,
    ) -> None:
        super().__init__(non_blocking)
        means, deviations = _by_count(mean, 'mean'), _by_count(std, 'std')
        if means.keys() != deviations.keys():
            raise OptionError(
                f'data_preprocessor: mean is given for {_counts(means)} channels, std for {_counts(deviations)}; give '
                'both for the same'
            )
        self.channels = tuple(means)
        for count in means:
            for kind, values in ('mean', means[count]), ('std', deviations[count]):
                buffer = torch.tensor(values, dtype=torch.float32).view(-1, 1, 1)
                self.register_buffer(f'{kind}_{count}', buffer, persistent=False)
        self.bgr_to_rgb = bgr_to_rgb
        if size_divisor is not None and (not isinstance(size_divisor, int) or size_divisor < 1):
            raise OptionError(f'data_preprocessor.size_divisor = {size_divisor!r}; give an integer from 1 on')
        self.divisor_is_given = size_divisor is not None
        self.size_divisor = size_divisor or USUAL_DIVISOR  # a segmentor changes it to what its backbone needs
        self.max_padding = max_padding

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Prepares a batch.

        Args:
            data: ``inputs``: images [C, H_i, W_i], of integers or floats; ``data_samples``: one per image, or None.
            training: Whether groups may be joined and the truth is padded.

        Returns:
            ``inputs``: a list of [b_g, C, H_g, W_g], one per group; ``data_samples``: a flat list in the same order.

        Raises:
            DataError: Where an image has another number of channels, or another size than its truth, or went
                through steps that part it from its truth, or its results from its file.
        """
        data = self.cast_data(data)
        images: Sequence[Tensor] = data['inputs']
        samples = data.get('data_samples') or [SegDataSample() for _ in images]
        for image, sample in zip(images, samples, strict=True):
            self._check(image, sample, training)
        sizes = [(image.shape[-2], image.shape[-1]) for image in images]
        groups = self._groups([len(image) for image in images], sizes, self.max_padding if training else 0.0)
        for canvas, members in groups:
            for i in members:
                shapes = dict(img_shape=sizes[i], pad_shape=canvas, batch_input_shape=canvas)
                samples[i].set_metainfo(dict(shapes, batch_index=i))
                if training:
                    _pad_truth(samples[i], canvas)
        return dict(
            inputs=[self._stack([images[i] for i in members], canvas) for canvas, members in groups],
            data_samples=[samples[i] for _, members in groups for i in members],
        )

    def _groups(
        self, channels: Sequence[int], sizes: Sequence[Size], max_padding: float
    ) -> list[tuple[Size, list[int]]]:
        """Canvas and images of each group; those of a group have equally many channels."""
        groups: list[tuple[Size, list[int]]] = []
        for count in dict.fromkeys(channels):
            own = [i for i, other in enumerate(channels) if other == count]
            found = group_sizes([sizes[i] for i in own], self.size_divisor, max_padding)
            groups += [(canvas, [own[i] for i in members]) for canvas, members in found]
        return sorted(groups, key=lambda group: group[1][0])

    def _check(self, image: Tensor, sample: SegDataSample, training: bool) -> None:
        name, shape = sample.metainfo.get('img_path', 'an image'), tuple(image.shape)
        if image.ndim != 3 or image.shape[0] not in self.channels:
            raise DataError(
                f'{name}: shape {shape}, not ({_counts(self.channels)}, height, width), a channel for each mean of the '
                "data_preprocessor; load it in colour (color_type='color' of LoadImageFromFile), give other means, or "
                'declare image=dict(bands=...) of its dataset, which gives the model a stem for as many'
            )
        if fault := fault_of_traces(sample.metainfo, training):
            raise DataError(f'{name}: {fault}')
        for key, maps in (('gt_sem_seg', 'data'), ('gt_segments', 'ids')) if training else ():
            if key in sample and (found := tuple(getattr(sample.get(key), maps).shape[-2:])) != shape[1:]:
                advice = 'in training, load labels before resizing'
                raise DataError(f'{name}: image {shape[1:]} and {key} {found} differ in size; {advice}')

    def _stack(self, images: Sequence[Tensor], canvas: Size) -> Tensor:
        """Normalises the images of a group at once; the padding holds the mean, and so ends up 0.

        Channels lie last in memory, which convolutions hand on: in bfloat16 they are half as fast otherwise.
        """
        channels = len(images[0])
        mean, std = getattr(self, f'mean_{channels}'), getattr(self, f'std_{channels}')
        batch = mean.new_empty(len(images), channels, *canvas)  # [b, C, H, W]
        batch = batch.to(memory_format=torch.channels_last)
        batch.copy_(mean.expand_as(batch))
        for place, image in zip(batch, images, strict=True):
            place[:, : image.shape[-2], : image.shape[-1]] = swapped(image) if self.bgr_to_rgb else image
        return batch.sub_(mean).div_(std)


def _by_count(given: Channels, key: str) -> dict[int, list[float]]:
    """Values by the number of channels; a dumped config writes these numbers as text."""
    listed = given if isinstance(given, Mapping) else {len(given): given}
    values = {int(count): list(own) for count, own in listed.items()}
    for count, own in values.items():
        if len(own) != count:
            raise OptionError(f'data_preprocessor: {key} of {count} channels = {own}; give {count} values')
    return values


def _counts(numbers: Iterable[int]) -> str:
    return ' or '.join(map(str, numbers))


def swapped(image: Tensor) -> Tensor:
    """An image [C, H, W] whose first three channels are swapped; grey, and channels beyond these, stay."""
    if len(image) > 3:
        return torch.cat([image[:3].flip(0), image[3:]])
    return image.flip(0) if len(image) == 3 else image


def _pad_truth(sample: SegDataSample, canvas: Size) -> None:
    """Pads the maps of truth of a sample at their right and bottom."""

    def pad(maps: Tensor, value: int) -> Tensor:
        return F.pad(maps, (0, canvas[1] - maps.shape[-1], 0, canvas[0] - maps.shape[-2]), value=value)

    if 'gt_sem_seg' in sample:
        sample.gt_sem_seg = PixelData(
            data=pad(sample.gt_sem_seg.data, sample.metainfo.get('ignore_index', IGNORE_INDEX))
        )
    if 'gt_segments' in sample:
        # What lies below is not learned.
        sample.gt_segments = replace(sample.gt_segments, ids=pad(sample.gt_segments.ids, VOID), below=None)
