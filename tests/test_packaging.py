from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from mmlmseg.config import parts_of, read_config, restrict, set_length

ROOT = Path(__file__).resolve().parents[1]


def lines_of(path: Path) -> list[str]:
    lines = (line.strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith('#')]


def test_requirements_are_exact_versions() -> None:
    for path in [ROOT / 'requirements.txt', *(ROOT / 'requirements').glob('*.txt')]:
        for line in lines_of(path):
            assert line.startswith('-r ') or re.fullmatch(r'[\w-]+==[\w.]+', line), f'{path.name}: {line}'


def test_the_two_distributions_never_meet() -> None:
    """Requiring either would install it over the other for users who have that one."""
    setup_cfg = (ROOT / 'setup.cfg').read_text()
    required, extras = setup_cfg.split('[options.packages.find]')
    assert 'mmengine' not in required
    assert 'onedl-mmengine' in extras
    for path in (ROOT / 'requirements.txt', ROOT / 'requirements' / 'openmmlab.txt'):
        names = {line.split('==')[0] for line in lines_of(path)}
        assert ('onedl-mmengine' in names) != ('mmengine' in names)


def test_model_index_holds_numbers_and_what_gave_them(
    load_script: Callable[[Path], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    imports = yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
    models = [model for path in imports for model in yaml.safe_load((ROOT / path).read_text())['Models']]
    assert models
    assert len({model['Name'] for model in models}) == len(models)
    script = load_script(ROOT / 'tools' / 'train.py')
    for model in models:
        assert model['Name'].startswith(Path(model['Config']).stem)
        assert (ROOT / model['Metadata']['Source']).is_file()
        monkeypatch.setattr(
            'sys.argv', ['train.py', str(ROOT / model['Config']), *model['Metadata']['Options'].split()]
        )
        args = script.parse_args()
        config = read_config(args.config)
        if args.datasets:
            restrict(config, args.datasets.split(','))
        if args.iterations:
            set_length(config, args.iterations)
        for result in model['Results']:
            assert result['Metrics'], model['Name']
            assert result['Dataset'] in parts_of(config.val_dataloader.dataset)


def test_config_names_are_unique() -> None:
    """mim looks a config up by its bare name."""
    names = Counter(path.name for path in (ROOT / 'configs').rglob('*.py'))
    assert [name for name, count in names.items() if count > 1] == []


def test_mim_does_not_take_train_for_an_old_script() -> None:
    """It appends `--gpus` wherever the help text of train.py mentions it."""
    for name in ('train.py', 'common_arguments.py'):
        assert '--gpus' not in (ROOT / 'tools' / name).read_text()


def test_an_editable_install_is_found_beside_the_clone(tmp_path: Path) -> None:
    """There a folder has the name of the package: only a line in a .pth file comes before it."""
    pytest.importorskip('setuptools')
    clone, site = tmp_path / 'mmlmseg', tmp_path / 'site'
    (clone / 'mmlmseg').mkdir(parents=True)
    site.mkdir()
    for name in ('setup.cfg', 'setup.py', 'pyproject.toml', 'README.md', 'LICENSE', 'mmlmseg_command.py'):
        shutil.copy2(ROOT / name, clone)
    (clone / 'mmlmseg' / '__init__.py').touch()
    shutil.copy2(ROOT / 'mmlmseg' / 'version.py', clone / 'mmlmseg')
    build = 'import sys; from setuptools import build_meta; build_meta.build_editable(sys.argv[1])'
    subprocess.run([sys.executable, '-c', build, str(site)], cwd=clone, check=True, capture_output=True, timeout=300)
    with zipfile.ZipFile(next(site.glob('*.whl'))) as wheel:
        lines = {name: wheel.read(name).decode().strip() for name in wheel.namelist() if '/' not in name}
    assert [Path(line) for line in lines.values()] == [clone]


@pytest.mark.slow
def test_wheel_carries_what_mim_needs(tmp_path: Path) -> None:
    """Builds from a copy; without network the build backend has to be installed."""
    pytest.importorskip('setuptools')
    source = tmp_path / 'source'
    skip = shutil.ignore_patterns('.git', '.venv*', '*.egg-info', 'work_dirs', '__pycache__', 'tests')
    shutil.copytree(ROOT, source, ignore=skip)
    before = {path.relative_to(source) for path in source.rglob('*')}
    command = [
        sys.executable,
        '-m',
        'pip',
        'wheel',
        '--no-deps',
        '--no-build-isolation',
        '-q',
        '-w',
        str(tmp_path),
        '.',
    ]
    subprocess.run(command, cwd=source, check=True, timeout=300)

    with zipfile.ZipFile(next(tmp_path.glob('mmlmseg-*.whl'))) as wheel:
        names = set(wheel.namelist())
    shipped = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / 'configs').rglob('*.py') if '.' not in path.parent.name
    }
    expected = {*shipped, 'tools/train.py', 'tools/test.py', 'tools/dist_train.sh', 'model-index.yml'}
    assert {f'mmlmseg/.mim/{name}' for name in expected} <= names
    read = {'py.typed', 'assets/text_bank_minilm.safetensors', 'app/viewer.js', 'app/viewer.css', 'app/page.css'}
    assert {f'mmlmseg/{name}' for name in read} <= names
    assert 'mmlmseg_command.py' in names
    assert not any(name.startswith(('tests/', 'configs/', 'tools/')) for name in names)
    left = {path.relative_to(source) for path in source.rglob('*')} - before
    assert {path.parts[0] for path in left} <= {'mmlmseg.egg-info'}, 'building must leave no second copy of the configs'


def test_source_distribution_names_what_the_two_commands_need() -> None:
    """`make demo` and `make test` read these, beside the package itself."""
    manifest = (ROOT / 'MANIFEST.in').read_text()
    for rule in ('requirements *.txt *.sh', 'tests *', 'configs *.py', 'tools *.py'):
        assert f'recursive-include {rule}' in manifest
    for name in ('Makefile', 'requirements.txt', 'README.md', 'CONTRIBUTING.md'):
        assert re.search(rf'^include .*\b{re.escape(name)}', manifest, re.MULTILINE)
        assert (ROOT / name).is_file()


def test_folders_of_the_demo_may_have_blanks() -> None:
    folders = "/my data/a,/it's/b;c"
    printed = subprocess.run(
        ['make', '-n', 'demo', f'DATA={folders}'], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    (line,) = [line for line in printed.splitlines() if 'tools/demo.py' in line]
    assert shlex.split(line)[-2:] == ['--data', folders]


def test_nothing_is_required_without_need() -> None:
    required = (ROOT / 'setup.cfg').read_text().split('install_requires =')[1].split('[')[0].split()
    code = '\n'.join(path.read_text() for path in (ROOT / 'mmlmseg').rglob('*.py'))
    for module in ('tqdm', 'prettytable', 'rich', 'scipy', 'matplotlib', 'safetensors'):
        used = re.search(rf'^\s*(from|import) {module}\b', code, re.MULTILINE)
        assert bool(used) == (module in required), module
