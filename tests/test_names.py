"""Names as datasets write them, and as they are read."""

from __future__ import annotations

import pytest

from mmlmseg.errors import LabelSpaceError, did_you_mean
from mmlmseg.names import default_space_name, name_key, normalise_name


@pytest.mark.parametrize(
    ('written', 'read'),
    [
        ('Wall-other-merged', ('wall',)),
        ('road, route', ('road', 'route')),
        ('door-stuff', ('door',)),
        ('traffic_light', ('traffic light',)),
        ('bed ', ('bed',)),
        ('Lane Marking - General', ('lane marking general',)),
        ('t-shirt', ('t-shirt',)),
        ('road, Road', ('road',)),
    ],
)
def test_names_are_normalised(written: str, read: tuple[str, ...]) -> None:
    assert normalise_name(written) == read


@pytest.mark.parametrize('empty', ['', '  ', ',', '-stuff', '---'])
def test_a_name_without_a_word_is_refused(empty: str) -> None:
    with pytest.raises(LabelSpaceError, match='holds no word'):
        normalise_name(empty)


def test_a_hyphen_tells_no_names_apart() -> None:
    assert name_key('Traffic-light, signal') == name_key('traffic_light-other') == 'traffic light'


def test_names_of_spaces_come_from_types() -> None:
    assert default_space_name('mmseg.ADE20KDataset') == 'ade20k'
    assert default_space_name('mmlmseg.ADE20KPanopticDataset') == 'ade20k_panoptic'


def test_nothing_is_suggested_where_nothing_is_near() -> None:
    assert did_you_mean('xyz', ['camvid11']) == ''
