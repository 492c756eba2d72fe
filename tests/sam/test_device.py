"""Where the networks run, and how precisely."""

from __future__ import annotations

import platform

import pytest
import torch

from samdb.errors import ConfigError
from samdb.sam.device import Compute, choose_compute, keep_freed_memory


def test_what_is_asked_for_is_taken() -> None:
    assert choose_compute("cpu", "fp32") == Compute("cpu", "fp32")
    assert choose_compute("cpu", "bf16") == Compute("cpu", "bf16")


def test_the_precision_names_a_torch_type() -> None:
    assert Compute("cpu", "fp32").dtype == torch.float32
    assert Compute("cpu", "bf16").dtype == torch.bfloat16


def test_left_alone_it_finds_a_device_that_works() -> None:
    compute = choose_compute()
    assert torch.zeros(2, device=compute.device, dtype=compute.dtype).sum() == 0
    if not torch.cuda.is_available() and not torch.backends.mps.is_available():
        assert compute.device == "cpu"


def test_a_cpu_gets_bfloat16_only_where_it_multiplies_it() -> None:
    asks = [getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("avx512_bf16", "amx_tile")]
    native = any(ask() for ask in asks if ask is not None)
    assert choose_compute("cpu").precision == ("bf16" if native else "fp32")


@pytest.mark.parametrize("device", ["abacus", "cuda:99", "cpu:x"])
def test_a_device_that_is_not_there_is_refused_with_a_way_out(device: str) -> None:
    with pytest.raises(ConfigError, match="try --device cpu"):
        choose_compute(device)


@pytest.mark.parametrize("precision", ["fp16", "float32", ""])
def test_an_unknown_precision_is_refused_with_the_known_ones(precision: str) -> None:
    with pytest.raises(ConfigError, match="use auto, fp32 or bf16"):
        choose_compute("cpu", precision)


def test_the_allocator_setting_is_taken_on_linux_with_glibc_and_left_alone_elsewhere() -> None:
    glibc = platform.system() == "Linux" and platform.libc_ver()[0] == "glibc"
    assert keep_freed_memory() == glibc
