"""Pieces of the page: nothing from outside becomes part of its HTML."""

from __future__ import annotations

from mmlmseg.app.layers import Said
from mmlmseg.app.pieces import message, pixel_table


def test_messages_are_text_and_tell_names_of_files_alone() -> None:
    assert message('/tmp/kept/8f3/a b/<img>.png: cannot be read', error=True).count('<') == 2
    assert 'kept' not in message('in /tmp/kept/8f3/a.png: cannot be read; 1/2 of it')
    assert 'in a.png: cannot be read; 1/2 of it' in message('in /tmp/kept/8f3/a.png: cannot be read; 1/2 of it')
    assert message('') == ''


def test_the_best_class_of_each_label_space_stands_out() -> None:
    said = [Said('street', name, 0.5, 3, 0.6, 0.7) for name in ('car', '<b>')] + [Said('facade', 'wall', 1, 0, 1, 1)]
    table = pixel_table(4, 5, said)
    assert table.count('class=best') == 2
    assert table.count('street') == 1
    assert '<b>' not in table
