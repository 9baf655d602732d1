"""Images, a question and the answers that are kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mmlmseg.apis import LMSegInferencer
from mmlmseg.app.workspace import KEPT, MOST_IMAGES, Workspace
from mmlmseg.errors import DataError


def test_an_answer_is_kept_until_the_question_changes(inferencer: LMSegInferencer, photo: Path) -> None:
    workspace = Workspace().with_images([photo]).asking(['street'], '').answered(inferencer)
    assert workspace.shown is not None
    assert workspace.asking(['street'], '').answered(inferencer).shown is workspace.shown
    assert workspace.asking(['facade'], '').shown is None


def test_answers_of_a_few_images_are_kept(inferencer: LMSegInferencer, photo: Path) -> None:
    photos = [Path(shutil.copy(photo, photo.with_name(f'{i}.png'))) for i in range(KEPT + 1)]
    workspace = Workspace().with_images(photos).asking(['street'], '')
    assert workspace.current == 0
    for place in range(len(photos)):
        workspace = workspace.showing(place).answered(inferencer)
    assert [*workspace.answers] == photos[1:]
    assert workspace.with_images([photos[1]]).current == 1


def test_no_image_and_too_many_are_told(inferencer: LMSegInferencer, photo: Path) -> None:
    with pytest.raises(DataError, match='There is no image yet'):
        Workspace().asking(['street'], '').answered(inferencer)
    with pytest.raises(DataError, match='there is no image 1'):
        Workspace().with_images([photo]).showing(1)
    with pytest.raises(DataError, match='are too many here'):
        Workspace().with_images([photo.with_name(f'{i}.png') for i in range(MOST_IMAGES + 1)])
