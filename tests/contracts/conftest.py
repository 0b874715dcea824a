"""One deployment for the whole run; each test works on a copy of the chain that is then dropped."""

import time

import brownie
import pytest
from clock import DAY, advance, now
from deployment import RESERVE, Relief, deploy
from web3.middleware import Web3Middleware


class ReturnWhenMined(Web3Middleware):
    """Lets a sent transaction return once its receipt is there.

    The node mines a moment after it answers, and counts a sender's nonce a moment before it shows
    the transaction. Brownie would sleep a second in the first gap, and take a transaction in the
    second for a dropped one.
    """

    def wrap_make_request(self, make_request):
        def process(method, params):
            answer = make_request(method, params)
            if method == "eth_sendTransaction" and "result" in answer:
                deadline = time.monotonic() + 30
                while (
                    make_request("eth_getTransactionReceipt", [answer["result"]])["result"] is None
                ):
                    assert time.monotonic() < deadline, (
                        "the node did not mine a transaction in 30 s"
                    )
                    time.sleep(0.001)
            return answer

        return process


@pytest.fixture(scope="session")
def deployed(RoleManager, OfficerRegistry, BenefitToken, AllowanceVault):  # noqa: N803 - Brownie's names
    """The contracts with two programmes in force and a fresh attestation of the reserve."""
    contracts = {
        "RoleManager": RoleManager,
        "OfficerRegistry": OfficerRegistry,
        "BenefitToken": BenefitToken,
        "AllowanceVault": AllowanceVault,
    }
    brownie.web3.middleware_onion.inject(ReturnWhenMined, layer=0)
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
