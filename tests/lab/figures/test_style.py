"""Figures: their files, and that they leave no trace in matplotlib."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from mmlmseg.errors import OptionError
from mmlmseg.lab.figures.style import count_iterations, distinct_colours, figure, line_styles


@pytest.mark.parametrize('suffix', ['png', 'pdf', 'svg'])
def test_the_suffix_is_the_format_and_settings_stay(tmp_path: Path, suffix: str) -> None:
    before = dict(matplotlib.rcParams)
    path = tmp_path / 'new' / f'a.{suffix}'
    with figure(path, 3, 2) as drawn:
        drawn.add_subplot().plot([0, 1])
    start = {'png': b'\x89PNG', 'pdf': b'%PDF', 'svg': b'<?xml'}[suffix]
    assert path.read_bytes().startswith(start)
    assert dict(matplotlib.rcParams) == before
    if suffix == 'png':
        assert Image.open(path).size == (450, 300)


def test_an_unknown_suffix_stops_before_anything_is_drawn(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r'a\.jpeg2: .*\.pdf, \.png, \.svg'), figure(tmp_path / 'a.jpeg2', 3, 2):
        pytest.fail('drawn all the same')
    assert not list(tmp_path.iterdir())


def test_series_are_told_apart() -> None:
    for number in (1, 8, 9, 30):
        colours = [to_rgb(colour) for colour in distinct_colours(number)]
        assert len(set(colours)) == number
    styles = line_styles('abcdefghi')
    assert [*styles] == list('abcdefghi')
    assert len({(str(style['color']), style['marker']) for style in styles.values()}) == 9


def test_iterations_are_whole_and_readable(tmp_path: Path) -> None:
    with figure(tmp_path / 'a.png', 5, 2) as drawn:
        axes = drawn.add_subplot()
        axes.plot([0, 160_000], [0, 1])
        count_iterations(axes)
        drawn.draw_without_rendering()
        shown = [label.get_text() for label in axes.get_xticklabels()]
    assert '100,000' in shown
