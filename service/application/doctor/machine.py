"""Checks of this machine: the database, the keys, the clock, the worker's lanes and its lag."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from sqlalchemy import func, select, text

from service.application.context import KEYRING_FILE, Application
from service.application.database import current_revision, head_revision, newer_revision
from service.application.doctor.checks import Check, failed, passed, warned
from service.application.survey.chain import LOW_TRANSACTIONS, WEI_PER_COIN, largest_gas
from service.application.survey.probes import LAG_BLOCKS
from service.clock import SYSTEM_CLOCK
from service.confirmations.alarms import list_alarms, meaning
from service.confirmations.models import Cursor
from service.payouts.manifests import file_hash, manifest_path
from service.payouts.models import Batch, EmergencyGrant
from service.payouts.states import GrantState
from service.transactions.models import Lane, Transaction
from service.units import format_amount, format_duration, format_time

CLOCK_TOLERANCE_S = 60
"""Blocks may be so far ahead of our clock."""

IDLE_CHAIN_S = 3600
"""A newest block older than this is worth a look."""

MAX_NAMED = 3
"""Batches named in one finding."""

_OTHERS = 0o077


def examine_database(app: Application) -> Iterator[Check]:
    """Look at the database and its version."""
    with app.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        shown = app.engine.url.render_as_string(hide_password=True)
    yield passed("database", "reachable", shown)
    head, current = head_revision(app.settings.resolved_database_url), current_revision(app.engine)
    if current == head:
        yield passed("database", "version", f"{current}, the newest")
    elif newer_revision(app.engine) is not None:
        yield failed("database", "version", f"{current} is newer than this Relief's {head}")
    else:
        yield failed("database", "version", f"{current or 'none'}, not {head}: run `relief init`")


def examine_keys(app: Application) -> Iterator[Check]:
    """Look at the folder of keys: encrypted, private, and opened by the passphrase."""
    from service.chain.signers import list_keystores

    folder = app.settings.resolved_keys_dir
    if not folder.is_dir():
        yield failed("keys", "folder", f"{folder} is missing: run `relief init`")
        return
    if _open_to_others(folder):
        yield failed("keys", "folder", f"{folder} is open to others: chmod 700 it")
    keystores = {keystore.path for keystore in list_keystores(folder)}
    files = {path for path in folder.iterdir() if path.is_file() and path.name[0] != "."}
    unknown = files - keystores - {folder / KEYRING_FILE}
    if unknown:
        names = ", ".join(sorted(path.name for path in unknown))
        yield warned("keys", "other files", f"neither keystores nor the keyring: {names}")
    open_files = sorted(path.name for path in files if _open_to_others(path))
    if open_files:
        yield failed("keys", "private", f"readable by others: {', '.join(open_files)}")
    else:
        yield passed("keys", "private", f"{len(keystores)} encrypted keystores, none for others")
    keyring = app.keyring
    yield passed("keys", "keyring", f"opens; data is sealed with key {keyring.key_version}")


def _open_to_others(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & _OTHERS)


def examine_clock(app: Application) -> Iterator[Check]:
    """Compare our clock with the newest block's time."""
    header = app.rpc.header("latest") or {}
    block_at = datetime.fromtimestamp(int(header["timestamp"], 16), UTC)
    ahead = (block_at - SYSTEM_CLOCK.now()).total_seconds()
    shown = f"newest block {format_time(block_at)}"
    apart = format_duration(int(abs(ahead)))
    if ahead > CLOCK_TOLERANCE_S:
        yield warned("clock", "block time", f"{shown}, {apart} ahead of this machine's clock")
    elif ahead < -IDLE_CHAIN_S:
        yield warned("clock", "block time", f"{shown}, {apart} ago: is the chain on?")
    else:
        yield passed("clock", "block time", shown)


