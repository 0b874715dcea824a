"""Proposing programmes and finding them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from service.payouts.directory import programme_list
from service.payouts.journal import history
from service.payouts.models import ChainRequest, Programme
from service.payouts.programmes import (
    Tier,
    ask_to_create,
    create_programme,
    get_programme,
    list_programmes,
    request_budget_change,
)
from service.regions import Region

GOOD: dict[str, Any] = {
    "code": "drought",
    "name": "Drought relief",
    "region_code": 62,
    "region_digits": 2,
    "budget_base_units": 10**12,
    "payout_cap_base_units": 10**9,
    "tiers": [Tier(10**12, 1)],
    "actor": "wang",
}


def test_a_proposal_asks_for_the_transaction_with_the_contracts_own_arguments(
    session: Session, programme: Programme
) -> None:
    request = session.scalars(select(ChainRequest)).one()

    assert (programme.id, programme.state) == (1, "proposed")
    assert request.kind == "create_programme"
    assert request.args == {
        "id": 1,
        "regionCode": 51,
        "regionDigits": 2,
        "budget": "100000000000",
        "payoutCap": "2000000000",
        "tiers_": [
            {"upTo": "50000000000", "reviewers": 1, "challengeDelay": 0},
            {"upTo": "100000000000", "reviewers": 2, "challengeDelay": 3600},
        ],
        "metadataHash": programme.metadata_hash,
    }


def test_the_journal_says_who_proposed_it(session: Session, programme: Programme) -> None:
    session.flush()
    [entry] = history(session, "programme", str(programme.id))

    assert (entry.actor, entry.action) == ("wang", "create_programme")


def test_asking_again_while_the_request_is_open_asks_once(
    session: Session, programme: Programme
) -> None:
    first = ask_to_create(session, programme, actor="li")

    assert ask_to_create(session, programme, actor="li").id == first.id


def test_the_next_programme_takes_the_next_number(session: Session, programme: Programme) -> None:
    assert create_programme(session, **GOOD).id == programme.id + 1
    assert [found.code for found in list_programmes(session)] == ["flood-2026", "drought"]


@pytest.mark.parametrize("taken", [{"code": "flood-2026"}, {"programme_id": 1}])
def test_a_code_or_number_that_is_taken_is_refused(
    session: Session, programme: Programme, taken: dict[str, Any]
) -> None:
    with pytest.raises(AlreadyExists):
        create_programme(session, **{**GOOD, **taken})


@pytest.mark.parametrize(
    "bad",
    [
        {"code": "no blanks"},
        {"name": ""},
        {"region_code": 5, "region_digits": 2},
        {"region_code": 1, "region_digits": 0},
        {"region_code": 99, "region_digits": 2},
        {"code": "chain-7"},
        {"code": "2026"},
        {"budget_base_units": 0},
        {"budget_base_units": 10**6, "payout_cap_base_units": 10**6 + 1},
        {"budget_base_units": 2**80},
        {"payout_cap_base_units": 2**64},
        {"tiers": []},
        {"tiers": [Tier(n, 1) for n in range(1, 6)]},
        {"tiers": [Tier(10, 2), Tier(10, 2)]},
        {"tiers": [Tier(10, 2), Tier(20, 1)]},
        {"tiers": [Tier(10, 0)]},
        {"tiers": [Tier(10, 256)]},
        {"metadata_hash": "0x12"},
        {"programme_id": 0},
        {"programme_id": 2**31},
        {"actor": ""},
    ],
)
def test_what_the_contract_would_refuse_is_refused(session: Session, bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        create_programme(session, **{**GOOD, **bad})


def test_a_programme_is_found_by_number_and_by_code(session: Session, programme: Programme) -> None:
    assert get_programme(session, 1) is programme
    assert get_programme(session, "flood-2026") is programme
    for unknown in ("none", 2, 2**31):
        with pytest.raises(NotFound):
            get_programme(session, unknown)


def test_an_import_finds_programmes_by_code(session: Session, programme: Programme) -> None:
    create_programme(session, **{**GOOD, "region_code": 0, "region_digits": 0})
    directory = programme_list(session)

    flood, whole = directory.by_code("flood-2026"), directory.by_code("drought")

    assert flood is not None
    assert (flood.id, flood.region) == (1, Region(51, 2))
    assert whole is not None
    assert whole.region.covers(Region(510722, 6))
    assert directory.by_code("FLOOD-2026") is None


def test_a_budget_goes_up_by_a_plan_and_down_at_once(
    session: Session, programme: Programme
) -> None:
    with pytest.raises(Conflict, match="not on chain"):
        request_budget_change(session, programme, 1, actor="wang")
    programme.state = "onchain"

    up = request_budget_change(session, programme, 200_000 * 10**6, actor="wang")
    down = request_budget_change(session, programme, 10**6, actor="wang")

    assert (up.kind, up.args) == ("schedule_budget", {"id": 1, "budget": "200000000000"})
    assert (down.kind, down.args) == ("decrease_budget", {"id": 1, "budget": "1000000"})
