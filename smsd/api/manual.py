"""Shows the OpenAPI document as a page that needs nothing from anywhere else."""

import base64
import hashlib
import json
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from typing import Any, Final

from twisted.web.template import Tag, flattenString, tags

from smsd.api.answers import Json
from smsd.api.openapi import document

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: .875rem/1.4 ui-monospace, monospace; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid #8886; border-radius: .25rem; white-space: pre-wrap; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-top: 1px solid #8886; }
h2 { margin-top: 3rem; border-top: 2px solid; padding-top: .5rem; }
summary { cursor: pointer; }
"""


class Manual:
    """The document and its page, both ready to be sent."""

    def __init__(self) -> None:
        described = document()
        self.document: Final = json.dumps(described, ensure_ascii=False).encode() + b"\n"
        pages: list[bytes] = []
        _ = flattenString(None, _page(described)).addCallback(pages.append)
        self.page: Final = b"<!DOCTYPE html>\n" + pages[0]
        digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
        #: The page's Content-Security-Policy: its own style, and nothing else.
        self.policy: Final = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"


def _page(described: Json) -> Tag:
    info = described["info"]
    operations = [
        (method, path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    return tags.html(
        tags.head(
            tags.meta(charset="utf-8"),
            tags.meta(name="viewport", content="width=device-width, initial-scale=1"),
            tags.title("smsd: the API"),
            tags.style(_STYLE),
        ),
        tags.body(
            tags.h1(f"smsd {info['version']}: the API"),
            tags.p(info["description"]),
            tags.p("The same for programs: ", tags.a("/openapi.json", href="/openapi.json")),
            tags.nav(tags.ul(*(tags.li(_link(method, path, each)) for method, path, each in operations))),
            Tag("main")(*(_operation(described, *each) for each in operations)),
        ),
        lang="en",
    )


def _link(method: str, path: str, operation: Json) -> Tag:
    return tags.span(tags.a(_name(method, path), href=f"#{_anchor(method, path)}"), f": {operation['summary']}")


def _operation(described: Json, method: str, path: str, operation: Json) -> Tag:
    section = tags.section(
        tags.h2(tags.code(_name(method, path)), id=_anchor(method, path)), tags.p(operation["summary"])
    )
    section(
        tags.p("With an API key in ", tags.code("X-API-Key"), ".") if operation["security"] else tags.p("Open to all.")
    )
    if parameters := operation.get("parameters"):
        rows = [(each["name"], each["in"], each["description"]) for each in parameters]
        section(tags.h3("Parameters"), _table(("name", "where", "meaning"), rows))
    if body := operation.get("requestBody"):
        section(tags.h3("Body"), *_content(described, body["content"]))
    section(tags.h3("Answers"))
    for code, answer in operation["responses"].items():
        answer = _resolved(described, answer)
        section(tags.details(tags.summary(tags.code(code), f" {answer['description']}"), *_answer(described, answer)))
    return section


def _answer(described: Json, answer: Json) -> Iterator[Tag]:
    if headers := answer.get("headers"):
        yield _table(("header", "meaning"), [(name, each["description"]) for name, each in headers.items()])
    yield from _content(described, answer["content"])


def _content(described: Json, content: Json) -> Iterator[Tag]:
    for media_type, media in content.items():
        about = media.get("schema", {}).get("description", "")
        yield tags.p(tags.code(media_type), f": {about}" if about else "")
        given = [{"value": media["example"]}] if "example" in media else media.get("examples", {}).values()
        for each in given:
            value = each["value"]
            yield tags.pre(value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False))
        for schema in _objects(described, media.get("x-itemSchema", media.get("schema", {}))):
            required = set(schema.get("required", ()))
            rows = [
                (name, "yes" if name in required else "", _meaning(described, each))
                for name, each in schema["properties"].items()
            ]
            yield _table(("field", "always", "meaning"), rows)


def _objects(described: Json, schema: Json) -> Iterator[Json]:
    """Every object with fields in ``schema``, an array's elements apart: they are shown on their own."""
    schema = _resolved(described, schema)
    for each in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        yield from _objects(described, each)
    if "properties" in schema:
        yield schema


def _meaning(described: Json, schema: Json) -> str:
    schema = _resolved(described, schema)
    if "anyOf" in schema:
        return " or ".join(_meaning(described, each) for each in schema["anyOf"])
    kind, about = schema.get("type", ""), schema.get("description", "")
    values = ", ".join(map(str, schema.get("enum") or ([schema["const"]] if "const" in schema else [])))
    words = [
        about,
        values if values not in about else "",
        " or ".join(kind) if isinstance(kind, list) else kind,
    ]
    return "; ".join(word for word in words if word)


def _table(headings: tuple[str, ...], rows: list[Any]) -> Tag:
    head = tags.tr(*(tags.th(heading, scope="col") for heading in headings))
    return tags.table(tags.thead(head), tags.tbody(*(_row(row) for row in rows)))


def _row(cells: tuple[str, ...]) -> Tag:
    return tags.tr(tags.td(tags.code(cells[0])), *(tags.td(cell) for cell in cells[1:]))


def _resolved(described: Json, part: Json) -> Json:
    """What a reference leads to."""
    if "$ref" not in part:
        return part
    return reduce(getitem, part["$ref"].removeprefix("#/").split("/"), described)


def _name(method: str, path: str) -> str:
    return f"{method.upper()} {path}"


def _anchor(method: str, path: str) -> str:
    return f"{method}{path.replace('/', '-').replace('{', '').replace('}', '')}"
