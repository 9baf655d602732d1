"""What a class takes, and what is said of an argument that it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from mmengine.registry import build_from_cfg

from mmlmseg.arguments import check_arguments, keys_of, mistake_of_config, options_of
from mmlmseg.errors import OptionError
from mmlmseg.registry import DATASETS, MODELS


class Base:
    def __init__(self, width: int, depth: int = 1) -> None: ...


class Open(Base):
    def __init__(self, colour: str, **kwargs: Any) -> None:
        self.kept = kwargs.pop('kept', None)
        super().__init__(**kwargs)


class Anything:
    def __init__(self, **kwargs: Any) -> None: ...


@dataclass
class Options:
    size: int
    overlap: int = 0

    def __post_init__(self) -> None:
        self.size + 1


def test_keywords_stand_for_what_the_base_takes_and_what_is_popped() -> None:
    assert keys_of(Base) == ['width', 'depth']
    assert keys_of(Open) == ['colour', 'width', 'depth']
    assert keys_of(Anything) is None
    check_arguments(dict(type=Open, colour='red', kept=3, depth=2), MODELS)
    with pytest.raises(OptionError, match=r"Open: unknown key 'color'\. Did you mean: colour\?"):
        check_arguments(dict(type=Open, color='red'), MODELS)


def test_options_are_checked_by_key_and_value() -> None:
    assert options_of(Options, dict(size=3), 'tiles') == Options(3)
    for given, message in (
        (dict(size=3, overlaps=1), r"tiles: unknown key 'overlaps'\. Did you mean: overlap\?"),
        (dict(overlap=1), 'tiles = .*size'),
        (dict(size='3'), 'tiles = '),
        ([3], r'tiles is \[3\]; write a dict of size, overlap'),
    ):
        with pytest.raises(OptionError, match=message):
            options_of(Options, given, 'tiles')


@pytest.mark.parametrize('registry', [MODELS, DATASETS])
def test_an_unknown_type_is_named_with_its_neighbours(registry: Any) -> None:
    with pytest.raises(OptionError, match=f"no {registry.name} 'mmlmseg.MultiSpaceSegmenter'"):
        registry.build(dict(type='mmlmseg.MultiSpaceSegmenter'))


def test_what_mmengine_says_of_a_config_is_told_from_mistakes_in_code() -> None:
    unknown = KeyError('ReLuu is not in the mmseg::model registry. Please check whether')
    assert (
        mistake_of_config(unknown)
        == "'ReLuu' is not in the registry mmseg::model: check how the type is written in the config"
    )
    with pytest.raises(TypeError) as caught:
        build_from_cfg(dict(type=Base, widht=3), MODELS)
    assert mistake_of_config(caught.value) == "Base takes no 'widht'; take it out of the config"
    with pytest.raises(TypeError) as caught:
        Base(widht=3)  # type: ignore[call-arg]
    assert mistake_of_config(caught.value) is None
    assert mistake_of_config(KeyError('a')) is None
    assert mistake_of_config(TypeError('unsupported operand')) is None


def test_options_that_do_not_go_on_to_a_base_class_may_be_any() -> None:
    class Base:
        def __init__(self, width: int) -> None: ...

    class HandsOn(Base):
        def __init__(self, depth: int, **kwargs: int) -> None:
            super().__init__(**kwargs)

    class KeepsThem(Base):
        def __init__(self, depth: int, **kwargs: int) -> None:
            super().__init__(1)
            self.others = dict(**kwargs)

    assert keys_of(HandsOn) == ['depth', 'width']
    assert keys_of(KeepsThem) is None
