"""``relief bench``: measure the service on a chain of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.run import Json, start

app = typer.Typer(no_args_is_help=True, help="Benchmarks, on a chain of their own.")


@app.command("payouts")
def payouts(
    ctx: typer.Context,
    *,
    count: Annotated[int, typer.Option(min=1, help="How many payouts.")] = 10_000,
    database: Annotated[
        str | None,
        typer.Option(help="URL of an empty database; default: a SQLite file of its own."),
    ] = None,
    recovery: Annotated[
        bool, typer.Option(help="Also kill a worker and measure how soon the next gets on.")
    ] = True,
    history: Annotated[
        bool,
        typer.Option(
            help="The node keeps the state after each block, as anvil does by itself; without, a "
            "block costs it a fraction."
        ),
    ] = True,
    out: Annotated[
        Path | None,
        typer.Option(help="File of the result; default: bench/payouts.json in the data folder."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Pay many payouts on an embedded chain and compare with what the bare node can take.

    Nothing of this deployment is touched: chain, keys and, unless --database names one, the
    database are made for the run. Needs anvil and the compiled contracts (`make compile`).
    """
    from service.bench.payouts import bench_payouts

    run = start(ctx, as_json)
    settings = run.app.settings
    result = bench_payouts(
        count,
        database_url=database,
        recovery=recovery,
        history=history,
        artifacts_dir=settings.artifacts_dir,
        out=out or settings.data_dir / "bench" / "payouts.json",
        say=run.note,
    )
    run.record(result.as_dict())


@app.command("replay")
def replay(
    ctx: typer.Context,
    *,
    count: Annotated[int, typer.Option(min=1, help="How many payouts.")] = 1_000_000,
    out: Annotated[
        Path | None,
        typer.Option(help="File of the result; default: bench/replay.json in the data folder."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Replay an embedded chain full of payouts as an auditor does, beside others who read it.

    Raw eth_getLogs and web3.py always; ethereum-etl and cryo where `make bench-replay` has
    installed them. Needs anvil and the compiled contracts (`make compile`).
    """
    from service.bench.replay import bench_replay

    run = start(ctx, as_json)
    settings = run.app.settings
    result = bench_replay(
        count,
        artifacts_dir=settings.artifacts_dir,
        out=out or settings.data_dir / "bench" / "replay.json",
        say=run.note,
    )
    run.record(result.as_dict())
