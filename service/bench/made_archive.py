"""An archive of more payouts than a development chain has memory for: made, not mined.

A real chain begins it: the deployment, officers, a programme and a reserve, proven as always. Upon
its last block stand made-up ones, which hold what the contracts would have logged: batches that the
officers' keys signed, chunks that give their root, mints, counts and sums. A replay checks all of
it by the same rules as a chain's; that receipts are not there to prove it, it says of any archive.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from service.audit.archive.answers import RecordingNode
from service.audit.archive.schemas import ANSWERS, FOLDER
from service.audit.archive.writing import ArchiveWriter
from service.audit.arithmetic import RollingSum
from service.audit.decode import LogPlace
from service.audit.findings import Code, Severity
from service.audit.receipts import header_hash
from service.audit.replay import Options, replay
from service.audit.report import ReplayReport
from service.audit.reports.folder import write_result
from service.audit.reports.manifest import MANIFEST, RESULT, seal
from service.audit.transfers import TransferRun
from service.bench.chains import BenchChain, account, start_chain
from service.bench.payout_chain import AMOUNT_BASE_UNITS, PlannedBatch, batches_of, plan_batch
from service.chain.contracts import load_abi
from service.errors import IntegrityError

EMPTY = {
    **dict.fromkeys(("sha3Uncles", "stateRoot", "transactionsRoot", "receiptsRoot"), bytes(32)),
    "miner": bytes(20),
    "logsBloom": bytes(256),
    "mixHash": bytes(32),
    "nonce": bytes(8),
}
NUMBERS = ("difficulty", "gasLimit", "gasUsed", "baseFeePerGas")
ENTRY_BYTES = 28


def make_archive(folder: Path, artifacts_dir: Path, count: int) -> ReplayReport:
    """Make an archive of `count` payouts, each to a wallet of its own; returns its replay.

    Parameters
    ----------
    folder
        New.
    artifacts_dir
        Compiled contracts.

    Raises
    ------
    IntegrityError
        When the replay finds anything wrong.
    """
    folder.mkdir()
    writer = ArchiveWriter(folder / FOLDER)
    with start_chain(artifacts_dir, account("relayer").address, history=False) as chain:
        vault = bytes.fromhex(chain.contracts.address("vault")[2:])
        with RecordingNode(chain.node.rpc_url) as node:
            began = replay(node, Options(vault, views=False), writer=writer)
            maker = _Maker(chain, artifacts_dir, writer, began)
            for numbers in batches_of(count):
                maker.add(plan_batch(chain, numbers, maker.time))
            writer.finish(node)
    _ask_later(folder / FOLDER / ANSWERS, began.to_block, maker.number)
    made = replace(began, to_block=maker.number, to_block_hash=maker.parent)
    _hand_over(folder, made)
    replayed = replay(None, Options(None, archive=folder))
    # What is handed over is the result of the beginning yet.
    wrong = [finding for finding in replayed.findings if finding.severity is Severity.ERROR]
    if {finding.code for finding in wrong} != {Code.ARCHIVE_MISMATCH}:
        raise IntegrityError(f"the made archive does not hold: {wrong[:5]}")
    result = replace(replayed, findings=[])
    _hand_over(folder, result)
    return result


def _hand_over(folder: Path, report: ReplayReport) -> None:
    for name in (RESULT, MANIFEST):
        (folder / name).unlink(missing_ok=True)
    write_result(folder, report)
    seal(folder, report, None)


def _ask_later(path: Path, before: int, last: int) -> None:
    """Have the answers be those of the last block."""
    lines = path.read_text().splitlines()
    path.write_text(
        "".join(line.replace(f'"{before:#x}"', f'"{last:#x}"') + "\n" for line in lines)
    )


class _Maker:
    """Makes blocks upon a chain's last one."""

    def __init__(
        self, chain: BenchChain, artifacts_dir: Path, writer: ArchiveWriter, began: ReplayReport
    ) -> None:
        self._writer = writer
        self._contracts = {name: chain.contracts.address(name) for name in ("vault", "token")}
        self._events = {
            entry["name"]: (contract, entry)
            for contract, artifact in (("vault", "AllowanceVault"), ("token", "BenefitToken"))
            for entry in load_abi(artifacts_dir, artifact)
            if entry["type"] == "event"
        }
        self._seq = began.state.vault_seq
        self._outstanding = began.totals.supply_base_units + began.totals.committed_base_units
        self._rolling = RollingSum()
        self.number, self.time, self.parent = began.to_block, began.timestamp, began.to_block_hash

    def add(self, batch: PlannedBatch) -> None:
        """Make the block that approves a batch, and one for each of its chunks."""
        message = batch.message
        batch_id, total = message["batchId"], message["total"]
        place = self._block()
        self._outstanding += total
        self._log(place, "Committed", self._contracts["vault"], total, self._outstanding)
        approval = tuple(message.values())
        rolling = self._rolling.add(total, self.time)
        first = self._first_number(message["count"])
        self._log(
            place.behind(1),
            "BatchApproved",
            *(batch_id, message["programme"], approval),
            *(first, self.time, rolling, batch.signatures, self._next()),
        )
        for index, entries in enumerate(batch.pieces):
            place = self._block()
            count = len(entries) // ENTRY_BYTES
            self._writer.transfers(TransferRun(place, bytes(20 * count), entries))
            paid = count * AMOUNT_BASE_UNITS
            facts = (batch_id, index, entries, paid, 0, 0, self._next())
            self._log(place.behind(count), "ChunkPaid", *facts)

    _numbered = 1

    def _first_number(self, count: int) -> int:
        first, self._numbered = self._numbered, self._numbered + count
        return first

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    def _block(self) -> LogPlace:
        """Make a block with one transaction; returns the place of its first log."""
        self.number, self.time = self.number + 1, self.time + 1
        header: dict[str, Any] = {name: "0x" + value.hex() for name, value in EMPTY.items()}
        header |= dict.fromkeys(NUMBERS, "0x0")
        header |= {"number": hex(self.number), "timestamp": hex(self.time), "extraData": "0x"}
        header["parentHash"] = self.parent
        block_hash = header_hash(header)
        self.parent = header["hash"] = "0x" + block_hash.hex()
        self._writer.blocks([header])
        return LogPlace(self.number, self.time, block_hash, keccak(block_hash), 0, 0)

    def _log(self, place: LogPlace, name: str, *values: Any) -> None:
        contract, abi = self._events[name]
        pairs = list(zip(abi["inputs"], values, strict=True))
        plain = [
            (collapse_if_tuple(field), value) for field, value in pairs if not field["indexed"]
        ]
        topics = [
            encode([collapse_if_tuple(field)], [value])
            for field, value in pairs
            if field["indexed"]
        ]
        log = {
            "address": self._contracts[contract],
            "topics": ["0x" + topic.hex() for topic in (keccak(text=_signature(abi)), *topics)],
            "data": "0x" + encode([kind for kind, _ in plain], [value for _, value in plain]).hex(),
        }
        self._writer.log(log, place)


def _signature(abi: Any) -> str:
    return f"{abi['name']}({','.join(collapse_if_tuple(field) for field in abi['inputs'])})"
