"""Heads as named tensors and as bytes: the form in which they are stored, exported and told apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from samdb.bank.parse import items, text
from samdb.core.head import Head, Layer
from samdb.errors import BankError

_MATRIX = (
    np.float16
)  # half the bytes; it turns the vectors that a head makes by less than 1e-4 in cosine (test_head_file)
_RECIPES = "head.recipes"
_STEM = "head.stem"


def head_tensors(head: Head) -> Mapping[str, NDArray[np.generic]]:
    """The head as named tensors: matrices in float16, the rest in float32, recipes as JSON bytes."""
    names = json.dumps(list(head.recipes)).encode()
    tensors: dict[str, NDArray[np.generic]] = {
        _RECIPES: np.frombuffer(names, dtype=np.uint8),
        "head.mean": head.mean.astype(np.float32),
        "head.scale": head.scale.astype(np.float32),
        "head.mix": head.mix.astype(_MATRIX),
    }
    if head.stem is not None:
        tensors[f"{_STEM}.weight"] = head.stem.weight.astype(_MATRIX)
        tensors[f"{_STEM}.bias"] = head.stem.bias.astype(np.float32)
    for m, member in enumerate(head.members):
        for i, layer in enumerate(member):
            tensors[f"head.{m}.{i}.weight"] = layer.weight.astype(_MATRIX)
            tensors[f"head.{m}.{i}.bias"] = layer.bias.astype(np.float32)
    return {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}


def head_of_tensors(tensors: Mapping[str, NDArray[np.generic]]) -> Head:
    """The head that `head_tensors` took apart. Raises ValueError or KeyError when they are none."""
    stem = None
    if f"{_STEM}.weight" in tensors:
        stem = Layer(_single(tensors[f"{_STEM}.weight"]), _single(tensors[f"{_STEM}.bias"]))
    members: list[tuple[Layer, ...]] = []
    while f"head.{len(members)}.0.weight" in tensors:
        layers: list[Layer] = []
        while (key := f"head.{len(members)}.{len(layers)}.weight") in tensors:
            layers.append(Layer(_single(tensors[key]), _single(tensors[key.replace("weight", "bias")])))
        members.append(tuple(layers))
    return Head(
        recipes=tuple(text(r) for r in items(json.loads(tensors[_RECIPES].tobytes()))),
        mean=_single(tensors["head.mean"]),
        scale=_single(tensors["head.scale"]),
        members=tuple(members),
        mix=_single(tensors["head.mix"]),
        stem=stem,
    )


def head_to_bytes(head: Head) -> bytes:
    """The head as the bytes of a safetensors file; equal heads give equal bytes."""
    return save(dict(head_tensors(head)))


def head_of_bytes(content: bytes) -> Head:
    """The head that `head_to_bytes` wrote. Raises BankError when it is damaged."""
    try:
        return head_of_tensors(load(content))
    except (SafetensorError, KeyError, ValueError) as exc:
        raise BankError(f"a head is damaged ({exc}): train the bank again with `samdb bank train`") from exc


def compact(head: Head) -> Head:
    """The head as it will be once it was stored: what is learned after it must be learned of this one."""
    return head_of_tensors(head_tensors(head))


def head_fingerprint(head: Head) -> str:
    """Names a head by what it does: equal fingerprints give equal projections."""
    return hashlib.sha256(head_to_bytes(head)).hexdigest()[:16]


def _single(tensor: NDArray[np.generic]) -> NDArray[np.float32]:
    return np.asarray(tensor, dtype=np.float32)
