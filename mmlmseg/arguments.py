"""What a class takes, and what a config gives it: unknown types and keys are named, with what was meant instead."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import textwrap
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mmengine.registry import Registry

from .errors import OptionError, did_you_mean

T = TypeVar('T')

_NO_SUCH_TYPE = re.compile(r'(\S+) is not in the (.+?) registry')
_OTHER_PACKAGES = ('mmpretrain',)  # of OpenMMLab, that are imported as a config names a type of theirs
_NO_SUCH_KEY = re.compile(r"(\S+)\(\) got an unexpected keyword argument '(\w+)'")


def check_keys(given: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Refuses an unknown key of a dict of options.

    Args:
        given: The options.
        known: The keys that are obeyed.
        where: What the error calls the dict: its place in the config, or the class that takes it.

    Raises:
        OptionError: Naming the first unknown key, the nearest known ones and all that there are.

    Example:
        >>> check_keys(dict(task=['panoptic']), ['tasks', 'tiles'], 'test_cfg')
        Traceback (most recent call last):
        mmlmseg.errors.OptionError: test_cfg: unknown key 'task'. Did you mean: tasks? It takes: tasks, tiles
    """
    known = list(known)
    for key in given:
        if key not in known:
            raise OptionError(
                f'{where}: unknown key {key!r}.{did_you_mean(str(key), known)} It takes: {", ".join(known) or "none"}'
            )


def options_of(kind: type[T], given: Any, where: str) -> T:
    """Makes a dataclass of options from the dict that a config holds; an OptionError where it knows a key not."""
    if not isinstance(given, Mapping):
        raise OptionError(f'{where} is {given!r}; write a dict of {", ".join(keys_of(kind) or ())}')
    check_keys(given, keys_of(kind) or (), where)
    try:
        return kind(**given)
    except TypeError as error:  # a value of another type, or one that is missing
        raise OptionError(f'{where} = {dict(given)}: {error}') from None


def keys_of(kind: Any) -> list[str] | None:
    """The keys that a config may give to what is built from it; None where anything goes.

    ``**kwargs`` of a class stands for what its base classes take, where it goes on to them.
    """
    keys: list[str] = []
    for parameters, _ in _calls(kind):
        keys += [own.name for own in parameters if own.kind in (own.POSITIONAL_OR_KEYWORD, own.KEYWORD_ONLY)]
        if not _is_open(parameters):
            return [key for key in dict.fromkeys(keys) if key != 'self']
    return None


def required_keys(kind: Any) -> list[str]:
    """The keys that a config must give to what is built from it, where nothing else gives them."""
    for parameters, _ in _calls(kind):  # those of base classes may be given by the class
        named = [own for own in parameters if own.kind in (own.POSITIONAL_OR_KEYWORD, own.KEYWORD_ONLY)]
        return [own.name for own in named if own.default is own.empty and own.name != 'self']
    return []


def _calls(kind: Any) -> Iterator[tuple[list[inspect.Parameter], set[str]]]:
    """The parameters of a constructor, or function, and of those that its ``**kwargs`` may go on to.

    Beside each stand the words among its constants: what it takes out of its ``**kwargs`` by name is one of them.
    """
    calls = [kind]
    if inspect.isclass(kind):
        calls = [vars(base)['__init__'] for base in kind.__mro__ if '__init__' in vars(base)]
    for call in calls:
        try:
            parameters = list(inspect.signature(call).parameters.values())
        except (TypeError, ValueError):  # written in C
            return
        constants = getattr(getattr(inspect.unwrap(call), '__code__', None), 'co_consts', ())
        yield parameters, {word for word in constants if isinstance(word, str)}
        if not _is_open(parameters) or not _hands_on(call):
            return


