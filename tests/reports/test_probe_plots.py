"""Plots and the page of a probe: pictures of the right kind, in both themes, whatever the names."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from samdb.core.masks import Rle
from samdb.reports.heat_overlay import draw_similarity
from samdb.reports.latent_map import draw_map
from samdb.reports.plot_theme import DARK, LIGHT, THEMES, PlotTheme
from samdb.reports.probe_page import Picture, Section, draw_page
from samdb.reports.similarity_plots import CosineSeries, draw_histograms, draw_matrix


def opened(png: bytes) -> Image.Image:
    """The picture, read back."""
    return Image.open(io.BytesIO(png)).convert("RGB")


def series(*bins: int) -> CosineSeries:
    """One cosine in each of these of 2000 bins."""
    return CosineSeries("same <class>", np.bincount(bins, minlength=2000).astype(np.int64), 0.5)


@pytest.mark.parametrize("theme", THEMES, ids=lambda t: t.name)
def test_plots_have_the_paper_of_their_theme(theme: PlotTheme) -> None:
    paper = tuple(int(theme.paper[i : i + 2], 16) for i in (1, 3, 5))
    rng = np.random.default_rng(0)
    pictures = [
        draw_histograms([series(1500, 1510, 1600), series(1200)], "cosines", theme),
        draw_matrix(np.array([[0.9, 0.5], [0.5, np.nan]]), ["car", "bus"], [12, 1], "mean", theme),
        draw_map(rng.normal(size=(50, 2)), ["car", "bus"] * 25, "map", ("x", "y"), theme),
    ]
    for picture in map(opened, pictures):
        assert picture.getpixel((0, 0)) == paper
        assert len(picture.getcolors(1 << 24) or []) > 20


def test_the_same_numbers_give_the_same_bytes() -> None:
    assert draw_histograms([series(3, 4)], "t", LIGHT) == draw_histograms([series(3, 4)], "t", LIGHT)


def test_a_kind_of_pairs_that_has_none_is_left_out() -> None:
    empty = CosineSeries("none", np.zeros(2000, dtype=np.int64), None)
    assert opened(draw_histograms([series(1500), empty], "t", DARK)).width > 500
    assert opened(draw_histograms([empty], "t", DARK)).width > 500


def test_a_dollar_in_a_name_is_no_formula() -> None:
    names = ["$\\frac$", "_b^歩"]
    assert opened(draw_matrix(np.eye(2), names, [1, 1], "$", LIGHT)).width > 300
    assert opened(draw_map(np.eye(2), names, "$x", ("$", "$"), LIGHT)).width > 300


def test_many_values_share_one_entry_of_the_legend() -> None:
    values = [f"class {i % 40}" for i in range(200)]
    assert opened(draw_map(np.random.default_rng(0).normal(size=(200, 2)), values, "t", ("", ""), LIGHT))


def test_the_similar_place_is_coloured_and_the_rest_is_grey() -> None:
    image = np.full((90, 160, 3), 120, dtype=np.uint8)
    mask = np.zeros((90, 160), dtype=bool)
    mask[40:50, 30:40] = True
    cosines = np.full((90, 160), 0.2, dtype=np.float32)
    cosines[30:60, 100:140] = 0.9
    drawn = np.asarray(draw_similarity(image, Rle.encode(mask), cosines, "t")).astype(int)
    assert drawn.shape[1] == 1280
    top = drawn.shape[0] - 720 - 52
    like, unlike = drawn[top + 45 * 8, 120 * 8], drawn[top + 10 * 8, 10 * 8]
    assert np.ptp(like) > 100
    assert np.ptp(unlike) < 3


def test_a_map_of_another_size_is_refused() -> None:
    image = np.zeros((10, 20, 3), dtype=np.uint8)
    mask = Rle.encode(np.ones((10, 20), dtype=bool))
    with pytest.raises(ValueError, match="of its size"):
        draw_similarity(image, mask, np.zeros((20, 10), dtype=np.float32), "t")


def test_a_flat_map_is_drawn_without_a_division_by_zero() -> None:
    image = np.zeros((10, 20, 3), dtype=np.uint8)
    mask = np.zeros((10, 20), dtype=bool)
    mask[2:5, 2:5] = True
    assert draw_similarity(image, Rle.encode(mask), np.ones((10, 20), dtype=np.float32), "t").width == 1280


def test_the_page_needs_nothing_from_outside_and_escapes_what_it_shows() -> None:
    page = draw_page(
        "A <title>",
        "of & things",
        [Section("S", "<script>", (Picture('a "b"', b"light", b"dark"),), (("class", "n"), ("<b>", "1")))],
    )

    tags: list[str] = []
    sources: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append(tag)
            sources.extend(str(v) for k, v in attrs if k in ("src", "srcset", "href"))

    Reader().feed(page)
    assert {"script", "b", "link"}.isdisjoint(tags)
    assert len(sources) == 2
    assert all(s.startswith("data:image/png;base64,") for s in sources)
    assert not re.search(r"https?://", page)
    assert "prefers-color-scheme: dark" in page
