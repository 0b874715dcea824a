"""In words: what officers sign about payouts, batch by batch and grant by grant."""

from __future__ import annotations

from service.audit.arithmetic import bits, region_valid
from service.audit.decode import hex_text
from service.audit.digests.document import TypedData
from service.audit.digests.words import (
    Words,
    address,
    amount,
    counted,
    duration,
    moment,
    region,
    spans,
)
from service.audit.state import ONE_OFF, STREAM
from service.audit.terms import terms_problems

KINDS = {
    ONE_OFF: "one-off: each payout is paid once, in full",
    STREAM: "streams: each payout accrues by the second",
}
LAST_POSITION = 500


def batch_approval(data: TypedData, now: int) -> Words:
    """Explain a batch's approval."""
    number = data.number
    code, digits = number("regionCode"), number("regionDigits")
    words = Words("Approve a batch of payouts")
    words.facts |= {
        "programme": f"{number('programme')}, version {number('programmeVersion')}",
        "region": region(code, digits),
        "payouts": f"{number('count'):,}, in chunks of {number('chunkSize')}",
        "total": amount(number("total")),
        "kind": KINDS.get(number("kind"), f"unknown: {number('kind')}"),
    }
    if number("kind") == STREAM:
        words.facts |= _stream(data)
    words.facts |= {
        "to be run before": moment(number("executeBefore")),
        "expires": moment(number("expiresAt")),
        "maker": f"officer {number('maker')}",
        "batch": hex_text(data.bytes_of("batchId")),
        "chunks root": hex_text(data.bytes_of("chunksRoot")),
        "manifest hash": hex_text(data.bytes_of("manifestHash")),
    }
    words.consequences += [
        (
            "With the maker's signature and those of enough reviewers the total is committed "
            "from the programme's budget."
        ),
        (
            "Anybody may then have the listed wallets paid, and only these, up to the time "
            "above; what is not run by then returns to the budget."
        ),
        "Who is paid stands in the list alone: the two hashes commit to it.",
    ]
    approval = {name: value for name, value in data.values.items() if isinstance(value, int)}
    words.refusals += terms_problems(approval, now)
    return words


def _stream(data: TypedData) -> dict[str, str]:
    start, cliff, lasts = data.number("start"), data.number("cliff"), data.number("duration")
    return {
        "accrues from": moment(start),
        "cliff": f"{duration(cliff)}: nothing before {moment(start + cliff)}" if cliff else "none",
        "lasts": f"{duration(lasts)}: until {moment(start + lasts)}",
        "cadence": f"withdrawn in whole steps of {duration(data.number('cadence'))}",
    }


def batch_cancellation(data: TypedData, _now: int) -> Words:
    """Explain a batch's cancellation."""
    return Words(
        "Cancel a batch",
        {"batch": hex_text(data.bytes_of("batchId"))},
        [
            "No further chunk of the batch is run; what is not run returns to the budget.",
            "What was paid stays paid, what was skipped stays payable, open streams go on.",
            "It cannot be undone: the batch's id is used up.",
        ],
    )


def stream_cancellation(data: TypedData, _now: int) -> Words:
    """Explain the cutting of streams."""
    positions = list(bits(data.number("maskLow"), data.number("maskHigh")))
    words = Words(
        "Cut streams of a batch",
        {
            "batch": hex_text(data.bytes_of("batchId")),
            "chunk": str(data.number("chunkIndex")),
            "streams": f"{counted(len(positions), 'stream', 'streams')}, at positions "
            f"{spans(iter(positions))} of the chunk, counted from 0",
        },
        [
            (
                "What accrued up to the cut, to the second, stays theirs; the rest returns to "
                "the budget."
            ),
            "It cannot be undone.",
        ],
    )
    if not positions:
        words.refusals.append("it names no stream")
    elif positions[-1] >= LAST_POSITION:
        words.refusals.append(f"a chunk has {LAST_POSITION} payouts at most")
    return words


