"""Panoptic and mixed results of large images: candidates of all tiles compete, those that are one object together.

A pixel is decided as class scores are (:meth:`TiledImage.class_scores`): what each tile says counts by its share, so
that it fades out towards the end of the tile.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...label_space import LabelSpace
from ...run_lengths import Edges, Encoder
from ...segments import SegmentMap, Segments
from ..postprocess.competition import Competition
from ..postprocess.joins import Joins
from ..postprocess.lazy_maps import LazyMaps
from ..postprocess.mixed import Duplicates
from ..postprocess.panoptic import PanopticThresholds, Rivals, candidates, joint, rivals, things
from .tiled_image import TiledImage
from .tiles import cells, counted_from, shares

Place = tuple[int, int]
"""Row and column of a tile."""


@torch.no_grad()
def tiled_segments(
    image: TiledImage,
    spaces: Sequence[LabelSpace],
    thresholds: Sequence[PanopticThresholds],
    group: Tensor,
    duplicates: Duplicates | None,
) -> Segments:
    """The segments of a large image; arguments and result as of :func:`panoptic_segments`."""
    arenas = [Arena(image, group.device) for _ in group.unique()]
    down, across = image.windows
    entered = 0
    for rows, tile_rows in cells(down):
        for i in range(entered, tile_rows[-1] + 1):
            for j, said in enumerate(image.row(i)):
                view = image.view(i, j)
                found = [candidates(own, view, t.object) for own, t in zip(said, thresholds, strict=True)]
                for arena, own in zip(arenas, rivals(found, spaces, thresholds, group), strict=True):
                    arena.enter((i, j), own)
            entered = i + 1
        for columns, tile_columns in cells(across):
            for arena in arenas:
                arena.decide(rows, columns, [(i, j) for i in tile_rows for j in tile_columns])
    is_thing = things(spaces, group.device)
    return joint([arena.segments(is_thing) for arena in arenas], len(spaces), group, duplicates)


class Arena:
    """The competition of one exclusive group over the tiles of an image.

    Args:
        image: The tiles.
        device: Where the candidates are.
    """

    def __init__(self, image: TiledImage, device: torch.device) -> None:
        self._image = image
        self._windows = image.windows
        self._shares = [shares(own).to(device) for own in self._windows]  # [tiles, H0], [tiles, W0]
        self._competition = Competition(image.original, device)
        self._joins = Joins()
        self._told: list[tuple[Tensor, Tensor, Tensor]] = []  # labels, scores and overlap of each tile's candidates
        # Of the tiles that the coming windows are in: the numbers of the candidates, and these.
        self._tiles: dict[Place, tuple[Tensor, Rivals]] = {}

    def enter(self, place: Place, own: Rivals) -> None:
        """Takes in the candidates of a tile, row by row."""
        i, j = place
        numbers = self._competition.enter(len(own.labels))
        down = self._windows[0]
        for above in range(i):
            if down[above].stop <= down[i].start:
                self._tiles.pop((above, j), None)
        self._tiles[place] = numbers, own
        self._told.append((own.labels, own.scores, own.overlap))
        self._joins.add(own.labels.tolist(), self._masks(place, own))
        for other in ((i, j - 1), (i - 1, j)):
            if other in self._tiles:
                self._joins.link(self._tiles[other][0].tolist(), numbers.tolist(), self._image.overlap(other, place))

    def _masks(self, place: Place, own: Rivals) -> Sequence[Edges]:
        if not len(own.labels):
            return ()
        maps = own.probabilities()
        encoder = Encoder(maps.size, maps.channels)
        for rows, masks in maps.strips():
            encoder.add(rows.start, masks >= 0.5)
        down, across = self._image.view(*place).window
        return encoder.finish().placed(self._image.original, down.start, across.start).edges

    def decide(self, rows: range, columns: range, places: Sequence[Place]) -> None:
        """Decides the pixels of a window of the original image that some tiles see, and no other."""
        there = [(place, *self._tiles[place]) for place in places if len(self._tiles[place][0])]
        if not there:
            return
        numbers = torch.cat([own for _, own, _ in there])
        scores, pixel = (torch.cat([getattr(own, name) for *_, own in there]) for name in ('scores', 'pixel'))
        maps = LazyMaps.joined([self._probabilities(place, own, rows, columns) for place, _, own in there])
        tile = torch.repeat_interleave(torch.tensor([len(own) for _, own, _ in there])).to(numbers.device)
        of_rows, of_columns = (
            torch.stack([own[place[axis]] for place, *_ in there]) for axis, own in enumerate(self._shares)
        )  # [tiles, H0], [tiles, W0]
        roots, local = torch.tensor(
            [self._joins.root(number) for number in numbers.tolist()], device=numbers.device
        ).unique(return_inverse=True)
        first = torch.full_like(roots, len(local)).scatter_reduce_(
            0, local, torch.arange(len(local), device=local.device), 'amin'
        )
        across = slice(columns.start, columns.stop)
        for strip, masks in maps.strips():  # [R, C, c]
            down = slice(rows.start + strip.start, rows.start + strip.stop)
            if len(places) == 1:
                self._competition.decide((down, across), numbers, masks * scores, masks, pixel)
                continue
            share = of_rows[tile, down].T[:, None] * of_columns[tile, across].T  # [R, C, c]
            share = share.to(masks.dtype)
            of_objects = masks.new_zeros(3, *masks.shape[:2], len(roots)).index_add_(
                -1, local, torch.stack([masks * scores * share, masks * share, share])
            )
            values, masks, coverage = of_objects
            self._competition.decide(
                (down, across), numbers[first], values, masks / coverage.clamp(min=1e-6), pixel[first], coverage
            )

    def _probabilities(self, place: Place, own: Rivals, rows: range, columns: range) -> LazyMaps:
        down, across = self._image.view(*place).window
        return own.probabilities().within(counted_from(down, rows), counted_from(across, columns))

    def segments(self, is_thing: Tensor) -> SegmentMap:
        """What all candidates won, see :meth:`Competition.segments`."""
        labels, scores, overlap = (torch.cat(own) for own in zip(*self._told, strict=True))
        joined = torch.tensor(self._joins.roots(), dtype=torch.long, device=labels.device)
        return self._competition.segments(labels, scores, overlap, is_thing, joined)
