"""How results show themselves in a notebook: what is written and drawn, and what happens when images go."""

from __future__ import annotations

import base64
import copy
import io
import pickle
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from PIL import Image

from samdb.bank.training import CurvePoint
from samdb.core.bank import BankCard, Prediction
from samdb.core.ids import image_point_id
from samdb.core.masks import Rle
from samdb.core.points import Point
from samdb.core.sample import Sample
from samdb.core.segment import Segment
from samdb.pipelines.build_bank import BuildBankReport, ClassReport
from samdb.pipelines.classify import ClassifiedImage, ClassifiedSegment
from samdb.pipelines.export import ExportReport
from samdb.pipelines.ingest_finishing import Problem
from samdb.pipelines.ingest_profile import IngestProfile
from samdb.pipelines.ingest_report import IngestReport
from samdb.pipelines.notebook_pictures import MOST_ANSWERS, MOST_HITS
from samdb.pipelines.notebook_reports import store_html
from samdb.pipelines.search import SearchHit, SearchResults
from samdb.pipelines.train_bank import TrainBankReport
from samdb.reports.export_record import LeftOut
from samdb.stores.layout import IMAGES
from samdb.stores.memory import MemoryStore
from tests.pipelines.bank_worlds import memory_store, put, stored
from tests.pipelines.test_search import towards

#: what must never reach a page as it is
EVIL = '<script>alert("x")</script>'
_HW = (60, 80)


class Page(HTMLParser):
    """Reads a page: its tags, its pictures, and its text; a tag that is never closed is an error."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.pictures: list[bytes] = []
        self._open: list[str] = []
        self._texts: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    @property
    def text(self) -> str:
        """All that is read."""
        return " ".join(self._texts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count it."""
        self.tags.append(tag)
        source = dict(attrs).get("src")
        if tag == "img":
            assert source is not None
            assert dict(attrs).get("alt")
            kind, _, content = source.partition(";base64,")
            assert kind in ("data:image/jpeg", "data:image/png")
            self.pictures.append(base64.b64decode(content, validate=True))
        else:
            assert source is None
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """It must be the last one that was opened."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text, but for the style's."""
        if self._open[-1] != "style" and data.strip():
            self._texts.append(data.strip())


def segment(number: int, image_id: str, class_name: str | None) -> Segment:
    """A square of 20 px."""
    mask = np.zeros(_HW, dtype=bool)
    mask[10:30, 20:40] = True
    rle = Rle.encode(mask)
    return Segment(
        segment_id=f"{number:08}",
        dataset="streets",
        split="",
        image_id=image_id,
        mask=rle,
        box_xyxy=rle.box_xyxy,
        area_px=400,
        granularity="whole",
        prompt_kind="box",
        predicted_iou=0.9,
        stability_score=0.9,
        embeddings={},
        class_name=class_name,
        source_category=None,
        model="vit_t",
        run="test",
        attributes={"timeofday": "night", "weather": "undefined", "occluded": True},
    )


