"""Programmes, officers, signers and verifiers in the database, against the chain's."""

from __future__ import annotations

import json
from dataclasses import dataclass

from service.audit.comparing import Comparison, as_bytes
from service.audit.database import Snapshot, unix
from service.audit.decode import hex_text
from service.audit.findings import NOWHERE
from service.audit.state import State


@dataclass
class RegistryRows:
    """Compares ``programmes``, ``officers``, ``officer_signers`` and ``key_verifiers``."""

    snapshot: Snapshot
    state: State
    comparison: Comparison

    def run(self) -> None:
        """Compare every row.

        Raises
        ------
        ConfigurationError
            When the database cannot be read.
        """
        self._programmes()
        self._officers()
        self._signers()
        self._verifiers()

    def _programmes(self) -> None:
        unseen = dict(self.state.programmes)
        for row in self.snapshot.rows("programmes", ("id",)):
            programme = unseen.pop(row["id"], None)
            name = f"programme {row['id']}"
            if programme is None:
                self.comparison.compare(name, NOWHERE, row, {"state": "proposed"})
                continue
            tiers = row["tiers"]
            tiers = json.loads(tiers) if isinstance(tiers, str) else tiers
            row["tiers"] = [
                (int(t["up_to_base_units"]), t["reviewers"], t["challenge_delay_s"]) for t in tiers
            ]
            row["active_from"] = unix(row["active_from"])
            expected = {
                "state": "onchain",
                "region_code": programme.region[0],
                "region_digits": programme.region[1],
                "budget_base_units": programme.budget,
                "payout_cap_base_units": programme.payout_cap,
                "tiers": [tuple(tier.values()) for tier in programme.tiers],
                "metadata_hash": hex_text(programme.metadata_hash),
                "version": programme.version,
                "active_from": programme.active_from,
            }
            self.comparison.compare(name, NOWHERE, row, expected)
        for number in unseen:
            self.comparison.missing(
                f"programme {number} is on chain and not in the database", NOWHERE
            )

    def _officers(self) -> None:
        registry = self.state.registry
        officers = dict(registry.officers)
        for row in self.snapshot.rows("officers", ("officer_id",)):
            officer = officers.pop(row["officer_id"], None)
            name = f"officer {row['officer_id']}"
            if officer is None:
                self.comparison.unexpected(f"{name} is in the database and not on chain", NOWHERE)
                continue
            row["active_from"] = unix(row["active_from"])
            row["removed"] = bool(row["removed"])
            expected = {
                "roles": officer.roles,
                "region_code": officer.region[0],
                "region_digits": officer.region[1],
                "active_from": officer.active_from,
                "removed": officer.removed,
            }
            self.comparison.compare(name, NOWHERE, row, expected)
        for number in officers:
            self.comparison.missing(
                f"officer {number} is on chain and not in the database", NOWHERE
            )

    def _signers(self) -> None:
        signers = dict(self.state.registry.signers)
        for row in self.snapshot.rows("officer_signers", ("signer",)):
            signer = signers.pop((row["signer_type"], as_bytes(row["signer"])), None)
            name = f"signer {row['signer']}"
            if signer is None:
                self.comparison.unexpected(f"{name} is in the database and not on chain", NOWHERE)
                continue
            row["active_from"] = unix(row["active_from"])
            row["removed"] = bool(row["removed"])
            self.comparison.compare(name, NOWHERE, row, vars(signer))
        for _, address in signers:
            self.comparison.missing(
                f"signer {hex_text(address)} is on chain, not in the database", NOWHERE
            )

    def _verifiers(self) -> None:
        verifiers = dict(self.state.registry.verifiers)
        for row in self.snapshot.rows("key_verifiers", ("verifier",)):
            verifier = verifiers.pop(as_bytes(row["verifier"]), None)
            name = f"verifier {row['verifier']}"
            if verifier is None:
                self.comparison.unexpected(f"{name} is in the database and not on chain", NOWHERE)
                continue
            row["active_from"] = unix(row["active_from"])
            row["removed"] = bool(row["removed"])
            self.comparison.compare(name, NOWHERE, row, vars(verifier))
        for address in verifiers:
            self.comparison.missing(
                f"verifier {hex_text(address)} is on chain, not in the database", NOWHERE
            )
