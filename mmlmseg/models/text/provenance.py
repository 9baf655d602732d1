"""What a checkpoint records about its text table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from torch import Tensor

from ...checkpoint import pack, unpack
from ...errors import CheckpointError
from .bank import TextSource


@dataclass(frozen=True)
class TableProvenance:
    """What the rows of a saved text table are.

    Attributes:
        source: What made the embeddings behind them.
        names: The vocabulary, in the order of the rows; the no-object row follows.
    """

    source: TextSource
    names: tuple[str, ...]

    def pack(self) -> Tensor:
        """As a tensor, see :mod:`mmlmseg.checkpoint`."""
        return pack({'source': asdict(self.source), 'names': self.names})

    @classmethod
    def unpack(cls, packed: Tensor) -> TableProvenance:
        """The inverse of :meth:`pack`.

        Raises:
            CheckpointError: Where the bytes are something else.
        """
        try:
            data = unpack(packed)
            return cls(TextSource(**data['source']), tuple(data['names']))
        except (CheckpointError, TypeError, KeyError) as error:
            raise CheckpointError(
                f'the provenance of the text table in the checkpoint cannot be read: {error}'
            ) from None


def read_provenance(state_dict: Mapping[str, Tensor]) -> TableProvenance | None:
    """Finds the text table's provenance in the state dict of a model, or of the table; None where there is no table."""
    for key in state_dict:
        if key.endswith('_extra_state') and key.removesuffix('_extra_state') + 'table' in state_dict:
            return TableProvenance.unpack(state_dict[key])
    return None
