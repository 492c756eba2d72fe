"""The contact sheet by its sizes and pixels, and the writing of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samdb.core.masks import Rle
from samdb.errors import ConfigError
from samdb.reports.palette import class_color
from samdb.reports.picture_file import save_png
from samdb.reports.sheet import Tile, context_box, draw_sheet

BLUE = class_color("car")


def tile(*, masked: bool = True) -> Tile:
    image = np.full((480, 640, 3), 200, dtype=np.uint8)
    mask = np.zeros((480, 640), dtype=bool)
    mask[200:260, 300:380] = True
    return Tile(
        image,
        Rle.encode(mask) if masked else None,
        (300, 200, 380, 260),
        ("car 0.93", "frame.jpg"),
        BLUE,
        "1",
    )


@pytest.mark.parametrize("masked", [True, False])
def test_the_object_keeps_its_light_the_surroundings_are_dimmed_and_the_edge_is_coloured(
    masked: bool,
) -> None:
    sheet = np.asarray(draw_sheet([tile(masked=masked)], columns=1), dtype=np.int64)
    photo = sheet[28 : 28 + 225, 28 : 28 + 300]  # the margin is 28 px
    assert (photo[112, 150] == 200).all()
    assert (photo[112, 5] == 120).all()  # 200 * 0.6
    # the crop is 1.6 times the box: its left edge at 150 - 150 / 1.6 = 56.25
    row = np.abs(photo[112, 45:70] - np.array(BLUE)).sum(axis=1)
    assert abs(int(row.argmin()) + 45 - 56) <= 1
    assert row.min() < 40


def test_hits_fill_rows_and_the_example_stands_apart_at_the_left() -> None:
    five = draw_sheet([tile()] * 5, columns=5)
    six = draw_sheet([tile()] * 6, columns=5)
    with_query = draw_sheet([tile()] * 6, columns=5, query_tile=tile(), title="Segments like this")
    assert six.width == five.width == 28 + 5 * 320 - 20 + 28
    assert six.height > five.height
    assert with_query.width == six.width + 390 + 40
    assert with_query.height > six.height


def test_a_sheet_without_hits_says_so() -> None:
    sheet = np.asarray(draw_sheet([], query_tile=tile()))
    assert (sheet[:, 460:] > 120).any()


def test_the_context_is_moved_not_cut_at_the_edges_and_at_least_96_px_high() -> None:
    assert context_box((0, 0, 10, 10), (480, 640), 4 / 3) == (0, 0, 128, 96)
    assert context_box((630, 470, 640, 480), (480, 640), 4 / 3) == (512, 384, 640, 480)
    assert context_box((100, 100, 300, 250), (480, 640), 4 / 3) == (40, 55, 360, 295)
    assert context_box((0, 0, 640, 480), (480, 640), 4 / 3) == (0, 0, 640, 480)
    assert context_box((10, 10, 20, 20), (50, 60), 4 / 3) == (0, 0, 60, 50)


def test_a_thin_photograph_and_a_long_caption_fit_their_tile() -> None:
    thin = Tile(np.zeros((1000, 20, 3), dtype=np.uint8), None, (5, 400, 15, 600), ("x" * 200,), BLUE)
    assert draw_sheet([thin], columns=1).width == 28 + 300 + 28


def test_what_cannot_be_drawn_is_refused() -> None:
    wrong = Tile(np.zeros((10, 10, 3), dtype=np.uint8), tile().mask, (0, 0, 5, 5), (), BLUE)
    with pytest.raises(ValueError, match="was given for an image of"):
        draw_sheet([wrong])
    with pytest.raises(ValueError, match="at least one column"):
        draw_sheet([], columns=0)


def test_a_picture_is_written_with_its_folders_and_leaves_nothing_else(tmp_path: Path) -> None:
    picture = Image.new("RGB", (8, 6), (1, 2, 3))
    path = save_png(picture, tmp_path / "new" / "deep" / "picture.png")
    with Image.open(path) as read:
        assert read.getpixel((3, 3)) == (1, 2, 3)
    assert [p.name for p in path.parent.iterdir()] == ["picture.png"]


def test_a_place_that_cannot_be_written_gets_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="choose another place with --out"):
        save_png(Image.new("RGB", (8, 6)), tmp_path / "file" / "picture.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ConfigError, match="cannot write the picture"):
        save_png(Image.new("RGB", (8, 6)), tmp_path / "folder.png")
    assert not (tmp_path / "folder.png.part").exists()
