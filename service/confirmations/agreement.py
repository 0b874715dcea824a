"""Whether several nodes tell the same chain, and whether the one that is read keeps up.

Compared is the newest block that is final or about to be: its hash stands for all before it. It is
done before a block is marked final, so that nothing settles on what another node denies.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from sqlalchemy.orm import Session, sessionmaker

from service.chain.rpc import Rpc, RpcError
from service.confirmations.alarms import AlarmKind, raise_alarm
from service.confirmations.models import Block
from service.db import transaction
from service.errors import ChainUnavailable, IntegrityError
from service.telemetry.logs import note

log = logging.getLogger(__name__)

COMPARE_EVERY_S = 5.0
"""The same final block is compared again after so long: a node may have come back."""

LAG_BLOCKS = 8
"""A node so far behind another is left alone for a while."""


class NodesDisagree(IntegrityError):
    """Two nodes have different final blocks; a person must say which is right."""

    code, title = "nodes_disagree", "The chain nodes disagree"


class Agreement:
    """Compares the node that is read with the others.

    Parameters
    ----------
    depth_blocks
        Blocks after which inclusion is final.
    """

    def __init__(
        self, sessions: sessionmaker[Session], rpc: Rpc, chain_id: int, depth_blocks: int
    ) -> None:
        self._sessions = sessions
        self._rpc = rpc
        self._chain_id = chain_id
        self._depth = depth_blocks
        self._compared: tuple[int, float] | None = None

    def check(self, head: int, hashes: Mapping[int, str]) -> None:
        """Compare; does nothing where there is one node.

        Parameters
        ----------
        head
            Newest block of the node that is read.
        hashes
            Of its blocks that are not stored yet, by number.

        Raises
        ------
        NodesDisagree
            If another node has another final block; an alarm is written.
        """
        if not self._rpc.several:
            return
        for refusal in self._rpc.refusals():
            with transaction(self._sessions) as session:
                raise_alarm(session, AlarmKind.NODE_REFUSED, refusal, None)
        with transaction(self._sessions) as session:
            number = head - self._depth
            stored = session.get(Block, number)
        block_hash = hashes.get(number, stored.hash if stored is not None else None)
        if block_hash is None:
            return
        now_s = time.monotonic()
        if self._compared is not None:
            last, at_s = self._compared
            if last == number and now_s - at_s < COMPARE_EVERY_S:
                return
        ahead = 0
        for other in self._rpc.others():
            try:
                theirs, newest = other.header(number), other.block_number()
            except (ChainUnavailable, RpcError) as error:
                facts = {"node": other.name, "detail": error.detail}
                note(log, "node_not_compared", logging.WARNING, **facts)
                continue
            if theirs is not None and theirs["hash"] != block_hash:
                self._stop(number, block_hash, other, theirs["hash"])
            ahead = max(ahead, newest - head)
        if ahead >= LAG_BLOCKS:
            note(log, "node_behind", logging.WARNING, node=self._rpc.name, blocks=ahead)
            self._rpc.set_aside()
        self._compared = (number, now_s)

    def _stop(self, number: int, our_hash: str, other: Rpc, their_hash: str) -> None:
        detail = (
            f"block {number}, final, is {our_hash} at {self._rpc.name} "
            f"and {their_hash} at {other.name}"
        )
        with transaction(self._sessions) as session:
            raise_alarm(session, AlarmKind.NODES_DISAGREE, detail, number)
        raise NodesDisagree(detail)
