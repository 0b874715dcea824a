"""Emergency grants in the database, against the chain's."""

from __future__ import annotations

from dataclasses import dataclass

from service.audit.comparing import Comparison, OneOf, as_bytes
from service.audit.database import Snapshot
from service.audit.decode import hex_text
from service.audit.findings import Place
from service.audit.lane_state import Grant, GrantState
from service.audit.state import State

NOT_ON_CHAIN = {
    "state": OneOf({"proposed", "expired"}),
    "overdue_from_unix_s": None,
    "countersigned_by": None,
    "included_block_number": None,
    "included_block_hash": None,
    "tx_hash": None,
}
"""What a grant's row holds that no event has made."""


@dataclass
class GrantRows:
    """Compares ``emergency_grants``: a granted case that shows as free could be paid again."""

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
        unseen = dict(self.state.lane.grants)
        for row in self.snapshot.rows("emergency_grants", ("id",)):
            grant = unseen.pop(as_bytes(row["id"]), None)
            name = f"grant {row['id']}"
            if grant is None:
                self.comparison.compare(name, Place(grant=row["id"]), row, NOT_ON_CHAIN)
            else:
                self.comparison.compare(name, grant.place(), row, _facts(grant))
        for grant in unseen.values():
            self.comparison.missing(
                f"grant {hex_text(grant.id)} is on chain and not in the database", grant.place()
            )


def _facts(grant: Grant) -> dict[str, object]:
    return {
        "officer_id": grant.officer,
        "payee": hex_text(grant.given["payee"]),
        "amount_base_units": grant.amount,
        "region_code": grant.region[0],
        "region_digits": grant.region[1],
        "commitment": grant.given["caseCommitment"].hex(),
        "valid_until_unix_s": grant.given["validUntil"],
        "state": (grant.ended or GrantState.OUTSTANDING).value,
        "overdue_from_unix_s": grant.overdue_from,
        "countersigned_by": grant.countersigned_by,
        "included_block_number": grant.block,
        "included_block_hash": hex_text(grant.block_hash),
        "tx_hash": hex_text(grant.tx),
    }
