"""The contracts' tests run on the chain that is named, or on none."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.brownie import write_network_config


def test_a_chain_is_a_node_and_the_rules_it_runs_by(tmp_path: Path) -> None:
    write_network_config(tmp_path, 12345, "ethereumjs:prague")
    written = (tmp_path / ".brownie" / "network-config.yaml").read_text()
    assert "cmd: anvil-ethereumjs.mjs\n" in written
    assert "evm_version: prague\n" in written
    assert "port: 12345\n" in written


@pytest.mark.parametrize("chain", ["geth:osaka", "anvil", "anvil:", ""])
def test_a_chain_that_is_not_is_refused(tmp_path: Path, chain: str) -> None:
    with pytest.raises(SystemExit, match="is no node:hardfork"):
        write_network_config(tmp_path, 12345, chain)
