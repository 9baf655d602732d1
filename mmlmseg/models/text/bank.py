"""Text banks: saved embeddings of class names, with what made them, and the encoder that reads one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...checkpoint import TextSource
from ...errors import LabelSpaceError, TextBankError, did_you_mean, first_of, written
from ...names import name_key
from ...registry import MODELS
from .encoder import Shared, TextEncoder

FORMAT_VERSION = '1'
SHIPPED_BANK = 'minilm'
WAY_OUT = 'Make a bank that holds it with tools/build_text_bank.py'


class TextBank:
    """Embeddings of class names, looked up by normalised name (a hyphen counts as a space).

    Args:
        names: One name per embedding.
        embeddings: ``[n, width]``, kept as they are stored (a bank may be fp16).
        source: What made them.
        where: File or description, for messages.

    Raises:
        TextBankError: Where names and embeddings do not fit each other, a name occurs twice or a number is not finite.

    Example:
        >>> bank = TextBank(['tree'], torch.ones(1, 2), TextSource('toy', '{name}', 2, ''))
        >>> bank.rows(['Tree-other'])
        tensor([[1., 1.]])
    """

    def __init__(self, names: Sequence[str], embeddings: Tensor, source: TextSource, where: str = 'text bank') -> None:
        if embeddings.ndim != 2 or len(names) != embeddings.shape[0]:
            raise TextBankError(
                f'{where}: {len(names)} names for embeddings of shape {tuple(embeddings.shape)}; '
                'a bank needs one name per row'
            )
        if embeddings.shape[1] != source.width:
            raise TextBankError(f'{where}: embeddings of width {embeddings.shape[1]}, declared as {source.width}')
        if not embeddings.is_floating_point() or not torch.isfinite(embeddings).all():
            raise TextBankError(f'{where}: holds numbers that are not finite; build the bank again')
        if wrong := [name for name in names if not isinstance(name, str)]:
            raise TextBankError(f'{where}: {written(wrong[0])} is no name; build the bank again')
        if not embeddings.any(1).all():
            name = names[int((~embeddings.any(1)).nonzero()[0])]
            raise TextBankError(f'{where}: the embedding of {name!r} is zero; build the bank again')
        self.names = tuple(names)
        self.source = source
        self.where = where
        self._embeddings = embeddings
        self._row: dict[str, int] = {}
        for i, name in enumerate(self.names):
            if self._row.setdefault(_key(name), i) != i:
                raise TextBankError(f'{where}: holds the name {name!r} twice; remove one')

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: str) -> bool:
        return _key(name) in self._row

    def rows(self, names: Iterable[str]) -> Tensor:
        """Looks names up, normalised or not: float32 ``[len(names), width]`` as stored, not scaled to unit norm.

        Raises:
            TextBankError: Where names are missing; those near the first are named. Or where two have one embedding.
        """
        names = list(names)
        if missing := [name for name in names if name not in self]:
            near = did_you_mean(_key(missing[0]), self.names)
            if missing[1:]:
                near += f' Nor of: {first_of([*map(repr, missing[1:])], 10)}.'
            raise TextBankError(f'{self.where}: no embedding of the class name {missing[0]!r}.{near} {WAY_OUT}.')
        wanted = {_key(name): self._row[_key(name)] for name in names}
        if pair := equal_rows(self._embeddings[[*wanted.values()]]):
            first, second = ([*wanted][i] for i in pair)
            raise TextBankError(
                f'{self.where}: {first!r} and {second!r} have the same embedding, so that no model could tell them '
                'apart; build the bank again with an encoder that reads them'
            )
        return self._embeddings[[wanted[_key(name)] for name in names]].float()

    def save(self, path: str | Path) -> None:
        """Writes the bank: ``.safetensors`` with its provenance, or ``.npy`` and a ``.txt`` of names beside it."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == '.npy':
            np.save(path, self._embeddings.numpy())
            path.with_suffix('.txt').write_text('\n'.join(self.names) + '\n', encoding='utf-8')
            return
        from safetensors.torch import save_file

        metadata = {
            'format': FORMAT_VERSION,
            'encoder': self.source.encoder,
            'prompt': self.source.prompt,
            'weights': self.source.weights,
            'names': json.dumps(self.names, ensure_ascii=False),
        }
        save_file({'embeddings': self._embeddings.contiguous()}, str(path), metadata=metadata)

    @classmethod
    def load(cls, path: str | Path, names: str | Path | None = None) -> TextBank:
        """Reads a bank.

        Args:
            path: A ``.safetensors`` bank, or a ``.npy`` array ``[n, width]``; ``minilm`` is the shipped bank.
            names: The names of a ``.npy`` bank, one per line (``#`` starts a comment line); by default the ``.txt``
                file beside it.

        Raises:
            TextBankError: Where a file is missing or is no bank, or names are given to a bank that holds its own.
        """
        if names is not None and Path(path).suffix != '.npy':
            raise TextBankError(f'{path}: holds its own names; leave out {names}, which is for a .npy bank')
        if str(path) == SHIPPED_BANK:
            with resources.as_file(resources.files('mmlmseg') / 'assets' / 'text_bank_minilm.safetensors') as shipped:
                return cls._load_safetensors(shipped)
        path = Path(path)
        if not path.is_file():
            raise TextBankError(
                f'{path}: no such text bank; make one with tools/build_text_bank.py, '
                f'or use the shipped {SHIPPED_BANK!r}'
            )
        if path.suffix == '.npy':
            return cls._load_npy(path, Path(names) if names is not None else path.with_suffix('.txt'))
        return cls._load_safetensors(path)

    @classmethod
    def _load_safetensors(cls, path: Path) -> TextBank:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), framework='pt') as file:
                metadata = file.metadata() or {}
                embeddings = file.get_tensor('embeddings')
        except (SafetensorError, OSError) as error:
            raise TextBankError(f'{path}: not a text bank ({error}); build it with tools/build_text_bank.py') from None
        missing = {'format', 'encoder', 'prompt', 'weights', 'names'} - set(metadata)
        if missing or metadata['format'] != FORMAT_VERSION:
            what = f'lacks {", ".join(sorted(missing))}' if missing else f'has format {metadata["format"]!r}'
            raise TextBankError(f'{path}: {what}, expected a text bank of format {FORMAT_VERSION}; build it again')
        source = TextSource(metadata['encoder'], metadata['prompt'], embeddings.shape[-1], metadata['weights'])
        try:
            listed = json.loads(metadata['names'])
        except json.JSONDecodeError as error:
            raise TextBankError(f'{path}: its names are no JSON ({error}); build it again') from None
        if not isinstance(listed, list):
            raise TextBankError(f'{path}: its names are {written(listed)}, not a list; build it again')
        return cls(listed, embeddings, source, str(path))

    @classmethod
    def _load_npy(cls, path: Path, names: Path) -> TextBank:
        if not names.is_file():
            raise TextBankError(f'{names}: no such file; a .npy bank needs a text file with one class name per line')
        try:
            array = np.load(path, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise TextBankError(f'{path}: not a NumPy array ({error})') from None
        if array.dtype.kind != 'f' or array.ndim != 2:
            raise TextBankError(f'{path}: needs floats of shape [names, width], got {array.dtype} {array.shape}')
        # No provenance in the format: the file itself says what the numbers are.
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        source = TextSource(f'npy:{path.name}', '{name}', array.shape[1], digest)
        return cls(read_names(names), torch.from_numpy(array), source, str(path))


@MODELS.register_module()
class TextBankEncoder(TextEncoder):
    """Reads embeddings from a text bank. Nothing is learned: the rows are fixed, only the adapter behind them learns.

    Args:
        bank: The file of a bank; ``minilm`` is the shipped one (sentence embeddings, no CLIP).
        names: For a ``.npy`` bank, the file of its names, one per line; by default the ``.txt`` beside it.
    """

    of_names_alone = True

    def __init__(self, bank: str = SHIPPED_BANK, names: str | None = None) -> None:
        super().__init__()
        self.path, self.names_path = bank, names
        self._shared: Shared[TextBank] = Shared()

    @property
    def bank(self) -> TextBank:
        """The bank, read at first use."""
        if self._shared.value is None:
            self._shared.value = TextBank.load(self.path, self.names_path)
        return self._shared.value

    @property
    def width(self) -> int | None:
        if self.path != SHIPPED_BANK and not Path(self.path).is_file():
            return None  # a checkpoint serves its own label spaces without the bank's file
        return self.bank.source.width

    def source(self) -> TextSource:
        return self._checked(self.bank.source, self.bank.where)

    def can_read(self, name: str) -> bool:
        return name in self.bank

    def expect(self, source: TextSource) -> None:
        super().expect(source)
        if self.width is not None:
            self.source()

    def encode(self, names: Sequence[str], device: torch.device) -> Tensor:
        self.source()
        return F.normalize(self.bank.rows(names), dim=-1).to(device)


def read_names(path: str | Path) -> list[str]:
    """Reads a list of class names: one per line, empty lines and lines that start with ``#`` left out."""
    try:
        text = Path(path).read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise TextBankError(f'{path}: not UTF-8 text ({error}); save it as UTF-8, one class name per line') from None
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith('#')]


def equal_rows(embeddings: Tensor) -> tuple[int, int] | None:
    """The places of two equal rows of ``[n, width]``, on the host, if there are any."""
    seen: dict[bytes, int] = {}
    for place, row in enumerate(embeddings.float().numpy()):
        if (first := seen.setdefault(row.tobytes(), place)) != place:
            return first, place
    return None


def _key(name: str) -> str:
    try:
        return name_key(name)
    except LabelSpaceError as error:
        raise TextBankError(str(error)) from None
