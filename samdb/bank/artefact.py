"""A bank as one safetensors file: vectors and head as tensors, the rest as JSON in its header."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from samdb.bank.card import card_from_json, card_to_json
from samdb.bank.head_file import head_fingerprint, head_of_tensors, head_tensors
from samdb.bank.parse import items, mapping, optional_text, text, whole
from samdb.core.bank import Bank, Prototype, PrototypeOrigin
from samdb.core.segment import GRANULARITIES, Granularity
from samdb.errors import BankError

#: changes when a file of before could be misread; a bank without a head is written as it always was
FORMAT = "1"
FORMAT_WITH_HEAD = "2"
FORMAT_WITH_STEM = "3"
_KEY = "samdb_bank"


def write_bank_file(bank: Bank, path: Path) -> None:
    """Write the bank to `path`, atomically; equal banks give equal bytes.

    Raises BankError when the file cannot be written.
    """
    matrix = np.ascontiguousarray(bank.matrix)
    rows = [
        [p.prototype_id, p.class_name, p.granularity, p.count, p.origin, p.exemplar_id]
        for p in bank.prototypes
    ]
    card, prototypes = card_to_json(bank.card), json.dumps(rows)
    header = {
        "format": _format(bank),
        "card": card,
        "prototypes": prototypes,
        "sha256": _digest(matrix, card, prototypes),
    }
    tensors = {"vectors": matrix, **(head_tensors(bank.head) if bank.head else {})}
    # under one key: safetensors writes several in any order, and equal banks would not be equal files
    content = save(tensors, metadata={_KEY: json.dumps(header)})
    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as exc:
        partial.unlink(missing_ok=True)
        raise BankError(f"cannot write the bank to {path}: {exc.strerror or exc}") from exc


def read_bank_file(path: Path) -> Bank:
    """The bank that `write_bank_file` wrote. Raises BankError when it is missing, damaged or no bank."""
    if not path.is_file():
        raise BankError(f"there is no file {path}: export a bank with `samdb bank export`")
    try:
        with safe_open(path, framework="np") as file:
            metadata: dict[str, str] = file.metadata() or {}
            if _KEY not in metadata:
                raise BankError(f"{path} is a safetensors file, but not a bank that samdb exported")
            header = {key: text(value) for key, value in mapping(json.loads(metadata[_KEY])).items()}
            if header["format"] not in (FORMAT, FORMAT_WITH_HEAD, FORMAT_WITH_STEM):
                raise BankError(
                    f"{path} has bank format {header['format']}, this samdb reads {FORMAT} to "
                    f"{FORMAT_WITH_STEM}: update samdb"
                )
            tensors = {name: np.asarray(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
        matrix = tensors["vectors"]
        if header["sha256"] != _digest(matrix, header["card"], header["prototypes"]):
            raise BankError(f"{path} is damaged (its checksum differs): export or copy it again")
        card = card_from_json(header["card"])
        head = head_of_tensors(tensors) if header["format"] != FORMAT else None
        # the fingerprint is the head's checksum
        if head is not None and head_fingerprint(head) != card.head:
            raise BankError(f"{path} is damaged (its head is not the card's): export or copy it again")
        return Bank(card, _prototypes(header["prototypes"], matrix), head)
    except (SafetensorError, OSError, KeyError, ValueError) as exc:
        raise BankError(f"{path} cannot be read as a bank ({exc}): export or copy it again") from exc


def _format(bank: Bank) -> str:
    if bank.head is None:
        return FORMAT
    return FORMAT_WITH_HEAD if bank.head.stem is None else FORMAT_WITH_STEM


def _digest(matrix: NDArray[np.float32], card: str, prototypes: str) -> str:
    digest = hashlib.sha256(f"{FORMAT}\n{matrix.dtype}{matrix.shape}\n{card}\n{prototypes}\n".encode())
    digest.update(np.ascontiguousarray(matrix).tobytes())
    return digest.hexdigest()


def _prototypes(rows: str, matrix: NDArray[np.float32]) -> tuple[Prototype, ...]:
    fields = [items(row) for row in items(json.loads(rows))]
    if matrix.ndim != 2 or len(fields) != len(matrix) or any(len(row) != 6 for row in fields):
        raise ValueError(f"{len(fields)} prototypes but vectors of shape {matrix.shape}")
    granularity: dict[str, Granularity] = {g: g for g in GRANULARITIES}
    origin: dict[str, PrototypeOrigin] = {o: o for o in get_args(PrototypeOrigin)}
    return tuple(
        Prototype(
            prototype_id=text(row[0]),
            vector=vector,
            class_name=optional_text(row[1]),
            granularity=granularity[text(row[2])],
            count=whole(row[3]),
            origin=origin[text(row[4])],
            exemplar_id=optional_text(row[5]),
        )
        for row, vector in zip(fields, matrix, strict=True)
    )
