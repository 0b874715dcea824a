"""A deployment as it is driven: fast, by its own clock, and signed with keys of every type.

Nothing here depends on the machine's clock or on the order in which a node hears of transactions:
a block is mined when asked for, at the second that is given, so a seed gives the same chain always.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from service.chain.contracts import load_bytecode
from service.chain.devcontracts import HOUSEKEEPING, send_and_wait
from service.chain.devnode import start_anvil
from tests.audit.driving.facts import Facts
from tests.support.deployed import (
    ARTIFACTS_DIR,
    BATCH_APPROVAL_TYPE,
    GAS,
    Deployed,
    account,
    deploy,
    deploy_wallet,
    record,
)
from tests.support.officer_keys import P256Key, Passkey
from tests.support.walks import ACTION, DAY_S, UNIT

BEGAN = 1_767_225_600
"""2026-01-01."""

SECONDS_A_BLOCK = (1, 1, 2, 12, 30)
EVERYWHERE = (0, 0)
MAKER, REVIEWER, EMERGENCY, GOVERNOR = 1, 2, 4, 8
OFFICERS = {
    1: (MAKER | GOVERNOR, *EVERYWHERE),
    2: (REVIEWER | GOVERNOR, *EVERYWHERE),
    3: (REVIEWER | GOVERNOR, *EVERYWHERE),
    4: (REVIEWER | GOVERNOR, *EVERYWHERE),
    5: (EMERGENCY, *EVERYWHERE),
    6: (EMERGENCY, 5107, 4),
    7: (REVIEWER, 51, 2),
    8: (MAKER | REVIEWER, 33, 2),
}
LATER_OFFICERS = {
    20: (REVIEWER | GOVERNOR, *EVERYWHERE),
    21: (REVIEWER | GOVERNOR, *EVERYWHERE),
    22: (REVIEWER | GOVERNOR | EMERGENCY, *EVERYWHERE),
    23: (MAKER | EMERGENCY, *EVERYWHERE),
}
"""With a P-256 key, a passkey, a contract account, and a passkey."""

OFFICER = [
    ("officerId", "uint32"),
    ("roles", "uint16"),
    ("regionCode", "uint24"),
    ("regionDigits", "uint8"),
    ("signerType", "uint8"),
    ("signer", "bytes"),
]
TIERS = [
    (300 * UNIT, 1, 0),
    (900 * UNIT, 2, 3_600),
    (3_000 * UNIT, 3, DAY_S),
    (2**79, 4, 2 * DAY_S),
]

Sign = Callable[[bytes], bytes]
"""Signs a digest."""


class Idle(AssertionError):
    """There was nothing to do the deed to."""


@dataclass
class Driven(Deployed):
    """The contracts, driven.

    Attributes
    ----------
    keys
        Type and signer → how it signs.
    spare_signers
        Signers that nobody has yet.
    done, refused
        How often each function was called from outside, and went through or did not.
    story
        What was sent, for a person who looks for what went wrong.
    """

    keys: dict[tuple[int, bytes], Sign] = field(default_factory=dict)
    spare_signers: list[tuple[int, bytes]] = field(default_factory=list)
    spare_verifiers: list[str] = field(default_factory=list)
    facts: Facts = field(default_factory=Facts)
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    story: list[str] = field(default_factory=list)
    draw: random.Random = field(default_factory=lambda: random.Random(0))
    _time: int = 0
    _next: int | None = None
    _waiting: list[tuple[str, str]] = field(default_factory=list)
    _together: bool = False

    # ---- the clock -------------------------------------------------------------------------------

    def now(self) -> int:
        return self._time

    def set_clock(self, time: int) -> None:
        """Go on from a moment to which the chain went back."""
        self._time, self._next = time, None

    def next_block_at(self, time: int) -> None:
        """Mine the next block in that second, if it is to come."""
        if time > self._time:
            self._next = time

    def advance(self, seconds: int) -> None:
        self.next_block_at(self._time + seconds)
        self.mine()

    def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self._mine()

    def _mine(self) -> None:
        later = self._time + self.draw.choice(SECONDS_A_BLOCK)
        self._time, self._next = self._next or later, None
        self.rpc.call("evm_mine", {"timestamp": hex(self._time)})

    # ---- sending ---------------------------------------------------------------------------------

    def send(
        self, sender: LocalAccount | str, key: str, function: str, *args: Any
    ) -> dict[str, Any]:
        """Send as anybody; AssertionError if the contract refuses, but within :meth:`together`."""
        data = self.contracts.encode_call(key, function, *args)
        tx = self.rpc.call(
            "eth_sendTransaction",
            {
                "from": getattr(sender, "address", sender),
                "to": self.contracts.address(key),
                "data": "0x" + data.hex(),
                "gas": hex(GAS),
                "gasPrice": "0x0",
            },
        )
        self._waiting.append((f"{key}.{function}", tx))
        if self._together:
            return {}
        receipt = self._seal()[-1]
        assert receipt["status"] == "0x1", f"{function} reverted"
        return receipt

    @property
    def in_company(self) -> bool:
        """Whether what is sent now waits for more before it is mined."""
        return self._together

    @contextmanager
    def together(self) -> Iterator[None]:
        """Mine in one block what is sent meanwhile, if it fits."""
        self._together = True
        try:
            yield
        finally:
            self._together = False
            self._seal()

    def _seal(self) -> list[dict[str, Any]]:
        """Mine until everything sent is in a block, and take in what its events say."""
        sent, self._waiting = self._waiting, []
        if not sent:
            return []
        asked = [("eth_getTransactionReceipt", (tx,)) for _, tx in sent]
        receipts: list[dict[str, Any] | None] = [None]
        while None in receipts:
            self._mine()
            receipts = self.rpc.batch(asked)
        mined = [receipt for receipt in receipts if receipt is not None]
        for (name, _), receipt in zip(sent, mined, strict=True):
            good = receipt["status"] == "0x1"
            (self.done if good else self.refused)[name] += 1
            self.story.append(
                f"block {int(receipt['blockNumber'], 16)} at {self._time}: {name}"
                f"{'' if good else ' (refused)'}"
            )
            for log in receipt["logs"]:
                event = self.contracts.decode_log(log)
                if event is not None:
                    self.facts.see(event)
        return mined

    # ---- signing ---------------------------------------------------------------------------------

    def signers_of(self, officer: int) -> list[tuple[int, bytes]]:
        """What an officer can sign with now."""
        facts = self.facts
        known = facts.officers.get(officer)
        if known is None or self._time < known.active_from:
            return []
        return sorted(
            key
            for key, (owner, since) in facts.signers.items()
            if owner == officer
            and since <= self._time
            and key in self.keys
            and (key[0] != 3 or facts.verifiers.get(key[1][:20], 2**40) <= self._time)
        )

    def sign_as(self, officer: int, digest: bytes) -> bytes:
        """A packed record of one officer's signature, with any of theirs."""
        mine = self.signers_of(officer)
        if not mine:
            raise Idle(f"officer {officer} has no signer")
        kind, signer = self.draw.choice(mine)
        return record(officer, kind, signer, self.keys[kind, signer](digest))

    def sign_action(
        self,
        key: str,
        primary_type: str,
        members: Sequence[tuple[str, str]],
        message: Mapping[str, Any],
        officers: Sequence[int],
    ) -> bytes:
        digest = self.digest(key, primary_type, members, message)
        return b"".join(self.sign_as(officer, digest) for officer in officers)

    def sign_batch(
        self, approval: Mapping[str, Any], *, maker: int, reviewers: Sequence[int]
    ) -> bytes:
        digest = self.digest("vault", "BatchApproval", BATCH_APPROVAL_TYPE, approval)
        return b"".join(self.sign_as(n, digest) for n in sorted({maker, *reviewers}))

    # ---- beginning -------------------------------------------------------------------------------

    def take_over(self, time: int) -> None:
        """From now on mine only when asked, and let anybody send."""
        self.rpc.call("evm_setAutomine", False)
        self.rpc.call("anvil_autoImpersonateAccount", True)
        self._time = time


