"""One client over several nodes of a chain: fail-over, one node a round, sends to all.

What is read belongs together only when one node said it, so a logical read is *pinned* to one node
and fails with it; the next one takes another. Signed bytes go to every node: the same bytes are
harmless, and a node that died with them in its pool loses nothing.

The first address is preferred: a node that failed is left alone for 1 s, doubling to a minute, and
is then used again. Before it is used, and again after each failure, a node must pass the caller's
check: one of another chain, or with other contracts, is refused (decision 0088).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from service.chain.rpc import DEFAULT_TIMEOUT_S, Rpc, RpcError
from service.errors import ChainUnavailable, ConfigurationError

FIRST_REST_S = 1.0
LONGEST_REST_S = 60.0
"""How long a node that failed is left alone: doubling from the first to the longest."""

SEND = "eth_sendRawTransaction"

OVERLOADED = frozenset({429, -32005})
"""Codes in which providers say, in a success of HTTP, that they were asked too much (EIP-1474)."""


@dataclass
class _Node:
    rpc: Rpc
    checked: bool = False
    failures: int = 0
    rests_until_s: float = 0.0

    def rest(self) -> None:
        self.checked = False
        self.rests_until_s = time.monotonic() + min(
            FIRST_REST_S * 2 ** min(self.failures, 10), LONGEST_REST_S
        )
        self.failures += 1


class Nodes(Rpc):
    """Several nodes of one chain as one client.

    Parameters
    ----------
    nodes
        A client each, the preferred one first; closed with this one.
    check
        Raises :class:`ConfigurationError` for a node that must not be used.
    """

    several = True

    def __init__(self, nodes: Sequence[Rpc], check: Callable[[Rpc], None]) -> None:
        super().__init__(nodes[0].url)
        self._nodes = [_Node(rpc) for rpc in nodes]
        for rpc in nodes:
            rpc.nodes = len(nodes)
        self._check = check
        self._pinned: _Node | None = None
        self._refused: list[str] = []

    def close(self) -> None:
        """Close all connections."""
        super().close()
        for node in self._nodes:
            node.rpc.close()

    # ---- asking --------------------------------------------------------------------------------

    def call(self, method: str, *params: Any) -> Any:
        """Call one method on the pinned node, or on the first that answers.

        Raises
        ------
        ChainUnavailable
            If no usable answer came.
        RpcError
            If the node answered with an error.
        ConfigurationError
            If no node passes the check.
        """
        if method == SEND:
            (answer,) = self.batch([(method, params)])
            if isinstance(answer, RpcError):
                raise answer
            return answer
        return self._ask(lambda rpc: rpc.call(method, *params))

    def batch(self, calls: Iterable[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Call several methods on one node; signed transactions go to all of them.

        Of a transaction the best answer counts: one node that takes it is enough.

        Raises
        ------
        ChainUnavailable
            If no node gave a usable answer to all calls.
        ConfigurationError
            If no node passes the check.
        """
        wanted = list(calls)
        if any(method == SEND for method, _ in wanted):
            return self._send(wanted)
        answers: list[Any] = self._ask(lambda rpc: _not_overloaded(rpc, rpc.batch(wanted)))
        return answers

    def _ask(self, question: Callable[[Rpc], Any]) -> Any:
        if self._pinned is not None:
            return self._answer(self._pinned, question)
        last: ChainUnavailable | None = None
        for node in self._usable():
            try:
                return self._answer(node, question)
            except ChainUnavailable as error:
                last = error
        raise last or ChainUnavailable("no node answers")

    def _answer(self, node: _Node, question: Callable[[Rpc], Any]) -> Any:
        try:
            answer = question(node.rpc)
        except RpcError as error:
            if error.rpc_code not in OVERLOADED:
                raise
            node.rest()
            raise ChainUnavailable(f"{node.rpc.shown_url}: {error.message}") from error
        except ChainUnavailable:
            node.rest()
            raise
        if node is not self._pinned:
            node.failures = 0
        return answer

    def _send(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        best: list[Any] | None = None
        last: ChainUnavailable | None = None
        for node in self._usable():
            try:
                answers = node.rpc.batch(calls)
            except ChainUnavailable as error:
                node.rest()
                last = error
                continue
            if best is None:
                best = answers
            best = [
                new if isinstance(old, RpcError) and not isinstance(new, RpcError) else old
                for old, new in zip(best, answers, strict=True)
            ]
        if best is None:
            raise last or ChainUnavailable("no node answers")
        return best

    # ---- choosing ------------------------------------------------------------------------------

    def _usable(self) -> Iterator[_Node]:
        """The nodes that may be asked now, the pinned one first; where all rest, all of them.

        Raises
        ------
        ConfigurationError
            If none passes the check, and none may only be away.
        """
        now_s = time.monotonic()
        order = sorted(self._nodes, key=lambda node: node is not self._pinned)
        awake = [node for node in order if node.rests_until_s <= now_s]
        refusal: ConfigurationError | None = None
        unknown = False
        for node in awake or sorted(order, key=lambda node: node.rests_until_s):
            try:
                self._admit(node)
            except ConfigurationError as error:
                refusal = error
                continue
            except (ChainUnavailable, RpcError):
                unknown = True
                continue
            unknown = True
            yield node
        if refusal is not None and not unknown and len(awake) in (0, len(self._nodes)):
            raise refusal

    def _admit(self, node: _Node) -> None:
        if node.checked:
            return
        try:
            self._check(node.rpc)
        except ConfigurationError as error:
            node.rest()
            node.rests_until_s = time.monotonic() + LONGEST_REST_S
            self._refused.append(f"{node.rpc.name}: {error.detail}")
            raise
        except (ChainUnavailable, RpcError):
            node.rest()
            raise
        node.checked = True

    @contextmanager
    def pinned(self) -> Iterator[None]:
        """Ask one node alone while the block runs, and fail with it.

        Raises
        ------
        ChainUnavailable
            If no node can be asked.
        ConfigurationError
            If none passes the check.
        """
        node = next(self._usable(), None)
        if node is None:
            raise ChainUnavailable("no node answers")
        self._pinned, self.url, self.name = node, node.rpc.url, node.rpc.name
        self.shown_url = node.rpc.shown_url
        try:
            yield
            if node.checked:  # neither failed nor set aside in all the while
                node.failures = 0
        finally:
            self._pinned = None

    def set_aside(self) -> None:
        """Leave the pinned node alone for a while: it answers, but not as it should."""
        if self._pinned is not None and self._pinned.rests_until_s <= time.monotonic():
            self._pinned.rest()

    def others(self) -> Iterator[Rpc]:
        """Return the nodes beside the pinned one that can be asked now."""
        for node in self._usable():
            if node is not self._pinned:
                yield node.rpc

    def refusals(self) -> list[str]:
        """Return which nodes were refused since the last call, and why."""
        found, self._refused = self._refused, []
        return found

    @property
    def has_another(self) -> bool:
        """Whether a node is there that did not fail a moment ago."""
        now_s = time.monotonic()
        return any(node.rests_until_s <= now_s for node in self._nodes)

    def hurry(self) -> None:
        """Wait for no answer much longer, on any node.

        Raises
        ------
        ChainUnavailable
            In the middle of a wait.
        """
        for node in sorted(self._nodes, key=lambda node: node.rpc.waiting):
            node.rpc.hurry()
        super().hurry()


def open_rpc(
    urls: Sequence[str], check: Callable[[Rpc], None], *, timeout_s: float = DEFAULT_TIMEOUT_S
) -> Rpc:
    """Return a client of one node, or of several as one.

    Parameters
    ----------
    urls
        Addresses, the preferred one first.
    check
        Of several nodes: raises :class:`ConfigurationError` for one that must not be used. One
        alone is checked by those who begin something with it.
    """
    nodes = [Rpc(url, timeout_s=timeout_s) for url in urls]
    return nodes[0] if len(nodes) == 1 else Nodes(nodes, check)


def _not_overloaded(rpc: Rpc, answers: list[Any]) -> list[Any]:
    for answer in answers:
        if isinstance(answer, RpcError) and answer.rpc_code in OVERLOADED:
            raise ChainUnavailable(f"{rpc.shown_url}: {answer.message}")
    return answers
