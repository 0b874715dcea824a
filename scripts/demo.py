"""The main job on real input: ``make demo``.

A file of 3,000 cases goes in; officers approve; the contracts, deployed with Brownie to an embedded
chain, check the officers' signatures, mint one-off relief and open streamed allowances; a month
passes; every stream is paid what it accrued; a few are cancelled, a few wallets redeem; then an
independent replay of the chain is compared with the contracts' own views and the database.

Everything an officer would type is a ``relief`` command, printed as it runs. What it leaves is
under ``var/demo``: the database, the chain's state, the keys (throw-away), ``summary.json``;
``make up`` serves it.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.demo_cases import ALLOWANCE, FLOOD, demo_wallet_key
from scripts.demo_parts import (
    ROLE_KEYS,
    SEED,
    CaseFiles,
    DemoChain,
    ReliefCommand,
    WorkerProcess,
    read_environment,
    write_environment,
)
from service.config import PROJECT_ROOT
from service.errors import ReliefError
from service.processes import wait_until
from service.units import format_amount

MONTH_S = 30 * 86_400
RAISE_DELAY_S = 2 * 86_400
FROZEN_WALLETS = 3
CANCELLED_STREAMS = 3
REDEEMING_WALLETS = 5
MAKER, REVIEWER = 1, 2


class Demo:
    """One run of the demo: its folder, its parts, and how long each stage took."""

    def __init__(self, folder: Path, cases: int) -> None:
        self.folder = folder
        self.cases = cases
        self.console = Console(stderr=False, highlight=False)
        self.seconds_by_stage: dict[str, float] = {}
        self.summary: dict[str, Any] = {}

    @contextmanager
    def stage(self, key: str, title: str) -> Iterator[None]:
        """Time one stage and say what it is."""
        self.console.print(f"\n[bold]{title}[/bold]")
        began = time.monotonic()
        yield
        self.seconds_by_stage[key] = round(time.monotonic() - began, 2)
        self.console.print(f"  {self.seconds_by_stage[key]:.1f} s", style="dim")

    def run(self) -> dict[str, Any]:
        """Run the main job and return its summary."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, mode=0o700)
        self._use_own_settings()
        with DemoChain(self.folder / "chain.json") as chain:
            os.environ["RELIEF_RPC_URL"] = chain.rpc_url
            self.relief = ReliefCommand(self.console)
            self._set_up(chain)
            with WorkerProcess(self.folder):
                self._open_programmes(chain)
                self._take_in_cases(chain)
                batches = self._approve()
                self._pay(batches)
                self._let_a_month_pass(chain, batches)
                self._redeem()
                self._settle()
            self._audit(chain)
            self._sum_up(batches)
        return self.summary

    def _use_own_settings(self) -> None:
        passphrase_file = self.folder / "passphrase"
        passphrase_file.touch(mode=0o600)
        passphrase_file.write_text(secrets.token_urlsafe(24))
        for name in [name for name in os.environ if name.startswith("RELIEF_")]:
            del os.environ[name]
        write_environment(self.folder)
        os.environ.update(read_environment(self.folder))

    # ---- Stages -----------------------------------------------------------------------------

    def _set_up(self, chain: DemoChain) -> None:
        with self.stage("set_up", "Keys and database; case files are made alongside"):
            self.case_files = CaseFiles(self.folder, self.cases, chain.now().date())
            self.relief("init")
            officers = (f"officer-{MAKER}", f"officer-{REVIEWER}")
            names = (*officers, "relayer-1", *sorted(set(ROLE_KEYS.values())))
            addresses = {name: self.relief("keys", "create", name)["address"] for name in names}
        with self.stage("deploy", "Contracts, deployed with Brownie"):
            chain.deploy(self.folder, addresses)
            self.console.print("  token, registry, vault and role manager are on the chain")

    def _open_programmes(self, chain: DemoChain) -> None:
        with self.stage("programmes", "Programmes, and the reserve behind them"):
            for code, name, budget, cap in (
                (FLOOD, "Flood relief 2026", "10000000", "20000"),
                (ALLOWANCE, "Living allowance 2026", "10000000", "50000"),
            ):
                self.relief(
                    *("programme", "create", code, "--name", name, "--region", "51"),
                    *("--budget", budget, "--payout-cap", cap),
                    *("--tier", "8000000:1", "--tier", "9500000:2:1d"),
                )
            self._wait_until(self._programmes_are_on_chain)
            chain.advance(RAISE_DELAY_S)
            document = self.folder / "reserve-statement.txt"
            document.write_text("Demonstration bank: 25,000,000.00 held for the benefit token.\n")
            self.relief(
                *("reserve", "attest", "25000000", "--document", str(document), "--wait", "30")
            )

    def _take_in_cases(self, chain: DemoChain) -> None:
        with self.stage("import", "Case files"):
            self.case_files.wait()
            refused = self.relief("cases", "import", str(self.folder / "bad_cases.csv"), expect=2)
            bad = refused["error"]
            kinds = {problem["code"] for problem in bad["problems"]}
            rows = {
                problem[row]
                for problem in bad["problems"]
                for row in ("row", "other_row")
                if row in problem
            }
            self.summary["rows_rejected"] = len(rows)
            self.console.print(
                f"  refused whole: {len(rows)} bad rows, {len(kinds)} kinds of problem, such as"
            )
            for problem in bad["problems"][:3]:
                where = f"row {problem['row']}, {problem.get('field', '')}"
                self.console.print(f"    {where}: {problem['message']}", style="dim")
            good = self.relief("cases", "import", str(self.folder / "cases.csv"))
            self.console.print(f"  imported: {good['accepted']} cases")
        with self.stage("decide", "Decisions"):
            self.relief("cases", "decide", "--all", "--approve", "--reason", "documents checked")

    def _approve(self) -> list[dict[str, Any]]:
        with self.stage("build", "Batches"):
            batches: list[dict[str, Any]] = []
            for code, kind in ((FLOOD, "one_off"), (ALLOWANCE, "stream")):
                built = self.relief(
                    *("batch", "build", code, "--kind", kind, "--maker", str(MAKER)),
                    *("--execute-before", "+14d"),
                )
                batches += built["batches"]
            for batch in batches:
                self.console.print(
                    f"  {batch['id'][:10]}… {batch['kind']}: {batch['count']} payouts,"
                    f" {format_amount(int(batch['total_base_units']))}"
                )
        with self.stage("approve", "Approval: the maker signs, then a reviewer"):
            for batch in batches:
                for officer in (MAKER, REVIEWER):
                    self.relief("batch", "approve", batch["id"], "-k", f"officer-{officer}")
        return batches

    def _pay(self, batches: Sequence[dict[str, Any]]) -> None:
        with self.stage("freeze", "Three wallets are frozen, to see payouts skipped"):
            one_off = next(batch for batch in batches if batch["kind"] == "one_off")
            listed = self.relief(
                "payout", "list", "--batch", one_off["id"], "--limit", str(FROZEN_WALLETS)
            )
            for payout in listed["items"]:
                self.relief("wallet", "freeze", payout["payee"], "--wait", "30")
        with self.stage("pay", "Release: the worker has the chain check, mint and open streams"):
            for batch in batches:
                self.relief("batch", "release", batch["id"])
            for batch in batches:
                self._wait_until(lambda batch=batch: self._is_done(batch["id"]))
                self._say_status(batch["id"])

    def _let_a_month_pass(self, chain: DemoChain, batches: Sequence[dict[str, Any]]) -> None:
        streams = [batch for batch in batches if batch["kind"] == "stream"]
        with self.stage("month", "Thirty days pass"):
            chain.advance(MONTH_S)
        with self.stage("withdraw", "A relayed withdrawal to every stream"):
            for batch in streams:
                self.relief("stream", "withdraw", batch["id"], "--all", *_wait(batch, streams))
        with self.stage("cancel", "A few streams are cancelled; what accrued stays theirs"):
            cancelled = [f"{streams[0]['id']}:{index}" for index in range(CANCELLED_STREAMS)]
            self.relief(
                *("stream", "cancel", *cancelled, "--reason", "moved to another scheme"),
                *("-k", f"officer-{MAKER}", "-k", f"officer-{REVIEWER}", "--wait", "60"),
            )

    def _redeem(self) -> None:
        with self.stage("redeem", "A few wallets redeem, without gas"):
            from eth_account import Account

            numbers = range(REDEEMING_WALLETS)
            for number in numbers:
                # From the end of the file: its first wallets are frozen.
                key = demo_wallet_key(SEED, self.cases - 1 - number)
                address = Account.from_key(key).address
                asked = self.relief(
                    *("redeem", "20.50", "--from", address, "--typed-data"),
                    *("--reference", f"demo-{number}"),
                )
                typed = asked["typed_data"]
                signed = Account.sign_typed_data(key, full_message=typed)
                self.relief(
                    *("redeem", "20.50", "--from", address, "--reference", f"demo-{number}"),
                    *("--nonce", typed["message"]["nonce"]),
                    *("--valid-before", str(typed["message"]["validBefore"])),
                    *("--signature", "0x" + signed.signature.hex().removeprefix("0x")),
                    *_wait(number, numbers),
                )

    def _settle(self) -> None:
        with self.stage("settle", "Until everything is final and in the ledger"):
            self._wait_until(lambda: self.relief("ledger", "reconcile", quiet=True)["agrees"])
            self.relief("ledger", "show")

    def _audit(self, chain: DemoChain) -> None:
        with self.stage("replay", "An auditor replays the chain from its events alone"):
            deployment = json.loads((self.folder / "deployment.json").read_text())
            self.replay = self.relief(
                *("audit", "replay", "--rpc", chain.rpc_url),
                *("--vault", deployment["contracts"]["vault"]["address"]),
                *("--from-block", str(deployment["deployment_block"])),
                *("--manifests", str(self.folder / "manifests")),
                *("--database", f"sqlite:///{self.folder / 'relief.db'}"),
                expect=None,
            )

    # ---- Small things -----------------------------------------------------------------------

    def _programmes_are_on_chain(self) -> bool:
        listed = self.relief("programme", "list", quiet=True)
        return all(programme["state"] == "onchain" for programme in listed["items"])

    def _is_done(self, batch_id: str) -> bool:
        status = self.relief("batch", "show", batch_id, quiet=True)
        settled = {row["state"] for row in status["payouts"]} <= {"paid", "skipped"}
        return bool(status["state"] == "done") and settled

    def _say_status(self, batch_id: str) -> None:
        status = self.relief("batch", "show", batch_id, quiet=True)
        states = ", ".join(f"{row['count']} {row['state']}" for row in status["payouts"])
        self.console.print(f"  {batch_id[:10]}… {status['kind']}: {states}")

    def _wait_until(self, condition: Any, seconds: float = 120) -> None:
        wait_until(condition, seconds, f"the worker: see {self.folder}/worker.log", poll_s=0.3)

    def _sum_up(self, batches: Sequence[dict[str, Any]]) -> None:
        states: dict[str, int] = {}
        for batch in batches:
            if batch["kind"] == "one_off":
                status = self.relief("batch", "show", batch["id"], quiet=True)
                for row in status["payouts"]:
                    states[row["state"]] = states.get(row["state"], 0) + row["count"]
        counted = self.replay["totals"]
        self.summary |= {
            "payouts_approved": sum(states.values()),
            "payouts_paid": states.get("paid", 0),
            "payouts_skipped": states.get("skipped", 0),
            "streams_opened": counted["streams_opened"],
            "withdrawals": counted["withdrawals"],
            "streams_cancelled": counted["streams_cancelled"],
            "redemptions": counted["redemptions"],
            "total_minted_base_units": str(counted["minted_base_units"]),
            "replay": {
                "events": self.replay["events"],
                "differences": self.replay["differences"],
                "state_digest": self.replay["state_digest"],
            },
            "seconds_by_stage": self.seconds_by_stage,
        }
        (self.folder / "summary.json").write_text(json.dumps(self.summary, indent=2) + "\n")
        self._print_summary()

    def _print_summary(self) -> None:
        table = Table(title="What happened", show_header=False, title_justify="left")
        table.add_column(style="dim")
        table.add_column(justify="right")
        shown = {
            "one-off payouts approved": self.summary["payouts_approved"],
            "… paid": self.summary["payouts_paid"],
            "… skipped (wallet frozen; can be retried)": self.summary["payouts_skipped"],
            "streams opened": self.summary["streams_opened"],
            "withdrawals (payments of a stream)": self.summary["withdrawals"],
            "streams cancelled": self.summary["streams_cancelled"],
            "redemptions": self.summary["redemptions"],
            "bad rows refused": self.summary["rows_rejected"],
            "minted in all": _grouped(int(self.summary["total_minted_base_units"])),
            "chain events replayed": self.summary["replay"]["events"],
            "differences found": self.summary["replay"]["differences"],
            "seconds": round(sum(self.seconds_by_stage.values()), 1),
        }
        for label, value in shown.items():
            table.add_row(label, f"{value:,}" if isinstance(value, int) else str(value))
        self.console.print()
        self.console.print(table)
        where = os.path.relpath(self.folder)
        self.console.print(f"\nWhere to look next: {where}/summary.json; the worker's log in")
        self.console.print(f"{where}/worker.log; `make up` serves this data with the API.")


def _grouped(base_units: int) -> str:
    whole, _, fraction = format_amount(base_units).partition(".")
    return f"{int(whole):,}.{fraction}"


def _wait(item: Any, items: Sequence[Any]) -> tuple[str, ...]:
    """Options that wait for the last of several requests: the lane sends them in order."""
    return ("--wait", "60") if item == items[-1] else ()


def main() -> int:
    """Run the demo; 0 only if everything was paid or skipped and the replay found no difference."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.demo",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--cases", type=int, default=3000, help="how many cases")
    parser.add_argument("--folder", type=Path, default=PROJECT_ROOT / "var" / "demo")
    arguments = parser.parse_args()
    try:
        summary = Demo(arguments.folder.resolve(), arguments.cases).run()
    except (ReliefError, TimeoutError, subprocess.CalledProcessError) as error:
        print(f"\nThe demo stopped: {error}", file=sys.stderr)
        return 1
    settled = summary["payouts_paid"] + summary["payouts_skipped"] == summary["payouts_approved"]
    return 0 if settled and summary["replay"]["differences"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
