"""Progress bars, on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from samdb.cli.show import talk
from samdb.pipelines.ingest import IngestProgress


class _RateColumn(ProgressColumn):
    """Images per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.2f} images/s" if speed else "- images/s", style="cyan")


@contextmanager
def ingest_bar() -> Iterator[Callable[[IngestProgress], None]]:
    """A bar with images/s, segments and the time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TextColumn("{task.fields[segments]:,} segments", style="green"),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=talk) as bar:
        task = bar.add_task("ingest", total=None, segments=0)

        def tell(at: IngestProgress) -> None:
            bar.update(task, total=at.n_total, completed=at.n_seen, segments=at.n_segments)

        yield tell


@contextmanager
def image_bar(what: str, n_images: int) -> Iterator[Callable[[], None]]:
    """A bar that is told of each image done; shown where the results do not show the progress themselves:
    when there are several, and they go to a file or a pipe.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    if n_images < 2 or sys.stdout.isatty():
        yield lambda: None
        return
    # rich would send stdout, too, to the bar's console: into stderr
    with Progress(*columns, console=talk, redirect_stdout=False) as bar:
        task = bar.add_task(what, total=n_images)
        yield lambda: bar.update(task, advance=1)


@contextmanager
def stage_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar whose stages follow each other: told the stage, how much is done, how much there is."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=talk, transient=True) as bar:
        tasks: dict[str, int] = {}

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(bar.tasks[tasks[stage]].id, completed=done, total=total)

        yield tell


class IngestBars:
    """The images' bar and, once the indexes are built, theirs: two bars cannot be shown at once."""

    def __enter__(self) -> IngestBars:
        self._shown = ExitStack()
        self.tell = self._shown.enter_context(ingest_bar())
        self._tell_index: Callable[[str, int, int], None] | None = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shown.close()

    def tell_index(self, stage: str, done: int, total: int) -> None:
        """Show how far the indexes are; the images are all done."""
        if self._tell_index is None:
            self._shown.close()
            self._tell_index = self._shown.enter_context(stage_bar())
        self._tell_index(stage, done, total)


class DownloadBar:
    """A bar per file; it appears with the first byte."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=talk,
        )
        self._tasks: dict[str, int] = {}

    def __call__(self, what: str, done_bytes: int, total_bytes: int | None) -> None:
        """Show how far the download of `what` is."""
        if what not in self._tasks:
            self._bar.start()
            self._tasks[what] = self._bar.add_task(what, total=total_bytes)
        task = self._bar.tasks[self._tasks[what]].id
        self._bar.update(task, completed=done_bytes, total=total_bytes)
        if done_bytes == total_bytes:
            self._bar.stop()
