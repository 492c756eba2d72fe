"""Every `samdb` command and the Python lines of the README, run for real on a small BDD100K folder."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from tests.sam.material import find_weights, street

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(bash|python)\n(.*?)```", README, re.DOTALL)

pytestmark = [pytest.mark.weights, pytest.mark.timeout(600)]

CLASSES = ("car", "person", "traffic sign")
# drawn on street(): the van, the disc, and a piece of the road, in 2018's inclusive corners
BOXES = ((128, 180, 287, 269), (476, 36, 547, 107), (400, 240, 560, 340))


@dataclass(frozen=True, slots=True)
class Tour:
    """A folder to run commands in; it holds `bdd100k/` and `img.jpg`."""

    folder: Path
    environment: dict[str, str]

    def run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        """Run `samdb` with these words."""
        command = [sys.executable, "-m", "samdb.cli.main", *words]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Tour:
    weights, reason = find_weights()
    if weights is None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("tour")
    for split, n in (("train", 4), ("val", 1)):
        images = folder / "bdd100k" / "images" / "100k" / split
        images.mkdir(parents=True)
        frames = []
        for i in range(n):
            name = f"{i:08x}-{n:08x}.jpg"
            # each its own file: an image that is also learned from is not judged by
            Image.fromarray(street()).save(images / name, quality=90 - i - n)
            labels = [
                {"id": j, "category": c, "box2d": dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))}
                for j, (c, box) in enumerate(zip(CLASSES, BOXES, strict=True))
            ]
            attributes = {"weather": "clear", "scene": "city street", "timeofday": "night"}
            frames.append({"name": name, "attributes": attributes, "labels": labels})
        out = folder / "bdd100k" / "labels" / f"bdd100k_labels_images_{split}.json"
        out.parent.mkdir(exist_ok=True)
        out.write_text(json.dumps(frames))
    Image.fromarray(street()).save(folder / "img.jpg")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SAMDB_")}
    return Tour(folder, {**kept, "SAMDB_CHECKPOINT": str(weights), "PYTHONPATH": str(ROOT)})


def readme_commands() -> list[str]:
    """The `samdb` lines of the bash blocks, in order, without comments."""
    lines = [line.split("  #")[0] for kind, text in BLOCKS if kind == "bash" for line in text.splitlines()]
    commands = [part.strip() for line in lines for part in line.split(";")]
    return [command for command in commands if command.startswith("samdb ")]


def test_every_command_of_the_readme_works(tour: Tour) -> None:
    commands = readme_commands()
    assert len(commands) >= 10
    for command in commands:
        words = shlex.split(command)[1:]
        if "--segment" in words:
            found = tour.run(["search", "img.jpg", "--box", "128,180,288,270", "--json"]).stdout
            ids = [json.loads(line)["segment_id"] for line in found.splitlines()]
            words = [ids.pop() if word.endswith("-...") else word for word in words]
        done = tour.run(_fitted(words))
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert (tour.folder / "pictures" / "img.png").stat().st_size > 10_000
    assert (tour.folder / "hits.png").stat().st_size > 10_000
    assert (tour.folder / "bank.safetensors").is_file()


def test_the_python_lines_of_the_readme_work(tour: Tour) -> None:
    code = next(text for kind, text in BLOCKS if kind == "python")
    check = "assert image.segments and hits and hits[0].rank == 1, (image, hits)\n"
    done = subprocess.run(
        [sys.executable, "-c", _fitted([code])[0] + check],
        cwd=tour.folder,
        env=tour.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _fitted(words: list[str]) -> list[str]:
    """The README's corners and points lie in a 1280x720 frame; the drawn one is 640x360."""
    boxes = {"100,200,300,400": "128,180,288,270", "(100, 200, 300, 400)": "(128, 180, 288, 270)"}
    small = {**boxes, "640,380": "200,220"}
    fitted = []
    for word in words:
        for text, other in small.items():
            word = word.replace(text, other)  # noqa: PLW2901
        fitted.append(word)
    return fitted
