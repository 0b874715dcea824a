"""One deployment for the whole run; each test works on a copy of the chain that is then dropped."""

import brownie
import pytest
from clock import DAY, advance, now
from deployment import RESERVE, Relief, deploy


@pytest.fixture(scope="session")
def deployed(RoleManager, OfficerRegistry, BenefitToken, AllowanceVault):  # noqa: N803 - Brownie's names
    """The contracts with two programmes in force and a fresh attestation of the reserve."""
    contracts = {
        "RoleManager": RoleManager,
        "OfficerRegistry": OfficerRegistry,
        "BenefitToken": BenefitToken,
        "AllowanceVault": AllowanceVault,
    }
    relief = deploy(contracts, brownie.accounts)
    advance(2 * DAY)
    relief.attest(RESERVE)
    assert relief.token.attestation()[2] <= now()
    return relief


@pytest.fixture(autouse=True)
def _isolation(deployed):
    """Put the chain back after each test."""
    brownie.chain.snapshot()
    yield
    brownie.chain.revert()


@pytest.fixture
def relief(deployed, _isolation) -> Relief:
    """The deployment, as it was when it was made."""
    return deployed


@pytest.fixture
def token(relief):
    """The token."""
    return relief.token


@pytest.fixture
def vault(relief):
    """The vault."""
    return relief.vault


@pytest.fixture
def registry(relief):
    """The registry."""
    return relief.registry
