from __future__ import annotations

import copy
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from mmengine.hooks import EMAHook
from mmengine.model import ExponentialMovingAverage
from mmengine.runner.checkpoint import load_state_dict, weights_to_cpu
from torch import nn

from mmlmseg.errors import CheckpointError, LabelSpaceError, TextBankError
from mmlmseg.label_space import LabelSpace, LabelSpaces
from mmlmseg.models.text import TextBank, TextTable
from mmlmseg.models.text.adapter import TextAdapter
from mmlmseg.models.text.table import FREE_ROWS
from mmlmseg.registry import MODELS

STREET = LabelSpace.create('street', ['sky', 'Building', 'tree', 'background'])
FACADE = LabelSpace.create('facade', ['wall', 'building'])
FREE = LabelSpace.create('mine', ['motorbike', 'sky'])
BANK: dict[str, Any] = dict(type='mmlmseg.TextBankEncoder')


def build(encoder: dict[str, Any] = BANK, spaces: tuple[LabelSpace, ...] = (STREET, FACADE)) -> TextTable:
    table = MODELS.build(dict(type='mmlmseg.TextTable', label_spaces=LabelSpaces(spaces), encoder=encoder, channels=16))
    return table.train()


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint file makes of a state dict."""
    file = io.BytesIO()
    torch.save(weights_to_cpu(state), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def step(table: nn.Module) -> None:
    """Changes all parameters, as a training step does."""
    with torch.no_grad():
        for parameter in table.parameters():
            parameter.add_(torch.randn_like(parameter))


@pytest.fixture(params=['bank', 'tower'])
def encoder(request: pytest.FixtureRequest, tiny_clip: str) -> dict[str, Any]:
    return BANK if request.param == 'bank' else dict(type='mmlmseg.OpenClipText', model=tiny_clip)


@pytest.mark.parametrize('training', [True, False])
def test_rows_follow_the_space_of_each_sample(encoder: dict[str, Any], training: bool) -> None:
    table = build(encoder).train(training)
    asked = table.categories(['facade', 'street', 'facade'])
    assert asked.spaces == ('facade', 'street', 'facade')
    assert asked.rows is not None
    assert asked.rows.shape == (3, 5, 16)
    assert asked.valid.tolist() == [[True, True, False, False, True], [True] * 5, [True, True, False, False, True]]
    assert (asked.rows[~asked.valid] == 0).all()
    assert (asked.rows[asked.valid].abs().sum(-1) > 0).all()
    torch.testing.assert_close(asked.rows[0], asked.rows[2])
    torch.testing.assert_close(asked.rows[0, 1], asked.rows[1, 1])  # building
    torch.testing.assert_close(asked.rows[0, -1], asked.rows[1, -1])  # no-object
    alone = table.categories(['facade'], width=3)
    assert alone.rows is not None
    assert alone.rows.shape == (1, 4, 16)
    torch.testing.assert_close(alone.rows[0, [0, 1, 3]], asked.rows[0, [0, 1, 4]])


def test_no_object_differs_from_a_class_named_background() -> None:
    rows = build().categories(['street']).rows
    assert rows is not None
    assert (rows[0, 3] - rows[0, 4]).norm() > 0.5


def test_all_learned_parts_get_gradient(encoder: dict[str, Any]) -> None:
    table = build(encoder)
    rows = table.categories(['facade']).rows
    assert rows is not None
    rows.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in table.parameters())


def test_centring_starts_the_vocabulary_around_zero(encoder: dict[str, Any]) -> None:
    table = build(encoder)
    table.init_weights()
    rows = table.state_dict()['table'][:-1]
    torch.testing.assert_close(rows.mean(0), torch.zeros(16), atol=1e-4, rtol=0)


def test_evaluation_computes_once_until_the_parameters_may_have_changed(
    encoder: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = build(encoder).eval()
    calls: list[tuple[str, ...]] = []
    encode = table.encoder.encode
    monkeypatch.setattr(
        table.encoder, 'encode', lambda names, device: calls.append(tuple(names)) or encode(names, device)
    )
    for _ in range(3):
        before = table.categories(['street', 'facade']).rows
        table.categories([FREE])
    assert calls == [(*table.label_spaces.vocabulary, 'background'), ('motorbike', 'background')]
    assert before is not None
    assert not before.requires_grad
    step(table)
    table.eval()
    after = table.categories(['street', 'facade']).rows
    assert after is not None
    assert not torch.allclose(before, after)
    assert len(calls) == 3


def test_rows_of_free_lists_stay_few(encoder: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    table = build(encoder).eval()
    monkeypatch.setattr('mmlmseg.models.text.table.FREE_ROWS', 7)
    known = TextBank.load('minilm').names[:60]
    lists = [LabelSpace.create(f'mine{i}', [*known[i : i + 3], 'sky']) for i in range(0, 60, 3)]
    lists += [LabelSpace.create('many', known[:30]), *lists[-2:]]  # more than are kept
    twin = copy.deepcopy(table)
    before = table.categories(['street', 'facade']).rows
    for space in lists:
        twin._kept = None
        torch.testing.assert_close(table.categories([space]).rows, twin.categories([space]).rows)
        assert table._kept is not None
        assert len(table._kept.rows) <= len(table.table) + 7
        assert set(table._kept.position.values()) == set(range(len(table._kept.rows))) - {len(table.table) - 1}
        assert torch.equal(table.categories(['street', 'facade']).rows, before)
    assert torch.equal(table.state_dict()['table'], table._vocabulary().rows[: len(table.table)])


def test_a_server_of_many_lists_keeps_its_size() -> None:
    table = build().eval()
    known = TextBank.load('minilm').names
    assert len(known) > FREE_ROWS
    for i in range(0, len(known) - 4, 4):
        table.categories([LabelSpace.create('mine', known[i : i + 4])])
        assert table._kept is not None
        assert len(table._kept.rows) <= len(table.table) + FREE_ROWS


def test_a_free_list_mixes_with_named_spaces(encoder: dict[str, Any]) -> None:
    table = build(encoder).eval()
    mixed = table.categories([FREE, 'street'])
    named = table.categories(['street'])
    assert mixed.rows is not None
    assert named.rows is not None
    assert mixed.spaces == ('mine', 'street')
    torch.testing.assert_close(mixed.rows[0, 1], named.rows[0, 0])  # sky
    torch.testing.assert_close(mixed.rows[1], named.rows[0])


def test_bad_requests() -> None:
    table = build()
    with pytest.raises(LabelSpaceError, match='unknown label space'):
        table.categories(['stret'])
    with pytest.raises(ValueError, match='3 columns cannot hold a label space of 4 classes'):
        table.categories(['street'], width=3)
    with pytest.raises(TextBankError, match=r"class name 'motorbikee'.*motorbike"):
        table.eval().categories([LabelSpace.create('mine', ['motorbikee'])])


def test_a_checkpoint_serves_its_spaces_without_tower_or_bank(tiny_clip: str, tmp_path: Path) -> None:
    bank = tmp_path / 'bank.safetensors'
    TextBank.load('minilm').save(bank)
    present = (dict(type='mmlmseg.TextBankEncoder', bank=str(bank)), dict(type='mmlmseg.OpenClipText', model=tiny_clip))
    absent = (
        dict(type='mmlmseg.TextBankEncoder', bank='absent.safetensors'),
        dict(type='mmlmseg.OpenClipText', model=tiny_clip, pretrained='absent.pt'),
    )
    for with_file, without in zip(present, absent, strict=True):
        trained = build(with_file)
        trained.init_weights()
        step(trained)
        state = through_a_file(trained.state_dict())
        assert not any('tower' in key or 'bank' in key for key in state)
        loaded = build(without)
        loaded.expect(trained.source)  # as the segmentor does, which reads the record first
        loaded.load_state_dict(state)
        for table in (trained, loaded):
            table.eval()
        ours, theirs = loaded.categories(['street', 'facade']), trained.categories(['street', 'facade'])
        torch.testing.assert_close(ours.rows, theirs.rows)
        assert loaded.categories([LabelSpace.create('known', ['wall', 'sky'])]).rows is not None
        with pytest.raises((TextBankError, CheckpointError), match='absent'):
            loaded.categories([FREE])
        again = through_a_file(loaded.state_dict())  # publishing needs neither
        assert all(torch.equal(again[key], state[key]) for key in state)
        with pytest.raises((TextBankError, CheckpointError), match='absent'):
            loaded.train().categories(['street'])


def test_a_missing_bank_leaves_the_adapter_to_the_checkpoint() -> None:
    trained = build()
    table = build(dict(type='mmlmseg.TextBankEncoder', bank='absent.safetensors')).double()
    assert table.adapter is None
    table.expect(trained.source)
    assert {*dict(table.named_parameters()), 'table'} == set(trained.state_dict())
    adapter = table.adapter
    assert adapter is not None
    assert (adapter.in_features, adapter.weight.dtype) == (384, torch.float64)
    table.expect(trained.source)
    assert table.adapter is adapter


def test_training_goes_on_from_the_encoder(encoder: dict[str, Any]) -> None:
    trained = build(encoder)
    step(trained)
    resumed = build(encoder)
    resumed.load_state_dict(trained.state_dict())
    with torch.no_grad():
        resumed.table.zero_()  # a saved table is of no use any more
    rows = resumed.categories(['street']).rows
    expected = trained.categories(['street']).rows
    assert rows is not None
    assert rows.requires_grad
    torch.testing.assert_close(rows, expected)
    step(resumed)
    fresh = resumed.categories(['street']).rows
    cached = resumed.eval().categories(['street']).rows
    assert fresh is not None
    assert cached is not None
    torch.testing.assert_close(cached, fresh.detach())


def test_loads_as_mmengine_loads(encoder: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    trained = nn.ModuleDict(dict(text=build(encoder)))
    loaded = nn.ModuleDict(dict(text=build(encoder)))
    load_state_dict(loaded, through_a_file(trained.state_dict()), strict=True)
    assert torch.equal(loaded['text'].no_object, trained['text'].no_object)


def test_another_text_encoder_than_the_checkpoints_is_refused(tiny_clip: str) -> None:
    with pytest.raises(TextBankError, match=r'encoder is .*open_clip.*trained with .*MiniLM'):
        build(dict(type='mmlmseg.OpenClipText', model=tiny_clip)).expect(build().source)


@pytest.mark.parametrize('update_buffers', [False, True])
def test_averaged_weights_carry_their_own_table(encoder: dict[str, Any], update_buffers: bool) -> None:
    model = nn.ModuleDict(dict(text=build(encoder)))
    average = ExponentialMovingAverage(model, momentum=0.1, update_buffers=update_buffers)
    for _ in range(3):
        step(model)
        average.update_parameters(model)
    expected = {}
    for name, table in (('model', model['text']), ('average', average.module['text'])):
        expected[name] = copy.deepcopy(table).eval().categories(['street', 'facade']).rows
    assert not torch.allclose(expected['model'], expected['average'])

    checkpoint = {'state_dict': model.state_dict(), 'ema_state_dict': average.state_dict()}
    EMAHook()._swap_ema_state_dict(checkpoint)  # what the hook does before saving
    checkpoint = {key: through_a_file(state) for key, state in checkpoint.items()}
    served = nn.ModuleDict(dict(text=build(encoder)))
    load_state_dict(served, checkpoint['state_dict'], strict=True)
    torch.testing.assert_close(served['text'].eval().categories(['street', 'facade']).rows, expected['average'])

    # Swapped in place for a validation, as the hook does, and back.
    hook = EMAHook()
    hook.src_model, hook.ema_model = model, average
    model.eval()
    model['text'].categories(['street'])
    for name in ('average', 'model'):
        hook._swap_ema_parameters()
        model.eval()
        torch.testing.assert_close(model['text'].categories(['street', 'facade']).rows, expected[name])


def test_a_loaded_table_is_dropped_when_other_weights_are_swapped_in() -> None:
    source, other = build(), build()
    step(other)
    loaded = build()
    loaded.load_state_dict(source.state_dict())
    loaded.eval().categories(['street'])
    for mine, theirs in zip(loaded.parameters(), other.parameters(), strict=True):
        mine.data.copy_(theirs.data)
    loaded.eval()
    torch.testing.assert_close(loaded.categories(['street']).rows, other.eval().categories(['street']).rows)


def test_follows_its_model_in_precision() -> None:
    table = build().double()
    rows = table.categories(['street']).rows
    assert rows is not None
    assert rows.dtype == torch.float64
    loaded = build()
    loaded.load_state_dict(table.state_dict())
    assert loaded.double().eval().categories(['street']).rows is not None


def test_synonyms_are_sampled_in_training_only(encoder: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    space = LabelSpace.create('street', ['car', 'tree'], synonyms={'car': ['automobile'], 'tree': ['trees']})
    table = MODELS.build(
        dict(
            type='mmlmseg.TextTable',
            label_spaces=LabelSpaces([space, FACADE]),
            encoder=encoder,
            channels=16,
            sample_synonyms=True,
        )
    ).train()
    table.init_weights()
    asked = []
    encode = table.encoder.encode
    monkeypatch.setattr(
        table.encoder, 'encode', lambda names, device: asked.append(tuple(names)) or encode(names, device)
    )
    for _ in range(40):
        rows = table.categories(['street', 'facade', 'street']).rows
        assert rows is not None
        assert torch.equal(rows[0], rows[2])  # one draw a step, encoded in one call
        names = asked[-1]
        assert names[2:] == ('wall', 'building', 'background')
        torch.testing.assert_close(rows[0, :2], table.rows(names[:2])[:2])
        asked.pop()
    assert {names[:2] for names in asked} == {
        ('car', 'tree'), ('car', 'trees'), ('automobile', 'tree'), ('automobile', 'trees'),
    }  # fmt: skip
    table.eval()
    for _ in range(5):
        table.categories(['street'])
        assert asked[-1] == (*table.label_spaces.vocabulary, 'background')
    plain = build(encoder, (space, FACADE))
    plain.load_state_dict(table.state_dict())  # the option is no part of the weights
    torch.testing.assert_close(plain.eval().categories(['street']).rows, table.categories(['street']).rows)


def test_synonyms_that_cannot_be_sampled_stop_the_training_early() -> None:
    def start(synonyms: dict[str, list[str]]) -> None:
        spaces = LabelSpaces([LabelSpace.create('street', ['car', 'tree'], synonyms=synonyms)])
        TextTable(spaces, BANK, 16, sample_synonyms=True).init_weights()

    start({'car': ['automobile']})
    with pytest.raises(TextBankError, match="'automobilly'"):
        start({'car': ['automobilly']})
    with pytest.raises(LabelSpaceError, match='synonyms shall be sampled'):
        start({})


def test_the_lexicon_gives_synonyms_that_the_bank_holds() -> None:
    spaces = LabelSpaces([LabelSpace.create('street', ['road', 'bush'])])
    table = TextTable(spaces, BANK, 16, sample_synonyms='lexicon').train()
    table.init_weights()
    bank = TextBank.load('minilm')
    road, bush = table.choices(spaces[0])
    assert {'street', 'roadway'} <= set(road[1:])
    assert {'shrub', 'bushes'} <= set(bush[1:])
    assert all(name in bank for name in (*road, *bush))
    assert 'asphalt road' not in bank  # which the lexicon knows
    table.categories(['street'])
    with pytest.raises(LabelSpaceError, match='synonyms shall be sampled'):
        TextTable(LabelSpaces([LabelSpace.create('s', ['wizard'])]), BANK, 16, sample_synonyms='lexicon').init_weights()


def test_synonyms_are_averaged(encoder: dict[str, Any]) -> None:
    space = LabelSpace.create('street', ['car', 'tree'], synonyms={'car': ['automobile']})
    table = MODELS.build(
        dict(
            type='mmlmseg.TextTable',
            label_spaces=LabelSpaces([space, FACADE]),
            encoder=encoder,
            channels=16,
            average_synonyms=True,
        )
    )
    table.init_weights()
    device = table.no_object.device
    mean = F.normalize(table.encoder.encode(['car', 'automobile'], device).mean(0), dim=0)
    for training in (True, False):
        rows = table.train(training).categories(['street', 'facade']).rows
        assert rows is not None
        torch.testing.assert_close(rows[0, 0], table.adapter(mean[None])[0])
        torch.testing.assert_close(rows[1, :2], table.rows(['wall', 'building'])[:2])
    typed = LabelSpace.create('custom', ['car, automobile', 'car park'])
    asked = table.categories([typed]).rows
    assert asked is not None
    torch.testing.assert_close(asked[0, 0], rows[0, 0])
    again = MODELS.build(
        dict(
            type='mmlmseg.TextTable',
            label_spaces=LabelSpaces([space, FACADE]),
            encoder=encoder,
            channels=16,
            average_synonyms=True,
        )
    )
    again.load_state_dict(through_a_file(table.state_dict()))
    torch.testing.assert_close(again.eval().categories(['street']).rows, table.categories(['street']).rows)


def test_definitions_and_templates_are_read_by_a_tower(tiny_clip: str) -> None:
    space = LabelSpace.create('street', ['car', 'person'], definitions={'person': 'a human being, on foot'})
    table = TextTable(
        LabelSpaces([space, FACADE]),
        dict(type='mmlmseg.OpenClipText', model=tiny_clip, template='photo: {name}'),
        16,
        read='both',
        templates=dict(facade='a house with a {name}'),
    )
    table.init_weights()
    asked = []
    tokenise = table.encoder.tower.tokenise
    table.encoder.tower.tokenise = lambda text: asked.append(text) or tokenise(text)  # type: ignore[method-assign]
    table.encoder._tokens.clear()
    typed = LabelSpace.create('custom', ['tree'], definitions={'tree': 'a tall plant'})
    rows = table.eval().categories(['street', 'facade', typed]).rows
    assert rows is not None
    assert set(asked) == {
        'photo: car',
        'photo: person: a human being, on foot',
        'photo: a house with a wall',
        'photo: a house with a building',
        'photo: tree: a tall plant',
        'photo: background',
    }


def cosines(rows: torch.Tensor) -> torch.Tensor:
    """The cosines of all pairs."""
    rows = F.normalize(rows, dim=-1)
    return (rows @ rows.T)[~torch.eye(len(rows), dtype=torch.bool)]


def test_names_start_well_apart() -> None:
    embeddings = F.normalize(
        TextBank.load('minilm').rows(
            [
                'sky',
                'building',
                'pole',
                'road',
                'pavement',
                'tree',
                'sign symbol',
                'fence',
                'car',
                'pedestrian',
                'bicyclist',
            ]
        ),
        dim=-1,
    )
    adapter = TextAdapter(384, 128)
    adapter.centre_(embeddings)
    rows = adapter(embeddings).detach()
    assert cosines(rows).mean().abs() < 0.15 < 0.4 < cosines(embeddings).mean()
    assert cosines(rows).std() > 0.12 > 3 * cosines(torch.nn.Linear(384, 128)(embeddings).detach()).std() / 2
    torch.testing.assert_close(rows.mean(0), torch.zeros(128), atol=1e-4, rtol=0)
    assert 0.4 < rows.std() < 1.5


def test_an_adapter_keeps_full_precision_under_autocast() -> None:
    adapter = TextAdapter(8, 4)
    embeddings = F.normalize(torch.randn(3, 8), dim=-1)
    with torch.autocast('cpu', torch.bfloat16):
        rows = adapter(embeddings)
    assert rows.dtype == torch.float32
    assert torch.equal(rows, adapter(embeddings))
    assert adapter.double()(embeddings).dtype == torch.float64


def test_an_adapter_may_have_more_channels_than_width() -> None:
    embeddings = F.normalize(torch.randn(5, 8), dim=-1)
    torch.testing.assert_close(cosines(TextAdapter(8, 32)(embeddings)), cosines(embeddings))


@pytest.mark.slow
def test_importing_needs_no_open_clip() -> None:
    code = "import sys, mmlmseg, mmlmseg.models.text, mmlmseg.models.backbones; sys.exit('open_clip' in sys.modules)"
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0
