"""Pascal VOC: an XML file per image, and pictures in which each pixel tells its object and its class.

    JPEGImages/<name>  Annotations/<stem>.xml  ImageSets/Main/<split>.txt  ImageSets/Segmentation/<split>.txt
    SegmentationObject/<stem>.png  SegmentationClass/<stem>.png  labelmap.txt

Boxes count from 1 and include their last pixels, in whole pixels. A picture holds one object per pixel:
smaller ones lie upon larger ones, and a part of an object that is exported too has a box but no pixels.
Source: the VOC2012 development kit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from samdb.reports.export_record import (
    ExportImage,
    ExportObject,
    LeftOuts,
    frame_attributes,
    number_of,
)

#: 255 is the border around objects
_MOST = 254
_SWITCHES = ("truncated", "difficult", "occluded")


class VocWriter:
    """Writes into the folder `target`; what VOC cannot hold goes to `left_out`."""

    def __init__(self, target: Path, classes: Sequence[str], left_out: LeftOuts) -> None:
        self._target = target
        self._classes = tuple(classes)
        self._numbers = number_of(classes)
        self._left_out = left_out
        for folder in ("Annotations", "ImageSets/Main", "ImageSets/Segmentation", "JPEGImages"):
            (target / folder).mkdir(parents=True, exist_ok=True)
        for folder in ("SegmentationObject", "SegmentationClass"):
            (target / folder).mkdir(exist_ok=True)

    def images_folder(self, split: str) -> str | None:
        """Where all images lie."""
        return "JPEGImages"

    def add(self, image: ExportImage, objects: Sequence[ExportObject], *, has_file: bool) -> None:
        """Write an image's annotation and pictures, and its name into the lists."""
        painted = self._paint(image, objects)
        tree = ElementTree.ElementTree(_annotation(image, objects, segmented=painted))
        ElementTree.indent(tree, "\t")
        tree.write(self._target / "Annotations" / f"{image.stem}.xml", encoding="utf-8")
        for kind in ("Main", "Segmentation") if painted else ("Main",):
            with (self._target / f"ImageSets/{kind}/{image.split_name}.txt").open("a", encoding="utf-8") as f:
                f.write(image.stem + "\n")

    def finish(self) -> Sequence[str]:
        """Write `labelmap.txt`: the classes in the order of the palette."""
        colours = np.array(_palette()).reshape(-1, 3)
        lines = [
            f"{name.replace(':', '_')}:{','.join(str(v) for v in colours[i % 256])}::"
            for i, name in enumerate(("background", *self._classes))
        ]
        (self._target / "labelmap.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        if len(self._classes) > _MOST:
            return (f"SegmentationClass: a palette holds {_MOST} classes, so it tells none",)
        return ()

    def close(self) -> None:
        """No file stays open."""

    def _paint(self, image: ExportImage, objects: Sequence[ExportObject]) -> bool:
        """Write the two pictures; returns whether anything is on them."""
        there = {o.segment.segment_id for o in objects}
        numbered = [(n, o) for n, o in enumerate(objects, 1) if o.segment.parent_id not in there]
        note = self._left_out.note
        note(
            "masks of parts: VOC's pictures hold one object per pixel",
            image.image_id,
            len(objects) - len(numbered),
        )
        room = [(n, o) for n, o in numbered if n <= _MOST]
        note(f"masks: VOC's pictures hold {_MOST} objects", image.image_id, len(numbered) - len(room))
        if not room:
            return False
        instances = np.zeros(image.size_hw, dtype=np.uint8)
        classes = np.zeros(image.size_hw, dtype=np.uint8)
        for number, found in sorted(room, key=lambda item: (-item[1].segment.area_px, item[0])):
            mask = found.segment.mask.decode()
            instances[mask] = number
            of_class = self._numbers[found.category]
            classes[mask] = of_class if len(self._classes) <= _MOST else 0
        hidden = len(room) - len(np.unique(instances[instances > 0]))
        note("masks wholly covered by smaller ones", image.image_id, hidden)
        for folder, numbers in (("SegmentationObject", instances), ("SegmentationClass", classes)):
            picture = Image.fromarray(numbers)
            picture.putpalette(_palette())
            picture.save(self._target / folder / f"{image.stem}.png")
        return True


def _annotation(
    image: ExportImage, objects: Sequence[ExportObject], *, segmented: bool
) -> ElementTree.Element:
    root = ElementTree.Element("annotation")
    _add(root, "folder", "JPEGImages")
    _add(root, "filename", image.name)
    source = ElementTree.SubElement(root, "source")
    _add(source, "database", image.dataset)
    _add(source, "image", image.image_id)
    size = ElementTree.SubElement(root, "size")
    for key, value in (("width", image.size_hw[1]), ("height", image.size_hw[0]), ("depth", 3)):
        _add(size, key, str(value))
    _add(root, "segmented", str(int(segmented)))
    frame = frame_attributes(objects)
    for found in objects:
        entry = ElementTree.SubElement(root, "object")
        attributes = found.own_attributes()
        _add(entry, "name", found.category)
        _add(entry, "pose", str(attributes.pop("pose", "Unspecified")))
        for key in _SWITCHES:
            _add(entry, key, str(int(bool(attributes.pop(key, False)))))
        box = ElementTree.SubElement(entry, "bndbox")
        for key, value in zip(("xmin", "ymin", "xmax", "ymax"), _corners(found, image.size_hw), strict=True):
            _add(box, key, str(value))
        # the extension of CVAT and Datumaro
        more = {**frame, **attributes, "segment_id": found.segment.segment_id}
        more |= {"granularity": found.segment.granularity}
        more |= {} if found.segment.parent_id is None else {"parent": found.segment.parent_id}
        more |= {} if found.score is None else {"score": round(found.score, 6)}
        listed = ElementTree.SubElement(entry, "attributes")
        for name, raw in more.items():
            attribute = ElementTree.SubElement(listed, "attribute")
            _add(attribute, "name", name)
            _add(attribute, "value", str(raw).lower() if isinstance(raw, bool) else str(raw))
    return root


def _corners(found: ExportObject, size_hw: tuple[int, int]) -> tuple[int, int, int, int]:
    """xmin, ymin, xmax, ymax: whole pixels of the image, from 1, the last ones inside."""
    x0, y0, x1, y1 = found.box_xyxy
    xmin = min(max(round(x0) + 1, 1), size_hw[1])
    ymin = min(max(round(y0) + 1, 1), size_hw[0])
    return xmin, ymin, min(max(round(x1), xmin), size_hw[1]), min(max(round(y1), ymin), size_hw[0])


def _add(parent: ElementTree.Element, name: str, text: str) -> None:
    # what XML cannot hold: control characters, and halves of letters from file names that are no text
    kept = "".join(c for c in text if c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff")
    ElementTree.SubElement(parent, name).text = kept


@cache
def _palette() -> list[int]:
    """VOC's 256 colours: the bits of a number, spread over three channels from the top."""
    colours = []
    for number in range(256):
        rgb, rest = [0, 0, 0], number
        for bit in range(7, -1, -1):
            for channel in range(3):
                rgb[channel] |= (rest >> channel & 1) << bit
            rest >>= 3
        colours += rgb
    return colours
