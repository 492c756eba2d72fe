"""BDD100K label files that hold many frames: the 2018 single file, det_20, ins_seg polygons and RLEs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from samdb.datasets.bdd100k_labels import frame_labels
from samdb.datasets.image_files import image_key, shown
from samdb.datasets.images import image_size
from samdb.datasets.json_file import Json, as_list, as_object, as_text, read_json
from samdb.datasets.records import Findings, ImageLabels, missing_pieces
from samdb.datasets.vocabulary import is_region
from samdb.errors import DatasetError


class FrameFile:
    """A file with a list of frames, bare or under `frames`, or with a single frame.

    Parsed once, when first needed. Of the big files (train is 700 MB) only what can become a label stays in
    memory: outlines of lanes and drivable areas are thrown away while parsing, equal attributes are shared.
    """

    def __init__(self, path: Path, root: Path) -> None:
        self.path = path
        self._root = root
        self._shown = shown(path, root)

    def names(self) -> list[str]:
        """The image names in the file, as it writes them, in its order."""
        return [str(frame["name"]) for frame in self._frames.values()]

    def labels_of(self, image_id: str) -> ImageLabels | None:
        """The labels of an image, found by its file name without ending."""
        frame = self._frames.get(image_key(image_id))
        return None if frame is None else frame_labels(frame, lambda: image_size(self._root / image_id))

    def check(self, image_ids: Sequence[str]) -> Findings:
        """That the file is broken, has odd frames, or does not fit the images."""
        frames, problems = self._parsed
        if not frames:
            return Findings(tuple(problems))
        keys = frozenset(image_key(i) for i in image_ids)
        missing = missing_pieces(self._shown, {k: str(f["name"]) for k, f in frames.items()}, keys)
        return Findings(tuple(problems), tuple(missing))

    @property
    def _frames(self) -> dict[str, dict[str, Json]]:
        return self._parsed[0]

    @cached_property
    def _parsed(self) -> tuple[dict[str, dict[str, Json]], list[str]]:
        """Frames by image key, and what is wrong with the file."""
        frames: dict[str, dict[str, Json]] = {}
        problems: list[str] = []
        try:
            content = read_json(self.path, _Slimmer())
        except DatasetError as exc:
            return frames, [str(exc)]
        listed = _list_frames(content)
        if listed is None:
            return frames, [f"{self._shown}: holds no list of frames; is it a BDD100K label file?"]
        for position, raw in enumerate(listed):
            frame = as_object(raw)
            name = as_text(frame.get("name"))
            if name is None:
                problems.append(f"{self._shown}: frame {position} has no name; left out")
            elif image_key(name) in frames:
                problems.append(f"{self._shown}: {name} is there more than once; the first is used")
            else:
                frames[image_key(name)] = frame
        return frames, problems


class FrameFolder:
    """The 2018 labels with one JSON file per image."""

    def __init__(self, folder: Path, root: Path) -> None:
        self._folder = folder
        self._root = root

    def labels_of(self, image_id: str) -> ImageLabels | None:
        """The labels of an image, from the file of the same name."""
        path = self._files.get(image_key(image_id))
        if path is None:
            return None
        try:
            frames = _list_frames(read_json(path, _Slimmer())) or []
        except DatasetError as exc:
            return ImageLabels(problems=(str(exc),), has_labels=False)
        if not frames:
            return ImageLabels(problems=(f"{path}: holds no frame",), has_labels=False)
        return frame_labels(as_object(frames[0]), lambda: image_size(self._root / image_id))

    def check(self, image_ids: Sequence[str]) -> Findings:
        """Label files without image and images without label file."""
        keys = frozenset(image_key(i) for i in image_ids)
        labelled = {key: path.name for key, path in self._files.items()}
        return Findings(notices=tuple(missing_pieces(shown(self._folder, self._root), labelled, keys)))

    @cached_property
    def _files(self) -> dict[str, Path]:
        with os.scandir(self._folder) as entries:
            names = sorted(e.name for e in entries if e.name.endswith(".json") and not e.name.startswith("."))
        return {image_key(name): self._folder / name for name in names}


def _list_frames(content: Json) -> list[Json] | None:
    if isinstance(content, list):
        return content
    top = as_object(content)
    if isinstance(top.get("frames"), list) and "name" not in top:
        return as_list(top["frames"])
    return [top] if "name" in top else None


# stands for every lane and drivable area, of which nothing else is needed
_REGION: dict[str, Json] = {"category": "lane"}


class _Slimmer:
    """Throws away, while a file is parsed, what can never become a label."""

    def __init__(self) -> None:
        self._shared: dict[tuple[tuple[str, Json], ...], dict[str, Json]] = {}

    def __call__(self, entry: dict[str, Json]) -> Json:
        if "category" in entry:
            if "box2d" not in entry and is_region(str(entry["category"])):
                return _REGION
            attributes = entry.get("attributes")
            if isinstance(attributes, dict):
                entry["attributes"] = self._share(attributes)
            entry.pop("manualShape", None)
            entry.pop("manualAttributes", None)
        return entry

    def _share(self, attributes: dict[str, Json]) -> dict[str, Json]:
        if any(isinstance(v, (list, dict)) for v in attributes.values()):
            return attributes
        return self._shared.setdefault(tuple(attributes.items()), attributes)
