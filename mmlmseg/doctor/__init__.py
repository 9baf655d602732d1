"""Looks at datasets before a training does: everything is read once, all that is wrong is told together."""

from .building import Source
from .examination import Examination, examine
from .findings import KINDS, SEVERITIES, Case, Finding
from .report_html import html_report
from .report_json import json_report
from .sources import sources_of

__all__ = [
    'KINDS',
    'SEVERITIES',
    'Case',
    'Examination',
    'Finding',
    'Source',
    'examine',
    'html_report',
    'json_report',
    'sources_of',
]
