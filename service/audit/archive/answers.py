"""What a node was asked beside its blocks: written down, and given again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from service.audit.answers import fits
from service.audit.archive.schemas import FORMAT
from service.audit.rpc import Node, NodeRefused
from service.errors import InvalidInput

KEPT = frozenset({"eth_chainId", "eth_getCode", "eth_call", "eth_getTransactionByHash"})
ANSWERED, REFUSED = "result", "error"


class RecordingNode(Node):
    """A node whose answers are written down.

    Attributes
    ----------
    unrecorded
        The same node, asked without writing down.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._answers: dict[str, list[Any]] = {}
        self.unrecorded = Node(url)

    def batch(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """Ask as :meth:`Node.batch` does."""
        if method not in KEPT:
            return super().batch(method, params)
        try:
            results = super().batch(method, params)
        except NodeRefused as error:
            if len(params) == 1:
                self._keep(method, params[0], REFUSED, [error.rpc_code, error.detail])
            raise
        for each, result in zip(params, results, strict=True):
            self._keep(method, each, ANSWERED, result)
        return results

    def close(self) -> None:
        """Close the connections."""
        self.unrecorded.close()
        super().close()

    def answers(self) -> Iterator[list[Any]]:
        """Yield method, parameters, and what was said, of each question once."""
        yield from self._answers.values()

    def _keep(self, method: str, params: Sequence[Any], kind: str, said: Any) -> None:
        self._answers[_key(method, params)] = [method, list(params), kind, said]


class ArchivedNode(Node):
    """A node that gives the answers that were written down, and refuses all else.

    Parameters
    ----------
    last
        The last block, the newest that there is.
    header_of
        Returns the header of a block, as a node gives it; None where there is none.
    """

    def __init__(
        self, path: Path, last: int, header_of: Callable[[int], dict[str, Any] | None]
    ) -> None:
        # No connection is opened: there is nobody to ask.
        self.url = str(path)
        self._last, self._header_of = last, header_of
        self._answers = _read(path)

    def close(self) -> None:
        """There is no connection."""

    def batch(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """Answer as :meth:`Node.batch` does.

        Raises
        ------
        NodeRefused
            When the node refused it.
        InvalidInput
            When the node was not asked that.
        """
        return [self._answer(method, each) for each in params]

    def _answer(self, method: str, params: Sequence[Any]) -> Any:
        if method == "eth_blockNumber":
            return hex(self._last)
        if method == "eth_getBlockByNumber":
            return self._header_of(int(params[0], 16))
        kept = self._answers.get(_key(method, params))
        if kept is None and method == "eth_getTransactionByHash":
            return None
        if kept is None:
            raise InvalidInput(f"{self.url} has no answer to {method} {list(params)}")
        kind, said = kept
        if kind == REFUSED:
            raise NodeRefused(*said)
        return said


def _key(method: str, params: Sequence[Any]) -> str:
    return json.dumps([method, list(params)], sort_keys=True)


def _read(path: Path) -> dict[str, tuple[str, Any]]:
    """Read the answers.

    Raises
    ------
    InvalidInput
        When a line is none, naming it.
    """
    answers: dict[str, tuple[str, Any]] = {}
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            try:
                members = json.loads(line)
                if number == 1:
                    if members != [FORMAT]:
                        raise ValueError(f"its format is not {FORMAT}")  # noqa: TRY301
                    continue
                method, params, kind, said = members
                if kind == REFUSED:
                    said = int(said[0]), str(said[1])
                elif kind != ANSWERED or method not in KEPT or not fits(method, said):
                    raise ValueError("no answer of a node")  # noqa: TRY301
                answers[_key(method, params)] = (kind, said)
            except (LookupError, ArithmeticError, TypeError, ValueError, RecursionError) as error:
                raise InvalidInput(f"{path}, line {number}: {error}") from None
    return answers
