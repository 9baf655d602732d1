"""Likely donors, by names and by what they are read as."""

from __future__ import annotations

import torch

from mmlmseg.gains.donors import Donor, likely_donors
from mmlmseg.label_space import LabelSpace


def test_relations_go_before_likeness() -> None:
    spaces = [
        LabelSpace.create('street', ['car', 'building', 'sky']),
        LabelSpace.create('farm', ['automobile', 'barn', 'cow']),
        LabelSpace.create('facade', ['window', 'heaven']),
    ]
    width = torch.eye(4)
    near = torch.tensor([0.8, 0.6, 0.0, 0.0])
    found = likely_donors(spaces, dict(sky=width[0], heaven=near, cow=width[2], car=width[3]))
    assert found['street', 'car'] == [Donor('farm', 'automobile', 'same', None)]
    assert found['street', 'sky'] == [Donor('facade', 'heaven', 'alike', 0.8)]
    assert {donor.why for donor in found['street', 'building']} <= {'inside', 'part_of', 'clash'}
    assert found['farm', 'cow'] == []
