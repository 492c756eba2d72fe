"""The tour in cells, run as the script that it is too."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

from samdb.api import Database
from samdb.pipelines.search import SearchResults
from tests.shapes import N_TRAIN, write_shapes

TOUR = Path(__file__).resolve().parents[2] / "scripts" / "notebook_tour.py"


def test_the_tour_is_made_of_cells() -> None:
    cells = TOUR.read_text("utf-8").split("# %%")
    assert cells[0] == ""
    words = [cell for cell in cells if cell.startswith(" [markdown]")]
    assert len(words) > 5
    assert all(line.startswith("#") for cell in words for line in cell.splitlines()[1:] if line)


@pytest.mark.weights
def test_the_tour_runs_from_ingest_to_export(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shapes(tmp_path / "shapes")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAMDB_CHECKPOINT", str(checkpoint))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", [str(TOUR), str(tmp_path / "shapes"), "out"])

    names = runpy.run_path(str(TOUR), run_name="__main__")

    said = capsys.readouterr().out
    assert f"{N_TRAIN} images ingested, {3 * N_TRAIN} new segments" in said
    assert "the disc is a disc" in said
    hits, refined, database = names["hits"], names["refined"], names["db"]
    assert isinstance(hits, SearchResults)
    assert isinstance(refined, SearchResults)
    assert {hit.segment.class_name for hit in refined[: N_TRAIN - 1]} == {"disc"}
    # the example and what was refined with are no hits of their own
    assert not {names["hits"][0].segment.segment_id} & {hit.segment.segment_id for hit in refined}
    assert hits._repr_html_().count("<img") == len(hits)
    assert names["image"]._repr_html_().count("<img") == 1
    exported = json.loads(
        (tmp_path / "out" / "coco" / "annotations" / "instances_train.json").read_text("utf-8")
    )
    assert len(exported["annotations"]) == 3 * N_TRAIN
    assert isinstance(database, Database)
    assert "is closed" in database._repr_html_()
