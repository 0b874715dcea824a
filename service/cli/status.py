"""``relief status``: what is paid, what moves, what is stuck and why, and what to type about it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from service.cli.errors import REFUSED
from service.cli.run import Json, Run, start
from service.cli.tables import SHORT_ID
from service.clock import SYSTEM_CLOCK
from service.errors import InvalidInput
from service.units import BASE_UNITS_PER_TOKEN, format_duration

if TYPE_CHECKING:  # the command line starts without what it may not need
    from service.application.survey.tally import PayoutTally

LEAST_EVERY_S = 1.0
NODE_ANSWERS_WITHIN_S = 5.0
"""Then what the database says is shown without it."""

SHARE_OF_TIME = 5
"""A view that takes long to make is made again after so many times that."""

NEXT_STEPS = ("queued", "sent", "included")
NOT_PAID = ("held", "skipped", "cancelled", "expired")
BAR_COLUMNS = 10
NAME_COLUMNS = 11
"""Of a programme's code, where there is little room."""

WIDE = 120
"""From so many columns on addresses and names stand in full."""
SHORT_ADDRESS = 12

MONEY, PARALLEL = 4, 5
"""Columns of the sums, and of the tables with a row a batch or lane."""


def status(
    ctx: typer.Context,
    *,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it again and again until interrupted.")
    ] = False,
    every: Annotated[
        float, typer.Option(min=LEAST_EVERY_S, help="With --watch: seconds between two looks.")
    ] = 2.0,
    as_json: Json = False,
) -> None:
    """Show what is paid, what moves, what is stuck and why, and what to do about it.

    Exit code 0 when nothing needs a person, 1 when something does; with `--watch` always 0.
    """
    run = start(ctx, as_json)
    if watch and as_json:
        raise InvalidInput("--watch shows a screen, --json prints one document: choose")
    if watch:
        with suppress(KeyboardInterrupt):
            _watch(run, every)
        return
    view = _look(run)
    if run.as_json:
        run.json(view)
    else:
        run.stdout.print(screen(view, run.stdout.width))
    if view["attention"]:
        raise typer.Exit(REFUSED)


def _look(run: Run, tally: PayoutTally | None = None) -> dict[str, Any]:
    from service.application.reading import read_sessions
    from service.application.status import status_view
    from service.chain.patience import short_of_patience

    sessions = read_sessions(run.app, at_one_moment=True)
    midnight = SYSTEM_CLOCK.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        with sessions() as session, short_of_patience(NODE_ANSWERS_WITHIN_S, "somebody looks on"):
            return status_view(run.app, session, midnight=midnight, tally=tally)
    finally:
        if sessions.kw["bind"] is not run.app.engine:
            sessions.kw["bind"].dispose()


def _watch(run: Run, every_s: float) -> None:
    from service.application.survey.tally import PayoutTally

    tally = PayoutTally()
    with _place(run.stdout) as show:
        while True:
            begun = time.monotonic()
            view = _look(run, tally)
            show(screen(view, run.stdout.width, fits_the_window=run.stdout.is_terminal))
            time.sleep(max(every_s, SHARE_OF_TIME * (time.monotonic() - begun)))


@contextmanager
def _place(console: Console) -> Iterator[Callable[[RenderableType], None]]:
    """Show one look in the place of the last on a terminal, one after the other elsewhere."""
    if not console.is_terminal:
        yield lambda look: console.print(look, Text())
        return
    with Live(console=console, screen=True, auto_refresh=False) as live:
        yield lambda look: live.update(look, refresh=True)


# ---- The screen ----------------------------------------------------------------------------------


def screen(view: Mapping[str, Any], width: int, *, fits_the_window: bool = False) -> RenderableType:
    """Return the whole, for a terminal of so many columns.

    Parameters
    ----------
    fits_the_window
        Whether the window's lines are all there is: what a person must look at stands further up
        then, since it is the end that is left out.
    """
    parts: list[RenderableType] = [_title(view), Text(), _money(view)]
    attention = [Text(), _attention(view["attention"])]
    if fits_the_window:
        parts += attention
    for heading, body in (
        ("Batches", _batches(view, width)),
        ("Lanes", _lanes(view, width)),
    ):
        if body is not None:
            parts += [Text(), Text(heading, style="bold"), body]
    parts += [Text(), _facts(view)]
    return Group(*parts, *(() if fits_the_window else attention))


def _title(view: Mapping[str, Any]) -> Text:
    workers = len(view["workers"])
    working = "no worker" if not workers else "1 worker" if workers == 1 else f"{workers} workers"
    title = Text("Relief", style="bold")
    return title.append(f"  chain {view['chain_id']}  {working}  {view['at']}", style="dim")


def _money(view: Mapping[str, Any]) -> Table:
    table = _grid(MONEY)
    sums = {each["state"]: each for each in view["payouts"]}
    table.add_row("Paid", _amount(view["paid"]["total_base_units"]), "in all, final", "")
    table.add_row("", _amount(view["paid"]["today_base_units"]), "today", "")
    for label, states in (("Moving", NEXT_STEPS), ("Not paid", NOT_PAID)):
        shown = label
        for state in states:
            if state in sums:
                what = sums[state]
                number = _payouts(what["count"])
                since = _since(view) if state == "queued" else ""
                table.add_row(
                    shown, _amount(what["amount_base_units"]), f"{state}, {number}", since
                )
                shown = ""
    return table


