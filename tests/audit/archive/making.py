"""Archives for tests: made, changed, and named anew as a forger does who has no key."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from typer.testing import CliRunner, Result

from service.audit.command import audit_app
from service.audit.reports.manifest import MANIFEST, SIGNATURE, Manifest, NamedFile, entries


def run(*words: object) -> Result:
    return CliRunner().invoke(audit_app, [*map(str, words)])


def result_of(*words: object, code: int = 0) -> dict[str, Any]:
    done = run("replay", "--json", *words)
    assert done.exit_code == code, (done.stdout[-2000:], done.stderr)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def resealed(folder: Path) -> Path:
    """Name the files anew, as a forger does who has no key."""
    manifest = Manifest.decoded((folder / MANIFEST).read_bytes())
    paths = sorted(
        path for path, kind in entries(folder) if kind is None and path not in (MANIFEST, SIGNATURE)
    )
    files = tuple(NamedFile.of(folder, path) for path in paths)
    changed = Manifest(
        **{name: getattr(manifest, name) for name in manifest.__slots__} | {"files": files}
    )
    (folder / MANIFEST).write_bytes(changed.encoded())
    (folder / SIGNATURE).unlink(missing_ok=True)
    return folder


def part_file(folder: Path, name: str) -> Path:
    (path,) = (folder / "archive").rglob(name)
    return path


def edit(folder: Path, name: str, change: Callable[[list[dict[str, Any]]], None]) -> Path:
    """Change the rows of one file and name the files anew."""
    path = part_file(folder, name)
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, table.schema), path)
    return resealed(folder)


def codes(document: dict[str, Any]) -> set[str]:
    return {finding["code"] for finding in document["findings"]}
