"""Where the time of an ingest goes: seconds per stage, and how much of it is SAM."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from samdb.core.prompt import MaskCandidate, Prompt
from samdb.pipelines.piece import Sam
from samdb.ports import Description, EncodedImage

StageName: TypeAlias = Literal["read", "encode", "decode", "finish", "write"]


@dataclass(frozen=True, slots=True)
class IngestProfile:
    """Seconds spent in each stage of a run; the stages overlap, so that their sum may exceed the run's.

    `read_s` hashing, decoding and scaling images, all reading threads added up; `encode_s` SAM's image
    encoder; `decode_s` SAM's decoder, drawing its masks included; `finish_s` the whole/part tree and pooling;
    `write_s` the store.
    """

    read_s: float
    encode_s: float
    decode_s: float
    finish_s: float
    write_s: float

    @property
    def sam_s(self) -> float:
        """Seconds in which SAM was at work."""
        return self.encode_s + self.decode_s

    def __add__(self, other: IngestProfile) -> IngestProfile:
        """Both together."""
        return IngestProfile(
            self.read_s + other.read_s,
            self.encode_s + other.encode_s,
            self.decode_s + other.decode_s,
            self.finish_s + other.finish_s,
            self.write_s + other.write_s,
        )


class Stopwatch:
    """Adds up the seconds of the stages, from any thread."""

    def __init__(self) -> None:
        self._seconds: dict[StageName, float] = dict.fromkeys(get_args(StageName), 0.0)
        self._lock = threading.Lock()

    @contextmanager
    def __call__(self, stage: StageName) -> Iterator[None]:
        """Count the time of a block as the stage's."""
        started = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self._seconds[stage] += time.perf_counter() - started

    def profile(self) -> IngestProfile:
        """What was counted so far."""
        with self._lock:
            return IngestProfile(**{f"{stage}_s": seconds for stage, seconds in self._seconds.items()})

    def take(self) -> IngestProfile:
        """What was counted since the last time."""
        with self._lock:
            taken = IngestProfile(**{f"{stage}_s": seconds for stage, seconds in self._seconds.items()})
            self._seconds = dict.fromkeys(self._seconds, 0.0)
            return taken


class TimedSam:
    """SAM with its answers timed as `decode`; what is chosen between the questions is not counted."""

    def __init__(self, sam: Sam, stopwatch: Stopwatch) -> None:
        self._sam = sam
        self._stopwatch = stopwatch

    def prompt(self, image: EncodedImage, prompts: Sequence[Prompt]) -> list[list[MaskCandidate]]:
        """For each prompt its mask candidates."""
        with self._stopwatch("decode"):
            return self._sam.prompt(image, prompts)

    def automatic(self, image: EncodedImage) -> list[MaskCandidate]:
        """All masks of the image."""
        with self._stopwatch("decode"):
            return self._sam.automatic(image)

    def describe(
        self, image: EncodedImage, masks: Sequence[MaskCandidate], recipes: Sequence[str]
    ) -> Description:
        """What SAM has to say of the masks."""
        with self._stopwatch("decode"):
            return self._sam.describe(image, masks, recipes)
