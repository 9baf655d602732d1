from __future__ import annotations

import io
import json
import math

import pytest
from plans import MEASURED, measured
from rich.console import Console

from mmlmseg.planning import Compared, predict
from mmlmseg.planning.report import json_report, show, show_comparison


def printed(**changes: object) -> str:
    console = Console(file=io.StringIO(), width=200)
    show(predict(measured(**changes), 10 * 2**30), console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_what_is_printed_says_what_and_how_long() -> None:
    text = printed()
    for said in ('streets', '75.0%', '20.0%', '3.500 s', '1000 iterations', '58.3 min', '40 images, 3 times'):
        assert said in text
    assert '2.00 GB and 0.50 GB an image, by batches of 2 and 4; 10% left free' in text
    assert 'raise train_dataloader.num_workers' in text


def test_what_is_not_known_is_said() -> None:
    text = printed(memory={4: 2**30}, evaluation=None)
    assert 'memory was not seen to grow with the batch' in text
    assert 'an evaluation' not in text


def test_a_batch_far_beyond_the_measured_ones_is_to_be_tried() -> None:
    assert 'far beyond what was measured' in printed(memory={2: 2**30, 4: 2**30 + 2**21})


def test_programs_get_everything_and_plain_json() -> None:
    compared = [Compared('iteration', 's', 3.5, 7.0)]
    found = json.loads(json.dumps(json_report(predict(MEASURED, 10 * 2**30), compared)))
    assert found['predicted']['hours'] == pytest.approx(3606.5 / 3600)
    assert found['predicted']['epochs'] == dict(streets=10, rooms=8)
    assert found['measured']['memory'] == {'2': 3 * 2**30, '4': 4 * 2**30}
    assert found['compared'][0]['difference'] == -0.5
    assert math.isfinite(found['predicted']['largest_batch'])


def test_a_comparison_is_printed_in_per_cent() -> None:
    console = Console(file=io.StringIO(), width=200)
    show_comparison([Compared('iteration', 's', 3.5, 7.0)], console)
    assert '-50.0%' in console.file.getvalue()  # type: ignore[attr-defined]
