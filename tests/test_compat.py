from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub

from mmlmseg import compat
from mmlmseg.errors import CheckpointError

needs_stand_in = pytest.mark.skipif(compat.has_compiled_ops(), reason='mmcv has compiled operators here')


def test_apply_twice_changes_nothing() -> None:
    compat.apply()
    before = sys.modules.get('mmcv._ext')
    compat.apply()
    assert sys.modules.get('mmcv._ext') is before


def test_everything_we_reuse_imports() -> None:
    import mmdet.models  # noqa: F401
    import mmseg.models  # noqa: F401
    import open_clip  # noqa: F401
    import torchvision  # noqa: F401


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None if name == 'mmdet' else found(name))
    with pytest.raises(ImportError, match=r'not installed: mmdet\..*mmlmseg\[onedl\]'):
        compat.require_openmmlab()


@needs_stand_in
def test_stand_in_has_a_spec_and_is_not_taken_for_compiled_ops() -> None:
    spec = importlib.util.find_spec('mmcv._ext')
    assert spec is not None
    assert spec.loader is None
    assert not compat.has_compiled_ops()


@needs_stand_in
def test_missing_operator_says_so() -> None:
    from mmcv.ops import nms

    with pytest.raises(RuntimeError, match="operator 'nms' was called, but the installed mmcv has no compiled"):
        nms(torch.zeros(2, 4), torch.zeros(2), 0.5)


@needs_stand_in
def test_environment_report_works() -> None:
    from mmcv.utils import collect_env

    assert collect_env()['MMCV Compiler'] == 'n/a'


@needs_stand_in
def test_deformable_attention_never_asks_for_the_operator() -> None:
    from mmcv.ops import multi_scale_deform_attn as attention

    assert not attention.IS_CUDA_AVAILABLE
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    module = attention.MultiScaleDeformableAttention(embed_dims=16, num_heads=2, num_levels=1, num_points=2).to(device)
    query = torch.rand(4, 1, 16, device=device)
    out = module(
        query,
        value=query,
        reference_points=torch.rand(1, 4, 1, 2, device=device),
        spatial_shapes=torch.tensor([[2, 2]], device=device),
        level_start_index=torch.tensor([0], device=device),
    )
    assert out.shape == query.shape
    out.sum().backward()


def history() -> HistoryBuffer:
    buffer = HistoryBuffer()
    for value in (1.0, 2.0):
        buffer.update(value)
    return buffer


def test_mmengine_checkpoint_loads_safely(tmp_path: Path) -> None:
    hub = MessageHub('test_compat')
    for value in (1.0, 3.0):
        hub.update_scalar('train/loss', value)
    hub.update_info('iter', 7)
    path = tmp_path / 'iter_2.pth'
    numbers = [np.float64(0.5), np.int64(3), np.bool_(True), np.arange(3, dtype=np.uint8), np.zeros(2, np.float32)]
    torch.save(dict(state_dict={'w': torch.ones(2)}, message_hub=hub.state_dict(), numbers=numbers), path)

    loaded = torch.load(path, weights_only=True)

    assert loaded['message_hub']['log_scalars']['train/loss'].mean() == 2.0
    assert loaded['numbers'][1] == 3
    np.testing.assert_array_equal(loaded['numbers'][3], np.arange(3))


def test_allow_list_outlives_the_block_of_another_library(tmp_path: Path) -> None:
    path = tmp_path / 'history.pth'
    torch.save(history(), path)
    with torch.serialization.safe_globals([HistoryBuffer, np.ndarray, np.dtype, getattr]):
        pass
    assert torch.load(path, weights_only=True).mean() == 1.5


class RunsCode:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ('raise SystemExit',)


class ReachesOut:
    def __reduce__(self) -> tuple[object, tuple[object, str]]:
        return getattr, (HistoryBuffer.mean, '__globals__')


@pytest.mark.parametrize('payload', [RunsCode(), ReachesOut()])
def test_safe_loading_still_refuses_code(tmp_path: Path, payload: object) -> None:
    path = tmp_path / 'bad.pth'
    torch.save(payload, path)
    with pytest.raises(Exception, match=r'[Ww]eights[ _]only|statistics of HistoryBuffer'):
        torch.load(path, weights_only=True)


def test_mmengine_loads_nothing_that_runs_code(tmp_path: Path) -> None:
    """Neither weights for a part (`init_cfg`) nor those of `load_from` or `resume`; its fork would try unsafely."""
    from mmengine.model import BaseModule
    from mmengine.runner import load_checkpoint

    path = tmp_path / 'bad.pth'
    torch.save(dict(state_dict={'weight': torch.ones(1)}, meta=RunsCode()), path)
    with pytest.raises(CheckpointError, match=r'bad\.pth: holds an object of exec'):
        load_checkpoint(torch.nn.Linear(1, 1), str(path))
    part = BaseModule(init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    with pytest.raises(CheckpointError, match=r'bad\.pth: holds an object of exec'):
        part.init_weights()


def test_what_mmengine_downloads_is_loaded_safely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mmengine.runner import checkpoint

    torch.save(dict(state_dict={}, meta=RunsCode()), tmp_path / 'bad.pth')
    with pytest.raises(Exception, match=r'[Ww]eights[ _]only'):
        checkpoint.load_from_http((tmp_path / 'bad.pth').as_uri(), model_dir=str(tmp_path / 'cache'))


def test_torchvision_schemas_are_defined_when_its_binary_does_not_load(tmp_path: Path) -> None:
    """A fake torchvision that stops where the real one does, in a fresh interpreter."""
    package = tmp_path / 'torchvision'
    package.mkdir()
    (package / '__init__.py').write_text(
        'import torch\n'
        "@torch.library.register_fake('torchvision::nms')\n"
        'def meta_nms(dets, scores, iou_threshold):\n'
        '    return dets\n'
    )
    root = Path(compat.__file__).parents[1]
    program = (
        f'import sys, importlib.util; sys.path.insert(0, {str(tmp_path)!r});'
        f"spec = importlib.util.spec_from_file_location('compat', {str(root / 'mmlmseg' / 'compat.py')!r});"
        'compat = importlib.util.module_from_spec(spec); spec.loader.exec_module(compat);'
        'assert compat.ensure_torchvision(); assert not compat.ensure_torchvision();'
        'import torch, torchvision; torch.ops.torchvision.qnms'
    )
    subprocess.run([sys.executable, '-c', program], check=True, timeout=120)
