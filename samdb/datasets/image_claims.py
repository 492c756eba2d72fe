"""Which label file speaks for which image, where the layout of the folders does not tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from samdb.datasets.image_files import ImageFinder, find_images, is_label_folder
from samdb.datasets.records import ImageFolder, ImageLabels, LabelSource
from samdb.datasets.splits import NO_SPLIT, split_of_folder, split_order


class ImageClaims:
    """The images of a folder, each claimed by the first label file that names it.

    Pictures in folders of labels (`masks`, `panoptic_val2017`, ...) and those in `exclude` are no images.
    """

    def __init__(self, root: Path, exclude: Iterable[str] = ()) -> None:
        left_out = set(exclude)
        self._root = root
        self._ids = [i for i in find_images(root) if i not in left_out and not is_label_folder(i)]
        self._finder = ImageFinder(self._ids)
        self._claimed: dict[str, tuple[str, LabelSource]] = {}

    def claim(
        self, file_name: str, folders: Sequence[str], split: str | None, source: LabelSource
    ) -> str | None:
        """Find the image that a label file names and let `source` speak for it unless another does.

        Returns the image's id, None when there is no such image. `split` None: told from its folders' names.
        """
        image_id = self._finder.find(file_name, folders)
        if image_id is not None:
            self._claimed.setdefault(image_id, (split or self._split(image_id), source))
        return image_id

    def claimed_by(self, source: LabelSource) -> int:
        """How many images `source` speaks for."""
        return sum(owner is source for _, owner in self._claimed.values())

    def labels_of(self, image_id: str) -> ImageLabels | None:
        """What the label file that speaks for an image says of it."""
        claimed = self._claimed.get(image_id)
        return None if claimed is None else claimed[1].labels_of(image_id)

    def _split(self, image_id: str) -> str:
        """The split that the image's folders name, the one nearest to the dataset first."""
        return split_of_folder([*_folder(image_id).split("/"), self._root.name]) or NO_SPLIT

    def folders(self, *, with_rest: bool) -> tuple[ImageFolder, ...]:
        """The claimed images by split and folder; `with_rest` also those that no label file names."""
        groups: dict[tuple[str, str], list[str]] = {}
        for image_id in self._ids:
            claimed = self._claimed.get(image_id)
            if claimed is not None or with_rest:
                split = claimed[0] if claimed is not None else self._split(image_id)
                groups.setdefault((split, _folder(image_id)), []).append(image_id)
        ordered = sorted(groups.items(), key=lambda item: (split_order(item[0][0]), item[0][1]))
        source = self if self._claimed else None
        return tuple(ImageFolder(folder, split, tuple(ids), source) for (split, folder), ids in ordered)


def _folder(image_id: str) -> str:
    return str(PurePosixPath(image_id).parent)
