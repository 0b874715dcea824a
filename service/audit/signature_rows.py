"""The officers' signatures and quorum actions that the service keeps, proven and compared."""

from __future__ import annotations

from dataclasses import dataclass, field

from service.audit.abi import Contract
from service.audit.database import Row, Snapshot
from service.audit.decode import hex_text
from service.audit.findings import Code, Findings, Place
from service.audit.signatures import Domain, Record
from service.audit.signers import Proof, Signatures
from service.audit.state import Batch, State


@dataclass
class SignatureRows:
    """Compares ``approval_signatures`` and ``quorum_actions``.

    Attributes
    ----------
    domains, addresses
        Of the contracts that officers sign for.
    """

    snapshot: Snapshot
    state: State
    findings: Findings
    domains: dict[Contract, Domain]
    addresses: dict[Contract, bytes]
    compared: int = 0
    _by_digest: dict[bytes, Batch] = field(default_factory=dict)

    def run(self) -> int:
        """Compare every row; return how many there were.

        Raises
        ------
        ConfigurationError
            When the database cannot be read.
        """
        domain = self.domains[Contract.VAULT]
        self._by_digest = {
            domain.digest_of("BatchApproval", batch.approval): batch
            for batch in self.state.batches.values()
        }
        order = ("batch_id", "officer_id")
        for row in self.snapshot.rows("approval_signatures", order):
            self.compared += 1
            self._signature(row)
        for row in self.snapshot.rows("quorum_actions", ("id",)):
            self.compared += 1
            self._action(row)
        return self.compared

    def _signature(self, row: Row) -> None:
        name = f"the signature kept of officer {row['officer_id']} over batch {row['batch_id']}"
        batch = self.state.batches.get(_bytes(row["batch_id"]))
        digest = _bytes(row["digest"])
        signed = self._by_digest.get(digest)
        place = Place(batch=row["batch_id"]) if batch is None else batch.place()
        if signed is not batch:
            self._wrong(
                f"{name} is over other data",
                place if signed is None else signed.place(),
                None if signed is None else hex_text(signed.id),
                row["batch_id"],
            )
        signer = _bytes(row["signer"])
        record = Record(row["officer_id"], row["signer_type"], signer, _bytes(row["signature"]))
        # What only a contract can tell, it tells of the block that carried the signature.
        if Signatures(_nobody).prove(record, digest, 0) is Proof.WRONG:
            self._wrong(f"{name} is not that signer's", place, None, row["signer"])
        known = self.state.registry.signers.get((row["signer_type"], signer))
        if known is None or known.officer_id != row["officer_id"]:
            owner = None if known is None else known.officer_id
            self._wrong(f"{name} is by another's signer", place, owner, row["officer_id"])

    def _action(self, row: Row) -> None:
        by_name = {contract.value: address for contract, address in self.addresses.items()}
        key = (by_name.get(row["contract"], b""), _bytes(row["id"]))
        # Ids are each contract's own: the digest tells the action kept here from a stranger's.
        registry, digest = self.state.registry, _bytes(row["digest"])
        used = registry.actions_used.get(key) == digest or digest in registry.signed_alone
        if used != (row["state"] == "done"):
            self._wrong(
                f"action {row['id']} ({row['kind']}) is {row['state']}",
                Place(),
                "used up on chain" if used else "not used on chain",
                row["state"],
            )

    def _wrong(self, message: str, place: Place, expected: object, found: object) -> None:
        self.findings.error(Code.DATABASE_MISMATCH, message, place, expected=expected, found=found)


def _nobody(_contract: bytes, _call: bytes, _block: int) -> None:
    """Leave a contract unasked."""


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        return text.encode()
