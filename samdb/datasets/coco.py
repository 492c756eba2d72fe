"""Opening COCO: a folder with label files and images in any usual layout, or one label file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from samdb.datasets.attributes import frame_attributes
from samdb.datasets.coco_file import CocoFile
from samdb.datasets.coco_labels import add_instance, add_panoptic
from samdb.datasets.image_claims import ImageClaims
from samdb.datasets.image_dataset import ImageDataset
from samdb.datasets.image_files import find_images, root_of_label_file
from samdb.datasets.images import image_size
from samdb.datasets.json_file import Json
from samdb.datasets.label_list import LabelList
from samdb.datasets.records import Catalogue, Findings, ImageLabels
from samdb.datasets.sniff import find_label_files
from samdb.datasets.splits import split_of_file
from samdb.errors import DatasetError, ImageError

FORMAT = "coco"
_MASK_WORDS = ("panoptic", "mask", "segm", "label", "annotation")


def is_coco_folder(path: Path) -> bool:
    """Whether a folder, or a folder directly in it, holds COCO label files."""
    return bool(find_label_files(path, "coco"))


def open_coco(path: Path, name: str | None = None) -> ImageDataset:
    """COCO at `path`: a folder with label files and the images they name, or one label file (its images).

    An image takes its labels from the first file that names it: instances, then panoptic, then others, each
    by name. `class_name` is the category's name.

    Raises DatasetError when there is no label file.
    """
    if path.is_file():
        root = root_of_label_file(path)
        return ImageDataset(
            name or root.name, FORMAT, root, lambda: _catalogue([path], root, all_images=False)
        )
    files = find_label_files(path, "coco")
    if not files:
        raise DatasetError(
            f"{path} does not look like COCO: no JSON with `images` and `annotations` in it or the folders "
            "in it; give the folder that holds `annotations`, or another --format"
        )
    root = path.parent if path.name == "annotations" else path
    return ImageDataset(name or root.name, FORMAT, root, lambda: _catalogue(files, root, all_images=True))


def _catalogue(paths: Sequence[Path], root: Path, *, all_images: bool) -> Catalogue:
    problems: list[str] = []
    notices: list[str] = []
    sources: list[_CocoSource] = []
    pictures = find_images(root)
    for path in paths:
        try:
            file = CocoFile(path, root)
        except DatasetError as exc:
            problems.append(str(exc))
            continue
        problems += file.problems
        if file.has_objects:
            sources.append(_CocoSource(file, root, _mask_folder(file, root, pictures)))
        else:
            notices.append(f"{file.shown}: not used, it holds no boxes and no masks")
    sources.sort(key=lambda s: (bool(s.file.mask_names), "keypoints" in s.file.path.name, s.file.shown))
    claims = ImageClaims(root, exclude=(mask for s in sources for mask in s.mask_ids))
    for source in sources:
        notices += source.claim_images(claims)
    return Catalogue(claims.folders(with_rest=all_images), Findings(tuple(problems), tuple(notices)))


class _CocoSource:
    """A label file that speaks for the images it has claimed."""

    def __init__(self, file: CocoFile, root: Path, mask_folder: str | None) -> None:
        self.file = file
        self._root = root
        self._mask_folder = mask_folder or "."
        self._coco_ids: dict[str, str] = {}

    @property
    def mask_ids(self) -> list[str]:
        """The mask pictures' paths relative to the dataset."""
        return [str(PurePosixPath(self._mask_folder, name)) for name in self.file.mask_names]

    def claim_images(self, claims: ImageClaims) -> list[str]:
        """Claim the file's images; returns what is missing or not needed."""
        split = split_of_file(self.file.path.stem)
        near = [f"images/{split}", f"{split}", "images", ".", str(PurePosixPath(self.file.shown).parent)]
        missing = []
        for coco_id, image in self.file.images.items():
            image_id = claims.claim(str(image["file_name"]), near, split, self)
            if image_id is None:
                missing.append(str(image["file_name"]))
            else:
                self._coco_ids.setdefault(image_id, coco_id)
        total = len(self.file.images)
        notices = []
        if missing:
            notices.append(
                f"{self.file.shown}: {len(missing):,} of {total:,} labelled images are not there "
                f"(the first is {min(missing)}); add the images or ignore this"
            )
        if len(missing) < total and not claims.claimed_by(self):
            notices.append(f"{self.file.shown}: not used, another file has labels for its images")
        return notices

    def labels_of(self, image_id: str) -> ImageLabels | None:
        """The labels of an image that this file has claimed."""
        coco_id = self._coco_ids.get(image_id)
        if coco_id is None:
            return None
        image = self.file.images[coco_id]
        size_hw = _stated_size(image)
        found = LabelList()
        for position, annotation in enumerate(self.file.annotations(coco_id)):
            if "segments_info" not in annotation:
                add_instance(
                    found,
                    position,
                    annotation,
                    self.file.categories,
                    lambda: size_hw or _real_size(self._root / image_id),
                )
                continue
            mask_path = self._root / self._mask_folder / str(annotation.get("file_name"))
            try:
                add_panoptic(found, annotation, self.file.categories, mask_path, size_hw)
            except DatasetError as exc:
                return ImageLabels(problems=(f"{image_id}: {exc}",), has_labels=False)
        return ImageLabels(found.labels, frame_attributes(image.get("attributes")), tuple(found.problems))


def _mask_folder(file: CocoFile, root: Path, pictures: Sequence[str]) -> str | None:
    """The folder of a panoptic file's mask pictures, relative to the dataset; None when there is none."""
    if not file.mask_names:
        return None
    wanted = set(file.mask_names[:8])
    holders = {str(PurePosixPath(p).parent) for p in pictures if PurePosixPath(p).name in wanted}
    stem = file.path.stem

    def likely(folder: str) -> tuple[bool, bool, str]:
        last = PurePosixPath(folder).name.lower()
        return (last == stem, any(word in last for word in _MASK_WORDS), folder)

    return max(holders, key=likely, default=None)


def _stated_size(image: dict[str, Json]) -> tuple[int, int] | None:
    height, width = image.get("height"), image.get("width")
    if isinstance(height, int) and isinstance(width, int) and height > 0 and width > 0:
        return (height, width)
    return None


def _real_size(path: Path) -> tuple[int, int]:
    try:
        return image_size(path)
    except ImageError as exc:
        raise DatasetError(f"its polygons cannot be drawn without the image's size: {exc}") from exc
