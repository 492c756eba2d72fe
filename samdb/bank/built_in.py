"""The bank in the box: driving classes that samdb knows before anything was ingested.

`built_in.safetensors` beside this file is an exported bank with its head: prototypes, thresholds and the
card, no image. `scripts/make_box_bank` makes it again.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

from samdb.bank.artefact import read_bank_file
from samdb.core.bank import Bank

#: what it is called; a bank of that name in a store comes before it
BUILT_IN_NAME: Final = "built-in"
BUILT_IN_FILE: Final = Path(__file__).with_name("built_in.safetensors")


@lru_cache(maxsize=1)
def built_in_bank() -> Bank:
    """The bank that ships with samdb. Raises BankError when its file is missing or damaged."""
    return read_bank_file(BUILT_IN_FILE)
