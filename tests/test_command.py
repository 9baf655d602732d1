"""The command `mmlmseg`, which has to answer before anything heavy is imported."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mmlmseg_command as command
from mmlmseg.version import __version__

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize('name', sorted(set(command.COMMANDS) - {'completion'}))
def test_every_listed_command_has_its_script(name: str) -> None:
    assert command.script_of(name).is_file()


@pytest.mark.parametrize(
    ('arguments', 'status', 'words'),
    [
        (['--help'], 0, ['usage: mmlmseg', *command.COMMANDS]),
        ([], 0, ['usage: mmlmseg']),
        (['--version'], 0, [__version__]),
        (['docter'], 2, ["no command 'docter'", 'Did you mean: doctor?']),
        (['Train', 'config.py'], 2, ["no command 'Train'", 'Did you mean: train?']),
        (['convert'], 2, ["no command 'convert'", 'Did you mean: convert-checkpoint?']),
        (['add_label_space', '--help'], 2, ["no command 'add_label_space'", 'Did you mean: add-label-space?']),
        (['train.py'], 2, ["no command 'train.py'", 'Did you mean: train?']),
        (['pre'], 2, ['Did you mean: predict, predict-geotiff?']),
        ([''], 2, ["no command ''", 'train, test']),
        (['--config', 'config.py'], 2, ["no command '--config'", 'train, test']),
        (['configs/lmseg/lmseg_r18_clash5.py'], 2, ['no command', 'lmseg_r18_clash5.py', 'train, test']),
        (['completion'], 2, ['bash, zsh', 'nothing']),
        (['completion', 'bash', 'zsh'], 2, ['one of bash, zsh', 'not bash zsh']),
        (['completion', 'fish'], 2, ['bash, zsh', 'fish']),
        (['completion', '--help'], 0, ['usage: mmlmseg completion']),
        (['predict', '--help'], 0, ['usage: mmlmseg predict', '--label-spaces']),
        (['train'], 2, ['mmlmseg train: error', 'config']),
        (['train', 'config.py', '--iterations'], 2, ['mmlmseg train: error', '--iterations', 'expected one argument']),
        (['train', 'config.py', '--iterations', 'many'], 2, ['mmlmseg train: error', "invalid int value: 'many'"]),
        (['predict', 'config.py'], 2, ['mmlmseg predict: error', 'checkpoint']),
        (['predict', 'a', 'b'], 2, ['mmlmseg predict: error', 'at least one image']),
        (['doctor'], 2, ['mmlmseg doctor: error', 'folder of a dataset']),
        (['train', '--itterations', '3', 'config.py'], 2, ['mmlmseg train: error', '--itterations']),
    ],
    ids=lambda value: ' '.join(value) if isinstance(value, list) and len(value) < 3 else None,
)
def test_answers_come_without_importing_libraries(
    tmp_path: Path, arguments: list[str], status: int, words: list[str]
) -> None:
    (tmp_path / 'torch.py').write_text('raise ImportError("torch is not to be loaded")\n')
    done = call([sys.executable, str(ROOT / 'mmlmseg_command.py'), *arguments], PYTHONPATH=str(tmp_path))
    assert done.returncode == status
    said = done.stdout if status == 0 else done.stderr
    assert [word for word in words if word not in said] == []


def test_it_is_installed_as_a_command() -> None:
    assert 'mmlmseg = mmlmseg_command:main' in (ROOT / 'setup.cfg').read_text()


@pytest.mark.parametrize(
    ('typed', 'found'),
    [
        ('tr', {'train'}),
        ('predict-', {'predict-geotiff'}),
        ('predict --label', {'--label-space', '--label-spaces'}),
        ('train --res', {'--resume'}),
        ('doctor --', None),
        ('completion z', {'zsh'}),
        ('train configs/', set()),  # files are bash's own
        ('no-such --', set()),
    ],
)
def test_bash_completes(typed: str, found: set[str] | None) -> None:
    script = f"""
        mmlmseg() {{ '{sys.executable}' '{ROOT / 'mmlmseg_command.py'}' "$@"; }}
        eval "$(mmlmseg completion bash)" && complete -p mmlmseg >/dev/null || exit 1
        COMP_WORDS=(mmlmseg {typed}) COMP_CWORD={len(typed.split())}
        _mmlmseg
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = call(['bash', '-c', script])
    assert (done.returncode, done.stderr) == (0, '')
    offered = set(done.stdout.split())
    if found is None:
        found = set(options_of('doctor'))
    assert offered == found


def options_of(name: str) -> list[str]:
    """The long options that argparse knows of a command."""
    help_text = call([sys.executable, str(ROOT / 'mmlmseg_command.py'), name, '--help']).stdout
    usage = help_text.split('\n\n')[0].replace('[', ' ').replace(']', ' ')
    return ['--help', *(word for word in usage.split() if word.startswith('--'))]


@pytest.mark.skipif(shutil.which('zsh') is None, reason='zsh is not here')
def test_zsh_reads_its_completion() -> None:
    text = command.COMPLETION['zsh'].format(commands=' '.join(command.COMMANDS), options=command.OPTIONS)
    done = call(['zsh', '-fc', f'autoload -U compinit; compinit -D; {text}\nwhich _mmlmseg'])
    assert (done.returncode, done.stderr) == (0, '')


def call(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a program with little of an environment."""
    environment = {'PATH': '/usr/bin:/bin:/usr/local/bin', 'HOME': '/', **environment}
    return subprocess.run(arguments, env=environment, capture_output=True, text=True)