def _eoa(name: str) -> tuple[tuple[int, bytes], Sign]:
    key = account(name)

    def sign(digest: bytes) -> bytes:
        return bytes(key.unsafe_sign_hash(digest).signature)

    return (1, bytes.fromhex(key.address[2:])), sign


def _create(deployed: Deployed, name: str) -> str:
    code = load_bytecode(ARTIFACTS_DIR, name)
    receipt = send_and_wait(deployed.rpc, deployed.deployer, None, code)
    return str(to_checksum_address(receipt["contractAddress"]))


@contextmanager
def driven_chain() -> Iterator[Driven]:
    """A chain of its own with contracts, officers of every type of signer, and two programmes."""
    began = ("--timestamp", str(BEGAN), "--order", "fifo")
    with start_anvil(extra_arguments=began) as node:
        node.rpc("anvil_setBlockTimestampInterval", 1)
        deployed = deploy(node, officers=OFFICERS)
        wallets = [
            (bytes.fromhex(deploy_wallet(deployed, owner)[2:]), owner)
            for owner in (account(f"driven owner {n}") for n in range(3))
        ]
        verifiers = [_create(deployed, n) for n in ("P256Verifier", "PasskeyVerifier")]
        chain = Driven(**vars(deployed))
        chain.take_over(deployed.now())
        chain.spare_verifiers = verifiers
        _give_keys(chain, wallets)
        _begin(chain)
        try:
            yield chain
        finally:
            chain.rpc.close()


