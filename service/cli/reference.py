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
  JSON document with everything, in the same shapes as the [REST API](api.md). Progress, notes and
  errors go to stderr. JSON is UTF-8 always; tables and notes are in the terminal's encoding, and
  what that lacks is escaped (`\\u738b`).
- **Amounts** are typed and shown as people write them: `600` or `1234.50` tokens, never base
  units. JSON has each twice: `total` for people, and `total_base_units`, an exact string.
- **Exit codes.** 0 done; 1 refused (not found, not allowed, in another state, past a limit, by the
  contract; `doctor` and `ledger reconcile` found something); 2 wrong input; 3 node, database, keys
  or settings unavailable; 4 asked for, but still open when the time of `--wait` was over; 130
  interrupted. With `--json` an error is a document too:
  `{"error": {"code", "title", "detail", "retryable", "problems"}}`.
- **Nothing waits for the chain** unless `--wait SECONDS` says so. Commands write rows; a running
  `relief worker run` sends what was asked for.
- **Settings** are environment variables, see [configuration.md](configuration.md).
- **Ids.** A batch or an action is named by its id or by so much of the beginning as is unique:
  `0x1a2b3c4d`; tables show twelve characters of it. A payout or stream is `BATCH:INDEX`; a payout
  also `PROGRAMME#NUMBER`.
- **Times** are ISO 8601 with their offset (`2026-11-01T00:00:00+08:00`), or from now (`+30d`);
  durations are `90` (seconds), `15m`, `2h`, `30d`, `1w`. They are shown in UTC, with `Z`.
- **Refusals of a contract** are told in a sentence; JSON has the contract's own words beside it, as
  `contract_error`, or among an error's `problems`.
- **Personal data** is shown by `relief cases show --reveal --reason WHY`, and written to a private
  file by `relief openings`, and by nothing else; each look is in the journal with its reason.

## From a file to money

From an empty folder to money on the chain, in the order it must be done. A test types these
commands as they stand, in bash, in the project's folder after `make compile`, on a chain where
gas costs. For a trial, start a chain of your own in another terminal:

```sh
node_modules/.bin/anvil --hardfork osaka --slots-in-an-epoch 1 --block-time 1 --mixed-mining \\
    --enable-tx-gas-limit --block-base-fee-per-gas 0
```

Here all keys are in one folder. In earnest officers sign elsewhere, the worker runs under a
supervisor, and the contracts are deployed from a funded keystore: [deployment.md](deployment.md).

