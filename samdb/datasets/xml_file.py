"""Reading XML label files without trusting them: no entities, no DTD, no endless nesting."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from samdb.errors import DatasetError

# the annotation of one image: a file of many megabytes is something else
_MAX_BYTES = 16 << 20
_MAX_DEPTH = 64


def read_xml(path: Path) -> ElementTree.Element:
    """The root element of an XML file.

    A document type is refused, and with it every entity but XML's own five: entities can blow a file of a
    kilobyte up to gigabytes, or read other files.

    Raises DatasetError when the file cannot be read or is not such XML.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DatasetError(f"{path}: is too large ({path.stat().st_size:,} bytes) to be a label file")
        content = path.read_bytes()
    except OSError as exc:
        raise DatasetError(
            f"{path}: cannot be read ({exc.strerror or exc}); check the file and its permissions"
        ) from exc
    builder = _Builder(path)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, LookupError, ValueError) as exc:
        what = "is empty" if not content.strip() else f"is broken XML ({exc})"
        raise DatasetError(f"{path}: {what}; download or export it again") from exc
    return builder.close()


def child_text(element: ElementTree.Element, name: str) -> str | None:
    """The text of the first child of that name, without spaces around it; None when there is none."""
    text = element.findtext(name)
    return text.strip() or None if text is not None else None


class _Builder:
    """Builds the elements of one file as expat reports them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tree = ElementTree.TreeBuilder()
        self._depth = 0
        self.data = self._tree.data
        self.close = self._tree.close

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise DatasetError(f"{self._path}: is nested too deeply to be a label file")
        self._tree.start(name, attributes)

    def end(self, name: str) -> None:
        """An element ends."""
        self._depth -= 1
        self._tree.end(name)

    def refuse(self, *_: object) -> None:
        """A document type or an entity is declared."""
        raise DatasetError(
            f"{self._path}: declares a document type or entities, which label files never need; "
            "remove the <!DOCTYPE ...> part"
        )
