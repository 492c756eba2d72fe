"""Running `samdb` in this process, as a person would type it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from samdb.cli.main import main
from samdb.core.points import PayloadValue


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended: its exit code, its data (stdout) and its talk (stderr)."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, PayloadValue]]:
        """The lines of stdout as JSON objects."""
        return [json.loads(line, parse_constant=_refuse) for line in self.out.splitlines()]

    @property
    def table(self) -> list[list[str]]:
        """The lines of stdout cut at gaps of two spaces or more."""
        return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in self.out.splitlines()]


@dataclass(frozen=True, slots=True)
class Samdb:
    """`samdb` with these environment variables and no other SAMDB_ ones."""

    variables: Mapping[str, str]

    def __call__(self, *words: object, **variables: str) -> Finished:
        """Run a command; `variables` are set in its environment, too."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            for name in [n for n in os.environ if n.startswith("SAMDB_")]:
                patch.delenv(name)
            for name, value in {**self.variables, **variables}.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["samdb", *map(str, words)])
            with (
                contextlib.redirect_stdout(out),
                contextlib.redirect_stderr(err),
                pytest.raises(SystemExit) as end,
            ):
                main()
        code = end.value.code
        return Finished(
            code if isinstance(code, int) else int(code is not None), out.getvalue(), err.getvalue()
        )


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")
