"""Fetches the demo's sample: 20 real COCO photographs with panoptic masks, 17 to learn from and 3 held out.

The source archive of labelbox 7.17.0 on the package index carries them as test data. The archive is checked
against its sha256, only that folder is unpacked, and none of its code is run. Prints the sample's folder.

    python scripts/fetch_sample.py [FOLDER]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from samdb.errors import FetchError, SamdbError
from samdb.sam.file_lock import only_process
from samdb.sam.package_index import Sdist, fetch_sdist
from samdb.sam.sdist_files import take_folder
from samdb.sam.weights import user_weights_dir

SDIST = Sdist("labelbox", "7.17.0", "0714b355a4398d4d2fc6be54e9989331c3cedf0dc79ddd378514ecfd72894752")
FOLDER_IN_SDIST = "tests/data/assets/coco"
#: a street, a hand with a phone, a surfer: nearly all their classes occur in the other 17
HELD_OUT = frozenset({184324, 343706, 532493})


def main() -> int:
    """Fetch the sample unless it is there, and print its folder."""
    parser = argparse.ArgumentParser(description="Fetch 20 COCO photographs with masks for the demo.")
    parser.add_argument(
        "folder", nargs="?", type=Path, help="where to put coco_sample/ (default: the user's cache)"
    )
    folder: Path = parser.parse_args().folder or user_weights_dir().parent / "samples"
    try:
        print(fetch_sample(folder))
    except SamdbError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return exc.exit_code
    return 0


def fetch_sample(folder: Path) -> Path:
    """Make `folder/coco_sample` unless it is there; its path. Raises FetchError."""
    sample = folder / "coco_sample"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with only_process(folder / ".coco_sample.lock"):
            if not sample.is_dir():
                with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacking-") as work:
                    _make(Path(work), folder / SDIST.file_name, sample)
    except OSError as exc:
        raise FetchError(
            f"cannot keep the sample in {folder} ({exc.strerror}): choose another folder"
        ) from exc
    return sample


def _make(work: Path, archive: Path, sample: Path) -> None:
    print(f"Fetching 20 photographs ({SDIST.file_name} from the package index) ...", file=sys.stderr)
    fetch_sdist(SDIST, archive)
    take_folder(archive, FOLDER_IN_SDIST, work / "coco")
    lay_out(work / "coco", work / "coco_sample")
    os.replace(work / "coco_sample", sample)
    archive.unlink()


def lay_out(coco: Path, sample: Path) -> None:
    """Arrange the unpacked folder like COCO's own: images/<split> and annotations/panoptic_<split>[.json].

    Raises FetchError when the folder is not what it was when this was written.
    """
    try:
        panoptic = json.loads((coco / "panoptic.json").read_text("utf-8"))
        for split in ("train", "val"):
            images = [i for i in panoptic["images"] if (i["id"] in HELD_OUT) == (split == "val")]
            ids = {i["id"] for i in images}
            annotations = [a for a in panoptic["annotations"] if a["image_id"] in ids]
            _copy(coco / "images", sample / "images" / split, images)
            _copy(coco / "masks", sample / "annotations" / f"panoptic_{split}", annotations)
            part = {**panoptic, "images": images, "annotations": annotations}
            (sample / "annotations" / f"panoptic_{split}.json").write_text(json.dumps(part), "utf-8")
        (sample / "CREDITS.txt").write_text(credits(panoptic), "utf-8")
    except (KeyError, TypeError, ValueError, FileNotFoundError) as exc:
        raise FetchError(f"{SDIST.file_name} is not laid out as expected ({exc!r})") from exc


def credits(panoptic: dict[str, Any]) -> str:
    """Who took each photograph and under which licence, from COCO's own record."""
    licences = {entry["id"]: entry for entry in panoptic["licenses"]}
    lines = [
        "20 photographs of the COCO dataset (val2017) with its panoptic masks.",
        f"{panoptic['info']['description']}, {panoptic['info']['url']}; annotations: CC BY 4.0.",
        "Each photograph belongs to its photographer, found at the Flickr address beside it:",
        "",
    ]
    for image in sorted(panoptic["images"], key=lambda i: i["file_name"]):
        licence = licences[image["license"]]
        lines += [
            image["file_name"],
            f"  photographer's copy  {image['flickr_url']}",
            f"  COCO's copy          {image['coco_url']}",
            f"  licence              {licence['name']}, {licence['url']}",
        ]
    return "\n".join(lines) + "\n"


def _copy(source: Path, dest: Path, entries: list[dict[str, Any]]) -> None:
    dest.mkdir(parents=True, exist_ok=True)
    for entry in entries:
        name = Path(entry["file_name"]).name
        shutil.copyfile(source / name, dest / name)


if __name__ == "__main__":
    raise SystemExit(main())
