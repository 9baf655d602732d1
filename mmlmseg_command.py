"""The command ``mmlmseg``: runs a script of ``tools/`` by its name, ``mmlmseg doctor data/streets``.

It stands beside the package and not in it, since importing the package takes seconds, and ``--help`` shall not.
"""

from __future__ import annotations

import runpy
import sys
import types
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent / 'mmlmseg'
# `some-name` runs tools/some_name.py.
COMMANDS = {
    'doctor': 'look at datasets: all that is wrong with them, before a training',
    'audit': 'compare label spaces: classes that are the same, inside each other, or clash',
    'plan': 'parameters, time and memory of a training, before it',
    'train': 'train a model',
    'test': 'evaluate a model, each dataset in its own label space',
    'cross-space': 'evaluate every dataset in every label space',
    'predict': 'segment images',
    'predict-geotiff': 'segment a GeoTIFF of any size',
    'demo-app': 'try a model in the browser',
    'export': 'write a model as ONNX or torch.export',
    'publish-model': 'make a checkpoint small, to share it',
    'convert-checkpoint': 'make a published MaskFormer or Mask2Former the start of a training',
    'add-label-space': 'add label spaces to a trained model, old answers unchanged',
    'join-models': 'put models of different label spaces together as one',
    'build-text-bank': 'make a text bank of class names',
    'build-text-rows': 'make the text rows of a class list, for an exported model',
    'demo': 'train, evaluate and predict on three small drawn datasets',
    'completion': 'print what completes commands and options in bash or zsh',
}
USAGE = 'usage: mmlmseg COMMAND ...   (mmlmseg COMMAND --help says more)'

# Options are those that the help of a command lists, so that no list of them can be out of date.
OPTIONS = r"sed -nE 's/^  (-([^ ]| [^ ])*).*/\1/p' | grep -oE -- '(^|, )--?[a-z][a-z_-]*' | tr -d ', '"
COMPLETION = {
    'bash': """\
# eval "$(mmlmseg completion bash)" in ~/.bashrc
_mmlmseg() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} words=
    if ((COMP_CWORD == 1)); then
        words='{commands}'
    elif [[ ${{COMP_WORDS[1]}} == completion ]]; then
        words='bash zsh'
    elif [[ $word == -* ]]; then
        words=$("${{COMP_WORDS[0]}}" "${{COMP_WORDS[1]}}" --help 2>/dev/null | {options})
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _mmlmseg mmlmseg
""",
    'zsh': """\
# eval "$(mmlmseg completion zsh)" in ~/.zshrc, behind compinit
_mmlmseg() {{
    if ((CURRENT == 2)); then
        compadd -- {commands}
    elif [[ $words[2] == completion ]]; then
        compadd -- bash zsh
    elif [[ $words[CURRENT] == -* ]]; then
        compadd -- ${{(f)"$("$words[1]" "$words[2]" --help 2>/dev/null | {options})"}}
    else
        _files
    fi
}}
compdef _mmlmseg mmlmseg
""",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; returns its exit status."""
    command, *rest = list(sys.argv[1:] if argv is None else argv) or ['--help']
    if command in ('-h', '--help'):
        print(USAGE, '', *(f'  {name:20}{what}' for name, what in COMMANDS.items()), sep='\n')
        return 0
    if command == '--version':
        print(runpy.run_path(str(PACKAGE / 'version.py'))['__version__'])
        return 0
    if command not in COMMANDS:
        near = [name for name in COMMANDS if command and name.startswith(command)]
        near = near or get_close_matches(command.lower(), COMMANDS, 1)
        meant = f' Did you mean: {", ".join(near)}?' if near else ''
        print(f'error: mmlmseg has no command {command!r}: {", ".join(COMMANDS)}.{meant}', file=sys.stderr)
        return 2
    if command == 'completion':
        return print_completion(rest)
    run(script_of(command), [f'mmlmseg {command}', *rest])
    return 0


def run(script: Path, argv: list[str]) -> None:
    """Runs a script as ``python SCRIPT`` does; its help calls it what was typed, which `runpy` does not allow."""
    sys.path.insert(0, str(script.parent))  # it finds what lies beside it
    sys.argv = argv
    main_module = types.ModuleType('__main__')
    main_module.__file__ = str(script)
    sys.modules['__main__'] = main_module  # where worker processes look for its functions
    exec(compile(script.read_bytes(), script, 'exec'), main_module.__dict__)


def print_completion(arguments: Sequence[str]) -> int:
    """``mmlmseg completion SHELL``."""
    if list(arguments) in (['-h'], ['--help']):
        print(
            f'usage: mmlmseg completion {{{",".join(COMPLETION)}}}   (eval "$(mmlmseg completion bash)" switches it on)'
        )
        return 0
    if len(arguments) != 1 or arguments[0] not in COMPLETION:
        given = ' '.join(arguments) or 'nothing'
        print(f'error: mmlmseg completion takes one of {", ".join(COMPLETION)}, not {given}', file=sys.stderr)
        return 2
    print(COMPLETION[arguments[0]].format(commands=' '.join(COMMANDS), options=OPTIONS), end='')
    return 0


def script_of(command: str) -> Path:
    """The script of a command: in a checkout beside this file, in an installed package below its ``.mim``."""
    packaged = PACKAGE / '.mim' / 'tools'
    return (packaged if packaged.is_dir() else PACKAGE.parent / 'tools') / f'{command.replace("-", "_")}.py'


if __name__ == '__main__':
    sys.exit(main())
