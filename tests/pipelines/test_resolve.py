"""One object, one answer: hand-made trees of rectangles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from samdb.core.bank import BankCard, Prediction
from samdb.core.segment import Segment
from samdb.pipelines.resolve import Resolved, resolve
from tests.bank.worlds import bank_of, prototype, unit
from tests.pipelines.bank_worlds import stored

#: answers from .3 on, and from .8 on one can build upon them
CARD: BankCard = replace(
    bank_of([prototype("c", unit(1, 0), "car"), prototype("b", unit(0, 1), "bus")]).card,
    thresholds={"car": 0.3, "bus": 0.3},
    conformal={"car": 0.3, "bus": 0.3},
    sure={"car": 0.8, "bus": 0.8},
)
WHOLE, FRONT, BACK = (0, 0, 20, 20), (0, 0, 10, 20), (10, 0, 20, 20)


def seen(name: str, box: tuple[int, int, int, int], inside: Segment | None = None) -> Segment:
    """A segment that fills a box, below another."""
    segment = stored(name, unit(1, 0, 0, 0), None, box=box, granularity="part" if inside else "whole")
    return replace(segment, parent_id=inside.segment_id if inside else None)


def says(class_name: str, score: float) -> Prediction:
    """An answer."""
    return Prediction(class_name, score, classes=(class_name,), scores=((class_name, score),))


def unsure(class_name: str, score: float) -> Prediction:
    """A rejected answer that would have been this class."""
    return Prediction(None, score, class_name, "low_score", scores=((class_name, score),))


NOTHING = Prediction(None, 0.9, "car", "background", scores=((None, 0.9), ("car", 0.05)))


def resolved(*found: tuple[Segment, Prediction]) -> list[Resolved]:
    """What becomes of these."""
    return resolve([s for s, _ in found], [p for _, p in found], CARD)


def answers(found: list[Resolved]) -> list[str | None]:
    """The class of each that answers for itself, `hidden` for the others."""
    return ["hidden" if f.answered_by else f.prediction.class_name for f in found]


def test_a_whole_that_can_be_built_upon_answers_for_its_parts() -> None:
    whole = seen("w", WHOLE)
    front, back = seen("f", FRONT, whole), seen("b", (12, 0, 16, 5), whole)
    found = resolved((whole, says("car", 0.9)), (front, says("bus", 0.95)), (back, NOTHING))
    assert answers(found) == ["car", "hidden", "hidden"]
    assert [f.answered_by for f in found[1:]] == [whole.segment_id] * 2
    assert (found[0].parts, found[1].parts) == (2, 0)


def test_a_doubtful_whole_answers_unless_a_part_can_be_built_upon() -> None:
    whole = seen("w", WHOLE)
    front = seen("f", (0, 0, 10, 5), whole)
    doubtful = (whole, says("bus", 0.5))
    assert answers(resolved(doubtful, (front, says("car", 0.7)))) == ["bus", "hidden"]
    found = resolved(doubtful, (front, says("car", 0.85)))
    assert answers(found) == ["hidden", "car"]
    assert (found[0].answered_by, found[1].parts) == (front.segment_id, 1)


def test_a_part_of_an_unknown_whole_stands_alone_only_when_it_can_be_built_upon() -> None:
    scene = seen("w", WHOLE)
    sure, doubtful = seen("f", FRONT, scene), seen("b", BACK, scene)
    found = resolved((scene, NOTHING), (sure, says("car", 0.85)), (doubtful, says("car", 0.7)))
    assert answers(found) == [None, "car", "hidden"]
    assert found[2].answered_by == scene.segment_id


def test_parts_that_agree_with_their_whole_make_it_known() -> None:
    # both halves fill it and say car with .6: half of the say is theirs, (.2 + .6) / 2 = .4
    whole = seen("w", WHOLE)
    front, back = seen("f", FRONT, whole), seen("b", BACK, whole)
    found = resolved((whole, unsure("car", 0.2)), (front, says("car", 0.6)), (back, says("car", 0.6)))
    assert found[0].votes == {"car": pytest.approx(0.6)}
    assert found[0].prediction.class_name == "car"
    assert found[0].prediction.score == pytest.approx(0.4)
    assert answers(found) == ["car", "hidden", "hidden"]


def test_parts_that_fill_little_say_little_and_those_that_disagree_are_not_heard() -> None:
    whole, small = seen("w", WHOLE), (0, 0, 4, 5)
    little = resolved((whole, unsure("car", 0.2)), (seen("f", small, whole), says("car", 0.7)))
    # 20 of 400 px²: .2 + .5 * .05 * (.7 - .2)
    assert little[0].prediction == unsure("car", 0.2)
    other = resolved((whole, says("car", 0.5)), (seen("f", FRONT, whole), says("bus", 0.7)))
    assert other[0].prediction.score == 0.5
    heard = resolved((whole, says("car", 0.5)), (seen("f", small, whole), says("car", 0.7)))
    assert heard[0].prediction.score == pytest.approx(0.505)


def test_background_is_never_made_an_object_by_what_stands_on_it() -> None:
    road = seen("w", WHOLE)
    cars = [seen(str(i), box, road) for i, box in enumerate((FRONT, BACK))]
    found = resolved((road, NOTHING), *((car, says("car", 0.9)) for car in cars))
    assert answers(found) == [None, "car", "car"]


def test_one_object_seen_twice_is_answered_once_by_the_better() -> None:
    once, again = seen("a", (0, 0, 20, 20)), seen("b", (0, 0, 20, 18))
    found = resolved((once, says("car", 0.6)), (again, says("bus", 0.7)))
    assert answers(found) == ["hidden", "bus"]
    # side by side they are two
    beside = resolved((once, says("car", 0.6)), (seen("b", (22, 0, 40, 20)), says("car", 0.7)))
    assert answers(beside) == ["car", "car"]


def test_what_answers_for_another_speaks_for_its_parts_too() -> None:
    once, again = seen("a", (0, 0, 20, 20)), seen("b", (0, 0, 20, 18))
    part = seen("p", (0, 0, 5, 5), again)
    found = resolved((once, says("car", 0.95)), (again, says("car", 0.9)), (part, says("car", 0.4)))
    assert answers(found) == ["car", "hidden", "hidden"]
    assert found[2].answered_by == once.segment_id
    assert found[0].parts == 2


def test_every_segment_is_answered_for_by_one_that_answers() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        found: list[tuple[Segment, Prediction]] = []
        for i in range(12):
            inside = found[int(rng.integers(i))][0] if i and rng.random() < 0.7 else None
            x, y = (int(v) for v in rng.integers(0, 20, 2))
            score, name = float(rng.random()), str(rng.choice(["car", "bus"]))
            prediction = says(name, score) if score >= 0.3 else unsure(name, score)
            found.append((seen(str(i), (x, y, x + 9, y + 9), inside), prediction))
        became = resolved(*found)
        own = {s.segment_id for (s, _), r in zip(found, became, strict=True) if r.answered_by is None}
        assert {r.answered_by for r in became if r.answered_by} <= own
        assert sum(r.parts for r in became) == len(found) - len(own)


def test_an_image_without_segments_has_nothing_to_resolve() -> None:
    assert resolve([], [], CARD) == []
