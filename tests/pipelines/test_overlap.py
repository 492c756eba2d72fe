"""A stage: its order, its bound, and what becomes of what waits when something goes wrong."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable

import pytest

from samdb.pipelines.overlap import Stage

PATIENCE_S = 30.0


class Worker:
    """Work that goes on only when it is let; remembers what it did."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.started = threading.Semaphore(0)
        self.may_go_on = threading.Semaphore(0)

    def __call__(self, item: int) -> None:
        """Wait for leave, then do the item."""
        self.started.release()
        assert self.may_go_on.acquire(timeout=PATIENCE_S)
        self.done.append(item)

    def let(self, n: int) -> None:
        """Give leave for `n` items."""
        for _ in range(n):
            self.may_go_on.release()


def hand_over(n: int, stage: Stage[int], then: Callable[[], None] = lambda: None) -> None:
    """Hand over 0, 1, 2 and so on to a stage, then do something else in its block."""
    with stage:
        for i in range(n):
            stage.put(i)
        then()


def raise_it(error: BaseException) -> None:
    """Raise an exception."""
    raise error


def fail(item: int) -> None:
    """Cannot do item 2."""
    if item == 2:
        raise ZeroDivisionError("two")


def test_items_are_done_in_their_order_and_the_end_comes_last() -> None:
    done: list[int] = []
    with Stage("t", done.append, 3, at_end=lambda: done.append(-1)) as stage:
        for i in range(100):
            stage.put(i)
    assert done == [*range(100), -1]


def test_who_hands_over_waits_while_enough_is_waiting() -> None:
    worker = Worker()
    with Stage("t", worker, 2) as stage:
        for i in range(3):  # one in hand, two waiting
            stage.put(i)
            if i == 0:
                assert worker.started.acquire(timeout=PATIENCE_S)
        fourth = threading.Thread(target=stage.put, args=(3,))
        fourth.start()
        fourth.join(0.05)
        assert fourth.is_alive()
        worker.let(4)
        fourth.join(PATIENCE_S)
        assert not fourth.is_alive()
    assert worker.done == [0, 1, 2, 3]


def test_what_the_work_raises_is_raised_to_who_hands_over_and_nothing_more_is_done() -> None:
    done: list[int] = []

    def work(item: int) -> None:
        fail(item)
        done.append(item)

    with pytest.raises(ZeroDivisionError, match="two"):
        hand_over(1000, Stage("t", work, 1, at_end=done.clear))
    assert done == [0, 1]


def test_what_the_last_item_or_the_end_raises_is_raised_when_the_stage_is_left() -> None:
    with pytest.raises(ZeroDivisionError, match="two"):
        hand_over(3, Stage("t", fail, 5))
    with pytest.raises(ValueError, match="end"):
        hand_over(2, Stage("t", fail, 5, at_end=lambda: raise_it(ValueError("end"))))


def test_who_waits_for_a_place_is_told_when_the_stage_dies() -> None:
    goes_on = threading.Event()

    def work(item: int) -> None:
        assert goes_on.wait(PATIENCE_S)
        raise ZeroDivisionError("later")

    threading.Timer(0.05, goes_on.set).start()
    with pytest.raises(ZeroDivisionError, match="later"):
        hand_over(3, Stage("t", work, 1))


def test_an_interrupt_keeps_what_was_handed_over() -> None:
    done: list[int] = []
    stage = Stage("t", done.append, 100, at_end=lambda: done.append(-1))
    with pytest.raises(KeyboardInterrupt):
        hand_over(50, stage, lambda: raise_it(KeyboardInterrupt()))
    assert done == [*range(50), -1]


def test_any_other_exception_drops_what_waits() -> None:
    worker = Worker()
    ended: list[int] = []
    stage = Stage("t", worker, 9, at_end=lambda: ended.append(1))

    def go_wrong() -> None:
        assert worker.started.acquire(timeout=PATIENCE_S)
        threading.Timer(0.05, worker.let, (5,)).start()
        raise ValueError("elsewhere")

    with pytest.raises(ValueError, match="elsewhere"):
        hand_over(5, stage, go_wrong)
    assert worker.done == [0]
    assert not ended


def test_a_second_interrupt_does_not_wait_for_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker()
    stage = Stage("t", worker, 9)
    for i in range(5):
        stage.put(i)
    assert worker.started.acquire(timeout=PATIENCE_S)
    join, interrupts = threading.Thread.join, [KeyboardInterrupt]

    def interrupted(thread: threading.Thread, timeout: float | None = None) -> None:
        if interrupts:
            raise interrupts.pop()
        worker.let(5)
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stage.finish()
    assert worker.done == [0]


def test_an_item_is_let_go_of_once_it_is_done() -> None:
    class Thing:
        pass

    seen: list[weakref.ref[Thing]] = []
    with Stage[Thing]("t", lambda thing: seen.append(weakref.ref(thing)), 1) as stage:
        stage.put(Thing())
        while not seen or seen[0]() is not None:
            gc.collect()
