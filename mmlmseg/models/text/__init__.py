"""Text: encoders, banks, and the table of text rows."""

from .bank import TextBank, TextSource
from .encoder import TextBankEncoder, TextEncoder
from .table import TextTable

__all__ = ['TextBank', 'TextBankEncoder', 'TextEncoder', 'TextSource', 'TextTable']
