"""Which case each payout is of: one that has two is found among millions, on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from service.audit.engines.duck import cursor
from service.audit.transfer_rows import binary

COMMITMENT_BYTES = 32

REPEATED = """
    SELECT commitment, list_number, position FROM paid
    WHERE commitment IN (SELECT commitment FROM paid GROUP BY commitment HAVING count(*) > 1)
    ORDER BY list_number, position
"""


class PaidCases:
    """Takes lists of payouts, each with its case."""

    def __init__(self) -> None:
        self._database = cursor()
        self._database.execute(
            "CREATE OR REPLACE TEMP TABLE paid "
            "(commitment BLOB, list_number INTEGER, position INTEGER)"
        )

    def add(self, list_number: int, positions: Sequence[int], commitments: Sequence[bytes]) -> None:
        """Take some payouts of a list.

        Parameters
        ----------
        list_number
            Lists are compared in the order of their numbers.
        positions
            Of each payout in its list.
        commitments
            Of each payout's case, 32 bytes.
        """
        columns = [
            binary(b"".join(commitments), COMMITMENT_BYTES),
            pa.array(np.full(len(positions), list_number, np.int32)),
            pa.array(positions, pa.int32()),
        ]
        taken = pa.table(columns, names=["commitment", "list_number", "position"])
        self._database.register("taken", taken)
        self._database.execute("INSERT INTO paid SELECT * FROM taken")
        self._database.unregister("taken")

    def repeated(self) -> Iterator[tuple[bytes, int, int]]:
        """Yield case, number of the list and position of each payout whose case has several."""
        for batch in self._database.sql(REPEATED).to_arrow_reader():
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
