"""How the things of a scene are drawn: houses, trees, cars, trucks, people, dogs, fences and bushes.

Every function paints one thing, standing at the origin of a :class:`Frame` whose unit is one metre, from its back to
its front.
"""

from __future__ import annotations

import colorsys
from functools import partial

import numpy as np

from .canvas import Canvas, Colour, Frame, Pattern, blob, ellipse, limb, rectangle
from .spaces import PERSON


def paint_colour(
    rng: np.random.Generator,
    hue: tuple[float, float] = (0, 1),
    saturation: tuple[float, float] = (0.2, 0.8),
    value: tuple[float, float] = (0.35, 0.95),
) -> Colour:
    """A random RGB colour (0 to 255) within ranges of hue, saturation and value."""
    red, green, blue = colorsys.hsv_to_rgb(rng.uniform(*hue) % 1, rng.uniform(*saturation), rng.uniform(*value))
    return 255 * red, 255 * green, 255 * blue


def _shadow(canvas: Canvas, frame: Frame, half_length: float) -> None:
    """Darken the ground below a thing."""
    canvas.darken(
        frame(ellipse(-0.15 * canvas.light * half_length, 0.0, 1.1 * half_length, 0.12 * half_length + 0.05)), 0.72
    )


def draw_house(canvas: Canvas, rng: np.random.Generator, frame: Frame, width: float, storeys: int) -> None:
    """A house with wall, roof, maybe a chimney, a door and rows of windows."""
    paint = partial(canvas.paint, owner=canvas.new_object('house'))
    half, height = width / 2, 2.6 * storeys + rng.uniform(0.1, 0.5)
    wall = (
        paint_colour(rng, (0.0, 0.16), (0.05, 0.55), (0.55, 0.95))
        if rng.random() < 0.75
        else paint_colour(rng, saturation=(0.05, 0.35))
    )
    surface: Pattern = rng.choice(['rough', 'bricks', 'planks', 'plain'])
    roof = (
        paint_colour(rng, (-0.04, 0.07), (0.3, 0.75), (0.3, 0.65))
        if rng.random() < 0.65
        else paint_colour(rng, (0.5, 0.7), (0.05, 0.3), (0.25, 0.5))
    )
    rise, overhang = rng.uniform(0.28, 0.45) * width, rng.uniform(0.15, 0.45)
    _shadow(canvas, frame, half)
    style = rng.choice(['gable', 'hip', 'flat'], p=[0.45, 0.4, 0.15])
    if style != 'flat' and rng.random() < 0.6:
        x = rng.uniform(-0.6, 0.6) * half
        chimney = rectangle(x - 0.3, height, x + 0.3, height + 1.05 * rise)
        paint(frame(chimney), 'house chimney', wall, pattern='bricks', period=0.25 * frame.unit)
    paint(frame(rectangle(-half, 0, half, height)), 'house wall', wall, pattern=surface, period=0.3 * frame.unit)
    tiles = partial(paint, part='house roof', colour=roof, pattern='tiles', period=0.35 * frame.unit)
    eaves, low = half + overhang, height - 0.2
    if style == 'gable':
        tiles(frame(np.array([[-eaves, low], [eaves, low], [0, height + rise]])))
    elif style == 'hip':
        ridge = height + 0.8 * rise
        tiles(frame(np.array([[-eaves, low], [eaves, low], [0.55 * half, ridge], [-0.55 * half, ridge]])))
    else:
        tiles(frame(rectangle(-half - 0.15, height - 0.15, half + 0.15, height + 0.55)))
    _openings(canvas, rng, frame, half, storeys, paint)


def _openings(
    canvas: Canvas, rng: np.random.Generator, frame: Frame, half: float, storeys: int, paint: partial[None]
) -> None:
    """The door and the windows of a house; every one is a component of its own."""
    columns = max(2, round(half / 0.95))
    door_column = int(rng.integers(columns))
    pitch = 2 * half / columns
    glass = paint_colour(rng, (0.5, 0.65), (0.1, 0.5), (0.2, 0.85))
    casing = (240.0, 240.0, 235.0) if rng.random() < 0.6 else paint_colour(rng, value=(0.2, 0.5))
    width, height = min(0.62 * pitch, 1.5), rng.uniform(1.2, 1.6)
    for storey in range(storeys):
        for column in range(columns):
            x, y = -half + (column + 0.5) * pitch, 2.6 * storey + 0.95
            component = canvas.new_component()
            if storey == 0 and column == door_column:
                door = paint_colour(rng, saturation=(0.35, 0.85), value=(0.25, 0.7))
                leaf = frame(rectangle(x - 0.55, 0, x + 0.55, 2.15))
                paint(leaf, 'house door', door, component=component, pattern='plain')
                canvas.darken(frame(rectangle(x - 0.35, 1.2, x + 0.35, 1.9)), 0.75)
                continue
            pane = partial(paint, part='house window', component=component, pattern='plain')
            lit = (250.0, 220.0, 140.0) if rng.random() < 0.1 else glass
            pane(frame(rectangle(x - width / 2, y, x + width / 2, y + height)), colour=casing)
            for side in (-1, 1):
                middle, reach = x + side * width / 4, 0.19 * width
                pane(frame(rectangle(middle - reach, y + 0.1, middle + reach, y + height - 0.1)), colour=lit)


