"""What holds for all commands: help, errors and exit codes, pipes, interrupts, settings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.main import get_command

from samdb._version import __version__
from samdb.cli import show
from samdb.cli.main import app
from tests.cli.command import Samdb
from tests.shapes import Shapes, write_shapes

ROOT = Path(__file__).resolve().parents[2]

COMMANDS = (
    "",
    "ingest",
    "classify",
    "search",
    "bank",
    "bank build",
    "bank list",
    "bank show",
    "bank activate",
    "bank delete",
    "bank export",
    "bank import",
    "store",
    "store status",
    "store migrate",
    "weights",
    "weights list",
    "weights pull",
    "weights verify",
)

#: what design.md and the commands' own documentation promise
OPTIONS = {
    "ingest": "--format --name --split --prompts --recipes --limit --strict --report --store --model "
    "--device --precision --points-per-side --crop-layers",
    "classify": "--prompts --bank --out --split --limit --min-area-px --json --store --model --device "
    "--crop-layers",
    "search": "--box --point --mask --segment --not --where --recipe --limit --offset --per-image --out "
    "--json --store --model --device",
    "bank build": "--name --recipe --k --exclude --min-segments --min-area-px --parts --background --where "
    "--seed --activate --store --model",
    "bank list": "--json --store",
    "bank show": "--json --store",
    "bank delete": "--force",
    "bank export": "--bank",
    "bank import": "--name --activate",
    "store status": "--json --store",
    "store migrate": "--store --model",
}


def environment(**variables: str) -> dict[str, str]:
    """This process's variables without its SAMDB_ ones, and these."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SAMDB_")}
    return {**kept, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **variables}


def flat(text: str) -> str:
    """The text of a help page without its frame and line breaks."""
    return " ".join(text.replace("│", " ").split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_reads_to_its_end(bare: Samdb, command: str) -> None:
    done = bare(*command.split(), "--help", COLUMNS="300")
    assert (done.code, done.err) == (0, "")
    text = flat(done.out)
    assert f"Usage: samdb {command}".strip() in text
    for option in OPTIONS.get(command, "").split():
        assert option in text
    assert "[default: ]" not in text
    found = get_command(app)
    for word in command.split():
        found = found.commands[word]  # type: ignore[attr-defined]
    for param in found.params:
        # rich takes [words] for markup and leaves them out
        written = (getattr(param, "help", None) or "").replace("\\[", "[")
        assert " ".join(written.split()) in text


def test_help_names_the_defaults_and_shows_brackets(bare: Samdb) -> None:
    classify = flat(bare("classify", "--help", COLUMNS="200").out)
    assert "[x0, y0, x1, y1]" in classify
    assert "$SAMDB_STORE or ./samdb_data" in classify
    begin = flat(bare("--help", COLUMNS="200").out)
    assert "samdb search img.jpg --box 100,200,300,400 --out hits.png" in begin


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['samdb', '--help']\n"
        "from samdb.cli.main import main\n"
        "try: main()\n"
        "finally: print('HEAVY', [m for m in ('torch', 'qdrant_client', 'qdrant_edge', 'sklearn', 'PIL', "
        "'pydantic', 'httpx', 'matplotlib') if m in sys.modules])"
    )
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "HEAVY []" in done.stdout
    assert time.perf_counter() - started < 10  # 0.3 s on a quiet machine


def test_the_version_is_printed(bare: Samdb) -> None:
    assert bare("--version").out == f"samdb {__version__}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("serch",), "Did you mean 'search'"),
        (("search", "--bx", "1"), "--box"),
        (("ingest",), "Missing argument"),
        (("ingest", ".", "--format", "vox"), "--format"),
        (("ingest", ".", "--recipes", "blend,nope"), "unknown recipe 'nope'"),
        (("bank", "build", "--seed", "x"), "--seed"),
    ],
)
def test_a_slip_of_the_pen_exits_2_and_names_what_is_right(
    bare: Samdb, words: tuple[str, ...], message: str
) -> None:
    done = bare(*words, COLUMNS="200")
    assert (done.code, done.out) == (2, "")
    assert message in flat(done.err)
    assert "Traceback" not in done.err


def test_a_command_without_words_shows_its_help_and_exits_2(bare: Samdb) -> None:
    for words in ((), ("bank",), ("store",), ("weights",)):
        done = bare(*words)
        assert done.code == 2
        assert "Usage: samdb" in done.out + done.err


def test_a_misspelt_variable_is_refused_with_the_right_one(bare: Samdb) -> None:
    done = bare("store", "status", SAMDB_STOER="x")
    assert (done.code, done.out) == (2, "")
    assert "did you mean SAMDB_STORE?" in done.err


def test_a_name_with_markup_or_control_characters_is_printed_as_it_is(bare: Samdb, tmp_path: Path) -> None:
    done = bare("classify", tmp_path / "[red]x[/red]\x1b[31m.jpg")
    assert done.code == 1
    assert r"[red]x[/red]\x1b[31m.jpg" in done.err
    split = bare("ingest", tmp_path / "[bold]", "--split", "[red]")
    assert split.code == 1
    assert "[bold]: there is no such file" in split.err


def test_json_is_valid_even_for_names_that_are_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    show.json_line({"image": "caf\udce9.jpg", "class_name": "vélo"})
    line = capsys.readouterr().out
    assert json.loads(line) == {"image": "caf\udce9.jpg", "class_name": "vélo"}
    show.json_line({"class_name": "vélo"})
    assert "vélo" in capsys.readouterr().out
    with pytest.raises(ValueError, match="JSON"):
        show.json_line({"score": float("nan")})


def test_a_table_keeps_every_letter(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    show.table(("name", "n"), [["[red]" + "x" * 100, "1"], ["道路.jpg", "22"]], right=("n",))
    header, first, second = capsys.readouterr().out.splitlines()
    assert header == "name" + " " * 103 + " n"
    assert first == "[red]" + "x" * 100 + "   1"
    assert second == "道路.jpg" + " " * 97 + "  22"  # two letters of two columns each


@pytest.mark.weights
def test_a_reader_that_goes_away_is_no_error(shapes: Shapes) -> None:
    for words in (["--json"], []):
        command = [sys.executable, "-m", "samdb.cli.main", "search", "--segment", shapes.stored_id("disc", 0)]
        process = subprocess.Popen(
            [*command, "--store", str(shapes.store), *words],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # before anything is written
        said = process.stderr.read()
        process.stderr.close()
        assert (process.wait(60), said) == (1, b"")


@pytest.mark.weights
def test_ctrl_c_ends_with_130_and_keeps_what_was_printed(
    shapes: Shapes, checkpoint: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    write_shapes(folder)
    command = [
        sys.executable,
        "-m",
        "samdb.cli.main",
        "classify",
        str(folder),
        "--prompts",
        "labels",
        "--json",
    ]
    process = subprocess.Popen(
        [*command, "--store", str(shapes.store)],
        env=environment(SAMDB_CHECKPOINT=str(checkpoint), SAMDB_DEVICE="cpu"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in said
    assert b"stopped" in said
    lines = [first, *rest.splitlines()]
    assert all(json.loads(line)["class_name"] for line in lines)
    assert len(lines) < 24
