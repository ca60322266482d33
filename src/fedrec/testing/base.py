"""What a class of laws knows: the algorithm under test, its settings, its tolerances, and the worlds."""

from __future__ import annotations

from typing import Any, ClassVar

from fedrec.algorithms.registry import get
from fedrec.contract import Algorithm, Interactions
from fedrec.testing import worlds
from fedrec.testing.subject import Subject


class Laws:
    """Base of the mixins; see fedrec.testing.AlgorithmLaws for the attributes a subclass sets."""

    name: ClassVar[str] = ""
    config: ClassVar[dict[str, Any]] = {}
    board: ClassVar[dict[str, Any]] = {}
    tastes: ClassVar[dict[str, Any]] = {}
    sample: ClassVar[dict[str, Any]] = {}
    noisy: ClassVar[dict[str, Any]] = {}
    floor: ClassVar[float] = 0.0
    sum_tolerance: ClassVar[float] = 0.0
    private_tolerance: ClassVar[float] = 0.0
    score_tolerance: ClassVar[float] = 1e-5
    _subjects: ClassVar[dict[str, Subject]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._subjects = {}

    @classmethod
    def make(cls, **overrides: Any) -> Algorithm:
        """Return the algorithm with the class's settings and ``overrides``."""
        return get(cls.name)(**{**cls.config, **overrides})

    @classmethod
    def subject(cls, world: str = "awkward") -> Subject:
        """Return the algorithm on a named world; the training in it happens once a class."""
        if world not in cls._subjects:
            users = _world(world)
            overrides = cls.board if world == "checkerboard" else {}
            cls._subjects[world] = Subject(cls.make(**overrides), users)
        return cls._subjects[world]


def _world(name: str) -> Interactions:
    if name == "awkward":
        return worlds.awkward()
    if name == "repeats":
        return worlds.awkward(repeats=True)
    if name == "checkerboard":
        return worlds.checkerboard()
    return worlds.planted()
