"""A programme's life on a real chain, with the service's database beside it.

One-off batches (one payee frozen, skipped, retried; one still skipped; one cancelled), streams
(a range withdrawal past a frozen one, own withdrawals, a cut), redemptions, an officer who leaves
and one who comes, pauses, budgets, emergency grants (countersigned, written off, overdue,
outstanding) and the lane's limits. All of it is sent by hand, but for one batch whose chunk the
worker runs.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from sqlalchemy.orm import Session

from service.approvals.models import ApprovalSignature, QuorumAction
from service.chain.devcontracts import EMERGENCY_LIMITS
from service.chain.signers import LocalSigner
from service.db import Base, create_database_engine, transaction
from service.payouts.chunk_tree import chunk_leaf, chunks_root
from service.payouts.entries import pack_entries
from service.payouts.manifests import (
    ManifestLine,
    hash_of,
    header_of,
    manifest_bytes,
    manifest_path,
)
from service.payouts.models import Batch, Chunk, Payout
from tests.support.deployed import BATCH_APPROVAL_TYPE, Deployed, account
from tests.support.rows import NOW, add_officers, add_programme
from tests.support.world import World

DAY_S = 86_400
UNIT = 10**6
ACTION = [("actionId", "bytes32"), ("deadline", "uint40")]
QUORUM = (2, 3)


def payee(number: int) -> LocalAccount:
    return account(f"payee {number}")


def siblings_of(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Siblings of a chunk's leaf in its batch's tree, lowest first."""
    node_type = keccak(text="Node(bytes32 left,bytes32 right)")
    level = [*leaves, *[bytes(32)] * (256 - len(leaves))]
    proof = []
    while len(level) > 1:
        proof.append(level[index ^ 1])
        level = [keccak(node_type + a + b) for a, b in zip(level[::2], level[1::2], strict=True)]
        index //= 2
    return proof


@dataclass
class Planned:
    """A batch with its rows and its manifest, not yet signed."""

    id: bytes
    approval: dict[str, Any]
    pieces: list[bytes]
    leaves: list[bytes]

    @property
    def hex(self) -> str:
        return "0x" + self.id.hex()

    def proof(self, index: int) -> list[bytes]:
        """Siblings of a chunk's leaf, lowest first."""
        return siblings_of(self.leaves, index)


