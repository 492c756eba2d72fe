"""`samdb audit` on the drawn dataset."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from samdb.core.points import Condition
from samdb.stores.edge import EdgeStore
from samdb.stores.layout import SEGMENTS
from tests.cli.command import Samdb
from tests.shapes import Shapes

pytestmark = pytest.mark.weights


def test_a_planted_label_is_printed_and_written(writer: Samdb, shapes: Shapes, tmp_path: Path) -> None:
    planted = shapes.stored_id("disc", 2)
    store = EdgeStore(writer.variables["SAMDB_STORE"])
    store.set_payload(SEGMENTS, [planted], {"class_name": "bar"})
    assert store.count(SEGMENTS, (Condition("class_name", "=", ("bar",)),))
    store.close()

    done = writer("audit", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert done.table[0] == ["kind", "score", "label", "suggested", "box", "image"]
    assert done.table[1][0] == "label"
    assert done.table[1][2:4] == ["bar", "disc"]
    with (tmp_path / "out" / "audit.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["segment_id"] == planted
    assert (tmp_path / "out" / "labels.png").stat().st_size > 10_000
    assert (tmp_path / "out" / "images.png").is_file()

    records = writer("audit", "--json").records
    assert next(r["segment_id"] for r in records if r["kind"] == "label") == planted
    assert isinstance(records[0]["score"], float)


def test_the_drawn_dataset_has_no_wrong_label(samdb: Samdb) -> None:
    assert [r for r in samdb("audit", "--json").records if r["kind"] == "label"] == []


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--recipe", "nose"], 2, "unknown recipe 'nose'"),
        (["--where", "class_name=zebra"], 1, "loosen --where"),
        (["--near", "0"], 2, "--near"),
    ],
)
def test_what_cannot_be_audited_is_said(samdb: Samdb, words: list[str], code: int, message: str) -> None:
    done = samdb("audit", *words)
    assert done.code == code
    assert message in done.err