def _batches(view: Mapping[str, Any], width: int) -> RenderableType | None:
    if not view["batches"]:
        return None
    table = _grid(PARALLEL)
    name_columns = NAME_COLUMNS if width < WIDE else None
    for batch in view["batches"]:
        done, count = batch["executed"], batch["count"]
        table.add_row(
            batch["id"][:SHORT_ID],
            batch["programme"][:name_columns],
            Text(_bar(done, count), no_wrap=True),
            f"{100 * done // count:>3} %" if count else "",
            _way(batch),
        )
    return table


def _bar(done: int, count: int) -> str:
    """Draw in ASCII, for the consoles that one is left with at night."""
    filled = BAR_COLUMNS * done // count if count else 0
    return "#" * filled + "." * (BAR_COLUMNS - filled)


def _way(batch: Mapping[str, Any]) -> Text:
    state = "paused" if batch["paused"] else batch["state"]
    words = f"{batch['executed']:,} of {batch['count']:,}"
    if state != "onchain":
        words = f"{state}, {words}"
    if batch["waiting"] and batch["seconds_left"] > 0:
        words += f", {_largest_unit(batch['seconds_left'])} left"
    return Text(words, style="yellow" if batch["paused"] else "")


def _largest_unit(seconds: int) -> str:
    """Write a duration so far as a glance needs it: ``31 days``."""
    return " ".join(format_duration(seconds).split(" ")[:2])


def _lanes(view: Mapping[str, Any], width: int) -> RenderableType | None:
    if not view["lanes"]:
        return None
    table = _grid(PARALLEL)
    for lane in view["lanes"]:
        sender = lane["sender"]
        address = sender if width >= WIDE else sender[:SHORT_ADDRESS]
        work = f"{lane['in_flight']} in flight, {lane['built']} to sign"
        held = Text("held") if lane["worker"] else Text("not held", style="yellow")
        table.add_row(address, held, f"nonce {lane['next_nonce']}", work, _gas(lane))
    return table


def _gas(lane: Mapping[str, Any]) -> Text:
    if lane["out_of_funds"]:
        return Text("no gas money", style="bold red")
    if lane["balance_wei"] is None:
        return Text("gas money unknown", style="yellow")
    affordable = lane["transactions_affordable"]
    if affordable is None:
        return Text("gas is free")
    return Text(f"gas money for {affordable:,}")


def _facts(view: Mapping[str, Any]) -> Table:
    table = _grid(2)
    chain, reserve, grants = view["chain"], view["reserve"], view["emergency_grants"]
    head = "no answer" if chain["head"] is None else f"{chain['head']:,}"
    lag = "" if not chain["lag_blocks"] else f" ({chain['lag_blocks']:,} behind)"
    table.add_row(
        "Chain",
        f"head {head}, read {_block(chain['read'])}{lag}, {_final(chain)}",
    )
    if reserve is not None:
        table.add_row(
            "Reserve",
            f"{_amount(reserve['headroom_base_units'])} may still be approved of "
            f"{_amount(reserve['in_force_base_units'])}"
            + (f", until {reserve['stale_after'][:10]}" if reserve["stale_after"] else ""),
        )
    for label, budget in _labelled("Budgets", view["budgets"]):
        left, whole = int(budget["left_base_units"]), int(budget["budget_base_units"])
        share = f", {100 * left // whole} %" if whole else ""
        table.add_row(label, f"{budget['code']}: {_amount(left)} of {_amount(whole)} left{share}")
    if grants:
        counts = (f"{count} {state.replace('_', ' ')}" for state, count in sorted(grants.items()))
        table.add_row("Grants", ", ".join(counts))
    return table


def _attention(found: Sequence[Mapping[str, Any]]) -> RenderableType:
    if not found:
        return Text("Nothing needs a person.", style="green")
    table = _grid(2)
    for number, each in enumerate(found, start=1):
        words = Text(each["message"])
        if each["do"]:
            words.append(f"\n> {each['do']}", style="bold")
        table.add_row(f"{number}.", words)
    return Group(Text("To look at", style="bold yellow"), table)


# ---- Parts ---------------------------------------------------------------------------------------


def _grid(columns: int) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for number in range(columns):
        table.add_column(
            overflow="fold",
            style="bold" if number == 0 and columns != PARALLEL else "",
            justify="right" if number == 1 and columns == MONEY else "left",
        )
    return table


def _labelled(label: str, items: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    for number, item in enumerate(items):
        yield ("" if number else label), item


def _amount(base_units: int | str) -> str:
    """Write an amount with its thousands apart and two decimals at least, as tables have it."""
    tokens = Decimal(int(base_units)) / BASE_UNITS_PER_TOKEN
    whole, _, fraction = f"{tokens:,.6f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def _payouts(count: int) -> str:
    return "1 payout" if count == 1 else f"{count:,} payouts"


def _block(number: int | None) -> str:
    return "none" if number is None else f"{number:,}"


def _final(chain: Mapping[str, Any]) -> str:
    final, posted = _block(chain["final"]), _block(chain["posted"])
    return f"final and posted {final}" if final == posted else f"final {final}, posted {posted}"


def _since(view: Mapping[str, Any]) -> str:
    if view["queue_since"] is None:
        return ""
    waited = datetime.fromisoformat(view["at"]) - datetime.fromisoformat(view["queue_since"])
    return f"the oldest for {_largest_unit(max(int(waited.total_seconds()), 0))}"