@dataclass
class Scenario:
    """The chain after all of it.

    Attributes
    ----------
    database
        SQLite file that the worker kept.
    manifests
        Folder of manifests.
    """

    deployed: Deployed
    database: Path
    manifests: Path
    batches: dict[str, Planned] = field(default_factory=dict)

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.database}"

    def copy_of_database(self, folder: Path) -> Path:
        """A copy of the file, to be edited by hand."""
        return Path(shutil.copyfile(self.database, folder / "edited.db"))

    def copy_into(self, url: str) -> str:
        """Copy every row into another database that has the tables; returns its URL."""
        source, target = create_database_engine(self.database_url), create_database_engine(url)
        with source.connect() as reading, target.begin() as writing:
            for table in Base.metadata.sorted_tables:
                rows = [dict(row) for row in reading.execute(table.select()).mappings()]
                if rows:
                    writing.execute(table.insert(), rows)
        source.dispose()
        target.dispose()
        return url

    # ---- officers' doings ------------------------------------------------------------------------

    def quorum(self, key: str, primary_type: str, members: Any, message: dict[str, Any]) -> Any:
        """Action id, deadline and signatures of a quorum action."""
        action = keccak(text=f"{primary_type} {sorted(map(str, message.items()))}")
        deadline = self.deployed.now() + DAY_S
        full = {**message, "actionId": action, "deadline": deadline}
        signatures = self.deployed.sign_action(key, primary_type, [*members, *ACTION], full, QUORUM)
        return action, deadline, signatures

    def plan(
        self,
        session: Session,
        name: str,
        payouts: Sequence[tuple[str, int]],
        *,
        chunk_size: int,
        region: tuple[int, int] = (51, 2),
        stream_days: int = 0,
        paused: bool = False,
        state: str = "released",
    ) -> Planned:
        """Rows and manifest of a batch; the worker leaves a paused one alone."""
        now = self.deployed.now()
        batch_id = keccak(text=f"audit {name}")
        pieces = [
            pack_entries(payouts[at : at + chunk_size]) for at in range(0, len(payouts), chunk_size)
        ]
        leaves = [chunk_leaf(batch_id, index, piece) for index, piece in enumerate(pieces)]
        execute_before = now + 30 * DAY_S
        duration = stream_days * DAY_S
        expires = max(execute_before, now + duration) + 90 * DAY_S
        kind = "stream" if stream_days else "one_off"
        row = Batch(
            id="0x" + batch_id.hex(),
            programme_id=1,
            programme_version=1,
            kind=kind,
            region_code=region[0],
            region_digits=region[1],
            maker_officer_id=1,
            chunk_size=chunk_size,
            chunks_root="0x" + chunks_root(leaves).hex(),
            manifest_hash="",
            count=len(payouts),
            total_base_units=sum(amount for _, amount in payouts),
            start_unix_s=now if stream_days else 0,
            cliff_s=2 * DAY_S if stream_days else 0,
            duration_s=duration,
            cadence_s=DAY_S if stream_days else 0,
            execute_before_unix_s=execute_before,
            expires_at_unix_s=expires,
            state=state,
            paused=paused,
            created_by="test",
            created_at=NOW,
            released_at=NOW,
        )
        lines = [
            ManifestLine(
                index,
                keccak(text=f"{name} {index}").hex(),
                address,
                amount,
            )
            for index, (address, amount) in enumerate(payouts)
        ]
        manifest = b"".join(manifest_bytes(header_of(row), lines))
        row.manifest_hash = hash_of([manifest])
        manifest_path(self.manifests, row.id).write_bytes(manifest)
        session.add(row)
        session.flush()
        for index, piece in enumerate(pieces):
            part = payouts[index * chunk_size : (index + 1) * chunk_size]
            session.add(
                Chunk(
                    batch_id=row.id,
                    chunk_index=index,
                    entries=piece,
                    leaf_hash="0x" + leaves[index].hex(),
                    count=len(part),
                    total_base_units=sum(amount for _, amount in part),
                )
            )
        session.flush()
        for line in lines:
            session.add(
                Payout(
                    batch_id=row.id,
                    index=line.index,
                    chunk_index=line.index // chunk_size,
                    commitment=line.commitment,
                    programme_id=1,
                    payee=line.payee,
                    amount_base_units=line.amount_base_units,
                    kind=kind,
                    own_state="draft" if state == "draft" else "held" if paused else "queued",
                    own_updated_at=NOW,
                )
            )
        approval = {
            "programme": 1,
            "programmeVersion": 1,
            "batchId": batch_id,
            "maker": 1,
            "kind": int(kind == "stream"),
            "regionCode": region[0],
            "regionDigits": region[1],
            "chunkSize": chunk_size,
            "chunksRoot": chunks_root(leaves),
            "manifestHash": bytes.fromhex(row.manifest_hash[2:]),
            "count": row.count,
            "total": row.total_base_units,
            "start": row.start_unix_s,
            "cliff": row.cliff_s,
            "duration": row.duration_s,
            "cadence": row.cadence_s,
            "executeBefore": execute_before,
            "expiresAt": expires,
        }
        self.batches[name] = Planned(batch_id, approval, pieces, leaves)
        return self.batches[name]

    def approve(self, session: Session, batch: Planned, reviewers: Sequence[int] = (2,)) -> None:
        """Have officers sign and send it; their signatures are kept too."""
        deployed = self.deployed
        struct = deployed.approval_tuple(batch.approval)
        digest = deployed.read("vault", "approvalDigest", struct)
        for officer in (1, *reviewers):
            key = deployed.officers[officer]
            signature = deployed.sign(
                key, "vault", "BatchApproval", BATCH_APPROVAL_TYPE, batch.approval
            )
            session.add(
                ApprovalSignature(
                    batch_id=batch.hex,
                    officer_id=officer,
                    signer_type=1,
                    signer=key.address,
                    signature="0x" + signature.hex(),
                    digest="0x" + digest.hex(),
                    created_at=NOW,
                )
            )
        signatures = deployed.sign_batch(batch.approval, maker=1, reviewers=reviewers)
        self.send("vault", "approveBatch", struct, signatures)

    def execute(self, batch: Planned, chunk: int) -> None:
        """Run a chunk, as anybody may."""
        proof = batch.proof(chunk)
        self.send("vault", "executeChunk", batch.id, chunk, batch.pieces[chunk], proof)

    def send(self, key: str, function: str, *args: Any) -> dict[str, Any]:
        return self.deployed.send(self.deployed.deployer, key, function, *args)


