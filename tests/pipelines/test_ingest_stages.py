"""The stages of ingest beside each other: what fails in one of them, batches for a GPU, the profile."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from samdb.core.masks import Rle
from samdb.core.points import Point
from samdb.core.prompt import MaskCandidate, Prompt
from samdb.core.sample import Sample
from samdb.core.vectors import Vector
from samdb.datasets import read_image
from samdb.errors import DeviceMemoryError, ModelError, StoreUnavailableError
from samdb.pipelines.ingest import IngestProgress
from samdb.ports import EncodedImage, PreparedImage
from samdb.stores.layout import IMAGES, SEGMENTS
from samdb.stores.memory import MemoryStore
from tests.pipelines.bank_worlds import lay_out
from tests.pipelines.ingest_worlds import (
    DIM,
    RECIPES,
    Colours,
    Pixels,
    RectangleSegmenter,
    assert_same_points,
    contents,
    new_store,
    noise,
    run_ingest,
    write_image,
    write_world,
)

N_IMAGES = 60


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """More images than all stages hold together."""
    return write_world(tmp_path / "world", N_IMAGES)


@pytest.fixture(autouse=True)
def _no_thread_stays() -> object:
    yield
    assert [t.name for t in threading.enumerate() if t.name.startswith("samdb-")] == []


class UnexpectedError(Exception):
    """What nobody reckons with."""


class Failing(RectangleSegmenter):
    """Fails at the tenth image, in the method of this name."""

    where = ""
    n_calls = 0

    def _maybe(self, where: str) -> None:
        if where == self.where:
            self.n_calls += 1
            if self.n_calls == 10:
                raise UnexpectedError(where)

    def prepare(self, image: NDArray[np.uint8]) -> Pixels:
        """In a reading thread."""
        self._maybe("prepare")
        return super().prepare(image)

    def encode_batch(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """In the thread that called."""
        self._maybe("encode")
        return super().encode_batch(images)

    def prompt(self, image: EncodedImage, prompts: Sequence[Prompt]) -> list[list[MaskCandidate]]:
        """In the thread that called."""
        self._maybe("prompt")
        return super().prompt(image, prompts)

    def is_sub_cell(self, mask: Rle) -> bool:
        """In the finishing thread."""
        self._maybe("finish")
        return super().is_sub_cell(mask)


class SlowStore(MemoryStore):
    """A store that takes its time for segments, and then fails if told to."""

    error: Exception | None = None

    def upsert(self, name: str, points: Sequence[Point]) -> None:
        """Wait, then fail or write."""
        if name == SEGMENTS:
            time.sleep(0.1)
            if self.error is not None:
                raise self.error
        super().upsert(name, points)


def slow_store() -> SlowStore:
    """An empty slow store."""
    store = SlowStore()
    lay_out(store, dict.fromkeys(RECIPES, DIM))
    return store


@pytest.mark.parametrize("where", ["prepare", "encode", "prompt", "finish"])
def test_an_unexpected_exception_in_any_stage_ends_the_run_as_itself(world: Path, where: str) -> None:
    segmenter, store = Failing(), new_store()
    segmenter.where = where
    with pytest.raises(UnexpectedError, match=where):
        run_ingest(world, store, segmenter)
    assert segmenter.n_encoded < N_IMAGES
    assert run_ingest(world, store).n_images == N_IMAGES


def test_an_unexpected_exception_while_reading_ends_the_run_as_itself(world: Path) -> None:
    def read(sample: Sample) -> NDArray[np.uint8]:
        if sample.path.stem == "12":
            raise UnexpectedError("read")
        return read_image(sample.path)

    with pytest.raises(UnexpectedError, match="read"):
        run_ingest(world, new_store(), read=read)


@pytest.mark.parametrize("error", [StoreUnavailableError("the store died"), UnexpectedError("write")])
def test_a_store_that_fails_stops_the_run_at_once_with_that_exception(world: Path, error: Exception) -> None:
    segmenter, store = RectangleSegmenter(), slow_store()
    store.error = error
    with pytest.raises(type(error)) as stopped:
        run_ingest(world, store, segmenter)
    assert stopped.value is error
    # the group that could not be written, as many that wait to be, two to be finished, and those in hand
    assert segmenter.n_encoded <= 8 + 8 + 2 + 3
    assert store.count(IMAGES) == 0


@pytest.mark.parametrize("moment", ["told", "encode", "read"])
def test_an_interrupt_at_any_moment_keeps_what_was_cut_however_slow_the_store_is(
    world: Path, moment: str
) -> None:
    class Stopped(RectangleSegmenter):
        def encode_batch(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
            if moment == "encode" and self.n_encoded == 30:
                raise KeyboardInterrupt
            return super().encode_batch(images)

    def stop(at: IngestProgress) -> None:
        if moment == "told" and at.n_seen == 30:
            raise KeyboardInterrupt

    def read(sample: Sample) -> NDArray[np.uint8]:
        if moment == "read" and sample.path.stem == "30":
            raise KeyboardInterrupt  # reaches the thread that called through the future
        return read_image(sample.path)

    store = slow_store()
    with pytest.raises(KeyboardInterrupt):
        run_ingest(world, store, Stopped(), on_progress=stop, read=read)
    assert store.count(IMAGES) == 30
    report = run_ingest(world, store)
    assert (report.n_unchanged, report.n_ingested) == (30, N_IMAGES - 30)


def test_a_store_that_fails_while_an_interrupted_run_keeps_its_images_is_told(world: Path) -> None:
    store = slow_store()

    def stop(at: IngestProgress) -> None:
        if at.n_seen == 5:
            store.error = StoreUnavailableError("the store died")
            raise KeyboardInterrupt

    with pytest.raises(StoreUnavailableError):
        run_ingest(world, store, on_progress=stop)


@pytest.mark.parametrize("together", [2, 8, 100])
def test_images_that_are_encoded_together_end_as_those_encoded_alone(world: Path, together: int) -> None:
    (world / "images" / "03.png").write_bytes(b"")
    alone, store, segmenter = new_store(), new_store(), RectangleSegmenter(together=together)
    wanted = run_ingest(world, alone)
    told: list[IngestProgress] = []
    report = run_ingest(world, store, segmenter, on_progress=told.append)
    assert_same_points(contents(store), contents(alone))
    assert segmenter.n_encoded == N_IMAGES - 1
    assert [at.n_seen for at in told] == list(range(1, N_IMAGES + 1))
    assert told[-1].n_segments == report.n_segments == wanted.n_segments
    assert report.quarantined == wanted.quarantined
    # among images that need nothing those few that changed are put together
    for name in ("10.png", "50.png"):
        write_image(world / "images" / name, noise(99))
    again = run_ingest(world, store, segmenter)
    assert (again.n_ingested, again.n_unchanged) == (2, N_IMAGES - 3)


@dataclasses.dataclass
class Limited(RectangleSegmenter):
    """Has memory for `room` images at once, and does not bear images of `broken` px height."""

    room: int = 100
    broken: int = 0
    sizes: list[int] = dataclasses.field(default_factory=list)

    def encode_batch(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Refuse what does not fit or is broken."""
        self.sizes.append(len(images))
        if len(images) > self.room:
            raise DeviceMemoryError("there is too little memory for this: choose a smaller --model")
        if any(image.size_hw[0] == self.broken for image in images):
            raise ModelError("the encoder does not bear this image")
        return super().encode_batch(images)


