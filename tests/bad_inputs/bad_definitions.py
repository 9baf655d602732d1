"""Definitions, ensembles of names and templates that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from refusals import Refusals

from mmlmseg.checkpoint import CheckpointRecord
from mmlmseg.class_list import split_definitions
from mmlmseg.class_texts import Reading
from mmlmseg.errors import CheckpointError, LabelSpaceError, OptionError, TextBankError
from mmlmseg.label_space import LabelSpace, LabelSpaces
from mmlmseg.models.text import TextTable

REFUSALS = Refusals()
SPACE = LabelSpace.create('street', ['car', 'person'], definitions={'person': 'a human being, on foot'})


def from_file(folder: Path, definitions: Any) -> None:
    (folder / 'classes.json').write_text(json.dumps(dict(classes=['car', 'person'], definitions=definitions)))
    LabelSpace.from_json(folder)


def table(spaces: LabelSpace = SPACE, **options: Any) -> TextTable:
    return TextTable(LabelSpaces([spaces]), dict(type='mmlmseg.TextBankEncoder'), 8, **options)


@REFUSALS.by(LabelSpaceError, 'classes.json', 'definitions are ["a human being"]', 'write {"class": "what it is"')
def a_list_of_definitions(folder: Path) -> None:
    from_file(folder, ['a human being'])


@REFUSALS.by(LabelSpaceError, "the definition of 'person' is 3", 'or leave it out')
def a_number_for_a_definition(folder: Path) -> None:
    from_file(folder, dict(person=3))


@REFUSALS.by(LabelSpaceError, 'the definition of \'person\' is " "')
def a_blank_definition(folder: Path) -> None:
    from_file(folder, dict(person=' '))


@REFUSALS.by(LabelSpaceError, "definitions name the unknown class 'persn'", 'Did you mean: person?')
def a_definition_of_no_class(folder: Path) -> None:
    from_file(folder, dict(persn='a human being'))


@REFUSALS.by(LabelSpaceError, "unknown key 'definition'", "write 'definitions'")
def a_misspelt_key(folder: Path) -> None:
    (folder / 'classes.json').write_text(json.dumps(dict(classes=['car'], definition={'car': 'a vehicle'})))
    LabelSpace.from_json(folder)


@REFUSALS.by(LabelSpaceError, 'a comma may be part of one', 'write ; between its classes')
def a_typed_definition_among_commas(folder: Path) -> None:
    split_definitions('person: a human being, on foot, sky')


@REFUSALS.by(LabelSpaceError, '"person:" is no class with its definition')
def a_typed_definition_that_is_empty(folder: Path) -> None:
    split_definitions(['sky', 'person:'])


@REFUSALS.by(LabelSpaceError, '": a human being" is no class with its definition')
def a_typed_definition_without_a_name(folder: Path) -> None:
    split_definitions(': a human being; sky')


@REFUSALS.by(TextBankError, "text.read='both'", 'tools/build_text_bank.py --read both', 'mmlmseg.OpenClipText')
def definitions_for_a_bank(folder: Path) -> None:
    table(read='both')


@REFUSALS.by(TextBankError, 'text.templates', 'than the one it was made with')
def templates_for_a_bank(folder: Path) -> None:
    table(templates=dict(street='a {name} in a street'))


@REFUSALS.by(LabelSpaceError, "text.templates name the label space 'streat'", 'Did you mean: street?')
def a_template_of_no_space(folder: Path) -> None:
    table(templates=dict(streat='a {name}'))


@REFUSALS.by(OptionError, 'has no place for the class name')
def a_template_without_a_place(folder: Path) -> None:
    table(templates=dict(street='a photo'))


@REFUSALS.by(OptionError, "text.read must be one of name, definition, both, got 'all'")
def an_unknown_way_to_read(folder: Path) -> None:
    table(read='all')


@REFUSALS.by(OptionError, "text.sample_synonyms is true, false or 'lexicon', not 'wordnet'")
def synonyms_of_an_unknown_source(folder: Path) -> None:
    table(sample_synonyms='wordnet')


@REFUSALS.by(OptionError, 'sample_synonyms', 'average_synonyms', 'not both')
def synonyms_drawn_and_averaged(folder: Path) -> None:
    table(sample_synonyms=True, average_synonyms=True)


@REFUSALS.by(LabelSpaceError, 'synonyms shall be averaged', 'leave average_synonyms out')
def nothing_to_average(folder: Path) -> None:
    table(average_synonyms=True).init_weights()


@REFUSALS.by(TextBankError, "'automobilly'", 'tools/build_text_bank.py')
def a_synonym_to_average_that_the_bank_lacks(folder: Path) -> None:
    table(LabelSpace.create('s', ['car'], synonyms={'car': ['automobilly']}), average_synonyms=True).init_weights()


@REFUSALS.by(LabelSpaceError, 'trained on names alone', "text.read='name'")
def a_definition_typed_for_a_model_of_names(folder: Path) -> None:
    typed = LabelSpace.create('custom', ['person'], definitions={'person': 'a human being'})
    table().eval().categories([typed])


@REFUSALS.by(CheckpointError, 'text.average_synonyms=True', 'text.average_synonyms=False', 'give decode_head.text')
def a_checkpoint_of_averaged_names(folder: Path) -> None:
    record(Reading(average_synonyms=True)).check(record(Reading()))


@REFUSALS.by(CheckpointError, "'car' read as the mean of", 'the same synonyms')
def a_checkpoint_of_other_synonyms(folder: Path) -> None:
    other = LabelSpace.create('street', SPACE.classes, synonyms={'car': ['auto']})
    averaged = Reading(average_synonyms=True)
    record(averaged, other).check(record(averaged))


@REFUSALS.by(CheckpointError, '\'person\' read as "a person in a street"', 'text.templates')
def a_checkpoint_of_another_template(folder: Path) -> None:
    space = LabelSpace.create('street', ['person'])
    record(Reading(templates=dict(street='a {name} in a street')), space).check(record(Reading(), space))


def record(reading: Reading, space: LabelSpace = SPACE) -> CheckpointRecord:
    return CheckpointRecord(LabelSpaces([space]), 'softmax', things_only=False, reading=reading)