def draw_tree(canvas: Canvas, rng: np.random.Generator, frame: Frame, height: float) -> None:
    """A broad-leaved tree, a poplar or a conifer."""
    paint = partial(canvas.paint, owner=canvas.new_object('tree'))
    leaf = (
        paint_colour(rng, (0.2, 0.38), (0.4, 0.8), (0.25, 0.6))
        if rng.random() < 0.85
        else paint_colour(rng, (0.05, 0.15), (0.6, 0.9), (0.5, 0.8))
    )
    bark = paint_colour(rng, (0.04, 0.1), (0.25, 0.55), (0.2, 0.45))
    kind = rng.choice(['round', 'poplar', 'conifer'], p=[0.6, 0.15, 0.25])
    bare = rng.uniform(0.16, 0.36) * height
    _shadow(canvas, frame, 0.22 * height)
    trunk = limb((0, 0), (rng.uniform(-0.1, 0.1), bare + 0.2 * height), 0.09 * height, 0.05 * height)
    paint(frame(trunk), 'tree trunk', bark)
    crown = partial(paint, part='tree crown', pattern='leaves')
    rest = height - bare
    if kind == 'conifer':
        for level in range(4):
            low, wide = bare + 0.21 * level * rest, (0.27 - 0.05 * level) * height
            crown(
                frame(np.array([[-wide, low], [wide, low], [0, low + 0.42 * rest]])),
                colour=scaled(leaf, 0.85 + 0.07 * level),
            )
    elif kind == 'poplar':
        crown(frame(blob(rng, 0, bare + 0.5 * rest, 0.15 * height, 0.5 * rest, 0.07)), colour=leaf)
    else:
        crown(frame(blob(rng, 0, bare + 0.5 * rest, 0.36 * height, 0.48 * rest)), colour=scaled(leaf, 0.85))
        for _ in range(5):
            x, y = rng.uniform(-0.22, 0.22) * height, bare + rng.uniform(0.3, 0.75) * rest
            crown(frame(blob(rng, x, y, 0.17 * height, 0.2 * rest)), colour=scaled(leaf, rng.uniform(0.85, 1.2)))


def scaled(colour: Colour, factor: float) -> Colour:
    """A lighter or darker colour."""
    red, green, blue = colour
    return factor * red, factor * green, factor * blue


def draw_car(canvas: Canvas, rng: np.random.Generator, frame: Frame) -> None:
    """A car from the side, 3.8 m long."""
    paint = partial(canvas.paint, owner=canvas.new_object('car'))
    body = paint_colour(rng, saturation=(0.0, 0.95), value=(0.2, 0.95))
    roof, bonnet = rng.uniform(1.35, 1.6), rng.uniform(0.8, 0.95)
    _shadow(canvas, frame, 1.9)
    cabin = np.array([[-1.85, 0.95], [-1.35, roof], [0.25, roof], [0.95, 0.92], [0.95, 0.7], [-1.85, 0.7]])
    paint(frame(cabin), 'car body', body, pattern='plain')
    lower = np.array([[-1.9, 0.3], [-1.9, 0.95], [0.9, bonnet + 0.05], [1.75, bonnet - 0.1], [1.9, 0.6], [1.9, 0.3]])
    paint(frame(lower), 'car body', body, pattern='plain')
    glass = paint_colour(rng, (0.5, 0.65), (0.1, 0.4), (0.15, 0.75))
    for pane in (
        [[-1.6, 0.97], [-1.25, roof - 0.1], [-0.6, roof - 0.1], [-0.6, 0.97]],
        [[-0.5, 0.97], [-0.5, roof - 0.1], [0.2, roof - 0.1], [0.75, 0.97]],
    ):
        paint(frame(np.array(pane)), 'car window', glass, pattern='plain')
    canvas.darken(frame(rectangle(-1.9, 0.3, 1.9, 0.48)), 0.8)
    paint(frame(rectangle(1.7, 0.62, 1.88, 0.78)), 'car body', (250, 240, 190), pattern='plain')
    paint(frame(rectangle(-1.9, 0.7, -1.75, 0.9)), 'car body', (200, 30, 30), pattern='plain')
    _wheels(frame, paint, 'car wheel', (-1.15, 1.15), 0.36)