def live(deployed: Deployed, world: World, folder: Path) -> Scenario:
    """Live the whole life; returns the scenario with the worker's database at the head."""
    manifests = folder / "manifests"
    manifests.mkdir()
    scenario = Scenario(deployed, folder / "relief.db", manifests)
    tiers = [(3_000 * UNIT, 1, 0), (10**13, 2, 3600)]
    deployed.create_programme(1, budget=10**12, payout_cap=10**10, tiers=tiers)
    deployed.attest(10**12)
    cap = deployed.read("token", "cap") + UNIT
    members = [("minter", "address"), ("cap", "uint80")]
    message = {"minter": deployed.vault, "cap": cap}
    higher = scenario.quorum("token", "MinterAddition", members, message)
    scenario.send("token", "scheduleMinter", deployed.vault, cap, *higher)
    with transaction(world.sessions) as session:
        add_programme(session)
        add_officers(session, deployed)
        _one_off(scenario, session)
        _streams(scenario, session)
    _housekeeping(scenario)
    _emergency(scenario)
    relayer = LocalSigner(account("relayer"))
    deployed.fund(relayer.address)
    world.run(signers=[relayer])
    world.engine.dispose()  # the last connection writes the log back: the file can be copied
    return scenario


def _one_off(scenario: Scenario, session: Session) -> None:
    deployed = scenario.deployed
    plain = scenario.plan(
        session,
        "plain",
        [(payee(i).address, (600 + i) * UNIT + i) for i in range(5)],
        chunk_size=2,
        region=(5107, 4),
    )
    # Payee 3 is frozen when its chunk runs, and paid by a retry later.
    deployed.freeze(payee(3).address)
    scenario.approve(session, plain, reviewers=(2, 3))
    deployed.advance(3600)
    for chunk in (2, 0, 1):
        scenario.execute(plain, chunk)
    deployed.unfreeze(payee(3).address)
    scenario.send("vault", "retryPayout", plain.id, 3)
    # The next batch counts the first one through the rolling sum: two reviewers and a delay.
    waiting = scenario.plan(
        session,
        "waiting",
        [(payee(i).address, 700 * UNIT) for i in range(10, 14)],
        chunk_size=3,
        paused=True,
    )
    scenario.approve(session, waiting, reviewers=(2, 3))
    deployed.advance(3600)
    deployed.freeze(payee(11).address)
    scenario.execute(waiting, 0)
    served = scenario.plan(
        session,
        "served",
        [(payee(i).address, 10 * UNIT) for i in (15, 16)],
        chunk_size=500,
        region=(33, 2),
    )
    scenario.approve(session, served)
    cancelled = scenario.plan(
        session, "cancelled", [(payee(20).address, 50 * UNIT)], chunk_size=500, region=(32, 2)
    )
    scenario.approve(session, cancelled)
    action = scenario.quorum(
        "vault", "BatchCancellation", [("batchId", "bytes32")], {"batchId": cancelled.id}
    )
    receipt = scenario.send("vault", "cancelBatch", cancelled.id, *action)
    consumed = next(log for log in receipt["logs"] if log["address"] == deployed.registry.lower())
    session.add(
        QuorumAction(
            id="0x" + action[0].hex(),
            kind="batch_cancellation",
            contract="vault",
            message={"batchId": cancelled.hex},
            digest=consumed["data"][:66],
            deadline_unix_s=action[1],
            role=2,
            state="submitted",
            created_by="test",
            created_at=NOW,
        )
    )
    scenario.plan(
        session,
        "draft",
        [(payee(i).address, 20 * UNIT) for i in (21, 22)],
        chunk_size=1,
        state="draft",
    )


