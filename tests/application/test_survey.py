"""The survey: what it shows is what rows and contracts say; one worker of several takes it."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Column, Engine, MetaData, Table, select, update
from sqlalchemy.orm import Session

from service.application.context import Application
from service.application.survey import probes
from service.application.survey.exporter import exporting
from service.application.survey.gauges import SurveyCollector
from service.application.survey.surveyor import Surveyor
from service.application.survey.tally import PayoutTally
from service.config import Settings
from service.confirmations.alarms import raise_alarm
from service.db import create_database_engine, session_factory, transaction
from service.errors import ConfigurationError
from service.ledger.models import LedgerEntry
from service.payouts.models import Chunk, Payout
from service.payouts.queries import payout_sums
from service.payouts.states import ChunkState, PayoutState
from service.telemetry.server import TelemetryServer
from service.transactions.models import Lane
from tests.support.rows import add_batch
from tests.support.version import stamp
from tests.support.world import World


def gauges(surveyor: Surveyor) -> dict[str, dict[str, float]]:
    """Each gauge's values by the values of its labels."""
    collector = SurveyCollector()
    collector.survey = surveyor.survey
    return {
        family.name: {",".join(s.labels.values()): s.value for s in family.samples}
        for family in collector.collect()
    }


@contextmanager
def surveying(world: World) -> Iterator[Surveyor]:
    """A surveyor that looks when it is told to; its thread does not run."""
    surveyor = Surveyor(Application(world.settings), compare_every_s=0)
    try:
        yield surveyor
    finally:
        surveyor.close()


def waited(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)
    return found


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=20) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_gauges_say_what_rows_and_contracts_say(world: World) -> None:
    with world.session() as session:
        add_batch(session, world.deployed, [5_000_000, 6_000_000])
    world.run()
    with world.session() as session:
        add_batch(session, world.deployed, [7_000_000], name="waits")
    with surveying(world) as surveyor:
        surveyor.look()
        shown = gauges(surveyor)

    read = world.deployed.read
    assert shown["relief_payouts"]["paid"] == 2
    assert shown["relief_payouts_amount_tokens"]["paid"] == 11
    assert shown["relief_payouts"]["queued"] == 1
    assert shown["relief_payouts"]["skipped"] == 0
    assert shown["relief_queue_age_seconds"][""] > 0
    assert shown["relief_batch_deadline_seconds"][""] > 0
    free = read("token", "reserve") - read("token", "totalSupply") - read("token", "committed")
    assert shown["relief_reserve_headroom_tokens"][""] == free / 10**6
    assert shown["relief_supply_tokens"][""] == 11
    assert shown["relief_indexer_lag_blocks"][""] == 0
    lanes = shown["relief_lane_nonce_gap"]
    assert set(lanes) == {signer.address for signer in world.signers}
    assert set(lanes.values()) == {0}
    assert set(shown["relief_lane_held"].values()) == {0}
    assert shown["relief_reconciliation_difference_tokens"][""] == 0


def test_a_changed_ledger_and_an_alarm_are_seen(world: World) -> None:
    with world.session() as session:
        add_batch(session, world.deployed, [5_000_000])
    world.run()
    with world.session() as session:
        session.execute(
            update(LedgerEntry)
            .where(LedgerEntry.event_name == "ChunkPaid")
            .values(amount=6_000_000)
        )
        raise_alarm(session, "sequence_gap", "tried", 1)
    with surveying(world) as surveyor:
        surveyor.look()
        shown = gauges(surveyor)
    assert shown["relief_reconciliation_difference_tokens"][""] > 0
    assert shown["relief_alarms_open"]["sequence_gap"] == 1
    assert shown["relief_alarms_open"]["unknown_batch"] == 0


def test_a_nonce_without_a_transaction_is_a_gap(world: World) -> None:
    world.run()
    with world.session() as session:
        lane = session.scalars(select(Lane)).first()
        assert lane is not None
        lane.next_nonce += 2
        sender = lane.sender
    with surveying(world) as surveyor:
        surveyor.look()
        assert gauges(surveyor)["relief_lane_nonce_gap"][sender] == 2


def test_without_the_node_the_database_is_surveyed_all_the_same(world: World) -> None:
    world.run()
    world.settings = world.settings.model_copy(update={"rpc_url": "http://127.0.0.1:1"})
    with surveying(world) as surveyor:
        surveyor.look()
        shown = gauges(surveyor)
    assert "relief_payouts" in shown
    assert "relief_chain_head_block" not in shown


def test_one_of_two_workers_surveys_and_the_other_takes_over(
    world: World, database_url: str
) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("one worker works alone on SQLite")
    world.run()
    with surveying(world) as one, surveying(world) as other:
        one.look()
        other.look()
        assert one.survey is not None
        assert other.survey is None
        one._let_go()  # as when its connection dies with its process

        def takes_over() -> bool:
            other.look()
            return other.survey is not None

        waited(takes_over)
        one.look()
        assert one.survey is None


