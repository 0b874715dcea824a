"""Drawings as SVG in a page, coloured by the page's style sheet: no attribute holds a style."""

from __future__ import annotations

import html

from service.audit.reports.shapes import Dot, Drawing, Line, Rect, Shape, Text
from service.audit.reports.text import visible


def escape(text: str) -> str:
    """Return text for HTML or SVG: nothing in it is markup, and each character shows itself."""
    return html.escape(visible(text), quote=True)


def svg(drawing: Drawing, *, title: str, description: str, key: str, kind: str) -> str:
    """Return an ``<svg>`` element with a name and a description for those who do not see it.

    Parameters
    ----------
    key
        Unique in the page.
    kind
        Class of the element.
    """
    size = f"0 0 {_number(drawing.width)} {_number(drawing.height)}"
    shapes = "".join(_shape(shape) for shape in drawing.shapes)
    return (
        f'<svg class="{kind}" viewBox="{size}" role="img" aria-labelledby="{key}-t {key}-d">'
        f'<title id="{key}-t">{escape(title)}</title>'
        f'<desc id="{key}-d">{escape(description)}</desc>{shapes}</svg>'
    )


def _shape(shape: Shape) -> str:
    if isinstance(shape, Text):
        return _text(shape)
    if isinstance(shape, Rect):
        return _rect(shape.x, shape.y, shape.width, shape.height, shape.role)
    if isinstance(shape, Dot):
        at = f'cx="{_number(shape.x)}" cy="{_number(shape.y)}" r="{_number(shape.radius)}"'
        return f'<circle class="{shape.role}" {at}/>'
    return _line(shape)


def _text(text: Text) -> str:
    backing = ""
    if text.backed:
        backing = _rect(
            text.left - 3, text.y - text.size + 1, text.width + 6, text.size + 2, "surface"
        )
    weight = ' font-weight="600"' if text.bold else ""
    return (
        f'{backing}<text class="{text.role}" x="{_number(text.x)}" y="{_number(text.y)}" '
        f'font-size="{_number(text.size)}" text-anchor="{text.anchor}"{weight}>'
        f"{escape(text.words)}</text>"
    )


def _rect(x: float, y: float, width: float, height: float, role: str) -> str:
    return (
        f'<rect class="{role}" x="{_number(x)}" y="{_number(y)}" width="{_number(width)}" '
        f'height="{_number(height)}"/>'
    )


def _line(line: Line) -> str:
    points = " ".join(f"{_number(x)},{_number(y)}" for x, y in line.points)
    dash = ""
    if line.dash:
        dash = f' stroke-dasharray="{" ".join(_number(length) for length in line.dash)}"'
    return (
        f'<polyline class="{line.role}" points="{points}" stroke-width="{_number(line.width)}"'
        f"{dash}/>"
    )


def _number(value: float) -> str:
    return f"{round(value, 2):g}"
