"""The demo from drawn data or the user's folders to table and picture, with a training of two steps."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from mmlmseg.errors import DataError, LabelSpaceError
from mmlmseg.evaluation import MultiDatasetEvaluator
from mmlmseg.lab.demo import draw_data, read_data, run_demo
from mmlmseg.lab.demo import picture as demo_picture
from mmlmseg.lab.demo.data import label_maps
from mmlmseg.lab.demo.training import demo_config, position_prior, prior_score, score

SIZE = (64, 80)


@pytest.fixture
def demo(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(Path(__file__).resolve().parents[2] / 'tools' / 'demo.py')


@pytest.mark.slow
def test_drawn_scenes_to_picture(demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    draw = demo_picture.draw_at_once
    monkeypatch.setattr(
        demo_picture,
        'draw_at_once',
        lambda image, name, found, *more: (
            asked.append(tuple(space.name for space in found.spaces)) or draw(image, name, found, *more)
        ),
    )
    data = draw_data(tmp_path / 'data', train=2, val=2, held_out=2, size=SIZE)
    assert [space.name for space in data.spaces] == ['street', 'facade', 'wardrobe']
    names = [set((folder / 'train.txt').read_text().split()) for folder in data.folders]
    assert not names[0] & names[1] | names[1] & names[2] | names[0] & names[2]
    assert all(set(image.truth) == {'street', 'facade', 'wardrobe', data.free.name} for image in data.held_out)
    shown = io.StringIO()
    picture = run_demo(demo.CONFIG, data, tmp_path / 'work', Console(file=shown, width=160), iterations=2)
    printed = shown.getvalue()
    assert 'iteration 2 of 2' in printed
    assert str(picture) in printed.replace('\n', '')
    for name in ('street', 'facade', 'wardrobe', data.free.name, 'mIoU'):
        assert name in printed
    assert (tmp_path / 'work' / 'iter_2.pth').is_file()
    assert Image.open(picture).width > 4 * 330  # input and three spaces
    assert asked == [('street', 'wardrobe')], 'one image in two spaces at once'


@pytest.mark.slow
def test_own_folders_from_the_command_line(
    demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = draw_data(tmp_path / 'data', train=2, val=2, held_out=0, size=SIZE).folders
    arguments = ['--data', ','.join(str(folder) for folder in folders[1:]), '--iterations', '2']
    monkeypatch.setattr('sys.argv', ['demo.py', *arguments, '--work-dir', str(tmp_path / 'work')])
    monkeypatch.chdir(tmp_path)
    validations = []
    evaluate = MultiDatasetEvaluator.evaluate
    monkeypatch.setattr(MultiDatasetEvaluator, 'evaluate', lambda *args: validations.append(args[1]) or evaluate(*args))
    demo.main()
    assert validations == [4], 'the model is validated once'
    printed = capsys.readouterr().out
    assert re.search(r'log +work/\d', printed)
    assert 'facade' in printed
    assert 'street' not in printed
    assert (tmp_path / 'work' / 'demo.png').is_file()


def test_own_folders_have_truth_in_their_space_and_a_list_of_frequent_classes(tmp_path: Path) -> None:
    folders = draw_data(tmp_path, train=1, val=3, held_out=0, size=SIZE).folders
    data = read_data(folders, held_out=4)
    assert [set(image.truth) for image in data.held_out] == [{'street'}, {'facade'}, {'wardrobe'}, {'street'}]
    assert 'background' not in data.free.classes
    assert data.at_once == ('street', 'facade')
    assert read_data(folders[:1], held_out=1).at_once == (), 'one space has nothing to overlap with'
    assert len(set(data.free.classes)) == data.free.num_classes >= 6
    with pytest.raises(LabelSpaceError, match=r'classes\.json'):
        read_data([tmp_path / 'nowhere'], held_out=1)
    for label in (folders[0] / 'labels').iterdir():
        label.unlink()
    with pytest.raises(DataError, match=r'no label for .* in .*labels'):
        read_data(folders, held_out=1)


def test_labels_are_read_as_in_training(tmp_path: Path) -> None:
    (tmp_path / 'classes.json').write_text(json.dumps(dict(classes=['a', 'b', 'c'], ignore=7)))
    for folder in ('images', 'labels'):
        (tmp_path / folder).mkdir()

    def read(name: str, labels: Image.Image) -> np.ndarray:
        Image.new('RGB', labels.size).save(tmp_path / 'images' / f'{name}.png')
        labels.save(tmp_path / 'labels' / f'{name}.png')
        (tmp_path / 'val.txt').write_text(f'{name}\n')
        (found,) = label_maps(tmp_path, 'val')
        return found

    image = Image.fromarray(np.array([[0, 1], [2, 7]], dtype=np.uint8))
    image.putpalette(list(range(3 * 8)))
    assert read('palette', image).tolist() == [[0, 1], [2, 255]]
    for name, content, message in (
        ('colour', np.zeros((2, 2, 3), np.uint8), 'not colours'),
        ('outside', np.full((2, 2), 5, np.uint8), 'label id 5 is outside'),
        ('deep', np.full((2, 2), 300, np.uint16), 'label id 300'),
    ):
        with pytest.raises(DataError, match=f'{name}.png: .*{message}'):
            read(name, Image.fromarray(content))


def test_the_length_of_the_training_is_the_warm_up_and_the_rest(demo: ModuleType, tmp_path: Path) -> None:
    folders = draw_data(tmp_path, train=1, val=1, held_out=0, size=SIZE).folders
    whole, short, long = (demo_config(demo.CONFIG, folders, tmp_path, number) for number in (None, 10, 2000))
    assert whole.train_cfg.max_iters == 800
    for config, iterations in ((whole, 800), (short, 10), (long, 2000)):
        warm_up, decay = config.param_scheduler
        assert (warm_up.begin, warm_up.end, decay.begin, decay.end) == (0, 50, 0, iterations)
        assert config.train_cfg.val_interval >= config.train_cfg.max_iters == iterations
        assert [space['name'] for space in config.model.decode_head.label_spaces] == ['street', 'facade', 'wardrobe']


def test_scores() -> None:
    truth = np.array([[0, 0], [1, 255]], dtype=np.uint8)
    result = score([(np.zeros((2, 2), np.uint8), truth), (np.ones((2, 2), np.uint8), truth)], num_classes=2)
    assert result.accuracy == pytest.approx(50.0)
    assert result.mean_iou == pytest.approx(100 * (2 / 5 + 1 / 4) / 2)


def test_position_prior_is_the_most_frequent_class_of_each_place(tmp_path: Path) -> None:
    folder = draw_data(tmp_path, train=4, val=1, held_out=0, size=SIZE).folders[0]
    prior = position_prior(folder, 9)
    assert prior.shape == (24, 32)
    assert (prior[0] == 0).mean() > 0.4  # sky at the top
    assert 0 < prior_score(folder, 9).mean_iou < 100
