"""Many calls in one request, for tests that compare everything after each step."""

from collections.abc import Mapping, Sequence
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
    code
        Addresses at which other code stands for this call, and that code, 0x...
    time
        The block's timestamp for this call, Unix seconds; the newest block's unless said.
    """

    target: str
    data: str
    sender: str | None = None
    code: Mapping[str, str] | None = None
    time: int | None = None

    @property
    def parameters(self) -> list[Any]:
        """As ``eth_call`` takes them."""
        call = {"to": self.target, "data": self.data, "gas": "0xf42400"}
        state = {address: {"code": code} for address, code in (self.code or {}).items()}
        return [
            call | ({"from": self.sender} if self.sender else {}),
            "latest",
            state,
            {} if self.time is None else {"time": hex(self.time)},
        ]


def call_all(calls: Sequence[Call]) -> list[tuple[bool, bytes]]:
    """Make these calls at the newest block.

    Returns
    -------
    list
        For each whether it went through, and what it returned or was refused with.
    """
    asked = [
        {"jsonrpc": "2.0", "id": position, "method": "eth_call", "params": call.parameters}
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


def read_all(calls: Sequence[tuple[Any, tuple[Any, ...]]]) -> list[Any]:
    """Answers of these views, each a Brownie function and its arguments."""
    outcomes = call_all(
        [Call(function._address, function.encode_input(*given)) for function, given in calls]
    )
    assert all(went_through for went_through, _ in outcomes), outcomes
    return [
        function.decode_output("0x" + returned.hex())
        for (function, _), (_, returned) in zip(calls, outcomes, strict=True)
    ]
