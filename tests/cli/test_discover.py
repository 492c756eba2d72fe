"""`samdb discover` on the drawn dataset."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from samdb.datasets.images import read_image
from tests.cli.command import Samdb
from tests.shapes import Shapes

pytestmark = pytest.mark.weights


def test_unknown_segments_are_grouped_named_learned_and_taken_back(
    writer: Samdb, shapes: Shapes, tmp_path: Path
) -> None:
    # what SAM finds beside the labelled shapes is background: the bank learns that it knows nothing of it
    assert writer("ingest", shapes.folder, "--split", "train", "--prompts", "both").code == 0
    assert writer("bank", "build").code == 0
    found = tmp_path / "found"
    options = ("--min-size", 3, "--min-area-px", 200)
    done = writer("discover", "--out", found, *options, "--json")
    assert done.code == 0, done.err
    assert "unlabelled segments are unknown to default@2" in done.err
    assert done.records
    first = done.records[0]
    assert first.keys() == {
        "cluster",
        "size",
        "images",
        "cohesion",
        "nearest_class",
        "nearest_share",
        "segment_ids",
    }
    assert read_image(found / "cluster-01.png").std() > 5
    assert json.loads((found / "clusters.json").read_text())["clusters"]["1"] == first["segment_ids"]

    named = writer("discover", "--from", found, "--name", "1=thing")
    assert named.code == 0, named.err
    assert f"{first['size']:,} of {first['size']:,} segments are now thing" in named.err
    learned = writer("bank", "build", "--include-named")
    assert learned.code == 0, learned.err
    assert "thing" in learned.out
    undone = writer("discover", "--undo", "thing")
    assert undone.code == 0
    assert f"{first['size']:,} segments are no thing any more" in undone.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--name", "1=cone"), "--name and --from go together"),
        (("--name", "cone", "--from", "."), "give CLUSTER=CLASS"),
        (("--min-size", 3, "--similarity", 1), "--similarity between 0 and 1"),
    ],
)
def test_what_cannot_be_discovered_says_why(bare: Samdb, words: tuple[object, ...], message: str) -> None:
    done = bare("discover", *words)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
