"""The page that shows the API to people, at ``/docs``.

Plain HTML made from the description: nothing is fetched from elsewhere and no script runs, so that
it works without the internet and trusts nobody's server.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import escape
from typing import Any

from fastapi.responses import HTMLResponse

from service.api.openapi import DESCRIPTION, TITLE, error_kinds, operations
from service.api.problems import one_line

_STYLE = """
:root{color-scheme:light dark;--line:#ddd;--soft:#666;--ground:#f6f6f6}
@media (prefers-color-scheme:dark){:root{--line:#444;--soft:#aaa;--ground:#222}}
body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:0 auto;padding:1.5rem 1rem}
h1,h2,h3{line-height:1.25}h2{margin-top:2.5rem;text-transform:capitalize}
h3{font-size:1rem;margin:0}p{margin:.4rem 0}nav a{margin-right:.8rem;white-space:nowrap}
article{border-top:1px solid var(--line);padding:.9rem 0}
code,pre{font:14px/1.45 ui-monospace,monospace;overflow-wrap:anywhere}
pre{white-space:pre-wrap;background:var(--ground);padding:.6rem}
summary{cursor:pointer;padding:.2rem 0}.method{display:inline-block;min-width:3.2rem}
.soft{color:var(--soft);font-size:.9rem}
dt{margin-top:.7rem}dd{margin:0}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_PAGE_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'"
)


def docs_page(document: dict[str, Any]) -> HTMLResponse:
    """Return the page: every operation with its examples, every kind of error."""
    by_tag: dict[str, list[str]] = {}
    for path, method, operation in operations(document):
        shown = _operation(document, path, method, operation)
        by_tag.setdefault(operation["tags"][0], []).append(shown)
    contents = "".join(f"<a href='#{escape(tag)}'>{escape(tag)}</a> " for tag in by_tag)
    sections = "".join(
        f"<h2 id='{escape(tag)}'>{escape(tag)}</h2>{''.join(shown)}"
        for tag, shown in by_tag.items()
    )
    kinds = "".join(
        f"<dt id='problem-{kind.code}'><code>{kind.code}</code> <span class='soft'>{kind.status}"
        f"{', worth a retry' if kind.retryable else ''}</span></dt>"
        f"<dd>{_prose(one_line(kind))}</dd>"
        for kind in error_kinds(document)
    )
    intro = "".join(f"<p>{_prose(line)}</p>" for line in DESCRIPTION.split("\n- "))
    page = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>{TITLE} API</title><style>{_STYLE}</style></head><body>"
        f"<h1>{TITLE} API</h1>{intro}"
        "<p>In whole: <a href='/v1/openapi.json'>/v1/openapi.json</a>, OpenAPI 3.1.</p>"
        f"<nav>{contents}<a href='#errors'>errors</a></nav>{sections}"
        f"<h2 id='errors'>Kinds of error</h2><dl>{kinds}</dl></body></html>"
    )
    return HTMLResponse(page, headers={"Content-Security-Policy": _PAGE_POLICY})


def _operation(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> str:
    """Return what an operation does, its query's parameters, and examples to unfold."""
    name = escape(operation["operationId"])
    answers = sorted(operation["responses"])
    parts = [
        f"<h3><span class='method'>{method.upper()}</span> <code>{escape(path)}</code></h3>",
        f"<p>{_prose(operation['description'])}</p>",
        f"<p class='soft'><code>{name}</code> · answers {', '.join(answers)}</p>",
    ]
    query = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
    if query:
        parts.append(f"<p class='soft'>query: <code>{escape(', '.join(query))}</code></p>")
    success = next(status for status in answers if status.startswith("2"))
    for title, content in (
        ("Body", operation.get("requestBody", {}).get("content", {})),
        (f"Answer {success}", operation["responses"][success]["content"]),
    ):
        media: dict[str, Any] = next(iter(content.values()), {})
        schema = media.get("schema", {})
        kind = schema.get("$ref", "").rpartition("/")[2]
        for example in document["components"]["schemas"].get(kind, schema).get("examples", ()):
            text = example  # lines, as they are
            if not isinstance(example, str):
                text = json.dumps(example, indent=2, ensure_ascii=False)
            shown = f"<pre>{escape(text)}</pre>"
            parts.append(f"<details><summary>{title}</summary>{shown}</details>")
    return f"<article id='{name}'>{''.join(parts)}</article>"


def _prose(text: str) -> str:
    """Return text as HTML, what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
