"""The Python API, as the README shows it and beyond."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import samdb
from samdb.api import Database
from samdb.config import load_settings
from samdb.core.prompt import Prompt
from samdb.errors import (
    BankError,
    ConfigError,
    DatasetError,
    ImageError,
    InputError,
    StoreError,
    StoreLayoutError,
)
from samdb.sam.automatic import AutomaticSettings
from samdb.sam.recipes import layout_dims
from samdb.sam.segmenter import SamSegmenter
from samdb.stores.layout import LayoutParams
from samdb.stores.migrate import migrate
from samdb.stores.open import open_store
from samdb.wiring import load_segmenter, model_fingerprint
from tests.shapes import N_TRAIN, Shapes, boxes_of, copy_store, ingested, load_sam, write_shapes

ROOT = Path(__file__).resolve().parents[1]
NEW = 100


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No SAMDB_ variable from outside."""
    for name in [n for n in os.environ if n.startswith("SAMDB_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def sam(checkpoint: Path) -> SamSegmenter:
    """MobileSAM with a coarse grid."""
    return load_sam(checkpoint)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> Shapes:
    """The drawn dataset and its store: read them, do not change them."""
    return ingested(tmp_path_factory.getbasetemp(), checkpoint)


def connected(store: Path, sam: SamSegmenter) -> Database:
    """A database whose model is loaded already."""
    db = samdb.connect(str(store))
    db.segmenter = sam
    return db


@pytest.mark.weights
def test_five_lines_do_what_the_command_line_does(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shapes(tmp_path / "bdd100k")
    (tmp_path / "img.jpg").symlink_to(tmp_path / "bdd100k" / "images" / "val" / f"{NEW}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAMDB_CHECKPOINT", str(checkpoint))
    monkeypatch.setenv("SAMDB_POINTS_PER_SIDE", "2")

    # as in the README, but for the box, which is one of this picture's
    with samdb.connect("./samdb_data") as db:
        db.ingest("bdd100k/", split="train")
        db.build_bank()
        image = db.classify("img.jpg")
        hits = db.search("img.jpg", box_xyxy=boxes_of(NEW)["bar"])

    assert image.segments
    assert {h.segment.class_name for h in hits[:5]} == {"bar"}
    assert (tmp_path / "samdb_data" / "segments.json").is_file()


def test_importing_samdb_is_light() -> None:
    heavy = "('torch', 'numpy', 'pydantic', 'qdrant_client')"
    code = f"import samdb, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    with pytest.raises(AttributeError, match="no attribute 'conect'"):
        _ = samdb.conect


@pytest.mark.weights
def test_given_boxes_are_classified(shapes: Shapes, sam: SamSegmenter) -> None:
    boxes = boxes_of(NEW)
    with connected(shapes.store, sam) as db:
        image = db.classify(shapes.photo("val", NEW), boxes_xyxy=list(boxes.values()))
    assert [s.prediction.class_name for s in image.segments] == list(boxes)
    assert [s.segment.label_box_xyxy for s in image.segments] == list(boxes.values())


@pytest.mark.weights
def test_examples_of_all_kinds_search(shapes: Shapes, sam: SamSegmenter) -> None:
    photo, boxes = shapes.photo("val", NEW), boxes_of(NEW)
    with connected(shapes.store, sam) as db:
        (disc, mask), (bar, _) = db.examples(
            photo, [Prompt(box_xyxy=boxes["disc"]), Prompt(box_xyxy=boxes["bar"])]
        )
        square, segment = db.stored(shapes.stored_id("square", 2))
        assert segment.class_name == "square"
        like_disc = db.search(positives=[disc], negatives=[bar, square], limit=N_TRAIN)
        assert {h.segment.class_name for h in like_disc} == {"disc"}
        by_mask = db.search(photo, mask=mask.mask, limit=3)
        assert {h.segment.class_name for h in by_mask} == {"disc"}
        x0, y0, x1, y1 = boxes["square"]
        by_point = db.search(
            photo, point_xy=((x0 + x1) / 2, (y0 + y1) / 2), where=["granularity=whole"], limit=3
        )
        assert {h.segment.class_name for h in by_point} == {"square"}
        by_id = db.search(segment_id=shapes.stored_id("bar", 1), where=["class_name!=bar"], per_image=1)
        assert len(by_id) == N_TRAIN
        assert db.why_nothing(disc, where=["class_name=dog"])


@pytest.mark.weights
def test_an_image_without_labels_is_cut_automatically(
    shapes: Shapes, sam: SamSegmenter, tmp_path: Path
) -> None:
    photo = tmp_path / "photos" / "one.png"
    photo.parent.mkdir()
    photo.write_bytes(shapes.photo("val", NEW).read_bytes())
    with connected(tmp_path / "store", sam) as db:
        report = db.ingest(photo.parent)
        assert report.n_segments >= 3
        with pytest.raises(BankError, match="none of the"):
            db.build_bank()


@pytest.mark.weights
def test_banks_are_chosen_by_name(shapes: Shapes, sam: SamSegmenter, tmp_path: Path) -> None:
    copy_store(shapes.store, tmp_path / "store")
    with connected(tmp_path / "store", sam) as db:
        report = db.build_bank(name="small", k=1, exclude=["bar"], parts=False, activate=False)
        assert report.card.n_prototypes == 2
        assert (db.bank().label, db.bank("small").label) == ("default@1", "small@1")
        assert db.bank().fingerprint == sam.fingerprint


def test_a_store_knows_its_model(tmp_path: Path) -> None:
    with samdb.connect(str(tmp_path / "store"), model="vit_l") as db:
        assert db.prepare()
    with samdb.connect(str(tmp_path / "store")) as db:
        assert db.settings.model == "vit_l"
        db.check()
    with samdb.connect(str(tmp_path / "store"), model="vit_t") as db:
        with pytest.raises(StoreLayoutError, match="--model vit_l"):
            db.check()
        with pytest.raises(StoreLayoutError, match="--model vit_l"):
            db.build_bank()


def test_an_empty_store_says_what_to_do_and_is_not_made(tmp_path: Path) -> None:
    with samdb.connect(str(tmp_path / "store")) as db:
        for ask in (
            db.build_bank,
            db.bank,
            lambda: db.search(segment_id="x"),
            lambda: db.classify("img.jpg", bank="mine"),
        ):
            with pytest.raises(StoreLayoutError, match="samdb ingest"):
                ask()
    assert not (tmp_path / "store").exists()


def test_wrong_arguments_are_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    write_shapes(tmp_path / "shapes")
    with samdb.connect(str(tmp_path / "store")) as db:
        with pytest.raises(DatasetError, match="no such file or folder"):
            db.ingest(tmp_path / "nowhere")
        with pytest.raises(ConfigError, match="has no split 'test': there is train, val"):
            db.ingest(tmp_path / "shapes", split="test")
        with pytest.raises(ConfigError, match="use one of labels, auto, both"):
            db.ingest(tmp_path / "shapes", prompts="everything")  # type: ignore[arg-type]
        db.prepare()
        with pytest.raises(BankError, match="samdb bank build"):
            db.classify("img.jpg", bank="mine")
        with pytest.raises(ConfigError, match="unknown recipe 'nope'"):
            db.build_bank(recipe="nope")
        with pytest.raises(ConfigError, match="unknown recipe 'nope'"):
            db.search(segment_id="x", recipe="nope")
        with pytest.raises(ConfigError, match="needs an example"):
            db.search()
        with pytest.raises(ConfigError, match="cannot read the filter"):
            db.search("img.jpg", box_xyxy=(0, 0, 9, 9), where=["class_name"])
        with pytest.raises(ConfigError, match="needs the image"):
            db.search(box_xyxy=(0, 0, 9, 9))
        with pytest.raises(InputError, match="is not a segment id"):
            db.search(segment_id="x")


@pytest.mark.weights
def test_an_image_that_is_not_there_is_an_error(shapes: Shapes, sam: SamSegmenter) -> None:
    with connected(shapes.store, sam) as db:
        with pytest.raises(InputError, match="is not a file"):
            db.classify("nowhere.jpg")
        with pytest.raises(ImageError, match="no such file"):
            db.search("nowhere.jpg", box_xyxy=(0, 0, 9, 9))


@pytest.mark.weights
def test_a_second_opener_gets_a_clear_error_and_a_closed_store_opens_again(shapes: Shapes) -> None:
    with samdb.connect(str(shapes.store)), pytest.raises(StoreError, match="in use"):
        samdb.connect(str(shapes.store))
    samdb.connect(str(shapes.store)).close()


@pytest.mark.weights
def test_the_wired_segmenter_has_the_fingerprint_that_banks_are_given(checkpoint: Path) -> None:
    settings = load_settings({"checkpoint": checkpoint, "device": "cpu", "precision": "fp32"})
    assert load_segmenter(settings).fingerprint == model_fingerprint(settings)


@pytest.mark.weights
def test_crop_layers_are_asked_for_and_count_as_another_way_to_cut(checkpoint: Path) -> None:
    def cut_by(**more: int) -> str:
        settings = load_settings({"checkpoint": checkpoint, "device": "cpu", "points_per_side": 9, **more})
        return load_segmenter(settings).automatic_fingerprint

    without, once = AutomaticSettings(9, mode="fast"), AutomaticSettings(9, mode="fast", crop_layers=1)
    # stores of before there were any must not be cut anew
    assert cut_by() == cut_by(crop_layers=0) == repr(without)
    assert cut_by(crop_layers=1) == repr(replace(once, crop_points_divisor=2))


def test_a_store_that_is_older_than_a_recipe_says_how_to_add_it(tmp_path: Path) -> None:
    address = str(tmp_path / "store")
    dims = {name: dim for name, dim in layout_dims("vit_t").items() if name != "semantic"}
    store = open_store(address)
    migrate(store, LayoutParams("vit_t", dims))
    store.close()
    advice = "older than the recipe 'semantic': `samdb ingest PATH --recipes blend,semantic` adds it"
    with samdb.connect(address) as db, pytest.raises(ConfigError, match=advice):
        db.build_bank(recipe="semantic")
