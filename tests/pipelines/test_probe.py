"""The probe, on a world of cars, buses and wheels."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samdb.core.prompt import Prompt
from samdb.errors import ConfigError, InputError
from samdb.pipelines.probe import ProbeRequest, probe, similarity_picture
from samdb.pipelines.probe_files import probe_record, write_probe
from samdb.stores.memory import MemoryStore
from tests.pipelines.audit_worlds import audit_store, photos, two_classes
from tests.pipelines.bank_worlds import memory_store
from tests.pipelines.ingest_worlds import RectangleSegmenter, noise


def width(path: Path) -> int:
    """How wide a picture is, in px."""
    with Image.open(path) as picture:
        return picture.width


@pytest.fixture(scope="module")
def store() -> MemoryStore:
    images = photos()
    return audit_store(images, two_classes(images))


def test_classes_that_lie_apart_are_told_apart(store: MemoryStore) -> None:
    report = probe(store, ProbeRequest("neck"))
    assert (report.n_segments, report.n_images) == (48, 24)
    assert report.pairs.auroc == pytest.approx(1.0)
    assert report.pairs.within.n == 2 * 24 * 23 / 2
    assert report.pairs.between.n == 24 * 23


def test_a_part_is_closest_to_its_own_whole(store: MemoryStore) -> None:
    found = probe(store, ProbeRequest("neck")).whole_part
    assert found is not None
    assert found.n == found.own.n == 24
    assert found.own.median is not None
    assert found.same_class.median is not None
    assert found.other_class.median is not None
    # the part is its whole and half of axis 3: a cosine of about 1 / sqrt(1.25)
    assert found.own.median == pytest.approx(1 / np.sqrt(1.25), abs=0.05)
    assert found.own.median > found.same_class.median > found.other_class.median
    assert found.class_auroc == pytest.approx(1.0)


def test_the_map_shows_parts_only_when_they_are_what_is_coloured(store: MemoryStore) -> None:
    assert len(probe(store, ProbeRequest("neck")).latent_map.values) == 48
    by_granularity = probe(store, ProbeRequest("neck", colour="granularity")).latent_map
    assert by_granularity.xy.shape == (72, 2)
    assert by_granularity.values.count("part") == 24
    by_time = probe(store, ProbeRequest("neck", colour="timeofday")).latent_map
    assert set(by_time.values) == {"daytime", "night"}


def test_without_parts_there_is_nothing_to_compare_wholes_with(tmp_path: Path) -> None:
    images = photos(6)
    wholes = [s for s in two_classes(images) if s.granularity == "whole"]
    report = probe(audit_store(images, wholes), ProbeRequest("neck"))
    assert report.whole_part is None
    assert probe_record(report)["whole_part"] is None
    assert "whole_part.png" not in {p.name for p in write_probe(report, tmp_path)}


def test_one_class_in_one_image_has_no_pairs_and_still_gives_a_page(tmp_path: Path) -> None:
    images = photos(1)
    cars = [s for s in two_classes(images) if s.class_name == "car"]
    cars.append(replace(cars[0], segment_id=cars[0].segment_id.replace(cars[0].segment_id[0], "0", 1)))
    report = probe(audit_store(images, cars), ProbeRequest("neck"))
    record = probe_record(report)
    assert (record["auroc"], record["within_median"], record["mean_cosine"]) == (None, None, [[None]])
    write_probe(report, tmp_path)


def test_the_page_holds_every_picture_and_the_record_every_number(store: MemoryStore, tmp_path: Path) -> None:
    report = probe(store, ProbeRequest("neck"))
    shown = similarity_picture(RectangleSegmenter(), noise(0), Prompt(box_xyxy=(4, 4, 20, 20)))
    assert shown.cosines[10, 10] == 1.0
    names = {path.name for path in write_probe(report, tmp_path, shown)}
    wanted = {"histogram.png", "classes.png", "map_pca.png", "whole_part.png", "similarity.png"}
    assert names >= wanted | {"probe.html", "probe.json"}
    for name in wanted:
        assert width(tmp_path / name) > 300
    record = json.loads((tmp_path / "probe.json").read_text())
    assert record == probe_record(report)
    assert record["classes"][0]["class_name"] == "bus"
    page = (tmp_path / "probe.html").read_text("utf-8")
    assert page.count("<img") == len([n for n in names if n.endswith(".png")])


def test_the_same_store_gives_the_same_numbers(store: MemoryStore) -> None:
    request = ProbeRequest("neck", sample=20)
    assert probe_record(probe(store, request)) == probe_record(probe(store, request))


def test_a_place_that_cannot_be_written_is_named(store: MemoryStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="another --out"):
        write_probe(probe(store, ProbeRequest("neck", sample=4)), tmp_path / "file" / "out")


def test_what_cannot_be_probed_is_said() -> None:
    with pytest.raises(ConfigError, match="choose from class_name"):
        ProbeRequest("neck", colour="mood")
    with pytest.raises(InputError, match="samdb ingest"):
        probe(memory_store(), ProbeRequest("neck"))
