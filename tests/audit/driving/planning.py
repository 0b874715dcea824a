"""Batches as officers may be asked to sign them, of every kind and shape, with their manifests."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from service.payouts.chunk_tree import chunk_leaf, chunks_root
from service.payouts.entries import pack_entries
from service.payouts.manifests import (
    ManifestLine,
    hash_of,
    header_of,
    manifest_bytes,
    manifest_path,
)
from service.payouts.models import Batch
from tests.audit.driving.chain import EVERYWHERE, MAKER, Driven, Idle
from tests.audit.driving.deeds import Deeds
from tests.support.rows import SignedBatch
from tests.support.walks import DAY_S, UNIT

MOST_BATCHES, MOST_WAITING, MOST_TRIES = 24, 4, 4
MANY = 50
EDGES = (255, 256, 257)
AMOUNTS = (0, 1, UNIT - 1, UNIT + 1, 200 * UNIT, 10**10, 2**64 - 1)
SIMPLE_KINDS = ("one_off", "stream")


class Planning(Deeds):
    """Plans batches; the deeds of the vault send them."""

    def __init__(self, chain: Driven, seed: int, folder: Path) -> None:
        super().__init__(chain, seed, folder)
        self._tried: Counter[str] = Counter()

    def _plan(self) -> None:
        """Have a batch and its manifest made; officers sign it when it is approved."""
        now, approved = self._deployed.now(), self._facts.approved
        waiting = [
            batch
            for batch in self.batches
            if batch.approval["batchId"] not in approved
            and now < batch.approval["executeBefore"]
            and self._tried[batch.id] < MOST_TRIES
        ]
        if len(waiting) >= MOST_WAITING or len(self.batches) >= MOST_BATCHES:
            raise Idle("enough batches")
        count, chunk_size = self._shape()
        name = f"{self.seed} batch {self._number()}"
        batch_id = keccak(text=name)
        payees = [self._payee() for _ in range(count)]
        amounts = [self._amount(count) for _ in range(count)]
        words = list(zip(payees, amounts, strict=True))
        pieces = [pack_entries(words[at : at + chunk_size]) for at in range(0, count, chunk_size)]
        programme = self._programme()
        region = self._region(self._facts.programmes.get(programme, (EVERYWHERE, ()))[0])
        approval = {
            "programme": programme,
            "programmeVersion": 1,
            "batchId": batch_id,
            "maker": self._pick(self._able(MAKER, region)),
            "kind": 0,
            "regionCode": region[0],
            "regionDigits": region[1],
            "chunkSize": chunk_size,
            "chunksRoot": chunks_root(
                [chunk_leaf(batch_id, index, piece) for index, piece in enumerate(pieces)]
            ),
            "manifestHash": bytes(32),
            "count": count,
            "total": sum(amounts),
            **self._terms(),
        }
        if self._chance(0.05):
            approval |= self._flaw(approval)
        approval["manifestHash"] = self._manifest(name, approval, payees, amounts)
        self.batches.append(SignedBatch("0x" + batch_id.hex(), approval, payees, amounts, {}))

    def _shape(self) -> tuple[int, int]:
        """Payouts, and how many a chunk."""
        draw = self._draw.random()
        if draw < 0.74:
            return self._draw.randint(1, 5), self._pick([1, 2, 3, 500])
        if draw < 0.9:
            return self._draw.randint(6, 40), self._pick([7, 8, 9, 16])
        if draw < 0.99:
            size = self._pick(EDGES)
            return size + self._draw.randint(-1, 2), size
        return 256, 1

    def _payee(self) -> str:
        return self._special() if self._chance(0.12) else self._holder().address

    def _amount(self, count: int) -> int:
        """In batches of many small, so that their total is not refused."""
        if count > MANY:
            return self._draw.randint(0, UNIT)
        if self._chance(0.03):
            return self._pick(AMOUNTS)
        return self._draw.randint(1, 90 * UNIT)

    def _terms(self) -> dict[str, int]:
        now = self._deployed.now()
        before = now + self._pick([2 * DAY_S, 7 * DAY_S, 30 * DAY_S])
        terms = {"start": 0, "cliff": 0, "duration": 0, "cadence": 0}
        end = before
        if kind := int(self._chance(0.5)):
            duration = self._draw.choices(
                [1, 3_600, 10 * DAY_S, 30 * DAY_S, 90 * DAY_S, 366 * DAY_S, 2**31 - 2],
                [0.3, 1, 3, 5, 5, 2, 0.2],
            )[0]
            start = now + self._pick([-360 * DAY_S, -30 * DAY_S, -DAY_S, 0, 0, 3_600, 5 * DAY_S])
            terms = {
                "start": start,
                "cliff": self._pick([0, 0, 0, duration // 3, duration]),
                "duration": duration,
                "cadence": min(duration, self._pick([1, 3_600, DAY_S, 7 * DAY_S, duration])),
            }
            end = max(before, start + duration)
        expires = end + 90 * DAY_S + self._pick([0, 0, 1, DAY_S])
        return {"kind": kind, **terms, "executeBefore": before, "expiresAt": expires}

    def _flaw(self, approval: dict[str, Any]) -> dict[str, Any]:
        """One member as the contract refuses it, or with which no last chunk ever runs."""
        return self._pick(
            [
                {"total": approval["total"] + 1},
                {"total": max(0, approval["total"] - 1)},
                {"programmeVersion": 2},
                {"programme": 99},
                {"kind": 2},
                {"chunkSize": 0},
                {"chunkSize": 501},
                {"expiresAt": approval["expiresAt"] - 2 * DAY_S},
                {"executeBefore": self._deployed.now()},
                {"cadence": approval["duration"] + 1},
            ]
        )

    def _manifest(
        self, name: str, approval: dict[str, Any], payees: list[str], amounts: list[int]
    ) -> bytes:
        """Write the manifest; return its hash."""
        row = Batch(
            id="0x" + approval["batchId"].hex(),
            programme_id=approval["programme"],
            programme_version=approval["programmeVersion"],
            kind=SIMPLE_KINDS[approval["kind"] % 2],
            region_code=approval["regionCode"],
            region_digits=approval["regionDigits"],
            maker_officer_id=approval["maker"],
            chunk_size=approval["chunkSize"],
            chunks_root="0x" + approval["chunksRoot"].hex(),
            count=approval["count"],
            total_base_units=approval["total"],
            start_unix_s=approval["start"],
            cliff_s=approval["cliff"],
            duration_s=approval["duration"],
            cadence_s=approval["cadence"],
            execute_before_unix_s=approval["executeBefore"],
            expires_at_unix_s=approval["expiresAt"],
        )
        lines = (
            ManifestLine(index, keccak(text=f"{name} {index}").hex(), payee, amount)
            for index, (payee, amount) in enumerate(zip(payees, amounts, strict=True))
        )
        manifest = b"".join(manifest_bytes(header_of(row), lines))
        manifest_path(self._folder, row.id).write_bytes(manifest)
        return bytes.fromhex(hash_of([manifest])[2:])
