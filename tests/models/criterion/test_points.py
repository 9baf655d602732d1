from __future__ import annotations

import pytest
import torch

from mmlmseg.models.criterion import points as module
from mmlmseg.models.criterion.points import pixels_at, random_points, sample_maps, uncertain_points

CPU = torch.device('cpu')


def centres(height: int, width: int) -> torch.Tensor:
    """The centre of every pixel, row by row, float64 [H * W, 2]."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
    return torch.stack([(x + 0.5).double() / width, (y + 0.5).double() / height], -1).flatten(0, 1)


def test_random_points_are_uniform_and_follow_the_global_seed() -> None:
    points = random_points(4, 5000, CPU)
    assert points.shape == (4, 5000, 2)
    assert points.dtype == torch.float32
    cells = (points * 4).long()  # 16 cells of 1250 points on average, standard deviation 34
    counts = torch.bincount((cells[..., 0] * 4 + cells[..., 1]).flatten(), minlength=16)
    assert (counts - 1250).abs().max() < 5 * 34
    assert not torch.equal(points[0], points[1])
    torch.manual_seed(0)
    assert torch.equal(random_points(4, 5000, CPU), points)


@pytest.mark.parametrize('size', [(10, 12), (7, 5), (3, 4)])
def test_sampling_pixel_centres_is_the_bilinear_resize(brute_force, size) -> None:
    maps = torch.randn(2, 3, 5, 6, dtype=torch.float64)
    got = sample_maps(maps, centres(*size).expand(2, -1, -1))
    for m in range(2):
        for c in range(3):
            torch.testing.assert_close(got[m, c].reshape(size), brute_force.bilinear(maps[m, c], size))


def test_each_map_is_read_at_its_own_points() -> None:
    maps = torch.arange(4.0).reshape(1, 1, 2, 2).repeat(2, 1, 1, 1)  # 0 1 / 2 3
    points = torch.tensor([[[0.25, 0.25], [0.75, 0.25], [1.0, 0.0]], [[0.5, 0.5], [0.25, 0.75], [0.0, 1.0]]])
    assert sample_maps(maps, points)[:, 0].tolist() == [[0, 1, 1], [1.5, 2, 2]]


def test_sampling_passes_gradcheck() -> None:
    maps = torch.randn(2, 2, 3, 4, dtype=torch.float64).requires_grad_()
    points = random_points(2, 6, CPU)
    assert torch.autograd.gradcheck(lambda x: sample_maps(x, points), maps)


def test_sampling_no_map_keeps_the_graph() -> None:
    maps = torch.randn(2, 1, 3, 4).requires_grad_()
    sample_maps(maps[:0], random_points(0, 6, CPU)).sum().backward()
    assert maps.grad is not None
    assert not maps.grad.any()


def test_pixels_at_are_the_squares_that_hold_the_points() -> None:
    points = torch.cat([random_points(2, 200, CPU), torch.tensor([0.0, 1 - 2**-24]).expand(2, 1, 2)], 1)
    pixels = pixels_at(points, 7, 11)
    assert pixels.shape == (2, 201)
    for x, y, pixel in zip(*(part.flatten().tolist() for part in (*points.unbind(-1), pixels)), strict=True):
        row, column = divmod(pixel, 11)
        assert row / 7 <= y + 1e-6
        assert y <= (row + 1) / 7 + 1e-6
        assert column / 11 <= x + 1e-6
        assert x <= (column + 1) / 11 + 1e-6
        assert 0 <= row < 7


def test_pixels_at_of_all_centres_is_the_whole_map() -> None:
    assert pixels_at(centres(7, 11), 7, 11).tolist() == list(range(77))


def test_the_chosen_points_are_the_most_uncertain_candidates(monkeypatch) -> None:
    drawn = []

    def draw(*args: object) -> torch.Tensor:
        drawn.append(random_points(*args))
        return drawn[-1]

    monkeypatch.setattr(module, 'random_points', draw)
    logits = torch.randn(3, 5, 6)
    points = uncertain_points(logits, torch.ones(1, 9, 9, dtype=torch.bool), torch.zeros(3).long(), 20, 3.0, 0.75)
    candidates, rest = drawn
    assert candidates.shape == (3, 60, 2)
    assert torch.equal(points[:, 15:], rest)
    for m in range(3):
        size = sample_maps(logits[m][None, None], candidates[m][None])[0, 0].abs().tolist()
        order = sorted(range(60), key=lambda i: size[i])[:15]
        assert sorted(points[m, :15].tolist()) == sorted(candidates[m, order].tolist())


def test_chosen_points_have_smaller_logits_and_the_rest_is_uniform() -> None:
    logits = torch.linspace(-8, 8, 64).expand(2, 32, 64)  # undecided along the line x = 0.5
    points = uncertain_points(logits, torch.ones(1, 32, 64, dtype=torch.bool), torch.zeros(2).long(), 4000, 3.0, 0.75)
    size = sample_maps(logits[:, None], points)[:, 0].abs()
    # A quarter of the candidates is chosen: |logit| of these is uniform up to 2, that of the rest up to 8.
    assert size[:, :3000].max() < 2.3
    assert size[:, :3000].mean().item() == pytest.approx(1, abs=0.1)
    assert size[:, 3000:].mean().item() == pytest.approx(4, abs=0.4)
    assert points[:, :3000, 1].mean().item() == pytest.approx(0.5, abs=0.03)  # not biased along the line


@pytest.mark.parametrize(('importance', 'chosen'), [(0.0, 0), (1.0, 8)])
def test_all_or_no_points_are_chosen(importance: float, chosen: int) -> None:
    logits = torch.where(torch.arange(64) < 32, 0.0, 9.0).expand(1, 64, 64)
    pixels = torch.ones(1, 8, 8, dtype=torch.bool)
    points = uncertain_points(logits, pixels, torch.zeros(1).long(), 8, 100.0, importance)
    assert points.shape == (1, 8, 2)
    assert ((points[0, :, 0] < 0.51).sum() == 8).item() == (chosen == 8)


def test_ignored_pixels_do_not_draw_the_chosen_points() -> None:
    logits = torch.where(torch.arange(8) < 4, 0.0, 9.0).expand(3, 8, 8)  # undecided on the left
    pixels = torch.ones(3, 8, 8, dtype=torch.bool)
    pixels[1, :, :4] = False
    pixels[2] = False
    sample = torch.tensor([1, 0, 2])
    points = uncertain_points(logits, pixels, sample, 100, 4.0, 0.5)[:, :50]
    columns = pixels_at(points, 8, 8) % 8
    assert (columns[0] >= 4).all()  # only the right side of sample 1 counts
    assert (columns[1] < 4).sum() > 45  # just short of the middle |logit| is not quite 0 any more
    assert points[2].isfinite().all()  # nothing counts
