"""Many calls in one request, for tests that compare everything after each step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import requests
from brownie import web3

_session = requests.Session()


@dataclass(frozen=True)
class Call:
    """A call that leaves nothing behind.

    Attributes
    ----------
    data
        The whole calldata, 0x...
    sender
        Who calls, contracts too; the zero address unless said.
    """

    target: str
    data: str
    sender: str | None = None


def call_all(calls: Sequence[Call], **overrides: Any) -> list[tuple[bool, bytes]]:
    """Make these calls at the newest block.

    Parameters
    ----------
    overrides
        ``state`` and ``block``, as ``eth_call`` takes them: what stands differently for these calls.

    Returns
    -------
    list
        For each whether it went through, and what it returned or was refused with.
    """
    further = [overrides.get("state", {}), overrides.get("block", {})] if overrides else []
    asked = [
        {
            "jsonrpc": "2.0",
            "id": position,
            "method": "eth_call",
            "params": [
                {"to": call.target, "data": call.data, "gas": "0xf42400"}
                | ({"from": call.sender} if call.sender else {}),
                "latest",
                *further,
            ],
        }
        for position, call in enumerate(calls)
    ]
    answers = _session.post(web3.provider.endpoint_uri, json=asked, timeout=60).json()
    by_position = {answer["id"]: answer for answer in answers}
    return [_outcome(by_position[position]) for position in range(len(calls))]


def _outcome(answer: dict[str, Any]) -> tuple[bool, bytes]:
    if "result" in answer:
        return True, bytes.fromhex(answer["result"][2:])
    assert "data" in answer["error"], answer["error"]
    return False, bytes.fromhex(answer["error"]["data"][2:])


def read_all(calls: Sequence[tuple[Any, tuple[Any, ...]]], **overrides: Any) -> list[Any]:
    """Answers of these views, each a Brownie function and its arguments; `overrides` as above."""
    outcomes = call_all(
        [Call(function._address, function.encode_input(*given)) for function, given in calls],
        **overrides,
    )
    assert all(went_through for went_through, _ in outcomes), outcomes
    return [
        function.decode_output("0x" + returned.hex())
        for (function, _), (_, returned) in zip(calls, outcomes, strict=True)
    ]
