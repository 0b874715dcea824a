"""What a node's answers look like (Ethereum's JSON-RPC specification), before anybody reads them.

An answer of another shape is no difference of the chain's but a node that cannot be used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Fits = Callable[[Any], bool]


def _text(pattern: str) -> Fits:
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _or_none(fits: Fits) -> Fits:
    return lambda value: value is None or fits(value)


def _list(fits: Fits) -> Fits:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _object(members: Mapping[str, Fits], optional: Mapping[str, Fits]) -> Fits:
    return lambda value: (
        isinstance(value, dict)
        and all(name in value and fits(value[name]) for name, fits in members.items())
        and all(name not in value or fits(value[name]) for name, fits in optional.items())
    )


_QUANTITY = _text("0x[0-9a-fA-F]{1,64}")
_DATA = _text("0x(?:[0-9a-fA-F]{2})*")
_HASH = _text("0x[0-9a-fA-F]{64}")

_PLACE = _text("0x[0-9a-fA-F]{1,15}")
"""Block, time or position: no chain has one of more than 60 bits."""

_BLOCK = _object(
    {
        **dict.fromkeys(("number", "timestamp"), _PLACE),
        "gasUsed": _QUANTITY,
        **dict.fromkeys(("hash", "parentHash", "receiptsRoot"), _HASH),
        "logsBloom": _text("0x[0-9a-fA-F]{512}"),
    },
    {"transactions": lambda value: isinstance(value, list)},
)
_LOG = _object(
    {
        **dict.fromkeys(("blockNumber", "logIndex"), _PLACE),
        "transactionIndex": _text("0x[0-9a-fA-F]{1,7}"),
        **dict.fromkeys(("blockHash", "transactionHash"), _HASH),
        "address": _text("0x[0-9a-fA-F]{40}"),
        "topics": _list(_HASH),
        "data": _DATA,
    },
    {},
)
_TRANSACTION = _object({"input": _DATA}, {"to": _or_none(_text("0x[0-9a-fA-F]{40}"))})

ANSWERS: dict[str, Fits] = {
    "eth_blockNumber": _QUANTITY,
    "eth_call": _DATA,
    "eth_chainId": _QUANTITY,
    "eth_getBlockByNumber": _or_none(_BLOCK),
    "eth_getCode": _DATA,
    "eth_getLogs": _list(_LOG),
    "eth_getTransactionByHash": _or_none(_TRANSACTION),
}
"""Method → whether a result can be one of it. Receipts are judged by the root that they give."""


def fits(method: str, result: Any) -> bool:
    """Tell whether a result can be a method's."""
    known = ANSWERS.get(method)
    return known is None or known(result)