def _streams(scenario: Scenario, session: Session) -> None:
    deployed = scenario.deployed
    streams = scenario.plan(
        session,
        "streams",
        [(payee(30 + i).address, 90 * UNIT + 7 * i) for i in range(12)],
        chunk_size=10,
        region=(110101, 6),
        stream_days=90,
    )
    scenario.approve(session, streams)
    scenario.execute(streams, 0)
    scenario.execute(streams, 1)
    deployed.advance(10 * DAY_S)
    # Stream 4 is frozen and stands alone; stream 2 goes ahead by itself.
    deployed.freeze(payee(34).address)
    scenario.send("vault", "withdraw", streams.id, 2)
    scenario.send("vault", "withdrawChunk", streams.id, 0)
    deployed.advance(5 * DAY_S)
    deployed.unfreeze(payee(34).address)
    _cut(scenario, streams, 1 << 3 | 1 << 4)
    scenario.send("vault", "withdraw", streams.id, 4)
    # Within the step of the cut: stream 3 is paid beyond the watermark.
    scenario.send("vault", "withdrawChunk", streams.id, 0)
    deployed.advance(3 * DAY_S)
    deployed.freeze(payee(35).address)
    scenario.send("vault", "withdrawChunk", streams.id, 0)
    scenario.send("vault", "withdrawChunk", streams.id, 1)
    deployed.unfreeze(payee(35).address)
    deployed.advance(2 * DAY_S)
    scenario.send("vault", "withdrawChunk", streams.id, 0)


def _cut(scenario: Scenario, batch: Planned, mask: int) -> None:
    members = [
        ("batchId", "bytes32"),
        ("chunkIndex", "uint256"),
        ("maskLow", "uint256"),
        ("maskHigh", "uint256"),
    ]
    message = {"batchId": batch.id, "chunkIndex": 0, "maskLow": mask, "maskHigh": 0}
    action = scenario.quorum("vault", "StreamCancellation", members, message)
    scenario.send("vault", "cancelStreams", batch.id, 0, mask, 0, *action)


def _housekeeping(scenario: Scenario) -> None:
    deployed = scenario.deployed
    holder = payee(0)
    deployed.fund(holder.address)
    deployed.send(holder, "token", "redeem", 100 * UNIT, keccak(text="paid out"))
    deployed.send(holder, "token", "transfer", payee(99).address, 5 * UNIT)
    # Anybody can have a transfer of nothing from the zero address logged.
    deployed.send(holder, "token", "transferFrom", "0x" + "00" * 20, payee(98).address, 0)
    members = [("officerId", "uint32")]
    leaving = scenario.quorum("registry", "OfficerRemoval", members, {"officerId": 4})
    scenario.send("registry", "removeOfficer", 4, *leaving)
    new = account("officer 9")
    added: dict[str, Any] = {
        "officerId": 9,
        "roles": 2,
        "regionCode": 51,
        "regionDigits": 2,
        "signerType": 1,
        "signer": bytes.fromhex(new.address[2:]),
    }
    kinds = ("uint32", "uint16", "uint24", "uint8", "uint8", "bytes")
    coming = scenario.quorum(
        "registry", "OfficerAddition", list(zip(added, kinds, strict=True)), added
    )
    scenario.send("registry", "addOfficer", tuple(added.values()), *coming)
    deployed.send(deployed.roles["guardian"], "vault", "pause", 7)
    members = [("operations", "uint8")]
    unpause = scenario.quorum("vault", "Unpause", members, {"operations": 7})
    scenario.send("vault", "unpause", 7, *unpause)
    deployed.send(deployed.roles["guardian"], "token", "pauseTransfers")
    scenario.send(
        "token", "unpauseTransfers", *scenario.quorum("token", "UnpauseTransfers", [], {})
    )
    manager = deployed.roles["programme_manager"]
    deployed.send(manager, "vault", "scheduleBudgetIncrease", 1, 2 * 10**12)
    deployed.send(deployed.roles["treasurer"], "token", "lowerCap", 2**78)
    cap = 2**78 + UNIT
    higher = scenario.quorum("token", "CapIncrease", [("cap", "uint80")], {"cap": cap})
    scenario.send("token", "scheduleCap", cap, *higher)
    deployed.advance(2 * DAY_S)
    scenario.send("vault", "applyBudgetIncrease", 1)
    scenario.send("token", "applyCap")
    deployed.send(manager, "vault", "decreaseBudget", 1, 10**12 + 1)
    deployed.attest(10**12 - 100 * UNIT)
    scenario.send("token", "activateMinter", deployed.vault)
    members = [("minter", "address"), ("cap", "uint80")]
    message = {"minter": payee(50).address, "cap": UNIT}
    minter = scenario.quorum("token", "MinterAddition", members, message)
    scenario.send("token", "scheduleMinter", payee(50).address, UNIT, *minter)
    stopped = scenario.quorum("token", "MinterRemoval", members[:1], {"minter": payee(50).address})
    scenario.send("token", "removeMinter", payee(50).address, *stopped)


