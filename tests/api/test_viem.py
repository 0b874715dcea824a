"""A wallet library that is not ours (viem) approves batches over HTTP and reads the contracts."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import Office
from tests.support.deployed import ARTIFACTS_DIR

WALLET = Path(__file__).with_name("viem_wallet.mjs")
NODE = Path(sys.executable).with_name("node")
DAY_S = 86_400

# What is tested is between the wallet, the API and the contracts: one database is enough.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def viem(command: str, request: dict[str, Any]) -> Any:
    ran = subprocess.run(
        [NODE, WALLET, command],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def sign(office: Office, path: str, *officers: int) -> list[Any]:
    """Have viem sign the typed data under a path; returns the API's answers."""
    keys = [
        {"officer_id": number, "key": "0x" + bytes(office.deployed.officers[number].key).hex()}
        for number in officers
    ]
    wanted = {"api": office.api.url, "token": office.api.token, "path": path, "officers": keys}
    answers = viem("sign", wanted)
    assert [answer["status"] for answer in answers] == [201] * len(officers), answers
    return [answer["document"] for answer in answers]


def read(office: Office, *calls: tuple[str, str, list[Any]]) -> list[Any]:
    """Have viem read views of the contracts, by contract, function, arguments."""
    deployed = office.deployed
    contracts = {
        "token": {
            "address": deployed.token,
            "artifact": str(ARTIFACTS_DIR / "BenefitToken.json"),
        },
        "vault": {
            "address": deployed.vault,
            "artifact": str(ARTIFACTS_DIR / "AllowanceVault.json"),
        },
    }
    wanted = [
        {"contract": contract, "function": function, "args": args}
        for contract, function, args in calls
    ]
    answers: list[Any] = viem(
        "read", {"rpc": deployed.node.rpc_url, "contracts": contracts, "calls": wanted}
    )
    return answers


def pay(office: Office, kind: str) -> str:
    """Build a batch, have viem sign it as maker and reviewer, release and pay it."""
    batch_id = office.build(kind)
    assert sign(office, f"/v1/batches/{batch_id}", 1, 2)[-1]["approved"]
    office.api.ok("POST", f"/v1/batches/{batch_id}/release")
    office.work()
    return batch_id


def test_a_batch_that_viem_signed_is_paid_and_viem_reads_the_balances(office: Office) -> None:
    batch_id = pay(office, "one_off")

    payouts = office.api.ok("GET", "/v1/payouts", params={"batch_id": batch_id})["items"]
    assert [(item["state"], item["amount_base_units"]) for item in payouts] == [
        ("paid", "600000000"),
        ("paid", "601000000"),
    ]
    balances = read(office, *[("token", "balanceOf", [item["payee"]]) for item in payouts])
    assert balances == ["600000000", "601000000"]


def test_viem_reads_a_stream_as_the_api_shows_it_and_signs_to_cut_it(office: Office) -> None:
    batch_id = pay(office, "stream")
    office.deployed.advance(32 * DAY_S)
    office.work()

    shown = office.api.ok("GET", f"/v1/streams/{batch_id}/0")
    ((payee, total, accrued, withdrawn, cancelled),) = read(
        office, ("vault", "stream", [batch_id, 0])
    )
    assert (payee, total) == (shown["payee"], "90000000")
    assert accrued == shown["accrued_base_units"] != "0"
    assert (withdrawn, cancelled) == ("0", 0)

    asked = office.api.ok("POST", f"/v1/streams/{batch_id}/0/cancel", json={"reason": "moved"})
    sign(office, f"/v1/actions/{asked['id']}", 2, 3)
    office.work()
    ((*_, cut),) = read(office, ("vault", "stream", [batch_id, 0]))
    shown = office.api.ok("GET", f"/v1/streams/{batch_id}/0")
    start, end = (datetime.fromisoformat(shown[name]) for name in ("start_at", "cancelled_at"))
    assert timedelta(seconds=cut - 1) == end - start > timedelta(days=29)
