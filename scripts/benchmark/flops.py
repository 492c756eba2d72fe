"""Counting floating point operations: matrix products, convolutions and attention; a multiply-add is two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, flop_registry

_ATEN = torch.ops.aten
#: what torch 2.13's counter does not know of samdb's work, and the operation it does know that is the same
_SAME = (
    (_ATEN.addmm_, _ATEN.addmm),
    (_ATEN.baddbmm_, _ATEN.baddbmm),
    (_ATEN._scaled_dot_product_flash_attention_for_cpu, _ATEN._scaled_dot_product_flash_attention),
)


def count_flops(work: Callable[[], object]) -> float:
    """Do the work once and count what torch computes in this thread (another runtime's work is not seen)."""
    more = {unknown: _raw(flop_registry[known]) for unknown, known in _SAME}
    with FlopCounterMode(display=False, custom_mapping=more) as counter:
        work()
    return float(counter.get_total_flops())


def _raw(formula: Callable[..., int]) -> Callable[..., int]:
    """The counter would turn arguments into shapes a second time unless the formula is marked."""

    def count(*args: Any, **named: Any) -> int:
        return formula(*args, **named)

    count._get_raw = True  # type: ignore[attr-defined]
    return count
