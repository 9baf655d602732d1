"""Text banks, and open_clip models whose text is not read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from refusals import Refusals
from safetensors.torch import save_file

from mmlmseg.checkpoint import TextSource
from mmlmseg.errors import CheckpointError, TextBankError
from mmlmseg.models.text.bank import TextBank, TextBankEncoder
from mmlmseg.models.text.prompted import OpenClipText

REFUSALS = Refusals()
SOURCE = TextSource('toy', '{name}', 2, 'abc')


def save(folder: Path, names: str, embeddings: torch.Tensor) -> str:
    """Writes a bank as it should not be, and returns its path."""
    path = str(folder / 'bank.safetensors')
    metadata = {'format': '1', 'encoder': 'toy', 'prompt': '{name}', 'weights': 'abc', 'names': names}
    save_file({'embeddings': embeddings}, path, metadata=metadata)
    return path


@REFUSALS.by(TextBankError, 'bank.safetensors', "'car' and 'sky' have the same embedding")
def names_of_one_embedding(folder: Path) -> None:
    TextBank.load(save(folder, json.dumps(['car', 'sky']), torch.ones(2, 2))).rows(['car', 'sky'])


@REFUSALS.by(TextBankError, 'bank.safetensors', "the embedding of 'sky' is zero")
def an_embedding_of_zeros(folder: Path) -> None:
    TextBank.load(save(folder, json.dumps(['car', 'sky']), torch.tensor([[1.0, 0.0], [0.0, 0.0]])))


@REFUSALS.by(TextBankError, 'bank.safetensors', 'not finite')
def an_embedding_of_whole_numbers(folder: Path) -> None:
    TextBank.load(save(folder, json.dumps(['car']), torch.ones(1, 2, dtype=torch.int64)))


@REFUSALS.by(TextBankError, 'bank.safetensors', '5 is no name')
def a_name_that_is_a_number(folder: Path) -> None:
    TextBank.load(save(folder, '[5]', torch.ones(1, 2)))


@REFUSALS.by(TextBankError, 'bank.safetensors', 'its names are no JSON')
def names_that_are_no_json(folder: Path) -> None:
    TextBank.load(save(folder, 'car', torch.ones(1, 2)))


@REFUSALS.by(TextBankError, 'bank.npy', 'not a NumPy array')
def an_empty_array_file(folder: Path) -> None:
    (folder / 'bank.npy').touch()
    (folder / 'bank.txt').write_text('car\n')
    TextBank.load(folder / 'bank.npy')


@REFUSALS.by(TextBankError, 'bank.txt', 'not UTF-8', 'one class name per line')
def names_in_another_encoding(folder: Path) -> None:
    np.save(folder / 'bank.npy', np.ones((1, 2)))
    (folder / 'bank.txt').write_bytes('Straße\n'.encode('latin-1'))
    TextBank.load(folder / 'bank.npy')


@REFUSALS.by(TextBankError, 'minilm: holds its own names', 'names.txt')
def names_for_a_bank_that_has_its_own(folder: Path) -> None:
    _ = TextBankEncoder(names='names.txt').bank


@REFUSALS.by(TextBankError, "'trafic light'", 'Did you mean: traffic light', 'build_text_bank.py')
def a_misspelt_name(folder: Path) -> None:
    TextBank.load('minilm').rows(['trafic light'])


@REFUSALS.by(CheckpointError, "'RN50-quickgelo'", 'Did you mean: RN50-quickgelu')
def a_misspelt_model(folder: Path) -> None:
    OpenClipText('RN50-quickgelo')
