"""Images that are the same by content: to the pixel, or scaled and compressed anew."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha1

import cv2
import numpy as np
from scipy.fft import dctn
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
    codes = hashes.view(np.uint64)[:, 0]
    seen = np.flatnonzero(thumbnails.std(axis=(1, 2)) >= LEAST_CONTRAST)
    found: set[tuple[int, int]] = set()
    for band in range(8):
        byte = hashes[seen, band]
        for value in np.unique(byte):
            found.update(_near_codes(seen[byte == value], codes))
    agreed = sorted((i, j) for i, j in found if _agree(thumbnails[i], thumbnails[j]))
    return np.array(agreed, dtype=np.int64).reshape(-1, 2)


def _near_codes(places: np.ndarray, codes: np.ndarray) -> Iterator[tuple[int, int]]:
    own = codes[places]
    for start in range(0, len(places), _ROWS):
        apart = np.bitwise_count(own[start : start + _ROWS, None] ^ own[None, start:])
        for i, j in np.argwhere(np.triu(apart <= BITS_APART, 1)).tolist():
            yield int(places[start + i]), int(places[start + j])


def _agree(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two thumbnails show one picture: alike in every place, the less so the more texture there is."""
    one, other = a.astype(np.float32), b.astype(np.float32)
    texture = np.minimum(_deviation(one), _deviation(other))
    return bool((np.abs(one - other) <= GREY_APART + TEXTURE_APART * texture).all())


def _deviation(image: np.ndarray) -> np.ndarray:
    """The standard deviation around each pixel, of 3x3."""
    mean = cv2.blur(image, (3, 3))
    return np.sqrt(np.maximum(cv2.blur(image * image, (3, 3)) - mean * mean, 0))
