"""The annotation files of one VOC folder: an XML file for each image, pictures of masks for some."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from samdb.datasets.image_files import image_key, shown
from samdb.datasets.images import image_size, read_index_picture
from samdb.datasets.label_list import LabelList
from samdb.datasets.records import Findings, ImageLabels, missing_pieces
from samdb.datasets.voc_labels import VOC_CLASSES, ClassNames, Naming, voc_labels, with_masks
from samdb.datasets.xml_file import child_text, read_xml
from samdb.errors import DatasetError, ImageError

_OBJECTS, _CLASSES = "SegmentationObject", "SegmentationClass"


class VocFiles:
    """Labels of the images below one folder, by the file of the same name, else by the name in the file."""

    def __init__(
        self,
        home: Path,
        root: Path,
        files: Sequence[Path],
        image_ids: Sequence[str],
        naming: Naming = lambda name: name,
    ) -> None:
        self._home = home
        self._root = root
        self._image_ids = image_ids
        self._naming = naming
        self._files: dict[str, list[Path]] = {}
        for path in files:
            self._files.setdefault(image_key(path.stem), []).append(path)

    def labels_of(self, image_id: str) -> ImageLabels | None:
        """The labels of an image; None when it has neither an annotation nor a picture of masks."""
        path = self._file_of(image_id)
        objects = self._home / _OBJECTS / (image_key(image_id) + ".png")
        if path is None:
            return self._with_masks(image_id, LabelList(), objects) if objects.is_file() else None
        try:
            root = read_xml(path)
            if root.tag != "annotation":
                raise DatasetError(f"{path}: begins with <{root.tag:.40}>, not with <annotation>")
        except DatasetError as exc:
            return ImageLabels(problems=(str(exc),), has_labels=False)
        found = voc_labels(root, self._naming)
        if objects.is_file():
            return self._with_masks(image_id, found, objects)
        return ImageLabels(found.labels, {}, tuple(found.problems))

    def check(self) -> Findings:
        """Annotations without image, images without annotation, pictures that are of no use."""
        keys = frozenset(map(image_key, self._image_ids)) | frozenset(self._renamed.values())
        labelled = {key: paths[0].name for key, paths in self._files.items() if key not in self._renamed}
        labelled |= {key: self._files[old][0].name for old, key in self._renamed.items()}
        where = shown(self._home, self._root)
        source = "Annotations" if where == "." else f"{where}/Annotations"
        notices = missing_pieces(source, labelled, keys) if labelled else []
        if (self._home / _CLASSES).is_dir() and not (self._home / _OBJECTS).is_dir():
            notices.append(f"{_CLASSES}: not used without {_OBJECTS}: it does not tell objects apart")
        return Findings(notices=tuple(notices))

    def _with_masks(self, image_id: str, found: LabelList, objects: Path) -> ImageLabels:
        """The labels with their masks; a picture that cannot be used is a problem and the boxes stay."""
        try:
            instances = read_index_picture(objects)
            size_hw = image_size(self._root / image_id)
            if instances.shape != size_hw:
                raise ImageError(
                    f"{objects}: is {instances.shape[1]}x{instances.shape[0]} px, the image "
                    f"{size_hw[1]}x{size_hw[0]}"
                )
        except ImageError as exc:
            found.problems.append(f"{exc}; the boxes are used without masks")
            return ImageLabels(found.labels, {}, tuple(found.problems))
        try:
            classes = read_index_picture(self._home / _CLASSES / objects.name)
        except ImageError:
            classes = None  # it only names instances without an object
        return with_masks(found, instances, classes, self._class_names)

    def _file_of(self, image_id: str) -> Path | None:
        found = self._files.get(image_key(image_id)) or self._files.get(self._by_image.get(image_id, ""))
        if not found:
            return None
        image = self._root / image_id
        return max(found, key=lambda p: _common_start(p, image))

    @cached_property
    def _renamed(self) -> dict[str, str]:
        """Keys of files whose name is no image's -> the key of the image that they name inside."""
        keys = {image_key(i) for i in self._image_ids}
        orphans = [key for key in self._files if key not in keys]
        bare = keys - self._files.keys()
        found: dict[str, str] = {}
        for key in orphans if bare else ():
            try:
                name = child_text(read_xml(self._files[key][0]), "filename")
            except DatasetError:
                continue  # said when it is found to belong to no image
            if name is not None and image_key(name) in bare:
                found[key] = image_key(name)
        return found

    @cached_property
    def _by_image(self) -> dict[str, str]:
        owners = {image: key for key, image in self._renamed.items()}
        return {i: owners[key] for i in self._image_ids if (key := image_key(i)) in owners}

    @cached_property
    def _class_names(self) -> ClassNames:
        """The palette's classes: those of `labelmap.txt` in its order, else VOC's own."""
        try:
            lines = (self._home / "labelmap.txt").read_text("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError):
            return dict(enumerate(VOC_CLASSES, 1))
        names = [line.split(":")[0].strip() for line in lines if line.strip() and not line.startswith("#")]
        return {i: name for i, name in enumerate(names) if i and name}


def _common_start(a: Path, b: Path) -> int:
    count = 0
    for x, y in zip(a.parts, b.parts, strict=False):
        if x != y:
            break
        count += 1
    return count
