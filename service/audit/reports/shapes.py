"""A drawing as a list of shapes, written down as SVG or onto a page of a PDF.

Coordinates are CSS pixels from the upper left corner. What a shape is for (its ``role``) decides
its colour, so that a page can be light, dark or printed with the same drawing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

SERIES = 7
"""Roles ``s0`` to ``s6``: colours that stay apart for people who see some colours alike."""

CHARACTER_WIDTH = 0.56
"""Width of a character over the size of its font, on average; fonts differ, so room is left."""


class Anchor(StrEnum):
    """Which end of a text stands at its place."""

    START = "start"
    MIDDLE = "middle"
    END = "end"


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text.

    Attributes
    ----------
    x, y
        Of its baseline.
    backed
        Whether the page's own colour stands behind it, over what is drawn there.
    """

    x: float
    y: float
    words: str
    size: float = 12
    anchor: Anchor = Anchor.START
    role: str = "ink"
    bold: bool = False
    backed: bool = False

    @property
    def width(self) -> float:
        """How wide it is, about."""
        return text_width(self.words, self.size)

    @property
    def left(self) -> float:
        """Where it begins, about."""
        back = {Anchor.START: 0.0, Anchor.MIDDLE: self.width / 2, Anchor.END: self.width}
        return self.x - back[self.anchor]


@dataclass(frozen=True, slots=True)
class Rect:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    role: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points; `dash` is lengths of strokes and gaps, none for a whole line."""

    points: tuple[tuple[float, float], ...]
    role: str
    width: float = 1
    dash: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Dot:
    """A filled circle."""

    x: float
    y: float
    radius: float
    role: str


Shape = Text | Rect | Line | Dot


@dataclass
class Drawing:
    """Shapes in the order in which they cover each other."""

    width: float
    height: float = 0
    shapes: list[Shape] = field(default_factory=list)

    def add(self, *shapes: Shape) -> None:
        """Put shapes on top."""
        self.shapes.extend(shapes)


def text_width(words: str, size: float) -> float:
    """How wide a text is, about."""
    return len(words) * size * CHARACTER_WIDTH