def test_an_image_that_the_encoder_does_not_bear_takes_no_other_with_it(world: Path) -> None:
    write_image(world / "images" / "05.png", noise(5, (33, 48)))
    store, segmenter = new_store(), Limited(together=8, broken=33)
    report = run_ingest(world, store, segmenter)
    assert [(p.image_id, p.reason) for p in report.quarantined] == [
        ("images/05.png", "the encoder does not bear this image")
    ]
    assert report.n_ingested == N_IMAGES - 1
    # the first eight together, then each of them, then eight by eight again
    assert segmenter.sizes == [8, *[1] * 8, *[8] * 6, 4]


def test_a_batch_that_is_too_large_for_the_memory_is_halved_for_the_rest_of_the_run(world: Path) -> None:
    store, segmenter = new_store(), Limited(together=8, room=3)
    report = run_ingest(world, store, segmenter)
    assert (report.n_ingested, report.quarantined) == (N_IMAGES, ())
    assert segmenter.sizes == [8, 4, *[2] * (N_IMAGES // 2)]


def test_an_image_that_alone_is_too_large_for_the_memory_is_left_out_with_the_reason(world: Path) -> None:
    report = run_ingest(world, new_store(), Limited(together=2, room=0), limit=3)
    assert report.n_ingested == 0
    assert [p.image_id for p in report.quarantined] == [f"images/0{i}.png" for i in range(3)]
    assert {p.reason for p in report.quarantined} == {
        "there is too little memory for this: choose a smaller --model"
    }


def test_what_cannot_be_embedded_is_left_out_though_it_was_cut(world: Path) -> None:
    class NoVector(Colours):
        def embeddings(self) -> list[Mapping[str, Vector]]:
            raise ValueError("an embedding must be finite and not zero")

    class Odd(RectangleSegmenter):
        def describe(
            self, image: EncodedImage, masks: Sequence[MaskCandidate], recipes: Sequence[str]
        ) -> Colours:
            colours = super().describe(image, masks, recipes)
            return NoVector(colours.under, colours.recipes) if self.n_encoded == 2 else colours

    report = run_ingest(world, new_store(), Odd(), limit=4)
    assert [p.image_id for p in report.quarantined] == ["images/01.png"]
    assert report.n_ingested == 3


def test_the_report_says_where_the_time_went(world: Path) -> None:
    report = run_ingest(world, new_store())
    seconds = dataclasses.asdict(report.profile)
    assert seconds.keys() == {"read_s", "encode_s", "decode_s", "finish_s", "write_s"}
    assert all(value > 0 for value in seconds.values())
    # one thread asks SAM
    assert report.profile.sam_s == seconds["encode_s"] + seconds["decode_s"] < report.seconds
    assert report.sam_share == report.profile.sam_s / report.seconds


def test_a_run_with_nothing_to_do_has_spent_nothing_on_sam(world: Path) -> None:
    store = new_store()
    run_ingest(world, store)
    report = run_ingest(world, store)
    assert (report.n_unchanged, report.sam_share, report.profile.write_s) == (N_IMAGES, 0.0, 0.0)
