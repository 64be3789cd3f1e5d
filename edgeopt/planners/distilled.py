"""A small planner that learns from the plans of a teacher: the class of a step's size, and which steps need which.

It does not write steps: it reads them from the lines of the task, as `step_lines` does, and adds what a scheduler
needs. The words of a step (TF-IDF) tell its class, by a linear classifier. How far apart an earlier and a later step
are, and which words they share, tell whether there is an edge, by a small tree; from which probability on it is taken
is what gives the best F1 on a fifth of the lessons that is held back for that. Planning takes milliseconds, and
learning a second, on one core.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeopt.errors import BackendError, InstanceError
from edgeopt.planners.base import Plan, PlannedStep
from edgeopt.planners.untrained import step_lines

HOLD = 5
"""Every so many-th lesson is held back to choose the threshold."""
LEAF = 20
"""Least number of pairs that a leaf of the tree is made of."""
THRESHOLDS = (0.25, 0.3, 0.35, 0.4, 0.45, 0.5)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A plan of a teacher.

    Attributes
    ----------
    title : str
    steps : tuple of str
        In words, in the order in which they are told.
    edges : frozenset of (int, int)
        Pairs of places, the second needs the first.
    sizes : tuple of int
        Class of each step, 0, 1, ...
    """

    title: str
    steps: tuple[str, ...]
    edges: frozenset[tuple[int, int]]
    sizes: tuple[int, ...]

    @property
    def text(self) -> str:
        """As a planner is given it."""
        return "\n".join((self.title, *self.steps))


@dataclass(frozen=True, slots=True)
class Errors:
    """How a planner does on lessons that it has not seen.

    Attributes
    ----------
    size_accuracy, size_majority : float
        Share of steps whose class is right; the same if all had the most frequent class of the training.
    edge_f1, chain_f1 : float
        F1 of the edges from earlier to later steps; the same of a chain of all steps.
    steps, edges : int
        How many were counted.
    """

    size_accuracy: float
    size_majority: float
    edge_f1: float
    chain_f1: float
    steps: int
    edges: int


class DistilledPlanner:
    """A trained planner.

    Parameters
    ----------
    tokens : sequence of int
        Output tokens that a step of each class is planned with.
    difficulty : sequence of float
        Difficulty of each class (logit).
    """

    def __init__(self, tokens: Sequence[int], difficulty: Sequence[float]) -> None:
        if len(tokens) != len(difficulty) or not len(tokens):
            raise InstanceError(f"{len(tokens)} tokens and {len(difficulty)} difficulties: one of each for every class")
        self.tokens, self.difficulty = list(tokens), list(difficulty)
        self._size: Any = None
        self._edge: Any = None
        self._majority = -1
        self._threshold = 0.5

    def fit(self, lessons: Sequence[Lesson]) -> DistilledPlanner:
        """Learn from a teacher's plans.

        Raises
        ------
        InstanceError
            If there are none, or a class has no tokens.
        BackendError
            If scikit-learn is not installed.
        """
        if not lessons:
            raise InstanceError("lessons = []: there is nothing to learn from")
        sizes = np.array([size for lesson in lessons for size in lesson.sizes], dtype=np.int64)
        if sizes.min() < 0 or sizes.max() >= len(self.tokens):
            raise InstanceError(f"a lesson has a step of class {sizes.max()}: there are {len(self.tokens)} classes")
        try:
            from sklearn.feature_extraction.text import TfidfVectorizer
            from sklearn.linear_model import SGDClassifier
            from sklearn.pipeline import make_pipeline
        except ModuleNotFoundError as error:
            words = "the distilled planner needs scikit-learn: pip install 'edgeopt[learn]' (the extra learn)"
            raise BackendError(words) from error
        texts = [text for lesson in lessons for text in lesson.steps]
        self._majority = int(np.bincount(sizes).argmax())
        if len(np.unique(sizes)) > 1:
            self._size = make_pipeline(
                TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
                SGDClassifier(loss="log_loss", alpha=1e-4, max_iter=100, tol=None, random_state=0),
            ).fit(texts, sizes)
        self._fit_edges(lessons)
        return self

    def _fit_edges(self, lessons: Sequence[Lesson]) -> None:
        from sklearn.tree import DecisionTreeClassifier

        def fitted(some: Sequence[Lesson]) -> Any:
            pairs = [features for lesson in some for features in _pairs(lesson.steps)]
            needed = [pair in lesson.edges for lesson in some for pair in _places(len(lesson.steps))]
            if len(set(needed)) < 2:
                return None
            tree = DecisionTreeClassifier(max_leaf_nodes=24, min_samples_leaf=LEAF, random_state=0)
            return tree.fit(np.array(pairs), needed)

        held = [lesson for place, lesson in enumerate(lessons) if place % HOLD == HOLD - 1]
        self._edge = fitted([lesson for place, lesson in enumerate(lessons) if place % HOLD != HOLD - 1])
        if self._edge is not None and held:
            scores = {}
            for threshold in THRESHOLDS:
                self._threshold = threshold
                scores[threshold] = _f1((self._edges(lesson.steps), _forward(lesson)) for lesson in held)
            self._threshold = max(scores, key=scores.__getitem__)
        self._edge = fitted(lessons)

    def _edges(self, steps: Sequence[str]) -> set[tuple[int, int]]:
        if self._edge is None or len(steps) < 2:
            return set()
        likely = self._edge.predict_proba(np.array(_pairs(steps)))[:, 1] > self._threshold
        return _reduced({pair for pair, take in zip(_places(len(steps)), likely, strict=True) if take}, len(steps))

    def plan(self, text: str) -> Plan:
        """The plan of a task whose lines are its steps.

        Raises
        ------
        InstanceError
            If the text is empty, or the planner has not been fitted.
        """
        steps = step_lines(text)
        sizes, edges = self.predict(steps)
        return Plan(
            tuple(
                PlannedStep(
                    str(place + 1),
                    step,
                    [str(before + 1) for before, after in edges if after == place],
                    self.difficulty[sizes[place]],
                    self.tokens[sizes[place]],
                )
                for place, step in enumerate(steps)
            )
        )

    def predict(self, steps: Sequence[str]) -> tuple[list[int], list[tuple[int, int]]]:
        """Class of each step, and edges from earlier to later steps; without those that others imply."""
        if self._majority < 0:
            raise InstanceError("the distilled planner has learned nothing yet: fit it to the plans of a teacher")
        sizes = [self._majority] * len(steps)
        if self._size is not None:
            sizes = [int(size) for size in self._size.predict(list(steps))]
        return sizes, sorted(self._edges(steps))


