"""What an ingest tells while it runs, and when it is done."""

from __future__ import annotations

from dataclasses import dataclass

from samdb.pipelines.ingest_finishing import Problem, Tally
from samdb.pipelines.ingest_profile import IngestProfile


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """How far a run is; `n_total` counts the images it has to look at. What is seen may not be stored yet."""

    n_total: int
    n_seen: int
    n_segments: int


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What a run did.

    `n_images` were looked at: `n_ingested` were cut into `n_segments` segments, `n_unchanged` needed nothing,
    the others are `quarantined`: they have no segments in the store. `problems` are labels that were left
    out. Both name the troubles of unchanged images too. `n_removed` segments of earlier runs are gone.
    `profile` says where the time went, of all `n_workers` together.
    """

    dataset: str
    n_images: int
    n_ingested: int
    n_unchanged: int
    n_segments: int
    n_removed: int
    quarantined: tuple[Problem, ...]
    problems: tuple[Problem, ...]
    seconds: float
    profile: IngestProfile
    n_workers: int = 1

    @property
    def images_per_s(self) -> float:
        """Images cut per second of the run, unchanged and quarantined ones not counted."""
        return self.n_ingested / self.seconds if self.seconds > 0 else 0.0

    @property
    def sam_share(self) -> float:
        """Share (0..1) of the run's time in which SAM was at work, in the mean over the workers."""
        return self.profile.sam_s / (self.seconds * self.n_workers) if self.seconds > 0 else 0.0

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        from samdb.pipelines.notebook_reports import ingest_html

        return ingest_html(self)


def make_report(
    dataset: str, tally: Tally, n_removed: int, seconds: float, profile: IngestProfile, n_workers: int = 1
) -> IngestReport:
    """The report of a run that has ended."""
    return IngestReport(
        dataset=dataset,
        n_images=tally.n_images,
        n_ingested=tally.n_ingested,
        n_unchanged=tally.n_unchanged,
        n_segments=tally.n_segments,
        n_removed=n_removed,
        quarantined=tuple(tally.quarantined),
        problems=tuple(tally.problems),
        seconds=seconds,
        profile=profile,
        n_workers=n_workers,
    )
