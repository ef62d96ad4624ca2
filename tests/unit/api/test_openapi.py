"""The document is valid, names what is answered, and its page shows all of it without another host."""

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from smsd.api.manual import Manual
from smsd.api.openapi import document
from smsd.api.queries import read_query
from smsd.api.routes import Api
from smsd.api.validation import SmsBody

DOCUMENT = document()
#: What people look at is no part of the API.
PAGES = {"front", "dashboard", "dashboard_branch"}
OPERATIONS = [
    (method, path, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()
]


def resolved(part: dict[str, Any]) -> Any:
    return DOCUMENT["components"]["responses"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part


def contents() -> list[tuple[str, dict[str, Any]]]:
    """Every body that is described, with where it stands."""
    found = []
    for method, path, operation in OPERATIONS:
        if "requestBody" in operation:
            found += [(f"{method} {path}", media) for media in operation["requestBody"]["content"].values()]
        for code, answer in operation["responses"].items():
            found += [(f"{method} {path} {code}", media) for media in resolved(answer)["content"].values()]
    return found


def test_the_document_is_openapi() -> None:
    validate(DOCUMENT)
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(names)) == len(names)


def test_every_route_is_described_and_nothing_else() -> None:
    routes = set()
    for rule in Api.app.url_map.iter_rules():
        if rule.endpoint in PAGES:
            continue
        path = re.sub(r"<(\w+)>", r"{\1}", rule.rule)
        routes |= {(method.lower(), path) for method in rule.methods - {"HEAD", "OPTIONS"}}
    assert {(method, path) for method, path, _ in OPERATIONS} == routes


def test_every_answer_has_examples_that_are_as_its_schema_says() -> None:
    # As a part of the document, so that references within it lead somewhere.
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": DOCUMENT["components"]}
    for where, media in contents():
        given = [media["example"]] if "example" in media else [x["value"] for x in media.get("examples", {}).values()]
        if media.get("schema", {}).get("type") != "string" and media:
            assert given, where
        for example in given:
            Draft202012Validator({**whole, **media["schema"]}).validate(example)


def test_the_body_of_post_sms_is_the_schema_that_validates() -> None:
    described = {name: value for name, value in DOCUMENT["components"]["schemas"]["Sms"].items() if name != "examples"}
    assert described == {name: value for name, value in SmsBody().schema.items() if name != "$schema"}
    for example in DOCUMENT["paths"]["/sms"]["post"]["requestBody"]["content"]["application/json"]["examples"].values():
        SmsBody().parse(example["value"], now=0.0)


def test_every_line_of_an_upload_and_of_its_answer_is_as_described() -> None:
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": DOCUMENT["components"]}
    post = DOCUMENT["paths"]["/sms"]["post"]
    for body in (post["requestBody"], post["responses"]["200"]):
        media = body["content"]["application/x-ndjson"]
        read = [json.loads(line) for line in media["example"].splitlines()]
        assert len(read) == 2
        for each in read:
            Draft202012Validator({**whole, **media["x-itemSchema"]}).validate(each)


@pytest.mark.parametrize("name", ["state", "recipient", "since", "limit", "held"])
def test_a_described_filter_is_taken(name: str) -> None:
    described = {each["name"] for each in DOCUMENT["paths"]["/sms"]["get"]["parameters"]}
    good = {"state": "dead", "recipient": "31633450007", "since": "2026-11-24T06:00:00Z", "limit": "5", "held": "yes"}
    assert name in described
    read_query({name: good[name]})


def test_the_page_shows_every_operation_and_asks_nobody_else() -> None:
    manual = Manual()
    page = manual.page.decode()
    for method, path, operation in OPERATIONS:
        assert f"{method.upper()} {path}" in page
        assert operation["summary"].replace("'", "&#39;") in page or operation["summary"] in page
    assert not re.search(r"<script|src=|https?://(?!localhost)", page)
    assert "Must be one of high, normal, low<" in page
    assert json.loads(manual.document) == DOCUMENT
