"""Config files: reading them, and what can be said of a config, or changed about it, before anything is built."""

from .changes import evaluate_only, restrict, set_length
from .completion import complete_label_spaces
from .inference import inference_steps
from .parts import all_innermost, chosen_parts, innermost, listed_name, parts_of, space_names
from .reading import read_config
from .spaces import training_spaces

__all__ = [
    'all_innermost',
    'chosen_parts',
    'complete_label_spaces',
    'evaluate_only',
    'inference_steps',
    'innermost',
    'listed_name',
    'parts_of',
    'read_config',
    'restrict',
    'set_length',
    'space_names',
    'training_spaces',
]
