"""Fixtures of the model tests."""

from __future__ import annotations

import json

import pytest


@pytest.fixture(scope='session')
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a tiny open_clip model; ``tiny`` has another activation, ``tiny-last`` another pooling."""
    import open_clip

    folder = tmp_path_factory.mktemp('open_clip')
    for name, quick_gelu, pool in (
        ('tiny-quickgelu', True, 'argmax'),
        ('tiny', False, 'argmax'),
        ('tiny-last', False, 'last'),
    ):
        config = dict(
            embed_dim=12,
            quick_gelu=quick_gelu,
            vision_cfg=dict(image_size=64, layers=[1, 2, 1, 1], width=8, patch_size=None),
            text_cfg=dict(context_length=20, vocab_size=49408, width=16, heads=2, layers=2, pool_type=pool),
        )
        (folder / f'{name}.json').write_text(json.dumps(config))
    open_clip.add_model_config(folder)
    return 'tiny-quickgelu'
