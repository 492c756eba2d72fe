"""Many at once: searches go on while Segment Anything is busy, and its queue is short."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import httpx
import pytest

from samdb.core.prompt import MaskCandidate, Prompt
from samdb.ports import EncodedImage
from samdb.server.errors import ApiError
from samdb.server.options import ServeOptions
from samdb.server.rate import RateLimit
from samdb.server.sam_worker import SamWorker
from tests.pipelines.ingest_worlds import RectangleSegmenter
from tests.server.client import client_of
from tests.server.worlds import KEY, segment_id, small_world


class WaitingSegmenter(RectangleSegmenter):
    """A segmenter that answers when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.may_answer = threading.Event()

    def prompt(self, image: EncodedImage, prompts: Sequence[Prompt]) -> list[list[MaskCandidate]]:
        """Wait, then answer."""
        self.asked.set()
        assert self.may_answer.wait(60)
        return super().prompt(image, prompts)


@pytest.fixture
def slow() -> WaitingSegmenter:
    return WaitingSegmenter()


@pytest.fixture
def client(tmp_path: Path, slow: WaitingSegmenter) -> Iterator[httpx.Client]:
    """A server whose queue for SAM holds two."""
    small_world(tmp_path)
    with client_of(str(tmp_path / "store"), slow, ServeOptions(sam_queue=2)) as made:
        yield made
        slow.may_answer.set()


def test_searches_go_on_while_sam_is_busy_and_who_comes_too_many_is_told(
    client: httpx.Client, slow: WaitingSegmenter
) -> None:
    prompt = {"image_key": KEY, "box_xyxy": [4, 4, 20, 24]}
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(client.post, "/api/masks", json=prompt)
        assert slow.asked.wait(60)
        second = pool.submit(client.post, "/api/masks", json=prompt)
        # of two places one client may have one, beside the job under way: the third is refused, whoever it is
        third = pool.submit(client.post, "/api/masks", json=prompt)
        search = {"positives": [{"segment_id": segment_id(0)}]}
        for _ in range(20):
            found = client.post("/api/search", json=search)
            assert len(found.json()["items"]) == 2
        assert not first.done()
        refused = next(f.result() for f in as_completed([second, third], 60))
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "busy"
        assert int(refused.headers["retry-after"]) >= 1
        slow.may_answer.set()
        statuses = sorted(f.result().status_code for f in (first, second, third))
        assert statuses == [200, 200, 503]
    assert slow.n_encoded == 1  # the second prompt on an image needs no encoder


def test_one_client_does_not_keep_all_others_out() -> None:
    worker, gate, started = SamWorker(4), threading.Event(), threading.Event()

    def job() -> bool:
        started.set()
        return gate.wait(60)

    with ThreadPoolExecutor(8) as pool:
        held = [pool.submit(worker.run, "a", job) for _ in range(3)]
        assert started.wait(60)
        while worker.under_way < 3:
            time.sleep(0.01)
        with pytest.raises(ApiError, match="busy"):
            worker.run("a", job)
        other = pool.submit(worker.run, "b", job)
        gate.set()
        assert [f.result() for f in (*held, other)] == [True] * 4
    worker.close()


def test_a_client_is_told_when_to_come_again() -> None:
    now = 0.0
    limit = RateLimit(2.0, 3.0, lambda: now)
    for _ in range(3):
        limit.take("a")
    with pytest.raises(ApiError) as told:
        limit.take("a")
    assert (told.value.status, told.value.headers) == (429, {"Retry-After": "1"})
    limit.take("b")
    now = 0.6
    limit.take("a")
