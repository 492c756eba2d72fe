"""`samdb eval` on the drawn dataset."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import Samdb
from tests.shapes import N_TRAIN, N_VAL, Shapes

pytestmark = pytest.mark.weights


def test_a_dataset_is_ingested_where_it_is_missing_and_measured(
    writer: Samdb, shapes: Shapes, tmp_path: Path
) -> None:
    words = ("eval", shapes.folder, "--min-box-px2", "100", "--seeds", "2", "--open-set", "bar")
    done = writer(*words, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert done.table[0] == ["figure", "blend bank", "chance"]
    accuracy = next(row for row in done.table if row[0] == "accuracy")
    assert float(accuracy[1].split()[0]) > 0.9
    assert f"learned from {N_TRAIN} images" in done.err
    assert f"judged by {3 * N_VAL} boxes of {N_VAL} others" in done.err
    assert "skipped: automatic" in done.err
    assert "'neck_box' is not stored in both splits" in done.err  # train was ingested without it
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "eval.json",
        "confusion.png",
        "pr.png",
        "reliability.png",
        "per_class.png",
    }

    (record,) = writer("eval", *words[2:], "--json").records  # what is stored is enough
    written = json.loads((tmp_path / "out" / "eval.json").read_text())
    assert record["methods"] == written["methods"]
    assert (record["protocol"], record["classes"]) == (written["protocol"], written["classes"])


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--train-split", "test", "--val-split", "train"), 2, "only of train"),
        (("--dataset", "other"), 2, "there is shapes"),
        (("--recipe", "corp"), 2, "unknown recipe 'corp'"),
        (("--recipe", "crop"), 1, "--recipes crop"),
        (("--bank", "other"), 1, "there are default@1"),
        (("--classes", "tram"), 2, "no labelled box of tram"),
        (("nowhere",), 1, "nowhere"),
    ],
)
def test_what_cannot_be_measured_says_why(
    samdb: Samdb, words: tuple[str, ...], code: int, message: str
) -> None:
    done = samdb("eval", *words)
    assert message in " ".join(done.err.split())
    assert (done.code, done.out) == (code, "")


def test_a_store_that_is_empty_says_what_to_do(bare: Samdb, tmp_path: Path) -> None:
    done = bare("eval", "--store", tmp_path / "none")
    assert done.code == 3
    assert "samdb ingest" in done.err
