"""Text: encoders, banks, and the table of text rows."""

from .bank import TextBank, TextBankEncoder
from .encoder import TextEncoder
from .prompted import OpenClipText
from .table import TextTable

__all__ = ['OpenClipText', 'TextBank', 'TextBankEncoder', 'TextEncoder', 'TextTable']
