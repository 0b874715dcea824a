"""A node that lies: it leaves out, invents or alters logs, forges headers, balances, streams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from eth_hash.auto import keccak

from service.audit.findings import Code
from service.audit.report import ReplayReport
from service.errors import ChainUnavailable
from tests.audit.lying_node import Lie, Refuse, lying_node
from tests.audit.scenario import Scenario, payee

Audit = Callable[..., ReplayReport]
Log = dict[str, Any]
LogLie = Callable[[Log], list[Log]]

LOGS, RECEIPTS, HEADERS = "eth_getLogs", "eth_getBlockReceipts", "eth_getBlockByNumber"
CHUNK_PAID = keccak(b"ChunkPaid(bytes32,uint32,bytes,uint256,uint256,uint256,uint64)")
TRANSFER = keccak(b"Transfer(address,address,uint256)")


def hexed(value: bytes) -> str:
    return "0x" + value.hex()


def of(topic: bytes) -> Callable[[Log], bool]:
    """Whether a log is an event's, the first of them that is asked for."""
    seen: list[tuple[str, str]] = []

    def matches(log: Log) -> bool:
        if log["topics"][0] != hexed(topic):
            return False
        key = (log["transactionHash"], log["logIndex"])
        if key not in seen:
            seen.append(key)
        return seen.index(key) == 0

    return matches


def leaving_out(topic: bytes) -> LogLie:
    """Leave out every log of an event: which is asked for first is nobody's to say."""
    return lambda log: [] if log["topics"][0] == hexed(topic) else [log]


def altering(topic: bytes) -> LogLie:
    chosen = of(topic)

    def lie(log: Log) -> list[Log]:
        data = log["data"]
        return [
            log | {"data": data[:-1] + ("1" if data[-1] == "0" else "0")} if chosen(log) else log
        ]

    return lie


def inventing(topic: bytes) -> LogLie:
    chosen = of(topic)
    return lambda log: [log, log] if chosen(log) else [log]


def in_receipts(lie: LogLie) -> Lie:
    """Tell a lie about the logs of receipts."""
    return of_receipts(
        lambda receipt: receipt | {"logs": [told for log in receipt["logs"] for told in lie(log)]}
    )


def of_receipts(lie: Callable[[dict[str, Any]], dict[str, Any]]) -> Lie:
    def said(method: str, _params: list[Any], result: Any) -> Any:
        return [lie(receipt) for receipt in result] if method == RECEIPTS else result

    return said


def in_ranges(lie: LogLie) -> Lie:
    """Tell a lie about logs that are asked for by range."""

    def said(method: str, _params: list[Any], result: Any) -> Any:
        return [told for log in result for told in lie(log)] if method == LOGS else result

    return said


def without_receipts(lie: Lie) -> Lie:
    def said(method: str, params: list[Any], result: Any) -> Any:
        if method == RECEIPTS:
            raise Refuse(-32601, "the method does not exist")
        return lie(method, params, result)

    return said


def forging(lie: Lie, block: int, **members: Callable[[str], Any]) -> Lie:
    """Tell another lie, and change members of one header to go with it."""

    def said(method: str, params: list[Any], result: Any) -> Any:
        if method == HEADERS and result is not None and int(result["number"], 16) == block:
            return result | {name: change(result[name]) for name, change in members.items()}
        return lie(method, params, result)

    return said


def truth(_method: str, _params: list[Any], result: Any) -> Any:
    return result