def _give_keys(chain: Driven, wallets: list[tuple[bytes, LocalAccount]]) -> None:
    """Those of the first officers, and many that nobody has yet."""
    for number in OFFICERS:
        signer, sign = _eoa(f"officer {number}")
        chain.keys[signer] = sign
    spare: dict[tuple[int, bytes], Sign] = {}
    for wallet, owner in wallets:
        spare[2, wallet] = _eoa_sign(owner)
    first = [chain.deployment.p256_verifier, chain.deployment.passkey_verifier]
    for at in range(3):
        for p256, passkeys in (first, chain.spare_verifiers):
            key, passkey = P256Key(f"driven {p256} {at}"), Passkey(f"driven {passkeys} {at}")
            spare[3, bytes.fromhex(p256[2:]) + key.point] = key.sign
            spare[3, bytes.fromhex(passkeys[2:]) + passkey.point] = passkey.sign
    for at in range(8):
        signer, sign = _eoa(f"driven signer {at}")
        spare[signer] = sign
    chain.keys |= spare
    chain.spare_signers = list(spare)


def _eoa_sign(owner: LocalAccount) -> Sign:
    return lambda digest: bytes(owner.unsafe_sign_hash(digest).signature)


def _begin(chain: Driven) -> None:
    """What every seed begins with: all housekeeping as it was deployed, and time past delays."""
    facts = chain.facts
    for log in chain.rpc.call(
        "eth_getLogs", {"fromBlock": "0x0", "address": chain.contracts.addresses}
    ):
        event = chain.contracts.decode_log(log)
        if event is not None:
            facts.see(event)
    p256, passkeys = (
        (3, bytes.fromhex(verifier[2:]))
        for verifier in (chain.deployment.p256_verifier, chain.deployment.passkey_verifier)
    )
    for number, (kind, start) in {20: p256, 21: passkeys, 22: (2, b""), 23: passkeys}.items():
        signer = next(s for s in chain.spare_signers if s[0] == kind and s[1].startswith(start))
        values = (number, *LATER_OFFICERS[number], *signer)
        chain.spare_signers.remove(signer)
        action, deadline = keccak(text=f"driven {number}"), chain.now() + DAY_S
        message = dict(zip([name for name, _ in OFFICER], values, strict=True))
        message |= {"actionId": action, "deadline": deadline}
        signed = chain.sign_action("registry", "OfficerAddition", OFFICER + ACTION, message, (2, 3))
        chain.send(chain.deployer, "registry", "addOfficer", values, action, deadline, signed)
    chain.create_programme(1, budget=10**13, payout_cap=10**10, tiers=TIERS, wait=False)
    chain.create_programme(
        2,
        budget=20_000 * UNIT,
        payout_cap=200 * UNIT,
        region_code=51,
        region_digits=2,
        tiers=TIERS[1:3],
    )
    chain.attest(10**13)
    chain.story.clear()
    chain.done.clear()
    chain.refused.clear()


ROLE_IDS = {name: number for name, (number, _) in HOUSEKEEPING.items()}
