from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
import torch

from mmlmseg.checkpoint_files import check_checkpoint_file, is_remote, newest_checkpoint, read_checkpoint
from mmlmseg.errors import CheckpointError


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / 'iter_20.pth'
    weights = {'w': torch.arange(1000.0)}
    torch.save(dict(state_dict=weights, meta={}, message_hub={}, optimizer={}, param_schedulers=[]), path)
    return path


def test_reads_what_training_wrote(good: Path) -> None:
    check_checkpoint_file(good)
    check_checkpoint_file(good, resume=True)
    assert read_checkpoint(good)['state_dict']['w'][-1] == 999


@pytest.mark.parametrize('new_format', [True, False])
def test_reads_bare_state_dicts_in_both_formats(tmp_path: Path, new_format: bool) -> None:
    path = tmp_path / 'bare.pth'
    torch.save({'w': torch.ones(2)}, path, _use_new_zipfile_serialization=new_format)
    assert list(read_checkpoint(path)) == ['state_dict']


@pytest.mark.parametrize('keep', [0.2, 0.9, 0.999])
def test_truncated_file_is_named_with_its_neighbours(good: Path, keep: float) -> None:
    cut = good.with_name('iter_40.pth')
    data = good.read_bytes()
    cut.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(CheckpointError, match=r'iter_40\.pth: is truncated, \d+ bytes.*its folder holds iter_20\.pth'):
        check_checkpoint_file(cut)


def test_truncated_file_of_the_old_format(tmp_path: Path) -> None:
    path = tmp_path / 'old.pth'
    torch.save({'w': torch.ones(1000)}, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(CheckpointError, match=r'old\.pth: (cannot be read|is not a checkpoint)'):
        check_checkpoint_file(path)


def test_empty_file(good: Path) -> None:
    empty = good.with_name('iter_60.pth')
    empty.touch()
    with pytest.raises(CheckpointError, match=r'iter_60\.pth: is empty'):
        check_checkpoint_file(empty)


def test_missing_file_of_another_length_of_training_is_found_beside(good: Path) -> None:
    other = good.parent / 'lmseg_20'
    other.mkdir()
    good.rename(other / 'iter_20.pth')
    (good.parent / 'lmseg').mkdir()
    for folder in ('lmseg', 'lmseg_4500'):  # a work directory of a test alone, and none at all
        with pytest.raises(CheckpointError, match=r'does not exist.*; a training in .*lmseg_20 wrote iter_20\.pth'):
            check_checkpoint_file(good.parent / folder / 'iter_4500.pth')


def test_missing_file_lists_the_nearest(good: Path) -> None:
    with pytest.raises(CheckpointError, match=r'iter_2\.pth: does not exist; .*\. Did you mean: iter_20\.pth\?'):
        check_checkpoint_file(good.with_name('iter_2.pth'))
    with pytest.raises(CheckpointError, match='nor does its folder'):
        check_checkpoint_file(good.parent / 'nowhere' / 'x.pth')
    with pytest.raises(CheckpointError, match='is a folder; name a checkpoint file in it; its folder holds iter_20'):
        check_checkpoint_file(good.parent)


@pytest.mark.parametrize('content', [b'<html>not found</html>', b'\x80\x02garbage', b'PK but no zip'])
def test_not_a_checkpoint(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / 'page.pth'
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r'page\.pth: (is not a checkpoint|is truncated|cannot be read)'):
        check_checkpoint_file(path)


@pytest.mark.parametrize('content', [torch.ones(2), {'epoch': 3}, {}])
def test_something_else_that_torch_saved(tmp_path: Path, content: object) -> None:
    path = tmp_path / 'other.pth'
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="it holds a (Tensor|dict) without 'state_dict'"):
        check_checkpoint_file(path)


class RunsCode:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ('raise SystemExit',)


def test_unsafe_objects_are_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / 'unsafe.pth'
    torch.save(dict(state_dict={}, meta=RunsCode()), path)
    with pytest.raises(CheckpointError, match=r'unsafe\.pth: holds an object of exec.*could run code'):
        check_checkpoint_file(path)


def training_state(path: Path) -> Path:
    torch.save(dict(state_dict={'w': torch.ones(1)}, meta={}, message_hub={}, optimizer={}, param_schedulers=[]), path)
    return path


def test_a_training_goes_on_from_what_it_saved_last(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path) is None
    files = [training_state(tmp_path / f'iter_{step}.pth') for step in (9, 10, 8)]
    training_state(tmp_path / 'best_mIoU_iter_11.pth')
    assert newest_checkpoint(tmp_path) == files[1]  # by number
    (tmp_path / 'last_checkpoint').write_text(str(files[0]))
    assert newest_checkpoint(tmp_path) == files[0]


