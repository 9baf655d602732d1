"""``python -m mmlmseg`` is the command ``mmlmseg``."""

from __future__ import annotations

import sys

from mmlmseg_command import main

if __name__ == '__main__':
    sys.exit(main())
