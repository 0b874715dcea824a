"""A node that keeps geth's rules in front of anvil, and misbehaves when it is told to.

It owns the pool, the mining and the clock of the chain behind it, so that a run with the same
faults at the same requests gives the same blocks. anvil runs with ``--no-mining --order fifo``.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any
from urllib.parse import urlsplit

import orjson

from service.chain.devnode import DevNode, start_anvil
from tests.faults.pool import GethPool, Pooled, Refused, decode

BLOCK_TIME_S = 2
DEEPEST_REORG = 64

TAG_POSITION = {
    "eth_getBlockByNumber": 0,
    "eth_getTransactionCount": 1,
    "eth_getBalance": 1,
    "eth_getCode": 1,
    "eth_call": 1,
    "eth_estimateGas": 1,
}
"""Where a method's parameters name a block."""


class Fault(StrEnum):
    """What the node does wrong with one HTTP request."""

    DROP_REQUEST = "drop_request"
    DROP_REPLY = "drop_reply"
    DUPLICATE = "duplicate"
    DELAY = "delay"
    STALE_HEAD = "stale_head"
    HIDE_RECEIPT = "hide_receipt"
    HTTP_429 = "http_429"
    HTTP_500 = "http_500"
    INTERNAL_ERROR = "internal_error"
    LIMIT_EXCEEDED = "limit_exceeded"
    GARBAGE = "garbage"
    LEAVE_OUT = "leave_out"
    EVICT = "evict"
    REORG = "reorg"


class Unanswered(Exception):
    """The connection breaks without an answer."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer.

    Attributes
    ----------
    delay_s
        Seconds to wait before it is given, where there is a clock to wait by.
    """

    status: int
    content: bytes
    delay_s: float = 0.0


NO_ANSWERS = {
    Fault.HTTP_429: Reply(429, b'{"error": "too many requests"}'),
    Fault.HTTP_500: Reply(500, b"upstream connect error"),
}
ERRORS = {
    Fault.INTERNAL_ERROR: (-32603, "internal error"),
    Fault.LIMIT_EXCEEDED: (-32005, "limit exceeded"),
}


@dataclass
class FaultPlan:
    """Which requests are answered wrongly, drawn from a seed.

    Attributes
    ----------
    rates
        Chance of each fault at one HTTP request.
    reorg_depth
        The deepest re-org; 0 for none.
    done
        How often each fault was done.
    forced
        Faults for the next requests, before any is drawn.
    waiting
        Faults drawn for a request that gave no occasion: they fall on the first that does.
    """

    random: Random
    rates: dict[Fault, float] = field(default_factory=dict)
    reorg_depth: int = 0
    delay_s: float = 0.05
    done: dict[Fault, int] = field(default_factory=dict)
    forced: list[Fault | None] = field(default_factory=list)
    waiting: list[Fault] = field(default_factory=list)

    def draw(self) -> Fault | None:
        """The fault of the next request."""
        if self.forced:
            return self.forced.pop(0)
        at = self.random.random()
        for fault, rate in self.rates.items():
            at -= rate
            if at < 0:
                return fault
        return None

    def count(self, fault: Fault) -> None:
        """Note that a fault was done."""
        self.done[fault] = self.done.get(fault, 0) + 1


class Upstream:
    """anvil, over one kept connection."""

    def __init__(self, url: str) -> None:
        self.url = url
        host = urlsplit(url)
        self._connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=60)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def post(self, body: bytes) -> Any:
        """Send a body and read the JSON answer."""
        for attempt in (1, 2):
            try:
                headers = {"Content-Type": "application/json"}
                self._connection.request("POST", "/", body, headers)
                return orjson.loads(self._connection.getresponse().read())
            except (http.client.HTTPException, OSError):
                self._connection.close()
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")

    def rpc(self, method: str, *params: Any) -> Any:
        """Call one method; an error raises."""
        answer = self.post(
            orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        )
        if "error" in answer:
            raise RuntimeError(f"anvil refused {method}{params!r:.200}: {answer['error']}")
        return answer["result"]

    def each(self, method: str, accounts: Sequence[str]) -> dict[str, int]:
        """A number of each account at the newest block, in one request."""
        calls = [
            {"jsonrpc": "2.0", "id": n, "method": method, "params": [account, "latest"]}
            for n, account in enumerate(accounts)
        ]
        answers = self.post(orjson.dumps(calls)) if calls else []
        return {accounts[answer["id"]]: int(answer["result"], 16) for answer in answers}


