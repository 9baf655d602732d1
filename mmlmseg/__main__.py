"""The command ``mmlmseg``: runs a script of ``tools/`` by its name, ``mmlmseg doctor data/streets``."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from .errors import did_you_mean

COMMANDS = {
    'doctor': 'look at datasets: all that is wrong with them, before a training',
    'audit': 'compare label spaces: classes that are the same, inside each other, or clash',
    'train': 'train a model',
    'test': 'evaluate a model',
    'infer': 'segment images',
    'export': 'write a model as ONNX or for torch.export',
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; returns its exit status."""
    command, *rest = [*(sys.argv[1:] if argv is None else argv), ''][:-1] or ['--help']
    if command in ('-h', '--help'):
        print('usage: mmlmseg COMMAND ...   (mmlmseg COMMAND --help says more)\n')
        print('\n'.join(f'  {name:8}{what}' for name, what in COMMANDS.items()))
        return 0
    if command not in COMMANDS:
        print(
            f'error: mmlmseg has no command {command!r}: {", ".join(COMMANDS)}.{did_you_mean(command, COMMANDS)}',
            file=sys.stderr,
        )
        return 2
    script = tools_folder() / f'{command}.py'
    sys.path.insert(0, str(script.parent))  # as where a script is run by its file: it finds what lies beside it
    sys.argv = [f'mmlmseg {command}', *rest]
    runpy.run_path(str(script), run_name='__main__')
    return 0


def tools_folder() -> Path:
    """Where the scripts are: in an installed package below ``.mim``, in a checkout beside the package."""
    package = Path(__file__).resolve().parent
    packaged = package / '.mim' / 'tools'
    return packaged if packaged.is_dir() else package.parent / 'tools'


if __name__ == '__main__':
    sys.exit(main())
