"""The values of an image whose dataset declares its bands and its scale: do they go together?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..image_format import ImageFormat
from .findings import Fault

_BEYOND = 0.01  # of the pixels of a band
_WITHOUT = 0.5  # of the pixels of an image


def faults_of_values(pixels: np.ndarray, nodata: float | None, declared: ImageFormat, file: str) -> Iterator[Fault]:
    """What is odd about the values of a file.

    Args:
        pixels: As the file has them, ``[H, W, bands]``, of the bands that are read.
        nodata: What the file says of pixels without data.
        declared: What its dataset declares.
        file: Its name.
    """
    scaling = declared.fit(pixels, nodata)
    empty = scaling.without_data(pixels)
    known = pixels.reshape(-1, declared.count) if empty is None else pixels[~empty]
    share = 1 - len(known) / (pixels.shape[0] * pixels.shape[1])
    if share >= _WITHOUT:
        yield Fault('no-data', f'{share:.0%} of its pixels are without data', file)
    if not len(known):
        return
    for place, band in enumerate(declared.chosen):
        values, low, high = known[:, place], scaling.low[place], scaling.high[place]
        least, most = values.min().item(), values.max().item()
        if least == most:
            yield Fault('constant-band', f'band {band} is {least:g} everywhere', file)
        elif declared.scale is not None:
            beyond = float(((values < low) | (values > high)).mean())
            if beyond >= _BEYOND:
                what = (
                    f'{beyond:.0%} of band {band} are beyond the scale {low:g}..{high:g}: it holds {least:g}..{most:g}'
                )
                yield Fault('beyond-scale', what, file)
            elif most - low < _BEYOND * (high - low):
                what = f'band {band} holds {least:g}..{most:g}, next to nothing of the scale {low:g}..{high:g}'
                yield Fault('beyond-scale', what, file)
