"""Claims as a ``relations.yml`` that people look over: each pair with the reason behind it."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from .claims import RELATED, Claim

_HEAD = """# Relations between classes, as proposed by the audit. Look them over; delete what is wrong. Read by
# model.decode_head.relations (training) and test_cfg.mixed.relations (several label spaces at once).
"""


def relations_file(claims: Sequence[Claim]) -> str:
    """The text of the file; what a model doubts stands in it as comments, clashes do not."""
    parts = [_HEAD]
    for kind in RELATED:
        own = [claim for claim in claims if claim.kind == kind]
        if own:
            parts.append(f'{kind}:\n' if any(claim.verdict != 'doubted' for claim in own) else f'# {kind}:\n')
            parts += [_line(claim) for claim in own]
    return ''.join(parts)


def _line(claim: Claim) -> str:
    pair = yaml.safe_dump([str(claim.first), str(claim.second)], default_flow_style=True, width=10**6).strip()
    doubted = claim.verdict == 'doubted'
    return f'{"# " if doubted else ""}- {pair}  # {claim.verdict + ": " if claim.verdict else ""}{claim.why}\n'
