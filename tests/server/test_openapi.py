"""The OpenAPI document: all that can be asked and answered has an example, which its schema allows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from samdb.api import Database
from samdb.config import load_settings
from samdb.server import bodies, models
from samdb.server.app import create_app
from samdb.server.examples import EXAMPLES
from samdb.server.options import ServeOptions

Schema = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Iterator[Schema]:
    """The document of a server on an empty store."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith("SAMDB_")]:
            patch.delenv(name)
        app = create_app(Database(load_settings({"store": "memory:", "model": "vit_t"})), ServeOptions())
        yield app.openapi()
        app.state.backend.close()


def operations(document: Schema) -> dict[str, Schema]:
    """Every operation, by what it is called."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def resolved(document: Schema, schema: Schema) -> Schema:
    """A schema, or the one that it refers to."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Schema = document["components"]["schemas"][reference.rsplit("/", 1)[1]]
    return found


def check(document: Schema, schema: Schema, where: str) -> None:
    """Raise AssertionError unless a schema has examples, all of which it allows."""
    examples = resolved(document, schema).get("examples")
    assert examples, f"{where} has no example"
    validator = Draft202012Validator({**schema, "components": document["components"]})
    for example in examples:
        faults = [fault.message for fault in validator.iter_errors(example)]
        assert not faults, f"{where}: {faults}"


def test_every_parameter_has_an_example(document: Schema) -> None:
    n = 0
    for name, operation in operations(document).items():
        for parameter in operation.get("parameters", []):
            check(document, parameter["schema"], f"{name}, {parameter['name']}")
            n += 1
    assert n > 20


def test_every_body_and_every_good_answer_has_an_example(document: Schema) -> None:
    n_bodies = n_answers = 0
    for name, operation in operations(document).items():
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            if kind == "multipart/form-data":  # a file
                continue
            check(document, content["schema"], f"the body of {name}")
            n_bodies += 1
        good = {status: a for status, a in operation["responses"].items() if status.startswith("2")}
        assert len(good) == 1, name
        for status, answer in good.items():
            assert answer.get("content") or status == "204", name
            for kind, content in answer.get("content", {}).items():
                if kind == "image/jpeg":
                    continue
                check(document, content["schema"], f"{status} of {name}")
                n_answers += 1
        # what goes wrong is described as well
        check(document, operation["responses"]["400"]["content"]["application/json"]["schema"], name)
    assert (n_bodies, n_answers) == (6, 19)


def test_every_model_takes_its_own_example(document: Schema) -> None:
    for name, example in EXAMPLES.items():
        model = getattr(bodies, name, None) or getattr(models, name)
        assert model.model_validate(example), name
        assert set(example) <= set(model.model_fields), name
    left = {"Body_upload_api_uploads_post"}
    assert set(document["components"]["schemas"]) - left <= set(EXAMPLES)