def test_the_tally_is_what_the_rows_say_whatever_changes(blank_database_url: str) -> None:
    engine = create_database_engine(blank_database_url)
    create_payouts(engine)
    sessions = session_factory(engine)
    chance = random.Random(17)
    states = ("queued", "queued", "held", "paid", "skipped")
    with transaction(sessions) as session:
        for batch in range(4):
            amounts = [chance.randrange(1, 9) * 10**6 for _ in range(30)]
            add_payouts(session, batch, ["queued"] * 30, amounts)
    tally = PayoutTally()
    for _ in range(40):
        with transaction(sessions) as session:
            assert tally.take(session) == payout_sums(session)
            for _ in range(chance.randrange(0, 3)):
                where = (
                    Payout.batch_id == batch_name(chance.randrange(4)),
                    Payout.index == chance.randrange(30),
                )
                session.execute(
                    update(Payout).where(*where).values(own_state=chance.choice(states))
                )
            chunk = (
                Chunk.batch_id == batch_name(chance.randrange(4)),
                Chunk.chunk_index == chance.randrange(3),
            )
            session.execute(
                update(Chunk).where(*chunk).values(state=chance.choice(list(ChunkState)))
            )
            # Places changed within a batch leave the numbers as they were, and are seen later.
            tally._all_anew_at = 0.0
    engine.dispose()


def test_the_tally_adds_up_only_what_changed(blank_database_url: str) -> None:
    engine = create_database_engine(blank_database_url)
    create_payouts(engine)
    sessions = session_factory(engine)
    with transaction(sessions) as session:
        for batch in (0, 1):
            add_payouts(session, batch, ["queued"] * 4 + ["skipped"], [10**6] * 5)
    tally = PayoutTally()
    with transaction(sessions) as session:
        tally.take(session)
        _, kept = tally._kept[batch_name(1)]
        one = (Payout.batch_id == batch_name(0)) & (Payout.index == 0)
        session.execute(update(Payout).where(one).values(own_state="paid"))
        assert tally.take(session) == payout_sums(session)
        assert tally._kept[batch_name(1)][1] is kept
        assert tally._kept[batch_name(0)][1][PayoutState.PAID].count == 1
    engine.dispose()


def batch_name(number: int) -> str:
    return "0x" + f"{number:064x}"


def create_payouts(engine: Engine) -> None:
    """The table and the chunks' alone, without what they refer to."""
    metadata = MetaData()
    for model in (Payout, Chunk):
        table = model.__table__
        columns = [Column(c.name, c.type, primary_key=c.primary_key) for c in table.columns]
        Table(table.name, metadata, *columns)
    metadata.create_all(engine)


def add_payouts(
    session: Session, batch: int, states: Sequence[str], amounts: Sequence[int]
) -> None:
    """Payouts of a batch in chunks of ten."""
    for first in range(0, len(amounts), 10):
        part = amounts[first : first + 10]
        session.add(
            Chunk(
                batch_id=batch_name(batch),
                chunk_index=first // 10,
                entries=b"",
                leaf_hash="0x",
                count=len(part),
                total_base_units=sum(part),
            )
        )
    for index, (state, amount) in enumerate(zip(states, amounts, strict=True)):
        session.add(
            Payout(
                batch_id=batch_name(batch),
                index=index,
                chunk_index=index // 10,
                commitment="00" * 32,
                programme_id=1,
                payee="0x" + "00" * 20,
                amount_base_units=amount,
                kind="one_off",
                own_state=state,
                own_updated_at=datetime.now(UTC),
            )
        )


# ---- Served --------------------------------------------------------------------------------------


def test_a_worker_serves_metrics_and_says_whether_it_lives_and_can_work(world: World) -> None:
    stamp(world.engine)
    senders = [signer.address for signer in world.signers]
    with world.worker() as worker, exporting(world.settings, 0, senders, every_s=0.05) as served:
        assert served is not None
        url = f"http://127.0.0.1:{served.port}"
        status, body = get(f"{url}/readyz")
        assert (status, codes(body)) == (503, ["no_lane"])
        worker.run_until_idle()
        assert get(f"{url}/healthz") == (200, '{"status": "alive", "problems": []}')
        assert get(f"{url}/readyz")[0] == 200

        with world.session() as session:
            raise_alarm(session, "sequence_gap", "tried", 1)
        status, body = get(f"{url}/readyz")
        assert (status, codes(body)) == (503, ["alarm_sequence_gap"])
        assert get(f"{url}/healthz")[0] == 200
        text = waited(lambda: found if "relief_payouts{" in (found := metrics(url)) else None)
        names = {family.name for family in text_string_to_metric_families(text)}
        assert {"relief_build_info", "relief_rpc_calls", "relief_worker_rounds"} <= names
        assert get(f"{url}/elsewhere")[0] == 404


def metrics(url: str) -> str:
    status, text = get(f"{url}/metrics")
    assert status == 200
    return text


def codes(body: str) -> list[str]:
    return [problem["code"] for problem in json.loads(body)["problems"]]


def test_a_worker_ends_without_waiting_for_a_silent_node(world: World) -> None:
    world.run()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings = world.settings.model_copy(update={"rpc_url": url})
        with exporting(settings, 0, []):
            asking, _ = silent.accept()  # the survey
            began = time.monotonic()
        took_s = time.monotonic() - began
        asking.close()
        waited(lambda: "survey" not in {thread.name for thread in threading.enumerate()})
    assert took_s < 10


def test_a_loop_that_stands_is_not_alive(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with exporting(world.settings, 0, []) as served:
        assert served is not None
        monkeypatch.setattr(probes, "ROUND_WITHIN_S", -1.0)
        status, body = get(f"http://127.0.0.1:{served.port}/healthz")
    assert (status, codes(body)) == (503, ["no_round"])


def test_a_port_that_is_taken_is_said_in_words() -> None:
    with TelemetryServer(0) as first, pytest.raises(ConfigurationError, match="cannot be listened"):
        TelemetryServer(first.port)


def test_nothing_is_served_unless_a_port_is_set(tmp_path: Any) -> None:
    with exporting(Settings(data_dir=tmp_path), None, []) as served:
        assert served is None
