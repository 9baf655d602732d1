"""What docs/training_options.md shows can be put behind a config, and its links lead somewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from mmlmseg.config import complete_label_spaces
from mmlmseg.datasets.presence import Presence
from mmlmseg.registry import DATA_SAMPLERS, MODELS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / 'docs' / f'{name}.md' for name in ('training_options', 'paper_tables')]
SHOWN = re.findall(r'```python\n(.*?)```', DOCUMENTS[0].read_text(encoding='utf-8'), re.DOTALL)
SPACES = dict(
    camvid11=['sky', 'road, route'], labelmefacade=['wall'], msrc_v2=['cow'], paris_artdeco=['door'], ccp=['hat', 'bag']
)


class Joined:
    """What a sampler asks of joined datasets."""

    names, sizes = list(SPACES), [4, 9, 16, 25, 36]
    presence = tuple(Presence(tuple(own), ((0,),) * size) for own, size in zip(SPACES.values(), sizes, strict=True))

    def __len__(self) -> int:
        return sum(self.sizes)


@pytest.mark.parametrize('shown', SHOWN)
def test_what_is_shown_builds(shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MMLMSEG_DATA', str(tmp_path))
    for name, classes in SPACES.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / 'classes.json').write_text(json.dumps(dict(classes=classes)))
    base = str(ROOT / 'configs' / 'lmseg' / 'lmseg_r18_clash5.py')
    (tmp_path / 'shown.py').write_text(f'_base_ = {base!r}\n{shown}')
    config = Config.fromfile(tmp_path / 'shown.py')
    complete_label_spaces(config)
    init_default_scope(config.default_scope)
    build_optim_wrapper(MODELS.build(config.model), config.optim_wrapper)
    sampler = DATA_SAMPLERS.build(config.train_dataloader.sampler, default_args=dict(dataset=Joined(), seed=0))
    assert sampler.batch_size in (None, config.train_dataloader.batch_size)
    if "ratio='power'" in shown:
        assert sampler.probabilities == tuple(n / 20 for n in (2, 3, 4, 5, 6))


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda path: path.stem)
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding='utf-8')
    for target, anchor in re.findall(r'\]\(([^)#]*)(?:#([^)]*))?\)', text):
        file = document.parent / target if target else document
        assert file.is_file(), target
        headings = re.findall(r'^#+ (.*)$', file.read_text(encoding='utf-8'), re.MULTILINE)
        anchors = [heading.lower().replace(',', '').replace(' ', '-') for heading in headings]
        assert not anchor or anchor in anchors, anchor
