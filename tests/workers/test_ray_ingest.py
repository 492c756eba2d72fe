"""Ingest on a real Ray: the same as in one process, whatever happens to the workers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from samdb.core.points import Condition
from samdb.errors import ConfigError, WeightsError, WorkerError
from samdb.pipelines.ingest import IngestProgress
from samdb.stores.layout import IMAGES
from samdb.workers import ray_crew, ray_ingest
from tests.pipelines.ingest_worlds import (
    RectangleSegmenter,
    assert_ledger_agrees,
    assert_same_points,
    contents,
    new_store,
    noise,
    run_ingest,
    write_image,
    write_labels,
    write_world,
)
from tests.workers.ray_worlds import FOUND, MakeBlind, RayWorld, make_death, make_nothing, write_deadly

N_IMAGES = 30


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """More images than two workers have in hand at once."""
    return write_world(tmp_path / "world", N_IMAGES)


def test_workers_store_what_one_process_stores_and_report_the_same(world: Path, on_ray: RayWorld) -> None:
    (world / "images" / "03.png").write_bytes(b"no image")
    labels = {f"{i:02}.png": [((4, 4, 28, 28), "car")] for i in range(N_IMAGES)}
    write_labels(world, {**labels, "05.png": [((40, 40, 41, 41), "car")]})
    alone, store = new_store(), new_store()
    wanted = run_ingest(world, alone, RectangleSegmenter(FOUND), prompts="both")
    told: list[IngestProgress] = []
    report = on_ray.ingest(world, store, on_progress=told.append)
    assert_same_points(contents(store), contents(alone))
    assert (report.n_images, report.n_ingested, report.n_segments, report.n_workers) == (
        wanted.n_images,
        wanted.n_ingested,
        wanted.n_segments,
        2,
    )
    assert sorted(map(repr, report.quarantined)) == sorted(map(repr, wanted.quarantined))
    assert len(report.quarantined) == 1
    assert sorted(map(repr, report.problems)) == sorted(map(repr, wanted.problems))
    assert len(report.problems) == 1
    assert [(at.n_seen, at.n_total) for at in told] == [(i, N_IMAGES) for i in range(1, N_IMAGES + 1)]
    assert told[-1].n_segments == report.n_segments
    assert report.profile.read_s > 0 < report.profile.write_s
    assert len(list(on_ray.pids.iterdir())) == 2

    # what is unchanged is skipped, what changed is replaced, what moved is found again
    write_image(world / "images" / "10.png", noise(99))
    moved = world.parent / "moved" / "world"
    moved.parent.mkdir()
    world.rename(moved)
    wanted = run_ingest(moved, alone, RectangleSegmenter(FOUND), prompts="both")
    report = on_ray.ingest(moved, store)
    assert (report.n_ingested, report.n_unchanged) == (wanted.n_ingested, wanted.n_unchanged) == (1, 28)
    assert [p.image_id for p in report.quarantined] == ["images/03.png"]
    assert_same_points(contents(store), contents(alone))


def test_images_are_encoded_together_where_the_worker_can(world: Path, on_ray: RayWorld) -> None:
    alone, store = new_store(), new_store()
    run_ingest(world, alone, RectangleSegmenter(FOUND), prompts="both")
    on_ray.together = 4
    assert on_ray.ingest(world, store).n_ingested == N_IMAGES
    assert_same_points(contents(store), contents(alone))


def test_a_worker_that_is_killed_costs_nothing_but_time(world: Path, on_ray: RayWorld) -> None:
    alone, store = new_store(), new_store()
    run_ingest(world, alone, RectangleSegmenter(FOUND), prompts="both")
    on_ray.delay_s = 0.02

    def kill(at: IngestProgress) -> None:
        if at.n_seen == 8:  # all, or the one that is left is done before another is there
            for pid in on_ray.running():
                os.kill(pid, signal.SIGKILL)

    report = on_ray.ingest(world, store, on_progress=kill)
    assert (report.n_ingested, report.quarantined) == (N_IMAGES, ())
    assert len(list(on_ray.pids.iterdir())) > 2
    assert_same_points(contents(store), contents(alone))
    assert_ledger_agrees(store)


def test_an_image_that_kills_its_workers_is_quarantined_and_takes_no_other_with_it(
    world: Path, on_ray: RayWorld
) -> None:
    write_deadly(world / "images" / "12.png")
    store = new_store()
    report = on_ray.ingest(world, store)
    assert [p.image_id for p in report.quarantined] == ["images/12.png"]
    assert "3 workers died of it" in report.quarantined[0].reason
    assert report.n_ingested == N_IMAGES - 1
    # the last to be started anew may not have been needed
    assert 1 <= len(list(on_ray.pids.iterdir())) - ray_ingest.MOST_DEATHS <= 2
    (entry,) = store.scroll(IMAGES, (Condition("image_id", "=", ("images/12.png",)),))
    assert (entry.payload["status"], entry.payload["n_segments"]) == ("quarantined", 0)
    assert_ledger_agrees(store)
    # made harmless, it is taken up by the next run
    write_image(world / "images" / "12.png", noise(12))
    again = on_ray.ingest(world, store)
    assert (again.n_ingested, again.n_unchanged, again.quarantined) == (1, N_IMAGES - 1, ())


def test_workers_that_cannot_load_sam_say_why(world: Path, on_ray: RayWorld) -> None:
    on_ray.make = make_nothing
    with pytest.raises(WeightsError, match=r"^on the worker .*: there are no weights: fetch them$"):
        on_ray.ingest(world, new_store())


def test_workers_that_die_while_they_load_sam_end_the_run(world: Path, on_ray: RayWorld) -> None:
    on_ray.make, on_ray.n_workers = make_death, 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray_crew, "_RESTART_S", 0.5)
        with pytest.raises(WorkerError, match="the workers die while they load SAM"):
            on_ray.ingest(world, new_store())


def test_workers_that_die_of_everything_end_the_run(tmp_path: Path, on_ray: RayWorld) -> None:
    world = write_world(tmp_path / "world", 6)
    for path in (world / "images").iterdir():
        write_deadly(path)
    on_ray.n_workers = 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ray_ingest, "_MOST_DEATHS_IN_A_ROW", 1)
        with pytest.raises(WorkerError, match="2 workers died one after the other"):
            on_ray.ingest(world, new_store())


def test_a_store_that_holds_another_dataset_of_that_name_ends_the_run(
    tmp_path: Path, on_ray: RayWorld
) -> None:
    store = new_store()
    on_ray.ingest(write_world(tmp_path / "a" / "world", 3), store)
    other = write_world(tmp_path / "b" / "world", 3)
    write_image(other / "images" / "01.png", noise(50))
    with pytest.raises(Exception, match="give this dataset another name with --name"):
        on_ray.ingest(other, store)


def test_a_worker_that_does_not_see_the_images_ends_the_run(tmp_path: Path, on_ray: RayWorld) -> None:
    world = write_world(tmp_path / "world", 2)
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("only root can hide a folder from a process")
    on_ray.make = MakeBlind(world / "images")
    with pytest.raises(ConfigError, match=r"cannot read .*0[01].png, which is here: the images must lie"):
        on_ray.ingest(world, new_store())
