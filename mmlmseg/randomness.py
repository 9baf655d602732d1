"""Random numbers as a function of where they are drawn, so that a resumed run draws what an undisturbed one draws.

A generator that runs on from the start of a process forgets where it stood when the process ends. Here nothing runs on:
every step and every sample seeds the generators anew, from the seed of the run and its own place.
"""

from __future__ import annotations

import random

import numpy as np
import torch

# What random numbers are for; part of their seed, so that none repeat others. Those of the samplers are 0 and 1.
STEP, SAMPLE = 2, 3


def seed_all(*key: int) -> None:
    """Seeds the global generators of Python, NumPy and torch by non-negative integers.

    Example:
        >>> seed_all(0, STEP, 7)
        >>> first = random.random()
        >>> seed_all(0, STEP, 7)
        >>> random.random() == first
        True
    """
    own, of_numpy, of_torch = np.random.SeedSequence(key).generate_state(3).tolist()
    random.seed(own)
    np.random.seed(of_numpy)
    torch.manual_seed(of_torch)
