"""The audit, on a world where every mistake was put by hand."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samdb.core.points import Condition
from samdb.errors import ConfigError, InputError
from samdb.pipelines.audit import AuditRequest, audit
from samdb.pipelines.audit_files import COLUMNS, write_csv, write_image_sheet, write_label_sheet
from samdb.pipelines.audit_images import centred
from samdb.pipelines.audit_votes import VoteSettings
from tests.pipelines.audit_worlds import audit_store, photos, scene, two_classes
from tests.pipelines.bank_worlds import memory_store

REQUEST = AuditRequest("neck", labels=VoteSettings(k_neighbours=5), attributes=VoteSettings(k_neighbours=5))


def width(path: Path) -> int:
    """How wide a picture is, in px."""
    with Image.open(path) as picture:
        return picture.width


def test_a_clean_store_gives_no_findings() -> None:
    images = photos()
    report = audit(audit_store(images, two_classes(images)), REQUEST)
    assert report.findings == ()
    assert (report.n_segments, report.n_stored, report.n_images) == (48, 48, 24)
    assert report.n_attributes == {"timeofday": 24, "weather": 0, "scene": 0}


def test_a_wrong_label_is_found_with_its_box_and_what_it_should_be() -> None:
    images = photos()
    segments = two_classes(images)
    wrong = next(s for s in segments if s.image_id == "07.png" and s.class_name == "bus")
    segments[segments.index(wrong)] = replace(wrong, class_name="car")
    (finding,) = audit(audit_store(images, segments), REQUEST).findings
    assert (finding.kind, finding.label, finding.suggested) == ("label", "car", "bus")
    assert (finding.segment_id, finding.image_id) == (wrong.segment_id, "07.png")
    assert finding.box_xyxy == (20, 0, 35, 15)
    assert 0.5 < finding.score <= 1


def test_copies_of_an_image_do_not_confirm_each_other_s_mistakes() -> None:
    images = photos()
    images[1:4] = [replace(p, sha256=images[0].sha256) for p in images[1:4]]
    segments = two_classes(images)
    copies = [s for s in segments if s.class_name == "bus" and s.image_id < "04.png"]
    wrong = [replace(s, class_name="car", embeddings=copies[0].embeddings) for s in copies]
    store = audit_store(images, [s for s in segments if s not in copies] + wrong)
    assert {f.segment_id for f in audit(store, REQUEST).of("label")} == {s.segment_id for s in wrong}


def test_twins_are_duplicates_within_a_split_and_leaks_across() -> None:
    images = photos()
    images[3] = replace(images[3], sha256=images[2].sha256)
    images[5] = replace(images[5], split="val", sha256=images[4].sha256)
    images[7] = replace(images[7], vector=scene(6))
    images[9] = replace(images[9], vector=scene(8), split="val")
    report = audit(audit_store(images, two_classes(images)), replace(REQUEST, near=0.99))
    pairs = {f.kind: set() for f in report.findings}  # type: dict[str, set[frozenset[str]]]
    for f in report.findings:
        pairs[f.kind].add(frozenset({f.image_id, f.other_image}))
    assert pairs == {
        "duplicate": {frozenset({"02.png", "03.png"})},
        "near_duplicate": {frozenset({"06.png", "07.png"})},
        "leak": {frozenset({"04.png", "05.png"}), frozenset({"08.png", "09.png"})},
    }
    assert {f.reason for f in report.of("duplicate")} == {"the same file, twice in train"}
    assert all(f.score == pytest.approx(1.0, abs=1e-5) for f in report.findings)


def test_a_wrong_attribute_is_outvoted_by_images_like_it() -> None:
    images = photos()
    images[4] = replace(images[4], attributes={"timeofday": "night"})
    (finding,) = audit(audit_store(images, two_classes(images)), REQUEST).findings
    assert (finding.kind, finding.image_id) == ("attribute", "04.png")
    assert (finding.label, finding.suggested) == ("timeofday=night", "timeofday=daytime")


def test_an_attribute_that_says_nothing_is_neither_judged_nor_asked() -> None:
    images = [replace(p, attributes={"timeofday": "undefined"}) for p in photos()]
    report = audit(audit_store(images, two_classes(images)), REQUEST)
    assert (report.findings, report.n_attributes["timeofday"]) == ((), 0)


def test_filters_choose_segments_and_images() -> None:
    images = photos()
    images[0] = replace(images[0], split="val")
    report = audit(
        audit_store(images, two_classes(images)),
        replace(REQUEST, where=(Condition("split", "=", ("train",)), Condition("class_name", "=", ("bus",)))),
    )
    assert (report.n_segments, report.n_images) == (23, 23)


def test_the_mean_of_few_images_is_not_taken_off() -> None:
    few = np.stack([scene(i) for i in range(3)])
    np.testing.assert_array_equal(centred(few), few)
    many = np.stack([scene(i) for i in range(30)])
    np.testing.assert_allclose(np.linalg.norm(centred(many), axis=1), 1.0, rtol=1e-5)


def test_csv_and_sheets_are_written_and_images_that_are_gone_are_named(tmp_path: Path) -> None:
    images = photos()
    images[3] = replace(images[3], sha256=images[2].sha256)
    images[4] = replace(images[4], attributes={"timeofday": "night"})
    segments = two_classes(images)
    for i, s in enumerate(segments):
        if s.class_name == "bus" and s.image_id in ("07.png", "08.png"):
            segments[i] = replace(s, class_name="car")
    store = audit_store(images, segments, tmp_path)
    report = audit(store, REQUEST)
    with write_csv(report.findings, tmp_path / "out" / "audit.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [r["kind"] for r in rows] == ["label", "label", "duplicate", "attribute"]
    assert (rows[0]["label"], rows[0]["suggested"], rows[0]["box"]) == ("car", "bus", "20,0,35,15")
    assert {rows[2]["image"], rows[2]["other_image"]} == {"02.png", "03.png"}

    assert write_label_sheet(store, report, tmp_path / "labels.png", 40) == []
    assert write_image_sheet(store, report, tmp_path / "images.png", 40) == []
    assert width(tmp_path / "labels.png") > 600
    assert width(tmp_path / "images.png") > 900
    (tmp_path / "07.png").unlink()
    (gone,) = write_label_sheet(store, report, tmp_path / "labels.png", 40)
    assert gone.image_id == "07.png"


def test_what_cannot_be_audited_is_said() -> None:
    with pytest.raises(InputError, match="samdb ingest"):
        audit(memory_store(), REQUEST)
    with pytest.raises(ConfigError, match="--near"):
        AuditRequest("neck", near=0.0)
