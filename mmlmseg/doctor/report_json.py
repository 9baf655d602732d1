"""The report as plain data: what ``--json`` writes, described in docs/doctor.md."""

from __future__ import annotations

from typing import Any

from .examination import Examination, Examined
from .findings import SEVERITIES, Finding

VERSION = 1
"""Of the form; a later one adds keys, and gets another number where it changes or drops one."""


def json_report(examination: Examination) -> dict[str, Any]:
    """All that was seen, as JSON can hold it."""
    findings = examination.findings
    return dict(
        version=VERSION,
        summary=dict(
            images=examination.images,
            seconds=round(examination.seconds, 3),
            **{f'{severity}s': sum(one.severity == severity for one in findings) for severity in SEVERITIES},
        ),
        datasets=[_dataset(one) for one in examination.examined],
        findings=[_finding(one) for one in findings],
    )


def _dataset(examined: Examined) -> dict[str, Any]:
    sizes = [sample.size for sample in examined.samples if sample.size is not None]
    sides = [[f(size[axis] for size in sizes) for axis in (0, 1)] for f in (min, max)] if sizes else None
    return dict(
        name=examined.source.name,
        split=examined.source.split,
        images=len(examined.samples),
        readable=len(sizes),
        sizes=sides,
        label_spaces=[
            dict(
                name=count.space.name,
                images=count.images,
                ignore_share=round(count.ignore_share, 6),
                objects=count.objects,
                crowds=count.crowds,
                classes=[dict(name=one.name, pixels=one.pixels, images=one.images) for one in count.classes],
            )
            for count in examined.counts
        ],
    )


def _finding(finding: Finding) -> dict[str, Any]:
    return dict(
        code=finding.code,
        severity=finding.severity,
        dataset=finding.dataset,
        title=finding.title,
        what=finding.what,
        advice=finding.advice,
        count=len(finding.cases),
        cases=[dict(what=case.what, files=list(case.files)) for case in finding.cases],
    )
