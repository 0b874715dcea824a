"""Every function that changes something, by every caller, under every pause: see access_table.py."""

import pytest
from access import PAUSES, changing_functions
from access_table import CONTRACTS, Table
from clock import put_back
from eth_abi import encode
from eth_utils import keccak
from sending import send
from views import Call, call_all

BATCH = 500
"""Calls in a request."""

each_pause = pytest.mark.parametrize("pause", PAUSES)


@pytest.fixture(scope="module")
def table(deployed, VaultAdministration, VaultCorrections):  # noqa: N803 - Brownie's names
    """The rows, on a deployment that is put back when the last of them was tried."""
    vault = deployed.vault
    with put_back():
        yield Table(
            deployed,
            VaultAdministration.at(vault.administration()),
            VaultCorrections.at(vault.corrections()),
        )


@pytest.fixture(scope="module")
def encoded(table):
    """A typed error as revert data."""
    errors = {}
    for contract in map(table.contract, CONTRACTS):
        for entry in contract.abi:
            if entry["type"] == "error":
                types = [member["type"] for member in entry["inputs"]]
                errors[entry["name"], len(types)] = types

    def encode_error(error):
        if not error:
            return b""
        name, *arguments = error
        types = errors[name, len(arguments)]
        values = [str(value.address) if hasattr(value, "address") else value for value in arguments]
        values = [
            bytes.fromhex(value[2:]) if kind == "bytes4" else value
            for kind, value in zip(types, values, strict=True)
        ]
        return keccak(text=f"{name}({','.join(types)})")[:4] + encode(types, values)

    return encode_error


@pytest.fixture
def under(table):
    """Put a pause in force."""
    return lambda pause: PAUSES[pause](table.relief)


def name_of(table, row):
    """Contract and function, as a reader knows them."""
    (name,) = (name for name in CONTRACTS if table.contract(name).address == row.function._address)
    return f"{name}.{row.function.abi['name']}"


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_function_that_changes_something_has_a_row(table, name):
    contract = table.contract(name)
    rows = {row.signature for row in table.rows if row.function._address == contract.address}
    assert rows == changing_functions(contract.abi)


def test_the_verifiers_change_nothing_and_no_contract_takes_what_it_does_not_name(table, relief):
    for verifier in (relief.p256_verifier, relief.passkey_verifier):
        assert changing_functions(verifier.abi) == set()
    for name in CONTRACTS:
        assert {entry["type"] for entry in table.contract(name).abi} <= {
            *("constructor", "error", "event", "function"),
        }


@each_pause
def test_each_caller_may_what_the_table_says_and_is_refused_by_its_error(
    table, under, encoded, pause
):
    under(pause)
    cells = [(row, caller) for row in table.rows for caller in table.callers]
    calls = [Call(row.function._address, row.data, table.callers[caller]) for row, caller in cells]
    outcomes = []
    for first in range(0, len(calls), BATCH):
        outcomes += call_all(calls[first : first + BATCH])
    wrong = []
    for (row, caller), (went_through, data) in zip(cells, outcomes, strict=True):
        error = row.outcome(caller, pause)
        if (went_through, b"" if went_through else data) != (
            error is None,
            encoded(error) if error else b"",
        ):
            wrong.append(
                f"{name_of(table, row)} by {caller}: {error} was {went_through, data.hex()}"
            )
    assert not wrong, "\n".join(wrong[:20])


@each_pause
def test_what_is_allowed_is_done_and_told(table, under, pause):
    under(pause)
    wrong = []
    for position, row in enumerate(table.rows):
        allowed = [caller for caller in table.callers if row.outcome(caller, pause) is None]
        if not allowed:
            continue
        # One caller a row, all kinds of them in turn.
        sender = table.callers[allowed[position % len(allowed)]]
        with put_back():
            receipt = send(row.function, *row.arguments, sender=sender)
        if receipt["status"] != "0x1" or not receipt["logs"]:
            wrong.append(f"{name_of(table, row)} by {sender}: {receipt}")
    assert not wrong, "\n".join(wrong[:20])
