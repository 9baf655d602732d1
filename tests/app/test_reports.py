"""The second page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmlmseg.app.reports import audit_frame, cross_space_tables
from mmlmseg.audit.report_html import html_report
from mmlmseg.errors import DataError
from mmlmseg.label_space import LabelSpace

CLASSES = {'road': dict(asked_by=['road', 'street'], IoU=62.5, pixels=9), '<b>': dict(asked_by=[], IoU=None, pixels=1)}
ONE = dict(
    dataset='towns', label_space='streets', mIoU=62.5, classes_scored=1, classes_of_truth=2,
    share_of_pixels_scored=0.9, images=3, classes=CLASSES,
)  # fmt: skip


def test_the_audit_is_shown_in_a_frame_without_scripts(tmp_path: Path, spaces: list[LabelSpace]) -> None:
    (tmp_path / 'audit.html').write_text(html_report(spaces, []))
    frame = audit_frame(tmp_path / 'audit.html')
    assert ' sandbox ' in frame
    assert frame.count('<') == 2  # all of the report is escaped


def test_scores_are_told_by_dataset_and_by_class(tmp_path: Path) -> None:
    path = tmp_path / 'cross_space.json'
    path.write_text(json.dumps(dict(trained=[], results=[ONE, {**ONE, 'label_space': 'farms', 'mIoU': None}])))
    page = cross_space_tables(path)
    assert '62.5' in page
    assert '1/2, 90%' in page
    assert 'road, street' in page
    assert 'zero-shot' in page
    assert '<b>' not in page


@pytest.mark.parametrize('content', ['[]', '{"results": [{}], "trained": []}', '{"results": 3}', '{"results": []}'])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / 'a.json').write_text(content)
    with pytest.raises(DataError, match='holds no scores across label spaces'):
        cross_space_tables(tmp_path / 'a.json')
