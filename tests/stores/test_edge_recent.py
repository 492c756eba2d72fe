"""What an embedded collection remembers of what was read last."""

from __future__ import annotations

from samdb.core.points import Point
from samdb.stores import edge_recent
from samdb.stores.edge_recent import Recent


class Source:
    """Points `a` to `z` with the number of times that they were written; says what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.version = 1

    def read(self, ids: list[str]) -> list[Point]:
        self.asked.append(ids)
        return [Point(i, {}, {"version": self.version}) for i in ids if i.islower()]


def test_only_what_is_not_known_is_read() -> None:
    recent, source = Recent(), Source()
    assert [p.id for p in recent.get(["b", "a", "X", "b"], source.read)] == ["b", "a", "b"]
    assert [p.id for p in recent.get(["c", "a"], source.read)] == ["c", "a"]
    assert [p.id for p in recent.get(["a", "c"], source.read)] == ["a", "c"]
    assert recent.get(["X"], source.read) == []
    assert source.asked == [["b", "a", "X"], ["c"], ["X"]]


def test_a_read_that_a_write_overtakes_is_not_kept() -> None:
    recent, source = Recent(), Source()

    def overtaken(ids: list[str]) -> list[Point]:
        found = source.read(ids)
        source.version = 2  # another thread writes before the answer is there
        recent.forget()
        return found

    assert recent.get(["a"], overtaken)[0].payload == {"version": 1}
    assert recent.get(["a"], source.read)[0].payload == {"version": 2}


def test_no_more_is_kept_than_is_worth_it() -> None:
    recent, source = Recent(), Source()
    names = [f"a{i}" for i in range(edge_recent._MOST + 1)]
    assert len(recent.get(names, source.read)) == len(names)  # more than is ever kept
    recent.get(names[:-1], source.read)
    recent.get(names[-1:], source.read)  # no room: the others go
    recent.get(names[:1] + names[-1:], source.read)
    assert source.asked[3:] == [names[:1]]