def examine_manifests(app: Application) -> Iterator[Check]:
    """Look for the second copy of each batch's manifest that may be signed or on chain."""
    folder = app.settings.resolved_manifests_dir
    with app.sessions() as session:
        batches = session.execute(
            select(Batch.id, Batch.manifest_hash).where(Batch.signing_opened_at.is_not(None))
        ).all()
    missing, changed = [], []
    for batch_id, manifest_hash in batches:
        path = manifest_path(folder, batch_id)
        if not path.exists():
            missing.append(batch_id)
        elif file_hash(path) != manifest_hash:
            changed.append(batch_id)
    for name, found in (("missing", missing), ("changed", changed)):
        if found:
            named = ", ".join(found[:MAX_NAMED])
            yield failed("manifests", name, f"{len(found)} of {len(batches)}, such as {named}")
    if not missing and not changed:
        yield passed("manifests", "second copies", f"{len(batches)} in {folder}")


def examine_grants(app: Application) -> Iterator[Check]:
    """Look for emergency grants that nobody countersigned in time: they close their officers."""
    now_unix_s = int(app.chain_clock.now().timestamp())
    with app.sessions() as session:
        late = session.execute(
            select(EmergencyGrant.officer_id, EmergencyGrant.amount_base_units).where(
                EmergencyGrant.state == GrantState.OUTSTANDING.value,
                EmergencyGrant.overdue_from_unix_s <= now_unix_s,
            )
        ).all()
    if not late:
        yield passed("grants", "countersigned in time", "no emergency grant is overdue")
        return
    closed = ", ".join(str(officer) for officer in sorted({officer for officer, _ in late}))
    total = format_amount(sum(amount for _, amount in late))
    yield warned(
        "grants",
        "countersigned in time",
        f"{len(late)} overdue, {total} in all, so officers {closed} grant nothing more: "
        "`relief emergency list --state overdue`",
    )


def examine_worker(app: Application) -> Iterator[Check]:
    """Look at the lanes' gas money, at how far events were read, and at open alarms."""
    chain_id = app.deployment.chain_id
    with app.sessions() as session:
        lanes = list(session.scalars(select(Lane).where(Lane.chain_id == chain_id)))
        cursor = session.get(Cursor, (chain_id, "events"))
        alarms = list_alarms(session)
        waiting = session.scalar(
            select(func.count()).select_from(Transaction).where(Transaction.state == "built")
        )
    yield from (_gas_money(app, lane) for lane in lanes)
    if not lanes:
        yield warned("worker", "lanes", "no worker has run yet: `relief worker run`")
    newest = app.rpc.block_number()
    read = cursor.block_number if cursor else app.deployment.deployment_block - 1
    lag = max(newest - read, 0)
    detail = f"read up to block {read} of {newest}; {waiting or 0} transactions wait to be signed"
    if lag > LAG_BLOCKS:
        yield warned("worker", "events", f"{detail}: is a worker running?")
    else:
        yield passed("worker", "events", detail)
    for alarm in alarms:
        found = f"{alarm.kind}: {alarm.detail}. {meaning(alarm.kind).advice}"
        yield failed("worker", f"alarm {alarm.id}", f"{found} (relief alarms clear {alarm.id})")


def _gas_money(app: Application, lane: Lane) -> Check:
    name = f"lane {lane.sender}"
    balance = int(app.rpc.call("eth_getBalance", lane.sender, "latest"), 16)
    price = int(app.rpc.call("eth_gasPrice"), 16)
    header = app.rpc.header("latest") or {}
    if int(header.get("baseFeePerGas") or "0x0", 16) == 0:
        return passed("worker", name, f"next nonce {lane.next_nonce}; gas is free here")
    left = balance // (price * largest_gas(app.deployment, lane.sender) or 1)
    coins = Decimal(balance) / WEI_PER_COIN
    detail = (
        f"{coins:.6f} of the chain's coin, enough for {left} of the largest transactions it sends"
    )
    if lane.out_of_funds or left == 0:
        return failed("worker", name, f"{detail}: send it gas money")
    if left < LOW_TRANSACTIONS:
        return warned("worker", name, detail)
    return passed("worker", name, detail)
