"""The audit as plain data: what ``--json`` writes, described in docs/audit.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..label_space import LabelSpace
from .claims import Claim

VERSION = 1
"""Of the form; a later one adds keys, and gets another number where it changes or drops one."""


def json_report(
    spaces: Sequence[LabelSpace], claims: Sequence[Claim], suggestions: Sequence[Claim] = ()
) -> dict[str, Any]:
    """All that was found, as JSON can hold it."""
    return dict(
        version=VERSION,
        label_spaces=[dict(name=space.name, classes=list(space.classes)) for space in spaces],
        claims=[_claim(claim) for claim in claims],
        suggestions=[_claim(claim) for claim in suggestions],
    )


def _claim(claim: Claim) -> dict[str, Any]:
    return dict(
        kind=claim.kind,
        first=str(claim.first),
        second=str(claim.second),
        why=claim.why,
        found=[None if share is None else round(share, 4) for share in claim.found],
        verdict=claim.verdict or None,
    )
