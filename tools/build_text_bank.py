#!/usr/bin/env python
"""Makes a text bank: embeddings of class names by a text encoder, saved with what made them.

The shipped bank is made with::

    python tools/build_text_bank.py tools/text_bank_names.txt --encoder FOLDER/all-MiniLM-L6-v2 \\
        --encoder-name all-MiniLM-L6-v2 --out mmlmseg/assets/text_bank_minilm.safetensors

where the folder holds a sentence-transformers model (``pip install sentence-transformers`` beside mmlmseg).
A CLIP bank::

    python tools/build_text_bank.py my_names.txt --encoder open_clip:RN50-quickgelu:openai --out clip_rn50.safetensors

A bank in which the definitions of a classes.json stand for its names::

    python tools/build_text_bank.py DATA/classes.json --read both --encoder FOLDER --out defined.safetensors

docs/text_encoders.md says which encoders there are, and what each needs.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'names', nargs='+', help='text files with one name per line, classes.json files or their folders'
    )
    parser.add_argument(
        '--encoder',
        required=True,
        help='open_clip:MODEL:WEIGHTS (hub tag or file), open_clip:local-dir:FOLDER, dinotxt:FILE, or a folder of '
        'sentence-transformers',
    )
    parser.add_argument('--encoder-name', help='what to call the encoder of a folder (default: the name of the folder)')
    parser.add_argument('--prompt', default='a photo of a {name}', help='template (default: %(default)r)')
    parser.add_argument(
        '--read',
        choices=['name', 'definition', 'both'],
        default='name',
        help='what of a class with a definition is embedded under its name (default: %(default)s)',
    )
    parser.add_argument(
        '--out', required=True, help='.safetensors (with provenance) or .npy (names in a .txt beside it)'
    )
    return parser.parse_args(argv)


if __name__ == '__main__':
    parse_args()  # --help and mistakes need not wait for the imports below

import torch
from torch import Tensor

import mmlmseg  # noqa: F401  (lets a CUDA torchvision import beside a CPU torch)
from mmlmseg import cli
from mmlmseg.checkpoint import TextSource
from mmlmseg.class_texts import Read, defined
from mmlmseg.errors import OptionError, TextBankError
from mmlmseg.label_space import LabelSpace
from mmlmseg.models.text.bank import TextBank, equal_rows, read_names
from mmlmseg.models.text.dinotxt import open_dinotxt
from mmlmseg.models.text.open_tower import open_tower
from mmlmseg.models.text.table import NO_OBJECT_TEXT
from mmlmseg.models.text.text_side import text_side
from mmlmseg.models.text.tokens import PROBES, require_words
from mmlmseg.models.text.tower import weights_digest
from mmlmseg.names import normalise_name

Embed = Callable[[list[str]], Tensor]


def collect_names(sources: Sequence[str]) -> list[str]:
    """Gathers the distinct normalised names of text files (one per line), ``classes.json`` files and their folders."""
    names: list[str] = []
    for source in sources:
        path = Path(source)
        if not path.exists():
            raise TextBankError(f'{path}: no such file; give text files with one name per line, or classes.json files')
        if path.is_dir() or path.suffix == '.json':
            space = LabelSpace.from_json(path)
            names += [*space.names, *(synonym for group in space.synonyms for synonym in group)]
        else:
            names += [normalise_name(line)[0] for line in read_names(path)]
    # A bank looks names up with a hyphen as a space, and a model needs the row of the no-object text.
    distinct = {name.replace('-', ' '): name for name in reversed([NO_OBJECT_TEXT, *names])}
    return sorted(distinct.values())


def collect_definitions(sources: Sequence[str]) -> dict[str, str]:
    """The definitions of ``classes.json`` files by main name.

    Raises:
        TextBankError: Where there is none, or a name has two.
    """
    found: dict[str, str] = {}
    for source in sources:
        if Path(source).is_dir() or Path(source).suffix == '.json':
            space = LabelSpace.from_json(source)
            for name, definition in zip(space.names, space.definitions, strict=True):
                if definition and found.setdefault(name.replace('-', ' '), definition) != definition:
                    raise TextBankError(
                        f'{source}: {name!r} has another definition than in a file before it; a bank has one '
                        'embedding a name, so make one bank for each file'
                    )
    if not found:
        raise TextBankError('--read: no class has a definition; give classes.json files with the key "definitions"')
    return found


def open_clip_encoder(encoder: str) -> tuple[Embed, str, str]:
    """An open_clip text tower, ``MODEL:WEIGHTS``: how it embeds, its name, the hash of its weights."""
    scheme = next((scheme for scheme in ('local-dir:', 'hf-hub:') if encoder.startswith(scheme)), '')
    model, _, weights = encoder.removeprefix(scheme).partition(':')
    side = text_side(scheme + model)
    tower = open_tower(side.model, weights or None)
    return tower.encode_texts, f'open_clip:{side.title}', tower.digest


def dinotxt_encoder(file: str) -> tuple[Embed, str, str]:
    """The text tower of dino.txt: how it embeds, its name, the hash of its weights."""
    tower = open_dinotxt(file)
    transformer = tower.text.transformer
    return tower.encode_texts, f'dino.txt:{transformer.layers} layers of width {transformer.width}', tower.digest


def sentence_encoder(folder: str, name: str | None) -> tuple[Embed, str, str]:
    """A sentence-transformers folder: how it embeds (unit norm), its name, the hash of its weights."""
    if not Path(folder).is_dir():
        raise TextBankError(
            f'{folder}: no such folder; --encoder takes open_clip:MODEL:WEIGHTS, dinotxt:FILE or a folder of '
            'sentence-transformers'
        )
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise TextBankError('a sentence-transformers folder needs: pip install sentence-transformers') from None
    try:
        model = SentenceTransformer(folder, device='cpu')
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().split('\n')[0]
        raise TextBankError(f'{folder}: sentence-transformers cannot open it ({reason})') from None

    def embed(texts: list[str]) -> Tensor:
        return model.encode(texts, convert_to_tensor=True, normalize_embeddings=True).float().cpu()

    return embed, f'sentence-transformers:{name or Path(folder).name}', weights_digest(model.state_dict())


@torch.no_grad()
def build_bank(
    names: Sequence[str],
    prompt: str,
    embed: Embed,
    encoder: str,
    weights: str,
    batch: int = 64,
    read: Read = 'name',
    definitions: Mapping[str, str] | None = None,
) -> TextBank:
    """Embeds names.

    Args:
        names: Normalised names.
        prompt: A template that holds ``{name}``.
        embed: From texts to embeddings ``[n, width]``.
        encoder: The encoder's name.
        weights: The hash of its weights.
        batch: Texts per call of ``embed``.
        read, definitions: What is embedded of a name, by :func:`mmlmseg.class_texts.defined`, that has a definition.

    Returns:
        The bank, in fp16.

    Raises:
        TextBankError: Where the template has no place for the name, or the encoder cannot tell two names apart.
    """
    if set(re.findall(r'\{.*?\}', prompt)) != {'{name}'}:
        raise TextBankError(
            f'the prompt {prompt!r} has no place for the class name, or one for something else; write {{name}} into it'
        )
    said = {} if definitions is None else definitions
    texts = [prompt.replace('{name}', defined(name, said.get(name.replace('-', ' '), ''), read)) for name in names]
    prompt = prompt.replace('{name}', defined('{name}', '{definition}', read))
    embeddings = torch.cat([embed(texts[i : i + batch]) for i in range(0, len(texts), batch)])
    if pair := equal_rows(embeddings.half()):
        first, second = (names[i] for i in pair)
        raise TextBankError(
            f'{encoder} cannot tell {first!r} and {second!r} apart: their embeddings are equal. Is its tokenizer '
            'there? Some libraries go on without the files of one, and read all names alike'
        )
    require_words(embed(list(PROBES)).tolist(), encoder)  # names of unlike length may differ all the same
    return TextBank(names, embeddings.half(), TextSource(encoder, prompt, embeddings.shape[1], weights))


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the tool."""
    args = parse_args(argv)
    with cli.one_line_errors():
        if Path(args.out).suffix not in ('.safetensors', '.npy'):
            raise OptionError(f'--out {args.out}: a bank is a .safetensors or a .npy file')
        names = collect_names(args.names)
        scheme, _, place = args.encoder.partition(':')
        if scheme == 'open_clip':
            embed, encoder, digest = open_clip_encoder(place)
        elif scheme == 'dinotxt':
            embed, encoder, digest = dinotxt_encoder(place)
        else:
            embed, encoder, digest = sentence_encoder(args.encoder, args.encoder_name)
        definitions = {} if args.read == 'name' else collect_definitions(args.names)
        bank = build_bank(names, args.prompt, embed, encoder, digest, read=args.read, definitions=definitions)
        bank.save(args.out)
    size = Path(args.out).stat().st_size
    print(f'{args.out}: {len(bank)} names, width {bank.source.width}, {encoder}, {size / 1e6:.2f} MB')


if __name__ == '__main__':
    main()