LIMIT_KINDS = ["uint64", "uint80", "uint80", "uint32", *["uint80"] * 7]
REGION_CAP = [("regionCode", "uint24"), ("regionDigits", "uint8"), ("cap", "uint80")]


def _emergency(scenario: Scenario) -> None:
    deployed = scenario.deployed
    treasurer, guardian = deployed.roles["treasurer"], deployed.roles["guardian"]
    limits = EMERGENCY_LIMITS | {"countersignWindow": DAY_S}
    deployed.send(treasurer, "lane", "lowerLimits", tuple(limits.values()))
    members = list(zip(limits, LIMIT_KINDS, strict=True))
    raised = limits | {"perGrant": 2 * limits["perGrant"]}
    raising = scenario.quorum("lane", "LimitsRaise", members, raised)
    scenario.send("lane", "scheduleLimits", tuple(raised.values()), *raising)
    county = {"regionCode": 510722, "regionDigits": 6, "cap": 20_000 * UNIT}
    widening = scenario.quorum("lane", "RegionCapRaise", REGION_CAP, county)
    scenario.send("lane", "scheduleRegionCap", *county.values(), *widening)

    seen = deployed.grant("seen", payee(60).address, 100 * UNIT)
    spoilt = deployed.grant(
        "spoilt", payee(61).address, 200 * UNIT + 1, regionCode=5107, regionDigits=4
    )
    deployed.grant("forgotten", payee(62).address, 300 * UNIT, officer=6)
    deployed.countersign(seen, officer=2)
    deployed.advance(2 * DAY_S)
    scenario.send("lane", "applyLimits")
    scenario.send("lane", "applyRegionCap", 510722, 6)
    # What is overdue closes officer 5 until governors write it off; 6 stays closed.
    members = [("grantId", "bytes32")]
    writing_off = scenario.quorum("lane", "GrantWriteOff", members, {"grantId": spoilt["grantId"]})
    scenario.send("lane", "writeOff", spoilt["grantId"], *writing_off)
    deployed.grant("fresh", payee(63).address, 1_500 * UNIT)

    deployed.send(treasurer, "lane", "lowerRegionCap", 51, 2, 25_000 * UNIT)
    other = {"regionCode": 33, "regionDigits": 2, "cap": 50_000 * UNIT}
    widening = scenario.quorum("lane", "RegionCapRaise", REGION_CAP, other)
    scenario.send("lane", "scheduleRegionCap", *other.values(), *widening)
    later = raised | {"country": 2 * raised["country"]}
    members = list(zip(limits, LIMIT_KINDS, strict=True))
    raising = scenario.quorum("lane", "LimitsRaise", members, later)
    scenario.send("lane", "scheduleLimits", tuple(later.values()), *raising)
    deployed.send(guardian, "lane", "pause")
    scenario.send("lane", "unpause", *scenario.quorum("lane", "UnpauseGrants", [], {}))
