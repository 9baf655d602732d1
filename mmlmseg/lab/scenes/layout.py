"""Where things are in a scene: the sky, the ground in one of three layouts, and what stands on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from . import things
from .canvas import Canvas, Colour, Frame, Pattern, blob, ellipse


@dataclass(frozen=True)
class Site:
    """Rows of a scene where things can stand, in pixels.

    Attributes:
        horizon: The row of the horizon.
        lawn: First and last row of the far lawn, for houses and trees.
        lanes: First and last row for the wheels of vehicles; None without a road.
    """

    horizon: float
    lawn: tuple[float, float]
    lanes: tuple[float, float] | None


def draw_sky(canvas: Canvas, rng: np.random.Generator, horizon: float) -> None:
    """Sky with a gradient, maybe a sun and clouds."""
    height, width = canvas.size
    everywhere = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    canvas.paint(everywhere, 'sky', (255, 255, 255), pattern='plain')
    mood = rng.choice(['clear', 'grey', 'evening'], p=[0.6, 0.25, 0.15])
    tops: dict[str, Colour] = {'clear': (95, 155, 230), 'grey': (165, 175, 190), 'evening': (115, 115, 175)}
    bottoms: dict[str, Colour] = {'clear': (205, 225, 245), 'grey': (215, 218, 222), 'evening': (250, 190, 140)}
    canvas.blend_rows(tops[mood], bottoms[mood], horizon)
    if mood != 'grey' and rng.random() < 0.5:
        radius = rng.uniform(0.04, 0.075) * height
        disc = ellipse(rng.uniform(0.08, 0.92) * width, rng.uniform(0.08, 0.25) * height, radius, radius)
        canvas.paint(disc, 'sun', (255, 240, 170), pattern='plain')
    for _ in range(int(rng.integers(0, 4))):
        x, y, reach = rng.uniform(0, width), rng.uniform(0.03, 0.28) * height, rng.uniform(0.06, 0.13) * width
        white = rng.uniform(215, 250)
        for _ in range(3):
            puff = blob(rng, x + rng.uniform(-1, 1) * reach, y + rng.uniform(-0.2, 0.2) * reach, reach, 0.45 * reach)
            canvas.paint(puff, 'cloud', (white, white, white + 5), pattern='rough')


def draw_ground(canvas: Canvas, rng: np.random.Generator, horizon: float) -> Site:
    """Grass, and on it a street from left to right, an avenue that leads away, or a path through a park."""
    height, width = canvas.size
    grass = things.paint_colour(rng, (0.2, 0.33), (0.35, 0.7), (0.45, 0.75))
    stone = things.paint_colour(rng, (0.05, 0.14), (0.05, 0.25), (0.6, 0.8))
    asphalt = things.paint_colour(rng, saturation=(0.0, 0.12), value=(0.3, 0.5))
    meadow = np.array([[0, horizon], [width, horizon], [width, height], [0, height]])
    canvas.paint(meadow, 'grass', grass, pattern='leaves')
    layout = rng.choice(['street', 'avenue', 'park'], p=[0.55, 0.2, 0.25])
    if layout == 'street':
        return _draw_street(canvas, rng, horizon, stone, asphalt)
    return _draw_way(canvas, rng, horizon, stone, asphalt if layout == 'avenue' else None)


def _draw_street(canvas: Canvas, rng: np.random.Generator, horizon: float, stone: Colour, asphalt: Colour) -> Site:
    """A road between two pavements from left to right, slightly tilted."""
    height, width = canvas.size
    deep = height - horizon
    tilt = rng.uniform(-0.04, 0.04) * height
    depths = [rng.uniform(0.1, 0.2), rng.uniform(0.06, 0.12), rng.uniform(0.25, 0.38), rng.uniform(0.08, 0.18)]
    lawn, kerb, lane, near = (horizon + deep * np.cumsum(depths)).tolist()  # the near edge of each band

    def band(top: float, bottom: float, left: float = 0.0, right: float = 1.0) -> np.ndarray:
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        return np.stack([corners[:, 0] * width, corners[:, 1] + tilt * (2 * corners[:, 0] - 1)], axis=1)

    paving: Pattern = 'checks' if rng.random() < 0.3 else 'rough'
    canvas.paint(band(lawn, kerb), 'pavement', stone, pattern=paving, period=0.08 * height)
    canvas.paint(band(kerb, lane), 'road', asphalt)
    canvas.paint(band(lane, near), 'pavement', things.scaled(stone, 0.95))
    middle, half = (kerb + lane) / 2, 0.008 * height
    for left in np.arange(rng.uniform(-0.1, 0.1), 1.0, 0.25).tolist():
        canvas.paint(band(middle - half, middle + half, left, left + 0.12), 'road', (225, 225, 215), pattern='plain')
    return Site(horizon, (horizon + 0.02 * deep, lawn), (kerb + 0.25 * (lane - kerb), lane - 0.05 * deep))


def _draw_way(canvas: Canvas, rng: np.random.Generator, horizon: float, stone: Colour, asphalt: Colour | None) -> Site:
    """A paved way that leads to the horizon, with a road (of colour ``asphalt``) in its middle or without."""
    height, width = canvas.size
    deep = height - horizon
    vanishing, foot = rng.uniform(0.3, 0.7) * width, rng.uniform(0.2, 0.8) * width
    reach = (0.2 if asphalt is None else 0.42) * width

    def wedge(near: float, far: float) -> np.ndarray:
        far_end, near_end = [vanishing - far, vanishing + far], [foot + near, foot - near]
        return np.stack([far_end + near_end, [horizon, horizon, height, height]], axis=1)

    canvas.paint(wedge(1.35 * reach, 0.04 * width), 'pavement', stone)
    lanes = None
    if asphalt is not None:
        canvas.paint(wedge(reach, 0.03 * width), 'road', asphalt)
        lanes = (horizon + 0.35 * deep, horizon + 0.8 * deep)
    return Site(horizon, (horizon + 0.02 * deep, horizon + 0.15 * deep), lanes)


def draw_things(canvas: Canvas, rng: np.random.Generator, site: Site) -> None:
    """Houses and a fence on the far lawn, trees, vehicles on the road, people and dogs everywhere.

    They are painted by ascending rows of their feet, so that near things hide far ones.
    """
    height, width = canvas.size
    first, last = site.lawn
    todo: list[tuple[float, Callable[[], None]]] = []

    def stand(draw: Callable[..., None], x: float, y: float, *extra: float) -> None:
        metre = (0.13 * height + 0.6 * (y - site.horizon)) / 1.75  # people at the horizon have 13 % of the height
        frame = Frame(x * width, y, metre, mirrored=bool(rng.random() < 0.5))
        todo.append((y, partial(draw, canvas, rng, frame, *extra)))

    x = rng.uniform(-0.1, 0.25)
    while x < 0.95 and rng.random() < 0.85:
        breadth, storeys = rng.uniform(4.5, 7.5), int(rng.choice([1, 2, 3], p=[0.4, 0.5, 0.1]))
        stand(things.draw_house, x + 0.22, rng.uniform(first, (first + last) / 2), breadth, storeys)
        x += breadth * 0.085 + rng.uniform(-0.05, 0.25)
    for _ in range(int(rng.integers(1, 4))):
        stand(things.draw_tree, rng.uniform(0, 1), rng.uniform(first, last), rng.uniform(3.5, 6))
    if rng.random() < 0.3:  # a near tree at one side
        x = rng.choice([rng.uniform(-0.05, 0.2), rng.uniform(0.8, 1.05)])
        stand(things.draw_tree, x, rng.uniform(0.7, 0.9) * height, rng.uniform(3, 4))
    for _ in range(int(rng.integers(0, 3))):
        stand(things.draw_bush, rng.uniform(0, 1), rng.uniform(first, last))
    if rng.random() < 0.5:
        frame = Frame(rng.uniform(-0.1, 0.6) * width, last, 0.1 * height)
        todo.append((last, partial(things.draw_fence, canvas, rng, frame, rng.uniform(3, 8))))
    if site.lanes is not None:
        for _ in range(int(rng.integers(1, 4))):
            vehicle = things.draw_truck if rng.random() < 0.25 else things.draw_car
            stand(vehicle, rng.uniform(0.02, 0.98), rng.uniform(*site.lanes))
    for _ in range(int(rng.integers(1, 4))):
        stand(things.draw_person, rng.uniform(0.03, 0.97), rng.uniform(last, 0.85 * height))
    for _ in range(int(rng.choice([0, 1, 2], p=[0.1, 0.5, 0.4]))):  # so near that the picture may cut them off
        stand(things.draw_person, rng.uniform(0.08, 0.92), rng.uniform(0.92, 1.25) * height)
    if rng.random() < 0.4:
        stand(things.draw_dog, rng.uniform(0.05, 0.95), rng.uniform(0.7, 1.0) * height)
    for _, draw in sorted(todo, key=lambda thing: thing[0]):
        draw()