```sh
export RELIEF_DATA_DIR=/srv/relief RELIEF_RPC_URL=http://127.0.0.1:8545
export RELIEF_DEPLOYMENT_FILE="$RELIEF_DATA_DIR/deployment.json"
export RELIEF_KEY_PASSPHRASE_FILE="$RELIEF_DATA_DIR/passphrase" PATH="$PWD/.venv/bin:$PATH"
json() { python -c "import json, sys; print(json.load(sys.stdin)$1)"; }
address() { relief keys show "$1" --json | json '["address"]'; }

# 1. A passphrase, the database, the keys
umask 077
mkdir -p "$RELIEF_DATA_DIR"
head -c 24 /dev/urandom | base64 > "$RELIEF_KEY_PASSPHRASE_FILE"
relief init
for name in officer-1 officer-2 relayer-1 programme-manager attestor guardian treasurer; do
    relief keys create $name
done

# 2. The contracts, with the officers and the holders of roles they begin with
cat > "$RELIEF_DATA_DIR/deploy.json" <<END
{
  "quorum": 2,
  "token_cap_base_units": "1000000000000000",
  "emergency": {
    "cap_base_units": "1000000000000",
    "limits": {
      "per_grant_base_units": "2000000000", "per_officer_base_units": "20000000000",
      "outstanding_base_units": "100000000000", "countersign_window_s": 432000,
      "per_county_base_units": "50000000000", "per_city_base_units": "100000000000",
      "per_province_base_units": "200000000000", "country_base_units": "300000000000",
      "county_overdue_base_units": "5000000000", "city_overdue_base_units": "10000000000",
      "province_overdue_base_units": "20000000000"
    }
  },
  "finality_depth_blocks": 2,
  "officers": [
    {"officer_id": 1, "roles": ["maker", "reviewer", "governor"],
     "region_code": 51, "region_digits": 2, "signer": "$(address officer-1)"},
    {"officer_id": 2, "roles": ["maker", "reviewer", "governor"],
     "region_code": 51, "region_digits": 2, "signer": "$(address officer-2)"}
  ],
  "roles": {
    "guardian": ["$(address guardian)"], "freezer": ["$(address guardian)"],
    "attestor": ["$(address attestor)"], "treasurer": ["$(address treasurer)"],
    "programme_manager": ["$(address programme-manager)"]
  }
}
END
RELIEF_DEPLOY_CONFIG="$RELIEF_DATA_DIR/deploy.json" \\
    python scripts/brownie.py run deploy --network relief-local

# 3. Where gas costs: send gas money to relayer-1 programme-manager attestor treasurer guardian
relief keys list
relief worker run &                                    # sends, reads events, posts the ledger

# 4. A programme, and the reserve that backs it
relief programme create flood-2026 --name "2026 flood relief" --region 51 \\
    --budget 5000000 --payout-cap 20000 --tier 1000000:1 --tier 5000000:2:24h --wait 120
echo "Held for the benefit token: 5,000,000.00" > "$RELIEF_DATA_DIR/statement.txt"
relief reserve attest 5000000 --document "$RELIEF_DATA_DIR/statement.txt" --wait 120
relief doctor                                          # is everything as it should be?
sleep 2d                                               # the contract puts a programme in force then

# 5. Cases
cat > "$RELIEF_DATA_DIR/cases.csv" <<END
case_ref,name,id_number,phone,region_code,wallet_address,programme,kind,amount,start_date,duration_days,cause
A-1,王芳,51072219800101001X,,510722,0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed,flood-2026,one_off,600,2026-11-01,,房屋倒塌
A-2,李强,510722197503150026,,510722,0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359,flood-2026,one_off,1234.50,2026-11-01,,房屋倒塌
END
relief cases import "$RELIEF_DATA_DIR/cases.csv" --dry-run  # every problem, nothing written
relief cases import "$RELIEF_DATA_DIR/cases.csv"
relief cases decide --programme flood-2026 --approve

# 6. A batch: the maker and a reviewer sign, the worker has the contract check that and pay
relief batch build flood-2026 --kind one_off --maker 1      # totals, and what is left of the budget
BATCH=$(relief batch list --state draft --json | json '["items"][0]["id"]')
relief batch approve $BATCH --keystore officer-1
relief batch approve $BATCH --keystore officer-2
relief batch release $BATCH
until relief payout list --batch $BATCH --state paid --json | grep --quiet $BATCH; do sleep 2; done
relief batch show $BATCH                                    # paid, sent, skipped, stuck and why

# 7. Does everything agree?
relief ledger reconcile
VAULT=$(json '["contracts"]["vault"]["address"]' < "$RELIEF_DEPLOYMENT_FILE")
relief audit replay --rpc $RELIEF_RPC_URL --vault $VAULT \\
    --database "sqlite:///$RELIEF_DATA_DIR/relief.db" --manifests "$RELIEF_DATA_DIR/manifests"
kill $!                                                     # the worker
```

- **An officer who signs elsewhere** gets `relief batch typed-data $BATCH > batch.json` and sends a
  signature back for `relief batch approve $BATCH --signature 0x…` ([signing.md](signing.md)).
- **In the first hours of a disaster** one emergency officer pays within the lane's limits:
  `relief emergency limits --region 510722 --officer 3` says how much may be granted,
  `relief emergency grant --case A-1 --reason "the house fell" --keystore officer-3` does it. Until
  the midnight that `relief emergency list` shows, a reviewer who is somebody else looks into it and
  types `relief emergency countersign 0x… --reason "seen" --keystore officer-2`; what is overdue
  closes the officer.
- **Two days** pass before a new programme, a higher budget or a new officer is in force. The
  contract shortens that for nobody; on a trial chain move its clock:
  `curl $RELIEF_RPC_URL -H 'content-type: application/json' -d
  '{"jsonrpc":"2.0","id":1,"method":"evm_increaseTime","params":[172800]}'`
- **A reserve** must be attested at least every 35 days, or no batch can be approved.
- **`included`** becomes `paid` when its block is final.

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
