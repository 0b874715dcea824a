"""What a benchmark measured, as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_result(result: Mapping[str, Any], out: Path | None) -> None:
    """Write a result as JSON, into folders that are made where missing; None writes none."""
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(result, indent=2) + "\n")