def write_image(path: Path, hw: tuple[int, int] = _HW) -> Path:
    """A picture of noise."""
    pixels = np.random.default_rng(0).integers(0, 255, (*hw, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def results(n: int, path: Path | None, class_name: str | None = "car") -> SearchResults:
    """Hits that all lie in one image."""
    found = (segment(i, f"train/{EVIL}.jpg", class_name) for i in range(n))
    return SearchResults(SearchHit(i, 1 - i / 100, s, path) for i, s in enumerate(found, 1))


def classified(path: Path, n: int = 2) -> ClassifiedImage:
    """An image with a car, a van that may be a truck, and n - 2 unknown things."""
    answers = [Prediction("car", 0.9, "van"), Prediction("van", 0.5, "truck", classes=("van", EVIL))]
    answers += [Prediction(None, 0.1, "car", "low_score")] * (n - 2)
    found = tuple(
        ClassifiedSegment(segment(i, path.name, None), answer) for i, answer in enumerate(reversed(answers))
    )
    return ClassifiedImage(Sample("", "", path.name, path), _HW, found, ("a label without area",), found[:1])


def test_results_are_a_list_in_every_way(tmp_path: Path) -> None:
    hits = results(5, None)
    plain = list(hits)
    assert isinstance(hits, list)
    assert hits == plain
    assert hits[1:3] == plain[1:3]
    assert type(hits[1:3]) is type(hits.copy()) is type(copy.copy(hits)) is SearchResults
    assert hits[-1].rank == 5
    assert pickle.loads(pickle.dumps(hits)) == hits
    assert hits + plain == plain * 2
    assert repr(hits) == repr(plain)
    assert not SearchResults()


def test_hits_are_shown_as_crops_with_what_is_known_of_them(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.png")
    page = Page(results(3, path)._repr_html_())
    assert len(page.pictures) == 3
    for content in page.pictures:
        crop = Image.open(io.BytesIO(content))
        assert max(crop.size) == 300
        # noise everywhere, and the outline's yellow around the square
        assert np.array(crop).std() > 20
    assert "3 segments like the example" in page.text
    assert "of 1 image, the most similar first" in page.text
    assert re.findall(r"0\.9\d\d", page.text) == ["0.990", "0.980", "0.970"]
    assert "car" in page.text
    assert "whole, night" in page.text
    assert "undefined" not in page.text


def test_nothing_that_a_name_holds_becomes_a_tag(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.png")
    for shown in (results(2, path, EVIL), classified(path), ingested(EVIL), built(EVIL), exported(EVIL)):
        html = shown._repr_html_()
        page = Page(html)
        assert "script" not in page.tags
        assert EVIL not in html
        assert EVIL in page.text


def test_many_hits_are_not_all_kept_in_the_notebook(tmp_path: Path) -> None:
    html = results(100, write_image(tmp_path / "a.png"))._repr_html_()
    page = Page(html)
    assert len(page.pictures) == MOST_HITS
    assert f"the first {MOST_HITS} are shown" in page.text
    assert len(html) < 40_000 * MOST_HITS  # noise is as large as crops get


def test_an_image_that_is_gone_or_was_replaced_leaves_its_place(tmp_path: Path) -> None:
    there = write_image(tmp_path / "a.png")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not a picture")
    paths = [there, tmp_path / "gone.png", broken, write_image(tmp_path / "other.png", (30, 30)), None]
    hits = SearchResults(
        replace(hit, image_path=path) for hit, path in zip(results(5, None), paths, strict=True)
    )
    page = Page(hits._repr_html_())
    assert len(page.pictures) == 1
    assert page.text.count("cannot be read any more") == 2
    assert page.text.count("replaced by another one") == 1
    assert page.text.count("place is not known") == 1
    assert [hit._repr_png_() is None for hit in hits] == [False, True, True, True, True]


def test_no_hits_say_what_to_ask_next() -> None:
    page = Page(SearchResults()._repr_html_())
    assert "No segment was found" in page.text
    assert "why_nothing" in page.text


def test_one_hit_is_a_picture(tmp_path: Path) -> None:
    png = results(1, write_image(tmp_path / "a.png"))[0]._repr_png_()
    assert png is not None
    picture = Image.open(io.BytesIO(png))
    assert picture.format == "PNG"
    assert picture.width >= 300


def test_a_classified_image_is_its_picture_and_its_answers(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.png")
    page = Page(classified(path, 3)._repr_html_())
    (content,) = page.pictures
    assert Image.open(io.BytesIO(content)).width <= 1080
    assert page.tags.count("tr") == 4
    # the surest first, what was rejected last
    assert page.text.index("0.90") < page.text.index(f"van|{EVIL}?") < page.text.index("(low_score)")
    assert "2 of 3 segments classified; 1 other answered for by these" in page.text
    assert "a label without area" in page.text


def test_a_classified_image_without_its_image_still_has_its_answers(tmp_path: Path) -> None:
    image = classified(tmp_path / "gone.png", MOST_ANSWERS + 5)
    page = Page(image._repr_html_())
    assert page.pictures == []
    assert "is not the image any more" in page.text
    assert page.tags.count("tr") == MOST_ANSWERS + 1
    assert "and 5 more segments" in page.text
    other = write_image(tmp_path / "gone.png", (30, 30))
    assert Page(classified(other)._repr_html_()).pictures == []


def ingested(name: str) -> IngestReport:
    """A run with everything in it."""
    wrong = tuple(Problem(f"{i}.jpg", "is empty") for i in range(12))
    profile = IngestProfile(1.0, 2.0, 3.0, 4.0, 5.0)
    return IngestReport(name, 20, 7, 1, 140, 3, wrong, wrong[:1], 10.0, profile)


def built(name: str) -> BuildBankReport:
    """A bank of one class, another one left out."""
    card = BankCard("default", 2, "vit_t", "blend", (name,), 4, 5, 0.02, {name: 0.4})
    classes = (ClassReport(name, 1234, 4, 0.4, None),)
    return BuildBankReport(card, classes, {"dog": "has 1 segment"}, 9, 1, 2, False, True, 1.5)


def exported(name: str) -> ExportReport:
    """An export of one class."""
    left_out = (LeftOut("holes", 3, "a.jpg"),)
    return ExportReport("coco", "labels", "/tmp/x", 2, 5, {name: 5}, left_out, ("linked",), 0.1)


def test_reports_tell_what_was_done_and_what_was_left_out() -> None:
    page = Page(ingested("streets")._repr_html_())
    for words in ("Ingested streets", "7", "140", "SAM's encoder", "0.jpg: is empty", "and 2 more", "50 %"):
        assert words in page.text
    page = Page(built("car")._repr_html_())
    for words in ("Bank default@2", "1,234", "background", "dog: has 1 segment", "no threshold rejects"):
        assert words in page.text
    page = Page(exported("car")._repr_html_())
    for words in ("Exported labels as coco", "5 objects of 2 images", "holes: 3, such as a.jpg", "linked"):
        assert words in page.text


def test_a_training_shows_its_curves() -> None:
    curve = tuple(CurvePoint(i, 1 / i, i / 4, i / 4) for i in (1, 2, 3))
    page = Page(TrainBankReport(built("car"), (curve,), (3,))._repr_html_())
    assert Image.open(io.BytesIO(page.pictures[0])).format == "PNG"
    assert Page(TrainBankReport(built("car"), (), ())._repr_html_()).pictures == []


def test_a_store_shows_what_it_holds() -> None:
    assert "It is empty" in Page(store_html(MemoryStore(), "vit_t")).text
    store = memory_store()
    put(store, [stored(f"{i}", towards(1), "car" if i else EVIL, image=f"{i}.jpg") for i in range(4)])
    statuses = ("done", "done", "quarantined")
    for i, status in enumerate(statuses):
        payload = {"dataset": "d", "split": "train", "image_id": f"{i}.jpg", "path": "x", "status": status}
        store.upsert(IMAGES, [Point(image_point_id("d", f"{i}.jpg"), {}, payload)])
    html = store_html(store, "vit_t")
    assert EVIL not in html
    page = Page(html)
    assert f"car (3), {EVIL} (1)" in page.text
    for words in ("train (3)", "1 image quarantined", "model vit_t", store.address):
        assert words in page.text