def answering(signature: bytes, about: bytes, answer: bytes) -> Lie:
    """Answer a view about something with something else."""
    selector = hexed(keccak(signature)[:4])

    def said(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_call":
            data = params[0]["data"]
            if "to" not in params[0]:
                raise Refuse(-32000, "contract creation is not allowed")
            if data.startswith(selector) and about.hex() in data:
                return hexed(answer)
        return result

    return said


def flipped(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def exchanging(receipt: dict[str, Any]) -> dict[str, Any]:
    """Give the logs of a receipt in another order."""
    return receipt | {"logs": receipt["logs"][::-1]}


LIES: dict[str, tuple[Lie, set[Code]]] = {
    "a log left out": (
        in_receipts(leaving_out(CHUNK_PAID)),
        {Code.RECEIPTS_ROOT_MISMATCH, Code.SEQUENCE_GAP},
    ),
    "a log altered": (
        in_receipts(altering(TRANSFER)),
        {Code.RECEIPTS_ROOT_MISMATCH, Code.MINT_UNEXPLAINED},
    ),
    "a transfer invented": (
        in_receipts(inventing(TRANSFER)),
        {Code.RECEIPTS_ROOT_MISMATCH, Code.MINT_UNEXPLAINED},
    ),
    "an event invented": (
        in_receipts(inventing(CHUNK_PAID)),
        {Code.RECEIPTS_ROOT_MISMATCH, Code.SEQUENCE_GAP, Code.CHUNK_REPEATED},
    ),
    "logs in another order": (of_receipts(exchanging), {Code.RECEIPTS_ROOT_MISMATCH}),
    "a transaction that failed": (
        of_receipts(lambda receipt: receipt | {"status": "0x0"}),
        {Code.RECEIPTS_ROOT_MISMATCH},
    ),
    "words that end in the next one": (
        in_receipts(
            lambda log: [log | {"topics": [*log["topics"][:-1], log["topics"][-1] + "a0"]}]
        ),
        {Code.RECEIPTS_ROOT_MISMATCH},
    ),
    "an address that reads as another, with the same bytes": (
        in_receipts(lambda log: [log | {"address": "1x" + log["address"][2:]}]),
        {Code.RECEIPTS_ROOT_MISMATCH},
    ),
    "a receipt of no transaction": (
        of_receipts(lambda receipt: {**receipt, "transactionHash": None}),
        {Code.RECEIPTS_ROOT_MISMATCH},
    ),
    "a receipt with a negative number": (
        of_receipts(lambda receipt: receipt | {"cumulativeGasUsed": "-0x1"}),
        {Code.RECEIPTS_ROOT_MISMATCH},
    ),
    "no logs at all": (in_receipts(lambda _: []), {Code.RECEIPTS_ROOT_MISMATCH}),
    "another transaction": (
        of_receipts(lambda receipt: receipt | {"transactionHash": "0x" + "ab" * 32}),
        {Code.LOG_MISPLACED},
    ),
    "a vault's log left out by a node without receipts": (
        without_receipts(in_ranges(leaving_out(CHUNK_PAID))),
        {Code.EVIDENCE_WEAK, Code.SEQUENCE_GAP},
    ),
    "a token's log left out by a node without receipts": (
        without_receipts(in_ranges(leaving_out(TRANSFER))),
        {Code.EVIDENCE_WEAK, Code.MINT_MISSING, Code.VIEW_MISMATCH},
    ),
    "a log of another block by a node without receipts": (
        without_receipts(in_ranges(lambda log: [log | {"blockHash": "0x" + "ab" * 32}])),
        {Code.EVIDENCE_WEAK, Code.LOG_MISPLACED},
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_about_logs_is_found(scenario: Scenario, audit: Audit, name: str) -> None:
    lie, expected = LIES[name]
    with lying_node(scenario.deployed.node.rpc_url, lie) as url:
        report = audit(rpc=url)
    assert expected <= {finding.code for finding in report.findings}
    assert report.differences


def test_a_node_that_lies_about_ranges_is_not_asked_for_them(
    scenario: Scenario, audit: Audit
) -> None:
    honest = audit()
    lie = in_ranges(leaving_out(CHUNK_PAID))
    with lying_node(scenario.deployed.node.rpc_url, lie) as url:
        report = audit(rpc=url)
    assert (report.findings, report.state_digest) == ([], honest.state_digest)


def test_a_node_that_refuses_many_receipts_at_once_is_asked_for_fewer(
    scenario: Scenario, audit: Audit
) -> None:
    asked: list[str] = []

    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method == RECEIPTS:
            asked.append(params[0])
            if len(asked) < 8:
                raise Refuse(-32005, "too much")
        return result

    with lying_node(scenario.deployed.node.rpc_url, lie) as url:
        report = audit(rpc=url)
    assert report.findings == []
    assert report.evidence.receipts_available


def chunk_block(audit: Audit) -> int:
    """A block in which a chunk was paid."""
    state = audit().state
    return min(chunk.block for batch in state.batches.values() for chunk in batch.chunks.values())


FORGED: dict[str, tuple[dict[str, Callable[[str], str]], Code]] = {
    "its receipts root": ({"receiptsRoot": flipped}, Code.HEADER_HASH_MISMATCH),
    "its bloom, to hide that there are logs": (
        {"logsBloom": lambda bloom: "0x" + "0" * (len(bloom) - 2)},
        Code.HEADER_HASH_MISMATCH,
    ),
    "its gas limit, as no number can be": (
        {"gasLimit": lambda gas: f"-{gas}"},
        Code.HEADER_HASH_MISMATCH,
    ),
    "its time": ({"timestamp": flipped}, Code.HEADER_HASH_MISMATCH),
    "its hash": ({"hash": flipped}, Code.BLOCK_LINKAGE_BROKEN),
    "its parent": ({"parentHash": flipped}, Code.BLOCK_LINKAGE_BROKEN),
}


@pytest.mark.parametrize("value", [None, 7, [], "1x00"])
def test_a_header_with_a_member_that_is_none_is_found(
    scenario: Scenario, audit: Audit, value: Any
) -> None:
    lie = forging(truth, chunk_block(audit), extraData=lambda _: value)
    with lying_node(scenario.deployed.node.rpc_url, lie) as url:
        report = audit(rpc=url)
    assert Code.HEADER_HASH_MISMATCH in {finding.code for finding in report.findings}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_header_is_found(scenario: Scenario, audit: Audit, name: str) -> None:
    members, code = FORGED[name]
    lie = forging(truth, chunk_block(audit), **members)
    with lying_node(scenario.deployed.node.rpc_url, lie) as url:
        report = audit(rpc=url)
    assert code in {finding.code for finding in report.findings}


def test_a_forged_balance_names_the_wallet(scenario: Scenario, audit: Audit) -> None:
    holder = payee(0).address
    lie = answering(b"balanceOf(address)", bytes.fromhex(holder[2:]), (10**9).to_bytes(32, "big"))
    with lying_node(scenario.deployed.node.rpc_url, lie) as url:
        (finding,) = audit(rpc=url).findings
    assert finding.code is Code.VIEW_MISMATCH
    assert holder in finding.message


def test_a_balance_with_something_behind_it_is_a_difference(
    scenario: Scenario, audit: Audit
) -> None:
    holder = bytes.fromhex(payee(0).address[2:])
    balance = audit().state.token.balances.of(holder).to_bytes(32, "big")
    lie = answering(b"balanceOf(address)", holder, balance + bytes(32))
    with lying_node(scenario.deployed.node.rpc_url, lie) as url:
        (finding,) = audit(rpc=url).findings
    assert finding.code is Code.VIEW_MISMATCH
    assert (finding.expected, finding.found) == ("32 bytes", "64 bytes")


def test_a_forged_stream_names_the_payout(scenario: Scenario, audit: Audit) -> None:
    batch = scenario.batches["streams"]
    about = batch.id + (7).to_bytes(32, "big")
    lie = answering(b"stream(bytes32,uint256)", about, bytes(160))
    with lying_node(scenario.deployed.node.rpc_url, lie) as url:
        report = audit(rpc=url)
    places = {(f.code, f.place.batch, f.place.index) for f in report.findings}
    assert places == {(Code.VIEW_MISMATCH, batch.hex, 7)}


def test_an_honest_node_without_receipts_leaves_a_warning_and_no_difference(
    scenario: Scenario, audit: Audit
) -> None:
    with lying_node(scenario.deployed.node.rpc_url, without_receipts(truth)) as url:
        report = audit(rpc=url)
    assert {finding.code for finding in report.findings} == {Code.EVIDENCE_WEAK}
    assert report.differences == 0


def test_without_receipts_the_report_says_that_the_node_is_believed(
    scenario: Scenario, audit: Audit
) -> None:
    asked: list[str] = []

    def lie(method: str, _params: list[Any], result: Any) -> Any:
        asked.append(method)
        return result

    with lying_node(scenario.deployed.node.rpc_url, lie) as url:
        report = audit(rpc=url, receipts=False)
    (finding,) = report.findings
    assert (finding.code, finding.message) == (
        Code.EVIDENCE_WEAK,
        "receipts were not asked for: logs are there by the node's word",
    )
    assert RECEIPTS not in asked
    assert (report.evidence.receipts_proven, report.differences) == (0, 0)
    assert report.state_digest == audit().state_digest


def test_a_node_that_forges_every_hash_leaves_a_warning(scenario: Scenario, audit: Audit) -> None:
    """Chains of other consensus hash in their own way, so it is no error; but it is said."""

    def lie(method: str, _params: list[Any], result: Any) -> Any:
        if method == HEADERS and result is not None:
            return result | {"extraData": "0xff"}
        return result

    with lying_node(scenario.deployed.node.rpc_url, lie) as url:
        report = audit(rpc=url)
    assert {finding.code for finding in report.findings} == {Code.EVIDENCE_WEAK}


def test_a_node_without_receipts_that_answers_short_ranges_only_is_asked_for_those(
    scenario: Scenario, audit: Audit
) -> None:
    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method == LOGS:
            asked = params[0]
            if int(asked["toBlock"], 16) - int(asked["fromBlock"], 16) >= 20:
                raise Refuse(-32005, "query returned more than 20 blocks")
        return result

    with lying_node(scenario.deployed.node.rpc_url, lie) as url:
        report = audit(rpc=url)
    assert report.findings == []
    assert report.state_digest == audit().state_digest


@pytest.mark.parametrize(
    ("member", "far"), [("logIndex", 2**63), ("transactionIndex", 2**40), ("blockNumber", 2**62)]
)
def test_a_place_that_no_log_can_have_is_an_answer_that_is_none(
    scenario: Scenario, audit: Audit, member: str, far: int
) -> None:
    def lie(method: str, _params: list[Any], result: Any) -> Any:
        if method == "eth_getLogs" and result:
            result[-1][member] = hex(far)
        return result

    with (
        lying_node(scenario.deployed.node.rpc_url, without_receipts(lie)) as url,
        pytest.raises(ChainUnavailable, match="with what is none"),
    ):
        audit(rpc=url)
