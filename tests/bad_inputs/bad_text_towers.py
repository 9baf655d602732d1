"""Models of open_clip whose text cannot be read, their tokenizers and files, and encoders of text banks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import open_clip
import torch
from mmengine.config import Config
from refusals import Refusals

from mmlmseg.config_checks.text import check_text_towers
from mmlmseg.errors import CheckpointError, OptionError, TextBankError
from mmlmseg.models.text import OpenClipText
from mmlmseg.models.text.dinotxt import open_dinotxt
from mmlmseg.models.text.open_tower import open_tower
from mmlmseg.models.text.text_side import text_side
from mmlmseg.models.text.tokens import Tokeniser

REFUSALS = Refusals()
SMALL = dict(context_length=12, width=16, heads=2, layers=1)


def described(folder: Path, name: str, **text: Any) -> str:
    """Makes a small model known to open_clip, and returns its name."""
    vision = dict(image_size=32, layers=1, width=16, head_width=8, patch_size=16)
    (folder / f'{name}.json').write_text(json.dumps(dict(embed_dim=8, vision_cfg=vision, text_cfg=SMALL | text)))
    open_clip.add_model_config(folder / f'{name}.json')
    return name


CONFIGS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    'a_vector_a_token': (dict(pool_type='none'), ("the pooling 'none'", 'one vector', 'argmax')),
    'an_unknown_pooling': (dict(pool_type='mean'), ("the pooling 'mean'", 'last')),
    'attention_that_does_not_run': (dict(scaled_cosine_attn=True), ('scaled_cosine_attn does not run',)),
    'a_mode_of_tokens': (dict(hf_tokenizer_name='x', tokenizer_mode='clips'), ("mode 'clips'", 'padding')),
    'a_pooling_of_hugging_face_that_does_not_run': (
        dict(hf_model_name='x', hf_tokenizer_name='x', hf_pooler_type='max_pooler'),
        ("no pooling 'max_pooler' that runs", 'mean_pooler'),
    ),
    'an_unknown_projection': (
        dict(hf_model_name='x', hf_tokenizer_name='x', hf_proj_type='conv'),
        ("no projection 'conv'", 'mlp and linear'),
    ),
    'a_text_model_without_tokenizer': (dict(hf_model_name='x'), ('names no hf_tokenizer_name',)),
    'heads_of_no_whole_width': (dict(heads=3), ('width 16 is no multiple of its 3 heads',)),
    'a_tokenizer_chosen_by_name': (dict(), ('siglip', 'write hf_tokenizer_name')),
}
for _name, (_text, _words) in CONFIGS.items():

    def _open(folder: Path, name: str = _name, text: dict[str, Any] = _text) -> None:
        text_side(described(folder, 'bad-siglip' if name == 'a_tokenizer_chosen_by_name' else f'bad-{name}', **text))

    _open.__name__ = _name
    REFUSALS.by(TextBankError, 'the text side of open_clip model', 'docs/text_encoders.md', *_words)(_open)


@REFUSALS.by(OptionError, 'prompt_length is 10', 'takes 12 tokens')
def a_prompt_that_leaves_no_place(folder: Path) -> None:
    OpenClipText(described(folder, 'bad-prompt'), prompt_length=10)


@REFUSALS.by(OptionError, 'prompt_length is -1')
def a_prompt_of_less_than_nothing(folder: Path) -> None:
    OpenClipText(described(folder, 'bad-prompt'), prompt_length=-1)


@REFUSALS.by(TextBankError, 'makes 13 tokens', 'takes 12', 'shorten')
def a_name_that_is_too_long(folder: Path) -> None:
    open_tower(described(folder, 'bad-long', pool_type='last'), None).encode_texts(['car ' * 11])


@REFUSALS.by(TextBankError, 'masks the token 1', 'pads with 0')
def padding_that_is_not_masked(folder: Path) -> None:
    open_tower(described(folder, 'bad-padding', embed_cls=True, pad_id=1), None)


@REFUSALS.by(CheckpointError, 'absent', 'open_clip_config.json')
def a_folder_that_is_none(folder: Path) -> None:
    OpenClipText(f'local-dir:{folder / "absent"}')


@REFUSALS.by(CheckpointError, 'local-dir:', 'cannot be read', 'open_clip_config.json')
def a_folder_whose_configuration_is_a_list(folder: Path) -> None:
    (folder / 'open_clip_config.json').write_text('[]')
    OpenClipText(f'local-dir:{folder}')


@REFUSALS.by(CheckpointError, 'local-dir:', 'has no embed_dim and no text_cfg')
def a_folder_of_another_kind_of_model(folder: Path) -> None:
    (folder / 'open_clip_config.json').write_text('{"model_type": "bert"}')
    OpenClipText(f'local-dir:{folder}')


@REFUSALS.by(CheckpointError, "'bad-key'", "unknown key 'pooling_type'", 'Did you mean: pool_type')
def a_misspelt_key_of_a_text_side(folder: Path) -> None:
    OpenClipText(described(folder, 'bad-key', pooling_type='last'))


@REFUSALS.by(CheckpointError, 'holds no weights of open_clip', 'give a weight file')
def a_folder_without_weights(folder: Path) -> None:
    config = dict(embed_dim=8, vision_cfg=dict(image_size=32, layers=1, width=64, patch_size=16), text_cfg=SMALL)
    (folder / 'open_clip_config.json').write_text(json.dumps(dict(model_cfg=config)))
    open_tower(f'local-dir:{folder}', None)


@REFUSALS.by(CheckpointError, 'weights.pt', "open_clip model 'bad-weights'", 'Missing key')
def weights_of_something_else(folder: Path) -> None:
    torch.save({'transformer.layer': torch.ones(1)}, folder / 'weights.pt')
    open_tower(described(folder, 'bad-weights'), str(folder / 'weights.pt'))


@REFUSALS.by(CheckpointError, 'weights.pt', 'holds list')
def weights_without_names(folder: Path) -> None:
    torch.save([torch.ones(1)], folder / 'weights.pt')
    open_tower(described(folder, 'bad-weights'), str(folder / 'weights.pt'))


@REFUSALS.by(TextBankError, 'the token 2', 'ends a text with [49407]', 'not of one model')
def an_end_that_no_text_has(folder: Path) -> None:
    open_tower(described(folder, 'bad-end', pool_type='eos'), None)


def tokenizer(read: Callable[[str], Sequence[int]], around: tuple[list[int], list[int]], pad: int | None) -> Any:
    """What is used of open_clip's HFTokenizer."""

    def call(text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        start, end = around if add_special_tokens else ([], [])
        return {'input_ids': [*start, *read(text), *end]}

    call.pad_token_id, call.sep_token_id, call.decode = pad, 2, str  # type: ignore[attr-defined]
    return SimpleNamespace(tokenizer=call, clean_fn=str.strip, strip_sep_token=False)


@REFUSALS.by(TextBankError, 'my model: reads', "'sky', 'car'", 'knows no words', 'tokenizer.json')
def a_tokenizer_without_words(folder: Path) -> None:
    Tokeniser.of_hugging_face(tokenizer(lambda text: [3], ([0], [2]), 1), 12, 'my model')


@REFUSALS.by(TextBankError, 'my model: its tokenizer has no token to pad with')
def a_tokenizer_without_padding(folder: Path) -> None:
    Tokeniser.of_hugging_face(tokenizer(lambda text: list(text.encode()), ([0], [2]), None), 12, 'my model')


@REFUSALS.by(TextBankError, 'my model: its tokenizer makes [0, 5,', 'at most one token before a text')
def a_tokenizer_with_more_before_a_text(folder: Path) -> None:
    Tokeniser.of_hugging_face(tokenizer(lambda text: list(text.encode()), ([0, 5], [2]), 1), 12, 'my model')


@REFUSALS.by(TextBankError, "'bad-alike'", "'car' and 'road' as the same tokens")
def names_that_a_tokenizer_reads_alike(folder: Path) -> None:
    encoder = OpenClipText(described(folder, 'bad-alike'), prompt_length=1)
    encoder.tower.tokeniser.words = lambda text: [7]
    encoder.encode(['car', 'road'], torch.device('cpu'))


@REFUSALS.by(CheckpointError, 'absent.pth: no such file', 'dinotxt')
def a_missing_file_of_dinotxt(folder: Path) -> None:
    open_dinotxt(folder / 'absent.pth')


@REFUSALS.by(CheckpointError, 'head.pth', 'holds no weights of a text encoder')
def the_image_head_of_dinotxt(folder: Path) -> None:
    torch.save({'visual_model.head.ln_final.weight': torch.ones(4)}, folder / 'head.pth')
    open_dinotxt(folder / 'head.pth')


def start_training(**encoder: Any) -> None:
    """What is looked at before a training builds anything."""
    encoder = dict(type='mmlmseg.OpenClipText', **encoder)
    check_text_towers(Config(dict(model=dict(decode_head=dict(text=dict(encoder=encoder))))))


@REFUSALS.by(CheckpointError, 'webly: no such weight file', 'Did you mean: webli')
def a_misspelt_tag_at_the_start_of_a_training(folder: Path) -> None:
    start_training(model='ViT-B-16-SigLIP', pretrained='webly')


@REFUSALS.by(CheckpointError, "'ViT-B-16-SigLIB'", 'Did you mean: ViT-B-16-SigLIP')
def a_misspelt_model_at_the_start_of_a_training(folder: Path) -> None:
    start_training(model='ViT-B-16-SigLIB')


@REFUSALS.by(TextBankError, "the pooling 'none'")
def a_text_side_that_is_not_read_at_the_start_of_a_training(folder: Path) -> None:
    start_training(model=described(folder, 'bad-start', pool_type='none'))
