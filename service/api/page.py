"""The page that shows the API to people, at ``/docs``.

Plain HTML made from the description: nothing is fetched from elsewhere and no script runs, so that
it works without the internet and trusts nobody's server.
"""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from typing import Any

from fastapi.responses import HTMLResponse

from service.api.openapi import DESCRIPTION, TITLE, error_kinds, operations
from service.api.problems import one_line

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1b1b1b;max-width:60rem;margin:2rem auto}
h1,h2{line-height:1.2}table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid #ddd}
code{font:13px ui-monospace,monospace}.method{font-weight:600}
@media (prefers-color-scheme:dark){body{background:#161616;color:#e8e8e8}td,th{border-color:#444}
a{color:#8ab4f8}}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_PAGE_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'"
)


def docs_page(document: dict[str, Any]) -> HTMLResponse:
    """Return the page: every operation with its examples, every kind of error."""
    rows = "".join(
        f"<tr id='{escape(operation['operationId'])}'>"
        f"<td class='method'>{method.upper()}</td><td><code>{escape(path)}</code></td>"
        f"<td>{_meaning(document, operation)}</td>"
        f"<td>{escape(', '.join(operation['responses']))}</td></tr>"
        for path, method, operation in operations(document)
    )
    kinds = "".join(
        f"<tr id='problem-{kind.code}'><td><code>{kind.code}</code></td><td>{kind.status}</td>"
        f"<td>{escape(one_line(kind))}</td>"
        f"<td>{'yes' if kind.retryable else 'no'}</td></tr>"
        for kind in error_kinds(document)
    )
    intro = "".join(f"<p>{escape(line)}</p>" for line in DESCRIPTION.split("\n- "))
    page = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>{TITLE} API</title><style>{_STYLE}</style></head><body>"
        f"<h1>{TITLE} API</h1>{intro}"
        "<p>In whole: <a href='/v1/openapi.json'>/v1/openapi.json</a>, OpenAPI 3.1.</p>"
        f"<h2>Operations</h2><table><tr><th>Method</th><th>Path</th><th>What it does</th>"
        f"<th>Answers</th></tr>{rows}</table>"
        "<h2 id='problems'>Kinds of error</h2><table><tr><th>Code</th><th>Status</th>"
        f"<th>Meaning</th><th>Retry</th></tr>{kinds}</table></body></html>"
    )
    return HTMLResponse(page, headers={"Content-Security-Policy": _PAGE_POLICY})


def _meaning(document: dict[str, Any], operation: dict[str, Any]) -> str:
    """Return what an operation does, its query's parameters, and examples to unfold."""
    parts = [escape(operation["description"]), f"<code>{escape(operation['operationId'])}</code>"]
    query = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
    if query:
        parts.append(f"Query: <code>{escape(', '.join(query))}</code>")
    success = next(status for status in operation["responses"] if status.startswith("2"))
    for title, content in (
        ("Body", operation.get("requestBody", {}).get("content", {})),
        (f"Answer {success}", operation["responses"][success]["content"]),
    ):
        schema = content.get("application/json", {}).get("schema", {})
        name = schema.get("$ref", "").rpartition("/")[2]
        for example in document["components"]["schemas"].get(name, {}).get("examples", ()):
            text = escape(json.dumps(example, indent=2, ensure_ascii=False))
            parts.append(f"<details><summary>{title}</summary><pre>{text}</pre></details>")
    return "<br>".join(parts)
