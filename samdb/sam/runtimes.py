"""Choosing what the encoder runs on, and setting it up."""

from __future__ import annotations

import importlib.util
import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch

from samdb.errors import ConfigError, SamdbError
from samdb.sam.device import Compute
from samdb.sam.encoder import CompiledTorchEncoder, ImageEncoder, TorchEncoder
from samdb.sam.networks import Networks
from samdb.sam.weights import user_weights_dir

if TYPE_CHECKING:
    import openvino

    from samdb.sam.openvino_encoder import OpenVinoEncoder

Runtime: TypeAlias = Literal["torch", "compile", "openvino"]

_LOG = logging.getLogger(__name__)
_INSTALL = "run `pip install openvino`, or use --runtime torch"


def choose_runtime(runtime: str, compute: Compute) -> Runtime:
    """`auto` made definite, or what was asked for checked; imports no OpenVINO.

    `auto` is OpenVINO on a CPU that has the package and torch everywhere else (measured: see
    `samdb.sam.openvino_encoder`). Raises ConfigError on a runtime that is not there, or not for the device.
    """
    installed = importlib.util.find_spec("openvino") is not None
    if runtime == "auto":
        return "openvino" if compute.device == "cpu" and installed else "torch"
    if runtime == "openvino":
        if compute.device != "cpu":
            raise ConfigError(
                f"--runtime openvino runs on the CPU, not on {compute.device}: "
                "use --device cpu, or --runtime torch"
            )
        if not installed:
            raise ConfigError(f"--runtime openvino: OpenVINO is not installed; {_INSTALL}")
        return "openvino"
    if runtime == "torch":
        return "torch"
    if runtime == "compile":
        return "compile"
    raise ConfigError(f"unknown runtime {runtime!r}: use auto, torch, compile or openvino")


def load_encoder(
    networks: Networks, compute: Compute, runtime: str, checkpoint: Path, weights_sha256: str
) -> ImageEncoder:
    """The encoder of fp32 `networks` on the runtime; `checkpoint` is the file they were loaded from, beside
    which what takes long is kept.

    With `auto`, an OpenVINO that does not work here is passed over with a warning. Raises ConfigError when
    the runtime asked for cannot be used.
    """
    chosen = choose_runtime(runtime, compute)
    if chosen == "compile":
        return CompiledTorchEncoder(networks, compute)
    if chosen == "openvino":
        try:
            return _openvino_encoder(networks, compute, checkpoint, weights_sha256)
        except SamdbError:
            raise
        except Exception as exc:  # whatever a foreign compiler raises: torch can do the work
            said = f"{type(exc).__name__}: {exc}".strip().splitlines()[0]
            if runtime != "auto":
                raise ConfigError(f"OpenVINO does not work here ({said}): use --runtime torch") from exc
            _LOG.warning("OpenVINO does not work here (%s): torch takes its place, slower", said)
    return TorchEncoder(networks, compute)


def _openvino_encoder(
    networks: Networks, compute: Compute, checkpoint: Path, weights_sha256: str
) -> OpenVinoEncoder:
    from samdb.sam.openvino_encoder import OpenVinoEncoder

    return OpenVinoEncoder(exported(networks, checkpoint, weights_sha256), compute.precision)


def exported(networks: Networks, checkpoint: Path, weights_sha256: str) -> openvino.Model:
    """The encoder in OpenVINO's form: read from the cache, else exported and, where a disk allows it, kept
    beside the checkpoint or in the user's folder for weights.
    """
    from samdb.sam.openvino_cache import ExportKey, find_export, keep_export
    from samdb.sam.openvino_export import FORMAT, export, import_openvino

    ov = import_openvino()
    key = ExportKey(networks.model, weights_sha256, FORMAT, ov.__version__, torch.__version__)
    parents = (checkpoint.parent, user_weights_dir())
    core = ov.Core()
    made: list[openvino.Model] = []

    def save(path: Path) -> None:
        if not made:
            made.append(export(networks))
        # float16, the default here, would halve the file and move the features by 1e-3
        ov.save_model(made[0], path, compress_to_fp16=False)
        _read(core, path)  # a full disk shows here at the latest

    for take in (find_export, partial(keep_export, save=save)):
        for parent in parents:
            try:
                path = take(key, parent)
                if path is not None:
                    return _read(core, path)
            except OSError as exc:
                _LOG.info("no export can be kept in %s: %s", parent, exc)
            except RuntimeError as exc:  # OpenVINO's own, for a file it cannot read or write
                if take is not find_export and not made:
                    raise
                _LOG.info("the export in %s is of no use: %s", parent, exc)
    return made[0] if made else export(networks)


def _read(core: openvino.Core, path: Path) -> openvino.Model:
    model: openvino.Model = core.read_model(path)
    return model
