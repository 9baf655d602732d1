"""Images that are the same by content: to the pixel, or scaled and compressed anew."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha1

import cv2
import numpy as np
from scipy.fft import dctn
from scipy.ndimage import uniform_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

THUMBNAIL = 32
"""The side of thumbnails in pixels."""
BITS_APART = 7
"""Most differing bits of the hashes of a near pair: then one of their 8 bytes is equal, by which pairs are found."""
GREY_APART, TEXTURE_APART = 11.0, 0.7
"""How far a pixel of two thumbnails of one picture differs at most: so many grey levels of 256, and so much of the
standard deviation around it, which scaling without smoothing adds. Of real photos that were scaled and compressed anew,
95 in 100 are within; neighbouring frames of a standing camera are not."""
LEAST_CONTRAST = 4.0
"""The standard deviation of a thumbnail below which it shows too little to be recognised."""
MANY, WINDOW = 1024, 256
"""Of more images with an equal byte, as a camera that stands still gives, each is compared with so many like ones."""
_ROWS = 2048  # that are computed at a time


@dataclass(frozen=True)
class Look:
    """What an image is recognised by: a digest of its pixels, and a grey thumbnail, uint8 [32, 32]."""

    digest: bytes
    thumbnail: np.ndarray


def look_of(image: np.ndarray) -> Look:
    """What an image, [H, W] or [H, W, C] of any depth, is recognised by."""
    digest = sha1(str(image.shape).encode(), usedforsecurity=False)
    digest.update(np.ascontiguousarray(image).data)
    return Look(digest.digest(), cv2.resize(_grey(image), (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA))


def _grey(image: np.ndarray) -> np.ndarray:
    """An image in grey, uint8 [H, W]; of more bits between its darkest and its brightest value."""
    if image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    grey = image if image.ndim == 2 else image.mean(-1)
    if image.dtype == np.uint8:
        return grey.astype(np.uint8)
    low, high = float(grey.min()), float(grey.max())
    return ((grey - low) * (255 / max(high - low, 1e-6))).astype(np.uint8)


def hashes_of(thumbnails: np.ndarray) -> np.ndarray:
    """Perceptual hashes: of the lowest 8x8 frequencies of each thumbnail, which are above their median.

    Args:
        thumbnails: Grey, uint8 [N, 32, 32].

    Returns:
        uint8 [N, 8], 64 bits each.
    """
    hashes = np.zeros((len(thumbnails), 8), np.uint8)
    for start in range(0, len(thumbnails), _ROWS):
        some = thumbnails[start : start + _ROWS].astype(np.float32)
        low = dctn(some, axes=(1, 2), norm='ortho')[:, :8, :8].reshape(len(some), 64)
        hashes[start : start + _ROWS] = np.packbits(low > np.median(low[:, 1:], axis=1, keepdims=True), axis=1)
    return hashes


def same_images(looks: Sequence[Look]) -> list[list[int]]:
    """Groups of images that are the same picture, each in the order given; pictures that occur once are left out.

    Equal digests make a group. Pairs of near hashes, found by an equal byte, are in one where their thumbnails agree.
    """
    by_digest: dict[bytes, list[int]] = defaultdict(list)
    for place, look in enumerate(looks):
        by_digest[look.digest].append(place)
    members = list(by_digest.values())
    near = near_pairs(np.stack([looks[own[0]].thumbnail for own in members])) if members else np.zeros((0, 2), int)
    size = len(members)
    graph = coo_array((np.ones(len(near), bool), (near[:, 0], near[:, 1])), shape=(size, size))
    joined: dict[int, list[int]] = defaultdict(list)
    for own, group in zip(members, connected_components(graph, directed=False)[1].tolist() if size else ()):
        joined[group] += own
    return [sorted(own) for own in joined.values() if len(own) > 1]


def near_pairs(thumbnails: np.ndarray) -> np.ndarray:
    """The places of thumbnails that show one picture, int [P, 2]; thumbnails are uint8 [N, 32, 32]."""
    hashes = hashes_of(thumbnails)
    seen = np.flatnonzero(thumbnails.std(axis=(1, 2)) >= LEAST_CONTRAST)
    found = [np.zeros((0, 2), np.int64)]
    for band in range(8):
        byte = hashes[seen, band]
        for value in np.unique(byte):
            for pairs in _near_codes(seen[byte == value], hashes.view(np.uint64)[:, 0]):
                earlier = hashes[pairs[:, 0], :band] == hashes[pairs[:, 1], :band]
                pairs = pairs[~earlier.any(axis=1)]
                found.append(pairs[_agree(thumbnails[pairs[:, 0]], thumbnails[pairs[:, 1]])])
    return np.concatenate(found)


def _near_codes(places: np.ndarray, codes: np.ndarray) -> Iterator[np.ndarray]:
    """Pairs of places whose codes are near, int [P, 2], some at a time; of many places, those near in order."""
    ordered = places[np.argsort(codes[places])]
    window = len(places) if len(places) <= MANY else WINDOW
    for distance in range(1, window):
        one, other = ordered[:-distance], ordered[distance:]
        near = np.bitwise_count(codes[one] ^ codes[other]) <= BITS_APART
        pairs = np.stack([one[near], other[near]], axis=1)
        for start in range(0, len(pairs), _ROWS):
            yield pairs[start : start + _ROWS]


def _agree(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Which pairs of thumbnails [P, 32, 32] show one picture, bool [P]: alike in every place, the less so the more
    texture there is."""
    one, other = a.astype(np.float32), b.astype(np.float32)
    texture = np.minimum(_deviation(one), _deviation(other))
    return (np.abs(one - other) <= GREY_APART + TEXTURE_APART * texture).all(axis=(1, 2))


def _deviation(images: np.ndarray) -> np.ndarray:
    """The standard deviation around each pixel, of 3x3."""
    mean = uniform_filter(images, (1, 3, 3))
    return np.sqrt(np.maximum(uniform_filter(images * images, (1, 3, 3)) - mean * mean, 0))