@dataclass
class Mined:
    """A block made here: what to go back to, and what was in it."""

    number: int
    snapshot: str
    transactions: list[Pooled]
    timestamp: int


class FaultyNode:
    """geth's rules and a plan of faults in front of anvil.

    Attributes
    ----------
    plan
        Faults of the requests to come; None for a node that behaves.
    mine_on_send
        Chance that a block is made after a request that brought a transaction.
    mine_on_request
        Chance that one is made before any other request, where something waits.
    final_depth
        No re-org goes deeper than so many blocks below the highest head there ever was: two after
        one another would take back what was final.
    highest
        That head.
    observers
        Called with each transaction that arrives over the wire, before any rule is looked at.
    on_mined
        Called with each transaction that went into a block.
    """

    def __init__(self, url: str, chain_id: int) -> None:
        self.upstream = Upstream(url)
        self.chain_id = chain_id
        self.pool = GethPool(chain_id)
        self.plan: FaultPlan | None = None
        self.random = Random(0)
        self.mine_on_send = 1.0
        self.mine_on_request = 1.0
        self.block_transactions: int | None = None
        self.base_fee = 0
        self.observers: list[Callable[[Pooled], None]] = []
        self.on_mined: list[Callable[[Pooled], None]] = []
        self.final_depth: int | None = None
        self.lag_blocks = 0
        self.lag_requests = 0
        self.blocks: list[Mined] = []
        self.reorgs = 0
        self.deepest = 0
        self._read_head()

    def _read_head(self) -> None:
        header = self.upstream.rpc("eth_getBlockByNumber", "latest", False)
        self.head = int(header["number"], 16)
        self.timestamp = int(header["timestamp"], 16)
        self.gas_limit = int(header["gasLimit"], 16)
        self.highest = self.head

    def close(self) -> None:
        """Close the connection to anvil."""
        self.upstream.close()

    # ---- the chain -----------------------------------------------------------------------------

    def reset(self, snapshot: str) -> str:
        """Go back to a snapshot of before and forget pool, blocks and faults; a new snapshot."""
        self.upstream.rpc("evm_revert", snapshot)
        self.pool.clear()
        self.blocks.clear()
        self.plan, self.lag_blocks, self.lag_requests = None, 0, 0
        self.reorgs = self.deepest = 0
        self.base_fee, self.block_transactions, self.final_depth = 0, None, None
        self.mine_on_send = self.mine_on_request = 1.0
        self.observers.clear()
        self.on_mined.clear()
        self._read_head()
        return str(self.upstream.rpc("evm_snapshot"))

    def nonce(self, sender: str, seen: int | None = None) -> int:
        """Nonce of an account by the chain, or by its first `seen` blocks.

        By what was mined here since: anvil does not always have the state of an older block.
        """
        nonce = int(self.upstream.rpc("eth_getTransactionCount", sender, "latest"), 16)
        if seen is None:
            return nonce
        later = (tx for block in self.blocks if block.number > seen for tx in block.transactions)
        return nonce - sum(tx.sender.lower() == sender.lower() for tx in later)

    def mine(self, blocks: int = 1, *, limit: int | None = None, empty: bool = False) -> None:
        """Make blocks of what waits.

        Parameters
        ----------
        limit
            At most so many transactions a block.
        empty
            Leave the pool alone.
        """
        for _ in range(blocks):
            self._mine_one(0 if empty else limit)

    def _mine_one(self, limit: int | None) -> None:
        snapshot = self.upstream.rpc("evm_snapshot")
        chosen: list[Pooled] = []
        if limit != 0 and len(self.pool):
            nonces = self.upstream.each("eth_getTransactionCount", self.pool.senders())
            self.pool.drop_used(nonces)
            self.pool.drop_unpayable(self.upstream.each("eth_getBalance", self.pool.senders()))
            chosen = self.pool.executable(nonces, base_fee=self.base_fee, gas_limit=self.gas_limit)[
                :limit
            ]
        self.timestamp += BLOCK_TIME_S
        self.upstream.rpc("evm_setNextBlockTimestamp", self.timestamp)
        self.upstream.rpc("anvil_setNextBlockBaseFeePerGas", hex(self.base_fee))
        for tx in chosen:
            self.upstream.rpc("eth_sendRawTransaction", "0x" + tx.raw.hex())
        self.upstream.rpc("evm_mine")
        self.head += 1
        self.highest = max(self.highest, self.head)
        if chosen:
            self.upstream.rpc("anvil_dropAllTransactions")
        for tx in chosen:
            self.pool.drop(tx.tx_hash)
            for told in self.on_mined:
                told(tx)
        self.blocks.append(Mined(self.head, snapshot, chosen, self.timestamp))
        del self.blocks[:-DEEPEST_REORG]

    def advance(self, seconds: int) -> None:
        """Move the chain's clock and make a block."""
        self.timestamp += max(0, seconds - BLOCK_TIME_S)
        self.mine()

    def reorg(
        self, depth: int, *, keep: Callable[[Pooled], bool] = lambda _tx: True, blocks: int = 1
    ) -> int:
        """Take back the newest blocks and let others follow.

        Parameters
        ----------
        depth
            How many to take back; as many as were made here at most.
        keep
            Which of their transactions return to the pool.
        blocks
            How many new ones follow at once: the first empty, the others with what waits.

        Returns
        -------
        int
            How many were taken back.
        """
        depth = min(depth, len(self.blocks))
        if self.final_depth is not None:
            depth = min(depth, self.head - (self.highest - self.final_depth))
        if depth <= 0:
            return 0
        gone = self.blocks[-depth:]
        del self.blocks[-depth:]
        self.upstream.rpc("evm_revert", gone[0].snapshot)
        self.head -= depth
        for block in gone:
            for tx in block.transactions:
                if keep(tx):
                    self.pool.put_back(tx)
        # One second later than the newest ever was, so that no block is what it had been.
        self.timestamp += 1
        self.mine(empty=True)
        self.mine(blocks - 1)
        self.reorgs += 1
        self.deepest = max(self.deepest, depth)
        return depth

    # ---- requests ------------------------------------------------------------------------------

    def answer(self, body: bytes) -> Reply:
        """Answer one HTTP request, rightly or as planned.

        Raises
        ------
        Unanswered
            If the connection breaks.
        """
        if len(self.pool) and self.random.random() < self.mine_on_request:
            self.mine(limit=self.block_transactions)
        plan = self.plan
        if plan is None:
            return self._rightly(orjson.loads(body))
        drawn = plan.draw()
        for fault in [*plan.waiting, *([] if drawn is None else [drawn])]:
            reply = self._wrong(body, fault, plan)
            if reply is not None:
                if fault in plan.waiting:
                    plan.waiting.remove(fault)
                plan.count(fault)
                return reply
        if drawn is not None and drawn not in plan.waiting:
            plan.waiting.append(drawn)
        return self._rightly(orjson.loads(body))

    def _rightly(self, asked: Any) -> Reply:
        return Reply(200, orjson.dumps(self._forward(asked)))

    def _wrong(self, body: bytes, fault: Fault, plan: FaultPlan) -> Reply | None:
        """Do a fault; None where it has nothing to do wrong here."""
        asked = orjson.loads(body)
        if fault in NO_ANSWERS:
            return NO_ANSWERS[fault]
        if fault in ERRORS:
            calls = asked if isinstance(asked, list) else [asked]
            answers = [_error(call, *ERRORS[fault]) for call in calls]
            return Reply(200, orjson.dumps(answers if isinstance(asked, list) else answers[0]))
        done: dict[Fault, Callable[[Any, FaultPlan], Reply | None]] = {
            Fault.DROP_REQUEST: self._drop_request,
            Fault.DROP_REPLY: self._drop_reply,
            Fault.DUPLICATE: self._duplicate,
            Fault.DELAY: self._delay,
            Fault.GARBAGE: self._garbage,
            Fault.LEAVE_OUT: self._leave_out,
            Fault.HIDE_RECEIPT: self._hide_receipt,
            Fault.STALE_HEAD: self._fall_behind,
            Fault.EVICT: self._evict,
            Fault.REORG: self._reorganise,
        }
        return done[fault](asked, plan)

    def _drop_request(self, _asked: Any, plan: FaultPlan) -> Reply | None:
        plan.count(Fault.DROP_REQUEST)
        raise Unanswered("the request was lost")

    def _drop_reply(self, asked: Any, plan: FaultPlan) -> Reply | None:
        self._forward(asked)
        plan.count(Fault.DROP_REPLY)
        raise Unanswered("the reply was lost")

    def _duplicate(self, asked: Any, _plan: FaultPlan) -> Reply | None:
        self._forward(asked)
        return self._rightly(asked)

    def _delay(self, asked: Any, plan: FaultPlan) -> Reply | None:
        reply = self._rightly(asked)
        return Reply(reply.status, reply.content, plan.delay_s)

    def _garbage(self, asked: Any, plan: FaultPlan) -> Reply | None:
        content = orjson.dumps(self._forward(asked))
        cut = plan.random.randrange(1, len(content)) if len(content) > 1 else 0
        return Reply(200, plan.random.choice([content[:cut], b"<html>502</html>", b"\xff\x00"]))

    def _leave_out(self, asked: Any, plan: FaultPlan) -> Reply | None:
        if not isinstance(asked, list):
            return None
        answers = self._forward(asked)
        del answers[plan.random.randrange(len(answers))]
        return Reply(200, orjson.dumps(answers))

    def _hide_receipt(self, asked: Any, _plan: FaultPlan) -> Reply | None:
        calls = asked if isinstance(asked, list) else [asked]
        if not any(call["method"] == "eth_getTransactionReceipt" for call in calls):
            return None
        answered = self._forward(asked)
        answers = answered if isinstance(answered, list) else [answered]
        for call, answer in zip(calls, answers, strict=True):
            if call["method"] == "eth_getTransactionReceipt" and "result" in answer:
                answer["result"] = None
        return Reply(200, orjson.dumps(answered))

    def _fall_behind(self, asked: Any, plan: FaultPlan) -> Reply | None:
        self.lag_blocks = plan.random.randint(1, 4)
        self.lag_requests = plan.random.choice([1, 1, 3, 12])
        return self._rightly(asked)

    def _evict(self, asked: Any, plan: FaultPlan) -> Reply | None:
        waiting = self.pool.all()
        if not waiting:
            return None
        for tx in plan.random.sample(waiting, plan.random.randint(1, len(waiting))):
            self.pool.drop(tx.tx_hash)
        return self._rightly(asked)

    def _reorganise(self, asked: Any, plan: FaultPlan) -> Reply | None:
        depth = plan.random.randint(1, plan.reorg_depth) if plan.reorg_depth else 0
        returned = plan.random.choice([1.0, 1.0, 0.5, 0.0])
        done = self.reorg(
            depth,
            keep=lambda _tx: plan.random.random() < returned,
            blocks=plan.random.choice([1, depth, depth + 1]),
        )
        return self._rightly(asked) if done else None

    # ---- answering -----------------------------------------------------------------------------

    def _forward(self, asked: Any) -> Any:
        calls = asked if isinstance(asked, list) else [asked]
        lag = 0
        if self.lag_requests:
            self.lag_requests -= 1
            lag = self.lag_blocks
        seen = max(0, self.head - lag)
        answers: list[Any] = [None] * len(calls)
        passed: list[tuple[int, dict[str, Any]]] = []
        brought = False
        for at, call in enumerate(calls):
            if call["method"] == "eth_sendRawTransaction":
                answers[at] = self._take(call, seen)
                brought = True
            else:
                answers[at] = self._own_answer(call, seen)
                if answers[at] is None:
                    passed.append((at, self._at(call, seen) if lag else call))
        if passed:
            for (at, call), answer in zip(passed, self._pass_on(passed), strict=True):
                answers[at] = self._unseen(call, answer, seen) if lag else answer
        if brought and len(self.pool) and self.random.random() < self.mine_on_send:
            self.mine(limit=self.block_transactions)
        return answers if isinstance(asked, list) else answers[0]

    def _pass_on(self, passed: Sequence[tuple[int, dict[str, Any]]]) -> list[Any]:
        body = [{**call, "id": number} for number, (_, call) in enumerate(passed)]
        answers = self.upstream.post(orjson.dumps(body))
        by_number = {answer["id"]: answer for answer in answers}
        return [{**by_number[n], "id": call["id"]} for n, (_, call) in enumerate(passed)]

    def _take(self, call: dict[str, Any], seen: int) -> dict[str, Any]:
        """``eth_sendRawTransaction`` by geth's rules, for a node that has read `seen` blocks."""
        try:
            tx = decode(bytes.fromhex(call["params"][0][2:]))
        except Refused as refused:
            return _error(call, -32000, str(refused))
        for told in self.observers:
            told(tx)
        nonce = self.nonce(tx.sender)
        try:
            if seen < self.head and self.nonce(tx.sender, seen) <= tx.nonce < nonce:
                # This node does not know yet that the nonce is used; the network drops it.
                return _result(call, tx.tx_hash)
            balance = int(self.upstream.rpc("eth_getBalance", tx.sender, "latest"), 16)
            self.pool.add(tx, state_nonce=nonce, balance=balance)
        except Refused as refused:
            return _error(call, -32000, str(refused))
        return _result(call, tx.tx_hash)

    def _own_answer(self, call: dict[str, Any], seen: int) -> dict[str, Any] | None:
        """What only this node knows; None for anvil to answer."""
        method, params = call["method"], call["params"]
        if method == "eth_blockNumber":
            return _result(call, hex(seen))
        if method == "eth_getTransactionCount" and params[1:] == ["pending"]:
            nonce = self.nonce(params[0], seen)
            return _result(call, hex(self.pool.pending_nonce(params[0], nonce)))
        if method == "eth_getTransactionByHash" and params[0] in self.pool:
            return _result(call, {"hash": params[0], "blockNumber": None})
        if method == "eth_maxPriorityFeePerGas":
            return _result(call, hex(10**8 if self.base_fee else 0))
        return None

    def _at(self, call: dict[str, Any], seen: int) -> dict[str, Any]:
        """The same call on a chain that ends at `seen`."""
        position = TAG_POSITION.get(call["method"])
        if position is None:
            return call
        params = list(call["params"])
        if len(params) <= position:
            params.append("latest")
        if params[position] in ("latest", "pending", "safe", "finalized"):
            params[position] = hex(seen)
        return {**call, "params": params}

    def _unseen(self, call: dict[str, Any], answer: dict[str, Any], seen: int) -> dict[str, Any]:
        """The answer as a node gives it that knows no block above `seen`."""
        method, result = call["method"], answer.get("result")
        position = TAG_POSITION.get(method)
        if position is not None and method != "eth_getBlockByNumber":
            tag = call["params"][position]
            if isinstance(tag, str) and tag.startswith("0x") and int(tag, 16) > seen:
                return _error(call, -32000, "header not found")
        blocks = method in ("eth_getBlockByNumber", "eth_getBlockByHash")
        if blocks and result is not None and int(result["number"], 16) > seen:
            return _result(call, None)
        if method in ("eth_getTransactionReceipt", "eth_getTransactionByHash"):
            number = (result or {}).get("blockNumber")
            if number is not None and int(number, 16) > seen:
                return _result(call, None)
        if method == "eth_getLogs" and "blockHash" in call["params"][0]:
            header = self.upstream.rpc("eth_getBlockByHash", call["params"][0]["blockHash"], False)
            if header is None or int(header["number"], 16) > seen:
                return _error(call, -32000, "unknown block")
        return answer


def _result(call: dict[str, Any], result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call["id"], "result": result}


def _error(call: dict[str, Any], code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": code, "message": message}}


@contextmanager
def start_bare_anvil() -> Iterator[DevNode]:
    """An anvil that makes blocks only when it is told to, of what it is given, in that order."""
    with start_anvil(extra_arguments=("--no-mining", "--order", "fifo")) as node:
        yield node
