"""Text: encoders, banks, and the table of text rows."""

from .bank import TextBank, TextSource
from .encoder import TextBankEncoder, TextEncoder
from .prompted import OpenClipText
from .table import TextTable

__all__ = ['OpenClipText', 'TextBank', 'TextBankEncoder', 'TextEncoder', 'TextSource', 'TextTable']
