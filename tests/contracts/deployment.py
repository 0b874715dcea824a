"""The contracts deployed as scripts/deploy.py does it, with officers, roles and programmes."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from approvals import (
    EMERGENCY,
    GOVERNOR,
    MAKER,
    REVIEWER,
    Officer,
    approval_tuple,
    sign_action,
    sign_batch,
    sign_for_lane,
)
from chunk_tree import Entry, levels, packed_chunks, proof, root
from clock import DAY, move_to, now
from eth_utils import to_checksum_address

TOKEN_CAP = 2 * 10**16
RESERVE = 10**16

# Programme 1: Sichuan (51), with tiers. Programme 2: the whole country, one reviewer, no delay.
TIERED, SIMPLE = 1, 2
TIERED_BUDGET = 10**12
TIERED_PAYOUT_CAP = 5 * 10**9
TIERED_TIERS = [(10**11, 1, 0), (5 * 10**11, 2, DAY)]
SIMPLE_BUDGET = 5 * 10**15
SIMPLE_PAYOUT_CAP = 10**13
SIMPLE_TIERS = [(10**16, 1, 0)]

TOKENS = 10**6
LANE_CAP = 5_000 * TOKENS
LIMITS = {
    "perGrant": 1_000 * TOKENS,
    "perOfficer": 50_000 * TOKENS,
    "outstanding": 50_000 * TOKENS,
    "countersignWindow": 5 * DAY,
    "perCounty": 50_000 * TOKENS,
    "perCity": 50_000 * TOKENS,
    "perProvince": 50_000 * TOKENS,
    "country": 50_000 * TOKENS,
    "countyOverdue": 1_500 * TOKENS,
    "cityOverdue": 2_500 * TOKENS,
    "provinceOverdue": 3_500 * TOKENS,
}
"""Of the emergency lane at the start: wide, so that a test makes one of them narrow."""

COUNTY = (510722, 6)
"""Santai county in Mianyang (5107), Sichuan (51)."""

OFFICERS = [
    Officer(1, MAKER, 51, 2),
    Officer(2, REVIEWER, 51, 2),
    Officer(3, REVIEWER, 5107, 4),
    Officer(4, MAKER | REVIEWER, 0, 0),
    Officer(5, REVIEWER, 44, 2),
    Officer(6, GOVERNOR, 0, 0),
    Officer(7, GOVERNOR, 0, 0),
    Officer(8, GOVERNOR, 0, 0),
    Officer(9, EMERGENCY, 51, 2),
    Officer(10, EMERGENCY, 510722, 6),
    Officer(11, EMERGENCY | REVIEWER, 0, 0),
]

ROLES: dict[str, tuple[int, list[tuple[str, str]]]] = {
    "guardian": (1, [("vault", "pause"), ("token", "pauseTransfers"), ("lane", "pause")]),
    "freezer": (2, [("token", "freeze"), ("token", "unfreeze")]),
    "attestor": (3, [("token", "attestReserve")]),
    "treasurer": (
        4,
        [("token", "lowerCap"), ("lane", "lowerLimits"), ("lane", "lowerRegionCap")],
    ),
    "planner": (
        5,
        [
            ("vault", "createProgramme"),
            ("vault", "scheduleBudgetIncrease"),
            ("vault", "decreaseBudget"),
        ],
    ),
}


@dataclass
class Batch:
    """A batch as its maker prepared it, with what is needed to send it."""

    approval: dict[str, Any]
    entries: list[Entry]
    chunks: list[bytes]
    tree: list[list[bytes]]

    @property
    def id(self) -> bytes:
        """The batch id."""
        batch_id: bytes = self.approval["batchId"]
        return batch_id

    def proof(self, chunk_index: int) -> list[bytes]:
        """Siblings of a chunk."""
        return proof(self.tree, chunk_index)


@dataclass
class Relief:
    """The deployed contracts and who acts on them.

    Attributes
    ----------
    guardian, freezer, attestor, treasurer, planner
        Holders of one housekeeping role each.
    anyone
        An account without any role, which sends what anybody may send.
    """

    manager: Any
    registry: Any
    token: Any
    vault: Any
    lane: Any
    p256_verifier: Any
    passkey_verifier: Any
    deployer: Any
    guardian: Any
    freezer: Any
    attestor: Any
    treasurer: Any
    planner: Any
    anyone: Any
    ids: Any = field(default_factory=itertools.count)

    def officers(self, *chosen: int | Officer) -> list[Officer]:
        """The officers with these ids, in this order; one given as an officer is taken as it is."""
        by_id = {officer.officer_id: officer for officer in OFFICERS}
        return [one if isinstance(one, Officer) else by_id[one] for one in chosen]

    def payees(self, count: int, first: int = 0) -> list[str]:
        """Addresses that hold nothing yet, the same ones each time."""
        return [to_checksum_address(f"0x{0xBE0000 + first + i:040x}") for i in range(count)]

    # ---- batches ---------------------------------------------------------------------------------

    def batch(self, entries: Sequence[Entry], *, chunk_size: int = 500, **changed: Any) -> Batch:
        """Prepare a batch; `changed` replaces members of what officers sign."""
        batch_id = changed.get("batchId") or next(self.ids).to_bytes(32, "big")
        chunks = packed_chunks(entries, chunk_size)
        tree = levels(batch_id, chunks)
        execute_before = changed.get("executeBefore", now() + 10 * DAY)
        last_due = max(execute_before, changed.get("start", 0) + changed.get("duration", 0))
        approval = {
            "programme": SIMPLE,
            "programmeVersion": 1,
            "batchId": batch_id,
            "maker": 1,
            "kind": 0,
            "regionCode": COUNTY[0],
            "regionDigits": COUNTY[1],
            "chunkSize": chunk_size,
            "chunksRoot": root(tree),
            "manifestHash": bytes(31) + b"\x01",
            "count": len(entries),
            "total": sum(amount for _, amount in entries),
            "start": 0,
            "cliff": 0,
            "duration": 0,
            "cadence": 0,
            "executeBefore": execute_before,
            "expiresAt": last_due + 90 * DAY,
            **changed,
        }
        return Batch(approval, list(entries), chunks, tree)

    def stream_batch(
        self,
        entries: Sequence[Entry],
        *,
        start: int | None = None,
        duration: int = 90 * DAY,
        cliff: int = 0,
        cadence: int = DAY,
        **changed: Any,
    ) -> Batch:
        """Prepare a batch of streams, by default of 90 days in steps of a day from now on."""
        return self.batch(
            entries,
            kind=1,
            start=now() if start is None else start,
            duration=duration,
            cliff=cliff,
            cadence=cadence,
            **changed,
        )

    def approve(self, batch: Batch, officers: Sequence[int] = (1, 2)) -> Any:
        """Have officers sign a batch and send the approval."""
        signatures = sign_batch(self.vault, batch.approval, self.officers(*officers))
        return self.send_approval(batch.approval, signatures)

    def send_approval(self, approval: Mapping[str, Any], signatures: bytes) -> Any:
        """Send an approval with signatures as they are."""
        return self.vault.approveBatch(approval_tuple(approval), signatures, {"from": self.anyone})

    def execute(self, batch: Batch, chunk_index: int = 0) -> Any:
        """Run one chunk of an approved batch."""
        return self.vault.executeChunk(
            batch.id,
            chunk_index,
            batch.chunks[chunk_index],
            batch.proof(chunk_index),
            {"from": self.anyone},
        )

    def pay(self, entries: Sequence[Entry], *, chunk_size: int = 500) -> Batch:
        """Pay a list at once: prepared, approved, each chunk run."""
        batch = self.batch(entries, chunk_size=chunk_size)
        self.approve(batch)
        for chunk_index in range(len(batch.chunks)):
            self.execute(batch, chunk_index)
        return batch

    def open_streams(self, entries: Sequence[Entry], **terms: Any) -> Batch:
        """Open streams at once: prepared, approved, each chunk run."""
        batch = self.stream_batch(entries, **terms)
        self.approve(batch)
        for chunk_index in range(len(batch.chunks)):
            self.execute(batch, chunk_index)
        return batch

    def move_to_end_of(self, batch: Batch) -> None:
        """Let the streams of a batch accrue to their end."""
        move_to(batch.approval["start"] + batch.approval["duration"])

    # ---- emergency grants ------------------------------------------------------------------------

    def prepare_grant(
        self, payee: Any, amount: int, *, officer: int = 9, **changed: Any
    ) -> dict[str, Any]:
        """Prepare a grant; `changed` replaces members of what its officer signs."""
        return {
            "grantId": next(self.ids).to_bytes(32, "big"),
            "officer": officer,
            "payee": str(getattr(payee, "address", payee)),
            "amount": amount,
            "regionCode": COUNTY[0],
            "regionDigits": COUNTY[1],
            "caseCommitment": (2**200 + next(self.ids)).to_bytes(32, "big"),
            "validUntil": now() + DAY,
            **changed,
        }

    def send_grant(self, grant: Mapping[str, Any], officer: int | Officer | None = None) -> Any:
        """Have a grant signed, by the officer it names unless told otherwise, and send it."""
        (signer,) = self.officers(grant["officer"] if officer is None else officer)
        signature = sign_for_lane(self.lane, "EmergencyGrant", grant, signer)
        return self.lane.grant(tuple(grant.values()), signature, {"from": self.anyone})

    def grant(self, payee: Any, amount: int, **changed: Any) -> dict[str, Any]:
        """Make a grant at once: prepared, signed, sent."""
        grant = self.prepare_grant(payee, amount, **changed)
        self.send_grant(grant)
        return grant

    def countersign(
        self,
        grant: Mapping[str, Any],
        officer: int | Officer = 2,
        *,
        deadline: int | None = None,
    ) -> Any:
        """Have a reviewer countersign a grant."""
        deadline = now() + 365 * DAY if deadline is None else deadline
        message = {
            "grantId": grant["grantId"],
            "payee": grant["payee"],
            "amount": grant["amount"],
            "deadline": deadline,
        }
        (signer,) = self.officers(officer)
        signature = sign_for_lane(self.lane, "GrantCountersignature", message, signer)
        return self.lane.countersign(grant["grantId"], deadline, signature, {"from": self.anyone})

    def write_off(self, grant: Mapping[str, Any], officers: Sequence[int] = (6, 7)) -> Any:
        """Have governors write a grant off."""
        grant_id = grant["grantId"]
        signed = self.signed_action(self.lane, "GrantWriteOff", {"grantId": grant_id}, officers)
        return self.lane.writeOff(grant_id, *signed, {"from": self.anyone})

    def lower_limits(self, **changed: int) -> Any:
        """Lower some of the lane's limits."""
        lowered = dict(zip(LIMITS, self.lane.limits(), strict=True)) | changed
        return self.lane.lowerLimits(tuple(lowered.values()), {"from": self.treasurer})

    # ---- quorum actions --------------------------------------------------------------------------

    def action_id(self) -> bytes:
        """An action id not used before."""
        return (2**128 + next(self.ids)).to_bytes(32, "big")

    def signed_action(
        self,
        contract: Any,
        action: str,
        message: Mapping[str, Any],
        officers: Sequence[int | Officer],
        *,
        deadline: int | None = None,
        action_id: bytes | None = None,
    ) -> tuple[bytes, int, bytes]:
        """Have officers sign a quorum action; the last three arguments of the contract's function.

        Returns
        -------
        tuple
            Action id, deadline (Unix seconds, a year from now by default, so that a test may set
            the clock between signing and sending), packed signatures.
        """
        action_id = action_id or self.action_id()
        deadline = now() + 365 * DAY if deadline is None else deadline
        signatures = sign_action(
            contract,
            action,
            {**message, "actionId": action_id, "deadline": deadline},
            self.officers(*officers),
        )
        return action_id, deadline, signatures

    def cancel_streams(
        self,
        batch: Batch,
        positions: Sequence[int],
        *,
        chunk_index: int = 0,
        officers: Sequence[int] = (2, 3),
    ) -> Any:
        """Cut the streams at these positions of a chunk."""
        mask = sum(1 << position for position in positions)
        low, high = mask & (2**256 - 1), mask >> 256
        message = {
            "batchId": batch.id,
            "chunkIndex": chunk_index,
            "maskLow": low,
            "maskHigh": high,
        }
        signed = self.signed_action(self.vault, "StreamCancellation", message, officers)
        return self.vault.cancelStreams(
            batch.id, chunk_index, low, high, *signed, {"from": self.anyone}
        )

    def cancel_batch(self, batch: Batch, officers: Sequence[int] = (2, 3)) -> Any:
        """Cancel what was not run of a batch."""
        signed = self.signed_action(
            self.vault, "BatchCancellation", {"batchId": batch.id}, officers
        )
        return self.vault.cancelBatch(batch.id, *signed, {"from": self.anyone})

    def hold_batch(self, batch: Batch, officer: int | Officer = 2, **how: Any) -> Any:
        """Have one reviewer hold a batch."""
        signed = self.signed_action(
            self.vault, "BatchHold", {"batchId": batch.id}, (officer,), **how
        )
        return self.vault.holdBatch(batch.id, *signed, {"from": self.anyone})

    def hold_entry(self, batch: Batch, index: int, officer: int | Officer = 2, **how: Any) -> Any:
        """Have one reviewer hold a payout."""
        message = {"batchId": batch.id, "index": index}
        signed = self.signed_action(self.vault, "EntryHold", message, (officer,), **how)
        return self.vault.holdEntry(batch.id, index, *signed, {"from": self.anyone})

    def change_wallet(
        self,
        batch: Batch,
        index: int,
        old: Any,
        new: Any,
        officers: Sequence[int] = (2, 3),
        **how: Any,
    ) -> Any:
        """Have what is unpaid of a payout go to another wallet."""
        wallets = [str(getattr(wallet, "address", wallet)) for wallet in (old, new)]
        message = {"batchId": batch.id, "index": index, "from": wallets[0], "to": wallets[1]}
        signed = self.signed_action(self.vault, "WalletChange", message, officers, **how)
        return self.vault.changeWallet(batch.id, index, *wallets, *signed, {"from": self.anyone})

    def begin_sunset(self, officers: Sequence[int] = (6, 7)) -> Any:
        """End approvals for good."""
        signed = self.signed_action(self.vault, "Sunset", {}, officers)
        return self.vault.beginSunset(*signed, {"from": self.anyone})

    def unpause(self, operations: int, officers: Sequence[int | Officer] = (6, 7)) -> Any:
        """Lift a pause of the vault."""
        signed = self.signed_action(self.vault, "Unpause", {"operations": operations}, officers)
        return self.vault.unpause(operations, *signed, {"from": self.anyone})

    def call_manager(self, data: str, officers: Sequence[int] = (6, 7)) -> Any:
        """Have governors call the access manager with encoded data (0x...)."""
        message = {"data": bytes.fromhex(data[2:])}
        signed = self.signed_action(self.registry, "ManagerCall", message, officers)
        return self.registry.callManager(data, *signed, {"from": self.anyone})

    def freeze(self, account: Any) -> Any:
        """Freeze a wallet."""
        return self.token.freeze(account, {"from": self.freezer})

    def unfreeze(self, account: Any) -> Any:
        """Unfreeze a wallet."""
        return self.token.unfreeze(account, {"from": self.freezer})

    def attest(self, amount: int) -> Any:
        """Attest a reserve as of the newest block, all redemptions included."""
        return self.token.attestReserve(
            amount, self.token.redeemedTotal(), now(), bytes(32), {"from": self.attestor}
        )


