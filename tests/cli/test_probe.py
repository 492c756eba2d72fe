"""`samdb probe` on the drawn dataset."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import Samdb
from tests.shapes import CLASSES, N_TRAIN, Shapes, boxes_of

pytestmark = pytest.mark.weights


def test_a_probe_prints_a_table_and_writes_a_page(samdb: Samdb, tmp_path: Path) -> None:
    done = samdb("probe", "--out", tmp_path / "out", "--colour", "split")
    assert done.code == 0, done.err
    assert done.table[0] == ["class", "segments", "within", "to others", "AUROC"]
    assert {row[0] for row in done.table[1:]} == {*CLASSES, "all"}
    assert done.table[-1][1] == str(N_TRAIN * len(CLASSES))
    assert (tmp_path / "out" / "probe.html").stat().st_size > 100_000


def test_an_image_with_a_point_gives_a_similarity_map(samdb: Samdb, shapes: Shapes, tmp_path: Path) -> None:
    x0, y0, x1, y1 = boxes_of(100)["square"]
    point = f"{(x0 + x1) / 2},{(y0 + y1) / 2}"
    done = samdb("probe", shapes.photo("val", 100), "--point", point, "--out", tmp_path, "--json")
    assert done.code == 0, done.err
    (record,) = done.records
    assert record == json.loads((tmp_path / "probe.json").read_text())
    assert record["recipe"] == "blend"
    assert (tmp_path / "similarity.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--point", "3,4"], "give an IMAGE"),
        (["img.png"], "one of --point X,Y or --box"),
        (["--colour", "mood"], "cannot colour by 'mood'"),
        (["--recipe", "nose"], "unknown recipe 'nose'"),
        (["--where", "class_name"], "cannot read the filter"),
    ],
)
def test_what_cannot_be_asked_is_said(samdb: Samdb, tmp_path: Path, words: list[str], message: str) -> None:
    done = samdb("probe", "--out", tmp_path, *words)
    assert done.code == 2
    assert message in done.err
