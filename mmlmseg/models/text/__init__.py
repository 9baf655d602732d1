"""Text: encoders, banks, and the table of text rows."""

from .bank import TextBank, TextBankEncoder
from .prompted import OpenClipText
from .table import TextEncoder, TextTable

__all__ = ['OpenClipText', 'TextBank', 'TextBankEncoder', 'TextEncoder', 'TextTable']