def deploy(contracts: Mapping[str, Any], accounts: Any) -> Relief:
    """Deploy everything, hand administration to the registry, plan the two programmes.

    The programmes are not in force yet: `RAISE_DELAY` is still to pass.
    """
    deployer = accounts[0]
    sender = {"from": deployer}
    manager = contracts["RoleManager"].deploy(deployer, sender)
    p256 = contracts["P256Verifier"].deploy(sender)
    passkeys = contracts["PasskeyVerifier"].deploy(sender)
    registry = contracts["OfficerRegistry"].deploy(
        manager, 2, [p256, passkeys], [officer.as_new_officer() for officer in OFFICERS], sender
    )
    vault_address = deployer.get_deployment_address(deployer.nonce + 3)
    lane_address = deployer.get_deployment_address(deployer.nonce + 4)
    token = contracts["BenefitToken"].deploy(
        manager, registry, vault_address, lane_address, TOKEN_CAP, LANE_CAP, sender
    )
    administration = contracts["VaultAdministration"].deploy(manager, token, registry, sender)
    corrections = contracts["VaultCorrections"].deploy(manager, token, registry, sender)
    vault = contracts["AllowanceVault"].deploy(
        manager, token, registry, administration, corrections, sender
    )
    limits = tuple(LIMITS.values())
    lane = contracts["EmergencyLane"].deploy(manager, token, registry, limits, sender)
    assert (vault.address, lane.address) == (vault_address, lane_address)

    holders = {name: accounts[i] for i, name in enumerate(ROLES, start=1)}
    targets = {"vault": vault, "token": token, "lane": lane}
    for name, (number, functions) in ROLES.items():
        for target, function in functions:
            selector = getattr(targets[target], function).signature
            manager.setTargetFunctionRole(targets[target], [selector], number, sender)
        manager.grantRole(number, holders[name], 0, sender)
    manager.grantRole(0, registry, 0, sender)
    manager.renounceRole(0, deployer, sender)

    relief = Relief(
        manager,
        registry,
        token,
        vault,
        lane,
        p256,
        passkeys,
        deployer=deployer,
        anyone=accounts[9],
        **holders,
    )
    planner = {"from": relief.planner}
    vault.createProgramme(
        TIERED, 51, 2, TIERED_BUDGET, TIERED_PAYOUT_CAP, TIERED_TIERS, bytes(32), planner
    )
    vault.createProgramme(
        SIMPLE, 0, 0, SIMPLE_BUDGET, SIMPLE_PAYOUT_CAP, SIMPLE_TIERS, bytes(32), planner
    )
    return relief