def test_a_copied_folder_goes_on_from_its_own(tmp_path: Path) -> None:
    original, copy = tmp_path / 'original', tmp_path / 'copy'
    original.mkdir()
    (original / 'last_checkpoint').write_text(str(training_state(original / 'iter_5.pth')))
    shutil.copytree(original, copy)
    assert newest_checkpoint(copy) == copy / 'iter_5.pth'


def test_checkpoints_may_lie_elsewhere(tmp_path: Path) -> None:
    elsewhere = training_state(tmp_path / 'iter_5.pth')
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run' / 'last_checkpoint').write_text(str(elsewhere))
    assert newest_checkpoint(tmp_path / 'run') == elsewhere


@pytest.mark.parametrize('listed', ['', '  \n', '.', '/', 'iter_9.pth', 'gone/iter_7.pth', 'iter_8.pth'])
def test_what_cannot_be_gone_on_from_is_passed_over(tmp_path: Path, listed: str, capsys) -> None:
    (tmp_path / 'iter_9.pth').write_bytes(training_state(tmp_path / 'iter_6.pth').read_bytes()[:200])
    torch.save(dict(state_dict={'w': torch.ones(1)}), tmp_path / 'iter_8.pth')  # weights alone
    (tmp_path / 'last_checkpoint').write_text(listed)
    assert newest_checkpoint(tmp_path) == tmp_path / 'iter_6.pth'
    assert 'going on from iter_6.pth, the newest whole checkpoint' in capsys.readouterr().out


def test_nothing_whole_is_left(tmp_path: Path) -> None:
    (tmp_path / 'iter_9.pth').write_bytes(b'')
    with pytest.raises(CheckpointError, match=r'holds no checkpoint that can be resumed from: .*iter_9\.pth: is empty'):
        newest_checkpoint(tmp_path)


def test_a_damaged_part_is_found(good: Path) -> None:
    data = bytearray(good.read_bytes())
    part = max(zipfile.ZipFile(good).infolist(), key=lambda info: info.file_size)
    place = part.header_offset + 30 + len(part.filename) + 64 + part.file_size // 2
    data[place : place + 8] = bytes(255 - byte for byte in data[place : place + 8])
    good.write_bytes(data)
    with pytest.raises(CheckpointError, match=r'iter_20\.pth: is damaged \('):
        read_checkpoint(good)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_weights_that_are_no_numbers(tmp_path: Path, value: float) -> None:
    path = tmp_path / 'diverged.pth'
    torch.save(dict(state_dict={'a.weight': torch.ones(2), 'b.weight': torch.tensor([1.0, value])}), path)
    with pytest.raises(CheckpointError, match=r'diverged\.pth: b\.weight holds NaN or infinite numbers'):
        read_checkpoint(path)


def test_weights_of_integers(tmp_path: Path) -> None:
    path = tmp_path / 'quantised.pth'
    state = {'bn.num_batches_tracked': torch.tensor(3), 'ids': torch.arange(3)}
    torch.save(dict(state_dict=state), path)
    assert read_checkpoint(path)['state_dict'].keys() == state.keys()
    torch.save(dict(state_dict={**state, 'a.weight': torch.ones(2, dtype=torch.int8)}), path)
    with pytest.raises(CheckpointError, match=r'a\.weight is of torch\.int8, but weights are floating-point'):
        read_checkpoint(path)


def test_published_weights_cannot_be_resumed_from(tmp_path: Path) -> None:
    path = tmp_path / 'published.pth'
    torch.save(dict(state_dict={'w': torch.ones(1)}, meta={}), path)
    check_checkpoint_file(path)
    with pytest.raises(CheckpointError, match='cannot be resumed from, it lacks message_hub, optimizer'):
        check_checkpoint_file(path, resume=True)


@pytest.mark.parametrize('address', ['https://host/x.pth', 'torchvision://resnet18', 'open-mmlab://resnet50_v1c'])
def test_addresses_are_left_to_the_downloader(address: str) -> None:
    assert is_remote(address)
    check_checkpoint_file(address)


def test_paths_are_not_addresses(tmp_path: Path) -> None:
    for path in ('x.pth', '/a/b.pth', './c.pth', tmp_path / 'x.pth'):
        assert not is_remote(path)


def test_an_optimiser_that_diverged_is_not_resumed_from(tmp_path: Path) -> None:
    path = training_state(tmp_path / 'iter_4.pth')
    state = torch.load(path)
    state['optimizer'] = dict(state={3: dict(exp_avg=torch.tensor([0.0, float('nan')]))}, param_groups=[])
    torch.save(state, path)
    check_checkpoint_file(path)
    with pytest.raises(CheckpointError, match=r'iter_4\.pth: optimizer\.state\.3\.exp_avg holds NaN'):
        check_checkpoint_file(path, resume=True)
