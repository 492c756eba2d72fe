"""The API against its own schema: whatever is asked, it answers as the schema says, and never with a 5xx."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from samdb.core.ids import image_point_id
from samdb.sam.segmenter import SamSegmenter
from samdb.server.options import ServeOptions
from tests.server.client import client_of
from tests.shapes import Shapes, copy_store

pytestmark = [pytest.mark.weights, pytest.mark.slow, pytest.mark.timeout(600)]

#: cases per operation; a larger number by hand: SAMDB_TEST_FUZZ=1000
EXAMPLES = int(os.environ.get("SAMDB_TEST_FUZZ", "25"))
#: schemathesis itself gives up after 10 s: with other jobs beside it SAM can need longer for many examples
PATIENCE_S = 120
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
SETTINGS = hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=[hypothesis.Phase.generate],
)


@pytest.fixture(scope="module")
def known(shapes: Shapes) -> dict[str, str]:
    """Ids that exist, by the name of the parameter that takes them."""
    return {
        "image_key": image_point_id("shapes", "images/train/00.png"),
        "segment_id": shapes.stored_id("disc", 1),
        "label": "default@1",
    }


@pytest.fixture(scope="module")
def address(shapes: Shapes, sam: SamSegmenter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server on a copy of the drawn dataset's store."""
    store = tmp_path_factory.mktemp("fuzzed") / "store"
    copy_store(shapes.store, store)
    with client_of(str(store), sam, ServeOptions(sam_rate=1e6)) as client:
        yield str(client.base_url)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_whatever_is_asked_is_answered_as_the_schema_says(
    mode: GenerationMode,
    address: str,
    known: dict[str, str],
    record_property: Callable[[str, object], None],
) -> None:
    schema = schemathesis.openapi.from_url(f"{address}openapi.json", timeout=PATIENCE_S)
    asked: Counter[str] = Counter()
    answers: Counter[int] = Counter()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        @SETTINGS
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case[Any]) -> None:
            asked[case.operation.label] += 1
            # what exists, half of the time: made-up ids find nothing
            if asked[case.operation.label] % 2:
                with_known_ids(case, known)
            answers[case.call_and_validate(checks=CHECKS, timeout=PATIENCE_S).status_code] += 1

        try:
            ask()
        except hypothesis.errors.Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE  # nothing can be wrong where nothing is asked
    record_property("cases", dict(asked))
    print(f"\n{mode.value}: {asked.total():,} cases of {len(asked)} operations, answers {dict(answers)}")
    assert len(asked) > 15
    assert any(200 <= status < 300 for status in answers)


def with_known_ids(case: schemathesis.Case[Any], known: dict[str, str]) -> None:
    """Put ids that exist where the case has made-up ones."""
    for name in set(case.path_parameters or {}) & set(known):
        case.path_parameters[name] = known[name]
    if isinstance(case.body, dict):
        examples = case.body.get("positives")
        inner = [p for p in examples if isinstance(p, dict)] if isinstance(examples, list) else []
        for part in (case.body, *inner):
            for name in set(part) & set(known):
                if isinstance(part[name], str):
                    part[name] = known[name]