def errors_of(planner: DistilledPlanner, lessons: Sequence[Lesson]) -> Errors:
    """Errors on lessons that the planner has not seen."""
    right = majority = steps = 0
    found, chains = [], []
    for lesson in lessons:
        sizes, edges = planner.predict(lesson.steps)
        right += sum(a == b for a, b in zip(sizes, lesson.sizes, strict=True))
        majority += sum(size == planner._majority for size in lesson.sizes)
        steps += len(lesson.steps)
        truth = _forward(lesson)
        found.append((set(edges), truth))
        chains.append(({(place, place + 1) for place in range(len(lesson.steps) - 1)}, truth))
    total = max(1, steps)
    edges_in_all = sum(len(truth) for _, truth in found)
    return Errors(right / total, majority / total, _f1(found), _f1(chains), steps, edges_in_all)


def _forward(lesson: Lesson) -> set[tuple[int, int]]:
    """The edges from earlier to later steps."""
    return {pair for pair in lesson.edges if pair[0] < pair[1]}


def _f1(pairs: Iterable[tuple[set[tuple[int, int]], set[tuple[int, int]]]]) -> float:
    """F1 of found edges against true ones, all plans together."""
    both = counted = 0
    for found, truth in pairs:
        both += len(found & truth)
        counted += len(found) + len(truth)
    return 2 * both / counted if counted else 1.0


def _places(count: int) -> list[tuple[int, int]]:
    return [(one, other) for other in range(count) for one in range(other)]


_WORDS = re.compile(r"[a-z]{3,}")


def _pairs(steps: Sequence[str]) -> list[list[float]]:
    """Features of each pair of an earlier and a later step."""
    words = [set(_WORDS.findall(step.lower())) for step in steps]
    count = len(steps)
    rows = []
    for one, other in _places(count):
        shared = len(words[one] & words[other])
        between = [words[one] & words[k] for k in range(one + 1, other)]
        rows.append(
            [
                float(other - one == 1), float(other - one == 2), 1.0 / (other - one), one / count, other / count,
                float(one == 0), float(other == count - 1), float(shared),
                shared / (1 + len(words[one] | words[other])), float(any(between)), 1.0 / count,
            ]
        )  # fmt: skip
    return rows


def _reduced(edges: set[tuple[int, int]], count: int) -> set[tuple[int, int]]:
    """The edges that no longer way implies."""
    reach: list[set[int]] = [set() for _ in range(count)]
    kept = set()
    for other in range(count):
        for one in sorted((a for a, b in edges if b == other), reverse=True):
            if one not in reach[other]:
                kept.add((one, other))
                reach[other] |= {one} | reach[one]
    return kept
