"""Many views read in one request, for tests that compare everything after each step."""

from collections.abc import Sequence
from typing import Any

import requests
from brownie import web3

_session = requests.Session()


def read_all(calls: Sequence[tuple[Any, tuple[Any, ...]]]) -> list[Any]:
    """Answers of these views at the newest block, each a Brownie function and its arguments."""
    asked = [
        {
            "jsonrpc": "2.0",
            "id": position,
            "method": "eth_call",
            "params": [
                {"to": function._address, "data": function.encode_input(*arguments)},
                "latest",
            ],
        }
        for position, (function, arguments) in enumerate(calls)
    ]
    answers = _session.post(web3.provider.endpoint_uri, json=asked, timeout=60).json()
    results = {answer["id"]: answer["result"] for answer in answers}
    return [
        function.decode_output(results[position]) for position, (function, _) in enumerate(calls)
    ]
