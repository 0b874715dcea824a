"""A replay put into what is kept of it, and taken up again from there."""

from __future__ import annotations

from dataclasses import replace

from service.audit.archive.reading import Reader
from service.audit.blocks import Header
from service.audit.replayer import Replayer
from service.audit.resuming.kept import Kept


def kept_of(replayer: Replayer, reader: Reader, header: Header, began: int) -> Kept:
    """Return what there is of a replay when a block is over, and its last transaction too.

    Parameters
    ----------
    header
        Of the block.
    began
        Block of the first event.
    """
    block = int(header["number"], 16)
    return Kept(
        chain_id=replayer.deployment.chain_id,
        contracts=replayer.deployment.addresses,
        began=began,
        block=block,
        block_hash=header["hash"],
        counts=replayer.counts,
        begun_late=replayer.begun_late,
        handed_over=replayer.handed_over,
        findings=replayer.findings.items,
        evidence=reader.evidence_at[block],
        mismatched=[each for each in reader.mismatched if each[0] <= block],
        state=replayer.state,
    )


def took_up(kept: Kept, replayer: Replayer, reader: Reader) -> None:
    """Set a new replay, which has the kept state already, to where the other one was."""
    replayer.counts = kept.counts
    replayer.begun_late, replayer.handed_over = kept.begun_late, kept.handed_over
    for finding in kept.findings:
        replayer.findings.add(finding)
    reader.evidence = replace(kept.evidence)
    reader.mismatched = list(kept.mismatched)
    reader.last_hash = kept.block_hash