def batch_hold(data: TypedData, _now: int) -> Words:
    """Explain the hold of a batch."""
    return Words(
        "Hold a batch",
        {"batch": hex_text(data.bytes_of("batchId"))},
        [
            (
                "No chunk is run for 72 hours from when it is sent, but never later than a day "
                "before the batch's time is over."
            ),
            "One reviewer's signature is enough, once a batch; the hold runs out by itself.",
        ],
    )


def entry_hold(data: TypedData, _now: int) -> Words:
    """Explain the hold of one payout."""
    return Words(
        "Hold one payout",
        _payout(data),
        [
            (
                "What is unpaid of this payout, a skipped one or a stream, waits 72 hours from "
                "when it is sent."
            ),
            "One reviewer's signature is enough, once a payout; the hold runs out by itself.",
        ],
    )


def wallet_change(data: TypedData, _now: int) -> Words:
    """Explain the change of a payout's wallet."""
    old, new = data.bytes_of("from"), data.bytes_of("to")
    words = Words(
        "Pay a payout to another wallet",
        {**_payout(data), "paid now to": address(old), "from then on to": address(new)},
        [
            (
                "All that is unpaid of this payout, a skipped one or a stream, goes to the new "
                "wallet; what was paid stays where it is."
            ),
            "A hold of the payout ends.",
        ],
    )
    if old == new:
        words.refusals.append("the new wallet is the old one")
    if not any(new):
        words.refusals.append("nobody has the new wallet: it is the zero address")
    return words


def _payout(data: TypedData) -> dict[str, str]:
    return {
        "batch": hex_text(data.bytes_of("batchId")),
        "payout": f"index {data.number('index')} of the batch, counted from 0",
    }


def emergency_grant(data: TypedData, now: int) -> Words:
    """Explain an emergency grant."""
    number = data.number
    code, digits, commitment = (
        number("regionCode"),
        number("regionDigits"),
        data.bytes_of("caseCommitment"),
    )
    words = Words(
        "Grant money in an emergency, paid at once",
        {
            "amount": amount(number("amount")),
            "to the wallet": address(data.bytes_of("payee")),
            "region": region(code, digits),
            "granted by": f"officer {number('officer')}, alone",
            "may be sent until": moment(number("validUntil")),
            "grant": hex_text(data.bytes_of("grantId")),
            "case commitment": hex_text(commitment),
        },
        [
            "Your signature alone has it paid, by whoever sends it; it cannot be taken back.",
            (
                "Another officer, a reviewer, must countersign it in time: until then it counts"
                " as outstanding, and once overdue you can grant nothing more."
            ),
        ],
    )
    if now > number("validUntil"):
        words.refusals.append("its time is over")
    if not number("amount"):
        words.refusals.append("it pays nothing")
    if not any(commitment):
        words.refusals.append("it names no case")
    if not digits or not region_valid(code, digits):
        words.refusals.append("its region is impossible")
    if not any(data.bytes_of("payee")):
        words.refusals.append("nobody has the wallet: it is the zero address")
    return words


def grant_countersignature(data: TypedData, _now: int) -> Words:
    """Explain a countersignature."""
    return Words(
        "Countersign an emergency grant",
        {
            "grant": hex_text(data.bytes_of("grantId")),
            "paid": amount(data.number("amount")),
            "to the wallet": address(data.bytes_of("payee")),
        },
        [
            (
                "You stand by a payment that was made on another officer's signature alone: it "
                "is neither outstanding nor overdue any more."
            ),
            "It pays nothing further, and cannot be undone.",
        ],
    )


def grant_write_off(data: TypedData, _now: int) -> Words:
    """Explain a write-off."""
    return Words(
        "Write an emergency grant off",
        {"grant": hex_text(data.bytes_of("grantId"))},
        [
            (
                "The grant is neither outstanding nor overdue any more, though no reviewer "
                "stands by it; its officer and region may be open again."
            ),
            "What was paid stays paid.",
        ],
    )
