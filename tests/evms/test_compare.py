"""Two EVMs that did not do the same are told apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.evms.compare import differences, main, read


def told(**changed: Any) -> dict[str, Any]:
    """A test of one transaction, as a transcript tells it."""
    transaction = {"hash": "0x01", "status": 1, "gasUsed": 50_000, "logs": "aa"}
    storage = changed.pop("storage", {"token": "0x02"})
    return {"test": "t", "transactions": [transaction | changed], "storage": storage}


def written(folder: Path, chain: str, test: dict[str, Any]) -> Path:
    path = folder / f"{chain}.jsonl"
    path.write_text(json.dumps(test) + "\n")
    return path


@pytest.mark.parametrize(
    "changed",
    [
        {"hash": "0x03"},
        {"status": 0},
        {"gasUsed": 50_001},
        {"logs": "bb"},
        {"storage": {"token": "0x04"}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_whatever_differs_is_told(changed: dict[str, Any]) -> None:
    assert len(differences({"t": told()}, {"t": told(**changed)})) == 1
    assert not differences({"t": told()}, {"t": told()})


def test_a_test_that_only_one_ran_and_a_transaction_that_only_one_sent_are_told() -> None:
    assert differences({"t": told()}, {}) == ["t: only one ran it"]
    nothing = told() | {"transactions": []}
    assert differences({"t": told()}, {"t": nothing}) == ["t: 1 transactions, and 0"]


def test_anvils_storage_is_nobodys_measure(tmp_path: Path) -> None:
    anvil = read(written(tmp_path, "anvil:prague", told(storage={"token": "0x05"})))
    assert not differences(anvil, {"t": told()})
    assert not differences({"t": told()}, anvil)
    assert differences(anvil, {"t": told(gasUsed=1)})


def test_chains_of_one_hardfork_must_agree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, "anvil:osaka", told())
    written(tmp_path, "ethereumjs:prague", told(gasUsed=1))
    with pytest.raises(SystemExit) as ended:
        main(tmp_path)
    assert not ended.value.code
    written(tmp_path, "py-evm:prague", told(gasUsed=2))
    with pytest.raises(SystemExit) as ended:
        main(tmp_path)
    assert ended.value.code
    assert "ethereumjs:prague and py-evm:prague: 1 transactions, 1 differences" in (
        capsys.readouterr().out
    )