def _hands_on(call: Any) -> bool:
    """Whether a constructor gives its ``**kwargs`` to that of its base class; that of timm's backbones does not."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(call)))
    except (OSError, TypeError, SyntaxError):
        return False
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == '__init__'
        and any(own.arg is None for own in node.keywords)
        for node in ast.walk(tree)
    )


def find_type(config: Mapping[str, Any], registry: Registry, where: str) -> Any:
    """The class, or function, that a config names.

    Raises:
        OptionError: Where the registry has none of this name, with the nearest that there are.
    """
    kind = config.get('type')
    if kind is None:
        raise OptionError(f'{where} has no type: it is built from a {registry.name}, and nothing tells which')
    if not isinstance(kind, str):
        return kind
    scope = kind.partition('.')[0] if '.' in kind else None
    if scope in _OTHER_PACKAGES:
        _import_scope(scope, f'{where}: {kind!r}')
    with registry.switch_scope_and_registry(config.get('_scope_')) as own:
        found = own.get(kind)
    if found is None:
        raise OptionError(f'{where}: there is no {registry.name} {kind!r}.{did_you_mean(kind, _names(registry))}')
    return found


def _import_scope(scope: str, what: str) -> None:
    """Imports a package of OpenMMLab whose types a config names, so that they are registered."""
    try:
        importlib.import_module(f'{scope}.models')
    except ImportError as error:
        absent = importlib.util.find_spec(scope) is None
        reason = 'which is not installed' if absent else f'which cannot be imported ({error})'
        raise OptionError(
            f'{what} is of the package {scope}, {reason}: install onedl-{scope} beside the onedl packages, or {scope} '
            'beside the original ones; many of its backbones are in timm as well, see mmlmseg.TimmBackbone'
        ) from None


def check_arguments(config: Mapping[str, Any], registry: Registry, where: str = '') -> None:
    """Refuses a config of something registered that names no such type, or gives it a key that it does not take."""
    if not isinstance(config, Mapping) or 'type' not in config:
        return
    kind = find_type(config, registry, where or str(config['type']))
    known = keys_of(kind)
    if known is not None:
        popped = set().union(*(words for parameters, words in _calls(kind) if _is_open(parameters)))
        given = {key: value for key, value in config.items() if key not in ('type', '_scope_', *popped)}
        check_keys(given, known, named(config, where))


def named(config: Mapping[str, Any], where: str) -> str:
    """What an error calls a config: its place, if it is known, and its type."""
    kind = config['type'] if isinstance(config['type'], str) else getattr(config['type'], '__name__', config['type'])
    return f'{where} ({kind})' if where else str(kind)


def _is_open(parameters: Sequence[inspect.Parameter]) -> bool:
    return any(own.kind is own.VAR_KEYWORD for own in parameters)


def _names(registry: Registry) -> list[str]:
    """What a config may call the types of a registry and its relatives."""
    registry.root.import_from_location()
    relatives = [registry.root, *registry.root.children.values()]
    plain = [name for one in relatives for name in one.module_dict]
    return [*plain, *(f'{one.scope}.{name}' for one in relatives[1:] for name in one.module_dict)]


def mistake_of_config(error: BaseException) -> str | None:
    """What mmengine's errors at building say of the config: an unknown type or key; None for any other error.

    It is for what cannot be looked through before it is built, such as the parts of other packages' modules. A call
    that is none of mmengine's or mmcv's is a mistake in code.
    """
    said = str(error.args[0]) if error.args else ''
    if isinstance(error, KeyError) and (found := _NO_SUCH_TYPE.match(said)):
        return f'{found[1]!r} is not in the registry {found[2]}: check how the type is written in the config'
    frames = traceback.extract_tb(error.__traceback__)
    builds = bool(frames) and not {'mmengine', 'mmcv'}.isdisjoint(Path(frames[-1].filename).parts)
    if isinstance(error, TypeError) and builds and (found := _NO_SUCH_KEY.match(said)):
        return f'{found[1].removesuffix(".__init__")} takes no {found[2]!r}; take it out of the config'
    return None
