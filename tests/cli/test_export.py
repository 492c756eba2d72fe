"""`samdb export` on the drawn dataset."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import samdb as package
from samdb.datasets import open_dataset
from tests.cli.command import Samdb
from tests.shapes import Shapes

pytestmark = pytest.mark.weights


def test_an_export_is_counted_by_class_and_can_be_ingested_again(
    samdb: Samdb, shapes: Shapes, tmp_path: Path
) -> None:
    done = samdb("export", "coco", tmp_path / "out", "--what", "labels")
    assert done.code == 0, done.err
    assert done.table == [["class", "objects"], ["bar", "6"], ["disc", "6"], ["square", "6"]]
    assert "18 labels of 6 images (coco" in done.err
    before = {s.path.name: s for s in open_dataset(shapes.folder).samples("train")}
    for sample in open_dataset(tmp_path / "out").samples("train"):
        boxes = {label.class_name: label.box_xyxy for label in before[sample.path.name].labels}
        assert {label.class_name: label.box_xyxy for label in sample.labels} == boxes


def test_filters_json_and_predictions(samdb: Samdb, tmp_path: Path) -> None:
    words = ("--what", "predictions", "--where", "class_name=disc", "--split", "train", "--json")
    done = samdb("export", "yolo", tmp_path / "out", *words)
    assert done.code == 0, done.err
    (record,) = done.records
    assert record["classes"] == {"disc": 6}
    assert (record["format"], record["what"], record["n_images"]) == ("yolo", "predictions", 6)
    assert "there is no split 'val'" in done.err


def test_parquet_takes_the_stored_vectors_along(samdb: Samdb, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert samdb("export", "parquet", tmp_path / "all.parquet").code == 0
    table = parquet.read_table(tmp_path / "all.parquet")
    assert table.num_rows == 18
    assert table.schema.field("blend").type.list_size == len(table["blend"][0]) == 576


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("coco", "taken"), 2, "is not empty: choose another folder"),
        (("coco", "taken", "--force"), 2, "holds something else than an export of samdb"),
        (("coco", "out", "--where", "class_name=cat"), 1, "none of the 18 segments"),
        (("coco", "out", "--split", "val"), 1, "loosen --where and --split"),
        (("yolo", "out", "--recipes", "blend"), 2, "yolo holds no embeddings"),
        (("parquet", "out", "--recipes", "nope"), 2, "unknown recipe 'nope'"),
        (("coco", "out", "--what", "predictions", "--bank", "other"), 1, "other"),
        (("kitti", "out"), 2, "kitti"),
    ],
)
def test_what_cannot_be_exported_says_why_and_leaves_nothing(
    samdb: Samdb,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/mine.txt").write_text("x")
    done = samdb("export", *words)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


def test_the_same_from_python(shapes: Shapes, tmp_path: Path) -> None:
    with package.connect(str(shapes.store)) as db:
        report = db.export("bdd100k", tmp_path / "bars.json", what="labels", where=["class_name=bar"])
    assert report.classes == {"bar": 6}
    frames = json.loads((tmp_path / "bars.json").read_text())
    assert [len(frame["labels"]) for frame in frames] == [1] * 6
