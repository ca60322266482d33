"""How far a federated model is from its independent twin, on one world."""

from __future__ import annotations

from typing import Any

import numpy as np

from fedrec.algorithms.registry import get
from fedrec.contract import Interactions
from fedrec.testing.subject import Subject, fitted_scores
from fedrec.twins import get_twin


def subject_of(name: str, users: Interactions, **settings: Any) -> Subject:
    return Subject(get(name)(**settings), users)


def apart(subject: Subject, **other: Any) -> float:
    """Return max |federated - twin| / max |twin| over all users and items; ``other``: settings for the twin alone."""
    twin = get_twin(subject.algorithm.name)
    assert twin is not None
    initial = subject.algorithm.shared(subject.catalog, subject.seed)
    theirs = twin(subject.users, subject.users, subject.algorithm.config.model_dump() | other, initial)
    ours = fitted_scores(subject, subject.users).astype(np.float64)
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())