def _wheels(frame: Frame, paint: partial[None], part: str, places: tuple[float, ...], radius: float) -> None:
    for x in places:
        paint(frame(ellipse(x, radius, radius, radius)), part, (35, 35, 38), pattern='plain')
        paint(frame(ellipse(x, radius, 0.5 * radius, 0.5 * radius)), part, (165, 165, 170), pattern='plain')


def draw_truck(canvas: Canvas, rng: np.random.Generator, frame: Frame) -> None:
    """A truck from the side, 5.6 m long."""
    paint = partial(canvas.paint, owner=canvas.new_object('truck'))
    cab, load = paint_colour(rng, value=(0.3, 0.9)), paint_colour(rng, saturation=(0.0, 0.6), value=(0.45, 0.95))
    _shadow(canvas, frame, 2.8)
    paint(frame(rectangle(-2.8, 0.45, 2.6, 0.7)), 'truck body', (60, 60, 62), pattern='plain')
    box = rectangle(-2.8, 0.65, 1.1, rng.uniform(2.5, 2.9))
    paint(frame(box), 'truck body', load, pattern='planks', period=0.6 * frame.unit)
    cabin = np.array([[1.2, 0.45], [1.2, 2.2], [2.2, 2.2], [2.75, 1.3], [2.8, 0.45]])
    paint(frame(cabin), 'truck body', cab, pattern='plain')
    glass = paint_colour(rng, (0.5, 0.65), (0.1, 0.4), (0.15, 0.75))
    paint(frame(np.array([[1.45, 1.3], [1.45, 2.0], [2.1, 2.0], [2.5, 1.3]])), 'truck window', glass, pattern='plain')
    _wheels(frame, paint, 'truck wheel', (-2.0, -1.15, 2.0), 0.45)


def draw_person(canvas: Canvas, rng: np.random.Generator, frame: Frame) -> None:
    """A person, 1.75 m tall, dressed at random; every garment is a component."""
    owner = canvas.new_object('person')
    skin = paint_colour(rng, (0.04, 0.09), (0.25, 0.6), (0.45, 0.98))
    hair = paint_colour(rng, (0.03, 0.12), (0.2, 0.75), (0.1, 0.75))
    shirt, trousers = paint_colour(rng, value=(0.4, 0.98)), paint_colour(rng, (0.5, 1.15), (0.1, 0.7), (0.12, 0.6))
    shoes, hat = paint_colour(rng, saturation=(0.0, 0.7), value=(0.1, 0.95)), paint_colour(rng, saturation=(0.3, 0.9))
    cloth: Pattern = rng.choice(['rough', 'stripes', 'checks'], p=[0.6, 0.25, 0.15])
    garments = {part: canvas.new_component() for part in PERSON}

    def paint(outline: np.ndarray, part: str, colour: Colour, pattern: Pattern = 'plain') -> None:
        garment, period = garments[part], 0.16 * frame.unit
        canvas.paint(frame(outline), part, colour, owner=owner, component=garment, pattern=pattern, period=period)

    stride, swing, stout = rng.uniform(0.03, 0.2), rng.uniform(-0.25, 0.25), rng.uniform(0.9, 1.25)
    long_hair, shorts, long_sleeves = rng.random() < 0.45, rng.random() < 0.2, rng.random() < 0.6
    _shadow(canvas, frame, 0.4)
    if long_hair:
        paint(ellipse(0, 1.5, 0.155, 0.24), 'hair', hair)
    for side in (-1, 1):  # legs, the far one first
        hip, foot = (side * 0.08 * stout, 0.85), (side * (0.09 + stride / 2), 0.06)
        knee = ((hip[0] + foot[0]) / 2, 0.46)
        if shorts:
            paint(limb(knee, foot, 0.12, 0.09), 'skin', skin)
        paint(limb(hip, knee if shorts else foot, 0.2 * stout, 0.17 if shorts else 0.13), 'trousers', trousers, 'rough')
        paint(rectangle(foot[0] - 0.07, 0.0, foot[0] + 0.15, 0.1), 'shoes', shoes)
    for side in (-1, 1):  # arms
        shoulder, elbow = (side * 0.2 * stout, 1.36), (side * 0.27 * stout + 0.3 * swing, 1.1)
        hand = (side * 0.28 * stout + side * swing, 0.84)
        paint(limb(elbow, hand, 0.09, 0.08), 'skin', skin)
        if long_sleeves:
            cuff = (elbow[0] + 3 * hand[0]) / 4, (elbow[1] + 3 * hand[1]) / 4
            paint(limb(elbow, cuff, 0.11, 0.1), 'shirt', shirt, cloth)
        paint(limb(shoulder, elbow, 0.13, 0.11), 'shirt', shirt, cloth)
        paint(ellipse(*hand, 0.055, 0.06, 10), 'skin', skin)
    torso = np.array([[-0.17, 0.8], [-0.22, 1.38], [-0.1, 1.45], [0.1, 1.45], [0.22, 1.38], [0.17, 0.8]]) * (stout, 1)
    paint(torso, 'shirt', shirt, cloth)
    paint(rectangle(-0.05, 1.4, 0.05, 1.52), 'skin', skin)
    paint(ellipse(0, 1.6, 0.115, 0.15), 'skin', skin)
    cap = np.array([[-0.13, 1.6], [-0.12, 1.71], [0, 1.78], [0.12, 1.71], [0.13, 1.6], [0.09, 1.67], [-0.09, 1.67]])
    paint(cap, 'hair', hair)
    for x in (-0.045, 0.045):
        canvas.darken(frame(ellipse(x, 1.61, 0.018, 0.018, 8)), 0.3)
    if rng.random() < 0.45:
        paint(rectangle(-0.2 if rng.random() < 0.5 else -0.13, 1.68, 0.22, 1.73), 'hat', hat)
        paint(np.array([[-0.13, 1.72], [-0.11, 1.86], [0.11, 1.86], [0.13, 1.72]]), 'hat', hat)


