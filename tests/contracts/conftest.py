"""One deployment for the whole run; each test works on a copy of the chain that is then dropped."""

import time
from pathlib import Path

import brownie
import pytest
from clock import DAY, advance, put_back
from deployment import RESERVE, Relief, deploy
from transcript import start_the_clock, write_down


def pytest_addoption(parser):
    """Take the file that a transcript of the run goes to."""
    parser.addoption("--transcript", type=Path, help="write down what each test's transactions did")


def spare_brownie_its_waits(provider):
    """Wrap how Brownie asks the node, where it would wait for nothing.

    - A sent transaction returns once its receipt is there. The node mines a moment after it
      answers, and counts a sender's nonce a moment before it shows the transaction; Brownie would
      sleep a second in the first gap, and take a transaction in the second for a dropped one.
    - A trace is the error at its end. Brownie asks for each step, a quarter of a second a revert.
    - Nothing is kept for `chain.undo`: no test uses it, and the thread that keeps it sees blocks
      vanish when a test's snapshot is put back.
    """
    ask = provider.make_request

    def make_request(method, params):
        if method == "debug_traceTransaction" and params:  # without any, Brownie probes for support
            call = ask(method, [params[0], {"tracer": "callTracer"}])["result"]
            return {"result": {"returnValue": call.get("output"), "structLogs": []}}
        answer = ask(method, params)
        if method == "eth_sendTransaction" and "result" in answer:
            deadline = time.monotonic() + 30
            while ask("eth_getTransactionReceipt", [answer["result"]])["result"] is None:
                assert time.monotonic() < deadline, "the node mined no transaction in 30 s"
                time.sleep(0.001)
        return answer

    type(brownie.chain)._add_to_undo_buffer = lambda *_: None
    provider.make_request = make_request
    provider._request_func_cache = (None, None)  # where web3 keeps the former function


@pytest.fixture(scope="session")
def transcript(request):
    """The file of the run's transcript, empty, or None."""
    path = request.config.getoption("transcript")
    if path:
        path.write_text("")
    return path


@pytest.fixture(scope="session")
def deployed(
    transcript,
    RoleManager,  # noqa: N803 - Brownie's names
    P256Verifier,  # noqa: N803
    PasskeyVerifier,  # noqa: N803
    OfficerRegistry,  # noqa: N803
    BenefitToken,  # noqa: N803
    VaultAdministration,  # noqa: N803
    VaultCorrections,  # noqa: N803
    AllowanceVault,  # noqa: N803
    EmergencyLane,  # noqa: N803
):
    """The contracts with two programmes in force and a fresh attestation of the reserve."""
    contracts = {
        "RoleManager": RoleManager,
        "P256Verifier": P256Verifier,
        "PasskeyVerifier": PasskeyVerifier,
        "OfficerRegistry": OfficerRegistry,
        "BenefitToken": BenefitToken,
        "VaultAdministration": VaultAdministration,
        "VaultCorrections": VaultCorrections,
        "AllowanceVault": AllowanceVault,
        "EmergencyLane": EmergencyLane,
    }
    spare_brownie_its_waits(brownie.web3.provider)
    if transcript:
        start_the_clock()
    relief = deploy(contracts, brownie.accounts)
    advance(2 * DAY)
    relief.attest(RESERVE)
    advance(1)  # so that a test may attest again, as of a later second
    return relief


@pytest.fixture(autouse=True)
def _isolation(deployed, transcript, request):
    """Put the chain back after each test."""
    first_block = brownie.web3.eth.block_number + 1
    with put_back():
        yield
        if transcript:
            names = ("manager", "registry", "token", "vault", "lane")
            contracts = {name: getattr(deployed, name) for name in names}
            write_down(transcript, request.node.nodeid, contracts, first_block=first_block)


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
def lane(relief):
    """The emergency lane."""
    return relief.lane


@pytest.fixture
def registry(relief):
    """The registry."""
    return relief.registry


@pytest.fixture
def create_programme(relief):
    """Create a programme and let its delay pass."""

    def create(number, *, region=(0, 0), budget=10**12, payout_cap=10**12, tiers=((10**12, 1, 0),)):
        relief.vault.createProgramme(
            number, *region, budget, payout_cap, list(tiers), bytes(32), {"from": relief.planner}
        )
        advance(2 * DAY)

    return create
