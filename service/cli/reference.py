"""The reference of the command line, docs/cli.md, written from the commands themselves.

``python -m service.cli.reference > docs/cli.md`` after changing a command; a test compares the two.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any

import typer.main

from service.cli.main import app

INTRODUCTION = """\
# The command line

<!-- Written by `python -m service.cli.reference`; change the commands, then run it again. -->

`relief` does everything the REST API does, over the same services.

- **Output.** Data goes to stdout: tables for people, or with `--json` (every command has it) one
  JSON document with everything. Progress, notes and errors go to stderr. Amounts in JSON are given
  twice: `total` as people write it, `total_base_units` as an exact string.
- **Exit codes.** 0 done; 1 refused (not found, not allowed, in another state, past a limit, by the
  contract; `doctor` and `ledger reconcile` found something); 2 wrong input; 3 node, database, keys
  or settings unavailable. With `--json` an error is a document too:
  `{"error": {"code", "title", "detail", "retryable", "problems"}}`.
- **Nothing waits for the chain** unless `--wait SECONDS` says so. Commands write rows; a running
  `relief worker run` sends what was asked for.
- **Settings** are environment variables, see [configuration.md](configuration.md).
- **Ids.** A batch or an action is named by its id or by so much of the beginning as is unique:
  `0x1a2b3c4d`. A payout or stream is `BATCH:INDEX`; a payout also `PROGRAMME#NUMBER`.
- **Times** are ISO 8601 with their offset (`2026-11-01T00:00:00+08:00`), or from now (`+30d`);
  durations are `90` (seconds), `15m`, `2h`, `30d`, `1w`. Amounts are as people write: `1234.50`.

## From a file to money

```sh
export RELIEF_KEY_PASSPHRASE_FILE=/run/secrets/relief      # mode 0600
relief init                                                # database and keyring
relief keys create relayer-1                               # send it gas money where gas costs
relief doctor                                              # is everything as it should be?
relief worker run &                                        # sends, reads events, posts the ledger

relief programme create flood-2026 --name "2026 flood relief" --region 51 \\
    --budget 5000000 --payout-cap 20000 --tier 1000000:1 --tier 5000000:2:24h
relief cases import cases.csv --dry-run                    # every problem, nothing written
relief cases import cases.csv
relief cases decide --programme flood-2026 --approve
relief batch build flood-2026 --kind one_off --maker 1     # totals, and what is left of the budget
relief batch typed-data 0x1a2b3c4d > batch.json            # for a wallet elsewhere …
relief batch approve 0x1a2b3c4d --signature 0x…            # … and back
relief batch approve 0x1a2b3c4d --keystore officer-2       # or with a keystore here
relief batch release 0x1a2b3c4d
relief batch show 0x1a2b3c4d                               # paid, sent, skipped, stuck and why
relief ledger reconcile
```

## Commands
"""


def reference() -> str:
    """Return the whole page, in Markdown."""
    root = typer.main.get_command(app)
    parts = [INTRODUCTION, _section("relief", root, level=3, options_only=True)]
    parts += [_section(path, command, level=3) for path, command in commands(root)]
    return "\n".join(parts).rstrip() + "\n"


def commands(group: Any, path: str = "relief") -> Iterator[tuple[str, Any]]:
    """Yield every command that is not a group, with its path, hidden ones left out."""
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _section(path: str, command: Any, *, level: int, options_only: bool = False) -> str:
    lines = [f"{'#' * level} `{path}`" + (" (before the command)" if options_only else ""), ""]
    if not options_only:
        lines += [inspect.cleandoc(command.help or ""), ""]
    rows = [_row(parameter) for parameter in command.params if parameter.name not in _OWN]
    if rows:
        lines += ["| argument or option | meaning |", "|---|---|", *rows, ""]
    return "\n".join(lines)


_OWN = ("help", "install_completion", "show_completion")
"""Options that typer adds itself."""


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = f"`{parameter.metavar or parameter.name.upper()}`"
    else:
        names = [*parameter.opts, *parameter.secondary_opts]
        name = ", ".join(f"`{opt}`" for opt in names)
    meaning = (parameter.help or "").replace("|", "\\|")
    if parameter.required and parameter.param_type_name == "option":
        meaning += " (required)"
    default = parameter.default
    if default not in (None, False, True, (), []) and not callable(default):
        meaning += f" (default: `{default}`)"
    return f"| {name} | {meaning} |"


if __name__ == "__main__":
    sys.stdout.write(reference())
