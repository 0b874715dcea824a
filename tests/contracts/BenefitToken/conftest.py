"""Wallets with money in them."""

import brownie
import pytest
from approvals import account_named


@pytest.fixture
def alice(relief):
    """An account of the node that was paid 1,000."""
    wallet = brownie.accounts[11]
    relief.pay([(wallet.address, 1_000)])
    return wallet


@pytest.fixture
def bob():
    """An account of the node that holds nothing."""
    return brownie.accounts[12]


@pytest.fixture
def holder(relief):
    """A key that was paid 1,000 and holds no gas, as beneficiaries do."""
    key = account_named("holder")
    relief.pay([(key.address, 1_000)])
    return key


@pytest.fixture
def pause_transfers(relief):
    """Pause transfers as the guardian."""
    return lambda: relief.token.pauseTransfers({"from": relief.guardian})
