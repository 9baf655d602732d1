"""One forward pass holds all that is shown, and shows what the inferencer says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmlmseg.apis import LMSegInferencer
from mmlmseg.app.choices import Choices, found
from mmlmseg.app.layers import layers, said_of_pixel
from mmlmseg.app.session import Session, ask
from mmlmseg.errors import LabelSpaceError, OptionError
from mmlmseg.models.postprocess.panoptic import PanopticThresholds
from mmlmseg.segments import class_map

ALL = PanopticThresholds(object=0.0, overlap=0.0)


def layer_of(result: Any, which: int) -> np.ndarray:
    return class_map(*result.layer(which))


@pytest.mark.parametrize('space', ['street', 'facade'])
def test_every_pixel_has_the_class_that_the_inferencer_gives_it(
    inferencer: LMSegInferencer, photo: Path, space: str
) -> None:
    (expected,) = inferencer(photo, label_space=space, show_progress=False)
    session = ask(inferencer, photo, [space])
    assert np.array_equal(layer_of(found(session, Choices()), 0), expected.label_map)


@pytest.mark.parametrize('exclusive', [(), (('street', 'facade'),), (('street:car', 'facade:wall'),)])
def test_segments_are_those_of_the_inferencer(
    inferencer: LMSegInferencer, photo: Path, exclusive: tuple[tuple[str, ...], ...]
) -> None:
    names = ['street', 'facade']
    (expected,) = inferencer(photo, label_spaces=names, exclusive=exclusive, show_progress=False)
    session = ask(inferencer, photo, names)
    result = found(session, Choices('segments', thresholds=ALL, exclusive=exclusive))
    assert result.to_coco() == expected.to_coco()
    assert result.to_coco()


def test_spaces_and_a_class_list_are_asked_together(inferencer: LMSegInferencer, photo: Path) -> None:
    session = ask(inferencer, photo, ['facade'], 'sky, house')
    assert [space.name for space in session.spaces] == ['facade', 'custom']
    (alone,) = inferencer(photo, classes='sky, house', show_progress=False)
    assert np.array_equal(layer_of(found(session, Choices()), 1), alone.label_map)


def test_nothing_but_the_question_runs_the_model(
    inferencer: LMSegInferencer, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = ask(inferencer, photo, ['street', 'facade'])
    monkeypatch.setattr(type(inferencer.model), 'predictions', None)
    for choices in (
        Choices(),
        Choices(least_score=0.4),
        Choices('segments', thresholds=ALL),
        Choices('segments', thresholds=PanopticThresholds(0.3, 0.5, 0.5), exclusive=(('street', 'facade'),)),
    ):
        assert len(layers(session, choices, found(session, choices))) == 2
    assert said_of_pixel(session, 3, 5)


def unsure(session: Session) -> Session:
    """The answer of queries that are an eighth as sure, so that no score of a pixel reaches 1."""
    own = [replace(one, classes=one.classes / 8) for one in session.predictions]
    return replace(session, predictions=tuple(own))


def test_pixels_below_the_least_score_stay_clear(inferencer: LMSegInferencer, photo: Path) -> None:
    session = unsure(ask(inferencer, photo, ['street']))
    scores = session.class_maps[0].scores
    least = float(np.median(scores))
    (layer,) = layers(session, Choices(least_score=least), found(session, Choices(least_score=least)))
    assert np.array_equal(layer.ids > 0, scores >= least)
    assert np.array_equal(layer.scores, np.where(scores >= least, scores, 0))
    nothing = Choices(least_score=1.0)
    assert layers(session, nothing, found(session, nothing))[0].entries == ()


def test_what_is_said_of_a_pixel_is_what_its_layers_show(inferencer: LMSegInferencer, photo: Path) -> None:
    session = ask(inferencer, photo, ['street', 'facade'])
    shown = layers(session, Choices(), found(session, Choices()))
    for row, column in ((0, 0), (20, 33), (47, 79)):
        said = said_of_pixel(session, row, column, most=1)
        assert [one.space for one in said] == ['street', 'facade']
        for layer, one in zip(shown, said, strict=True):
            assert layer.entries[layer.ids[row, column] - 1].name == one.name
            assert layer.scores[row, column] == pytest.approx(one.score, abs=1e-5)
            assert layer.queries[row, column] == one.query  # a small picture has provenance at its own grid


def test_the_score_of_a_pixel_is_the_sum_over_the_queries(inferencer: LMSegInferencer, photo: Path) -> None:
    session = unsure(ask(inferencer, photo, ['street']))
    (own,) = session.predictions
    masks = session.view.maps(own.mask_logits, torch.float32).read(range(7, 8), range(9, 10)).flatten().sigmoid()
    best = said_of_pixel(session, 7, 9, most=1)[0]
    assert best.score == pytest.approx(float((masks @ own.classes[:, :-1]).max()), abs=1e-5)
    assert best.mask == pytest.approx(float(masks[best.query]))


def test_a_pixel_outside_is_an_error(inferencer: LMSegInferencer, photo: Path) -> None:
    session = ask(inferencer, photo, ['street'])
    with pytest.raises(IndexError, match='48'):
        said_of_pixel(session, 48, 0)


def test_a_smaller_picture_is_the_same_answer(inferencer: LMSegInferencer, photo: Path) -> None:
    session = ask(inferencer, photo, ['street'])
    small = session.within(20)
    assert (small.size, small.picture.shape) == ((12, 20), (12, 20, 3))
    assert small.predictions is session.predictions
    assert session.shown is session
    agree = small.class_maps[0].labels == session.class_maps[0].labels[2::4, 2::4]
    assert agree.mean() > 0.9


def test_united_segments_name_each_other(inferencer: LMSegInferencer, photo: Path) -> None:
    session = ask(inferencer, photo, ['street'], 'sky, building, tree, road, car')
    choices = Choices('segments', thresholds=ALL)
    first, second = layers(session, choices, found(session, choices))
    named = {entry.name: entry.also for entry in first.entries}
    united = [entry for entry in second.entries if entry.also]
    assert united
    assert all(f'custom:{entry.name}' in named[entry.name] for entry in united)


def test_things_only_models_show_segments(inferencer: LMSegInferencer, photo: Path) -> None:
    inferencer.model.decode_head.things_only = True
    session = ask(inferencer, photo, ['street'])
    with pytest.raises(OptionError, match='things only'):
        found(session, Choices())
    assert found(session, Choices('segments', thresholds=ALL)) is not None


def test_nothing_asked_is_refused(inferencer: LMSegInferencer, photo: Path) -> None:
    with pytest.raises(LabelSpaceError, match='Choose at least one label space'):
        ask(inferencer, photo, [], ' ')