def draw_dog(canvas: Canvas, rng: np.random.Generator, frame: Frame) -> None:
    """A dog from the side, 0.9 m long."""
    colour = paint_colour(rng, (0.03, 0.12), (0.1, 0.7), (0.15, 0.9))
    paint = partial(canvas.paint, part='dog', owner=canvas.new_object('dog'), colour=colour)
    _shadow(canvas, frame, 0.4)
    for x in (-0.32, -0.2, 0.2, 0.3):
        paint(frame(limb((x, 0.35), (x + rng.uniform(-0.06, 0.06), 0), 0.1, 0.07)))
    paint(frame(ellipse(0, 0.42, 0.42, 0.16)))
    paint(frame(limb((-0.38, 0.48), (-0.55, 0.75), 0.07, 0.04)))
    paint(frame(ellipse(0.42, 0.66, 0.16, 0.13)))
    paint(frame(ellipse(0.57, 0.62, 0.09, 0.06)))
    canvas.darken(frame(np.array([[0.33, 0.76], [0.29, 0.55], [0.4, 0.7]])), 0.55)


def draw_fence(canvas: Canvas, rng: np.random.Generator, frame: Frame, length: float) -> None:
    """A fence that can be looked through between its pickets, or a closed one."""
    colour = (235.0, 235.0, 230.0) if rng.random() < 0.4 else paint_colour(rng, (0.04, 0.1), (0.3, 0.6), (0.3, 0.65))
    if rng.random() < 0.5:
        canvas.paint(frame(rectangle(0, 0, length, 1.05)), 'fence', colour, pattern='planks', period=0.3 * frame.unit)
        return
    for y in (0.25, 0.75):
        canvas.paint(frame(rectangle(0, y, length, y + 0.14)), 'fence', scaled(colour, 0.85))
    for x in np.arange(0, length, 0.5):
        picket = np.array([[x, 0], [x, 0.95], [x + 0.14, 1.15], [x + 0.28, 0.95], [x + 0.28, 0]])
        canvas.paint(frame(picket), 'fence', colour)


def draw_bush(canvas: Canvas, rng: np.random.Generator, frame: Frame) -> None:
    """A low bush."""
    leaf = paint_colour(rng, (0.2, 0.4), (0.35, 0.75), (0.25, 0.55))
    for _ in range(3):
        outline = blob(rng, rng.uniform(-0.5, 0.5), rng.uniform(0.25, 0.5), 0.6, 0.5)
        outline[:, 1] = np.maximum(outline[:, 1], 0)
        canvas.paint(frame(outline), 'bush', scaled(leaf, rng.uniform(0.85, 1.15)), pattern='leaves')
