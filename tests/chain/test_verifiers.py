"""The verifiers of officers' keys, on chains with and without the precompile of EIP-7951."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from eth_abi.abi import encode

from service.approvals.keys import passkey_assertion, passkey_signature
from service.chain.contracts import load_bytecode
from service.chain.devcontracts import mined
from service.chain.devnode import DevNode, start_anvil
from tests.support.chromium import RECORD
from tests.support.deployed import ARTIFACTS_DIR
from tests.support.officer_keys import P256Key, Passkey, twin

VERIFY = bytes.fromhex("024ad318")
"""Selector of ``verify(bytes,bytes32,bytes)``; also what it answers to a good signature."""

DIGEST = hashlib.sha256(b"a batch approval's digest").digest()


@pytest.fixture(scope="module", params=["osaka", "prague"])
def node(request: pytest.FixtureRequest) -> Iterator[DevNode]:
    """A chain with the precompile, then one without."""
    with start_anvil(hardfork=request.param) as started:
        yield started


def accepts(node: DevNode, contract: str, key: bytes, digest: bytes, signature: bytes) -> bool:
    """Deploy a verifier and ask it."""
    sender = node.rpc("eth_accounts")[0]
    creation = {"from": sender, "data": "0x" + load_bytecode(ARTIFACTS_DIR, contract).hex()}
    receipt = mined(node.rpc, node.rpc("eth_sendTransaction", creation))
    call = VERIFY + encode(["bytes", "bytes32", "bytes"], [key, digest, signature])
    asked = {"to": receipt["contractAddress"], "data": "0x" + call.hex()}
    answer: str = node.rpc("eth_call", asked, "latest")
    return bytes.fromhex(answer[2:]) == VERIFY.ljust(32, b"\0")


def test_a_p256_signature_is_accepted_and_its_mirrored_twin_is_not(node: DevNode) -> None:
    key = P256Key("an officer")
    signature = key.sign(DIGEST)
    assert accepts(node, "P256Verifier", key.point, DIGEST, signature)
    assert not accepts(node, "P256Verifier", key.point, DIGEST, twin(signature))
    assert not accepts(node, "P256Verifier", key.point, bytes(32), signature)
    assert not accepts(node, "P256Verifier", P256Key("another").point, DIGEST, signature)


def test_a_passkeys_assertion_is_accepted_for_its_challenge_alone(node: DevNode) -> None:
    key = Passkey("an officer")
    assert accepts(node, "PasskeyVerifier", key.point, DIGEST, key.sign(DIGEST))
    assert not accepts(node, "PasskeyVerifier", key.point, DIGEST, key.sign(bytes(32)))


def test_the_recorded_assertion_of_a_browser_is_accepted(node: DevNode) -> None:
    digest, point = bytes.fromhex(RECORD["digest"][2:]), bytes.fromhex(RECORD["point"][2:])
    as_made = passkey_assertion(RECORD["assertion"]["response"])
    taken = passkey_signature(point, digest, as_made)
    assert accepts(node, "PasskeyVerifier", point, digest, taken)
    assert not accepts(node, "PasskeyVerifier", point, digest, as_made)  # s in the upper half
