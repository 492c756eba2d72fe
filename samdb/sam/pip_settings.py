"""What pip is configured for on this machine: its indexes, its folders of links, how it connects."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass

#: what pip itself uses when nothing is configured
DEFAULT_INDEX = "https://pypi.org/simple"


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """Where pip would look: simple pages, `find_links` (folders or pages), and how to connect."""

    indexes: tuple[str, ...] = (DEFAULT_INDEX,)
    find_links: tuple[str, ...] = ()
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    trusted_hosts: tuple[str, ...] = ()


def pip_settings() -> IndexSettings:
    """The settings of this interpreter's pip, else of the pip on the path, else pip's own defaults."""
    commands = [[sys.executable, "-m", "pip"], *([[pip]] if (pip := shutil.which("pip")) else [])]
    for command in commands:
        try:
            done = subprocess.run(
                [*command, "config", "list"], capture_output=True, text=True, timeout=60, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return parse_pip_config(done.stdout)
    return IndexSettings()


def parse_pip_config(listing: str) -> IndexSettings:
    """Read the output of `pip config list`: the environment wins over [download], [install] and [global]."""
    found: dict[str, dict[str, str]] = {}
    for line in listing.splitlines():
        if match := re.match(r"(global|install|download|:env:)\.([\w-]+)=(.*)", line):
            section, key, text = match.groups()
            try:
                found.setdefault(key.replace("_", "-"), {})[section] = str(ast.literal_eval(text))
            except (ValueError, SyntaxError):
                continue  # not a setting pip printed, such as a wrapped line

    def value(key: str) -> str:
        by_section = found.get(key, {})
        sections = (":env:", "download", "install", "global")
        return next((by_section[s] for s in sections if s in by_section), "")

    indexes = (value("index-url") or DEFAULT_INDEX, *value("extra-index-url").split())
    off = value("no-index").lower() in ("1", "true", "yes", "on")
    return IndexSettings(
        indexes=() if off else indexes,
        find_links=tuple(value("find-links").split()),
        cert=value("cert") or None,
        client_cert=value("client-cert") or None,
        proxy=value("proxy") or None,
        trusted_hosts=tuple(value("trusted-host").split()),
    )
