"""The contract's own word: whether it makes the same digest of what an officer is to sign.

The node is the officer's own, or one they trust: the service is not asked.
"""

from __future__ import annotations

from service.audit.abi import Contract
from service.audit.decode import address_text, hex_text
from service.audit.digests.document import Difference, TypedData
from service.audit.rpc import Node, NodeRefused
from service.audit.signatures import DOMAIN_NAMES, DOMAIN_VERSION, members_of
from service.audit.views import Value, calldata

WORD = 32
DOMAIN_FIELDS = 0b01111
"""ERC-5267: name, version, chain id and contract, neither salt nor extensions."""

DIGEST_VIEWS = {"BatchApproval": "approvalDigest", "EmergencyGrant": "grantDigest"}
"""Types whose digest a contract says itself. All others share its domain, and nothing else of them
can differ from what is compared here: the types are compared with the compiled code."""


def ask_contract(data: TypedData, node: Node) -> tuple[list[Difference], list[str], int]:
    """Compare chain, domain and, where there is a view for it, digest with the contract's.

    Returns
    -------
    tuple
        Differences; what was compared, in words; time of the newest block, Unix seconds.

    Raises
    ------
    ChainUnavailable, NodeRefused
        When the node does not answer.
    """
    header = node.call("eth_getBlockByNumber", "latest", False)
    block, time = int(header["number"], 16), int(header["timestamp"], 16)
    where = f"{data.contract} at {address_text(data.verifying_contract)} in block {block}"
    chain_id = int(node.call("eth_chainId"), 16)
    if chain_id != data.chain_id:
        expected = f"{data.chain_id}, as the document says"
        return [Difference("chain id of the node", expected, str(chain_id))], [], time
    address = hex_text(data.verifying_contract)
    if node.call("eth_getCode", address, hex(block)) == "0x":
        return [Difference(where, "a contract", "none")], [], time
    differences = []
    compared = ["chain id", "domain (ERC-5267)"]
    answer = _view(node, address, "eip712Domain()", (), block)
    if answer != _domain_answer(data):
        differences.append(
            Difference(
                f"domain of the {where}",
                f"{DOMAIN_NAMES[data.contract]}, version {DOMAIN_VERSION}, chain {data.chain_id}",
                "none" if answer is None else hex_text(answer),
            )
        )
    if data.contract is Contract.TOKEN:
        compared.append("domain separator")
        separator = _view(node, address, "DOMAIN_SEPARATOR()", (), block)
        differences += _compared(
            f"domain separator of the {where}", data.domain.separator, separator
        )
    view = DIGEST_VIEWS.get(data.primary_type)
    if view is not None:
        compared.append(f"digest ({view})")
        kinds = ",".join(kind for kind, _ in members_of(data.primary_type))
        values = tuple(data.values[name] for _, name in members_of(data.primary_type))
        digest = _view(node, address, f"{view}(({kinds}))", values, block)
        differences += _compared(f"{view} of the {where}", data.digest, digest)
    return differences, compared, time


def _compared(where: str, expected: bytes, found: bytes | None) -> list[Difference]:
    if found == expected:
        return []
    return [Difference(where, hex_text(expected), "none" if found is None else hex_text(found))]


def _view(
    node: Node, address: str, signature: str, values: tuple[Value, ...], block: int
) -> bytes | None:
    """Ask a view; None where it reverts."""
    try:
        return node.view(address, calldata(signature, *values), block)
    except NodeRefused as error:
        if "revert" in str(error):
            return None
        raise


def _domain_answer(data: TypedData) -> bytes:
    """Return what ``eip712Domain()`` must answer, ABI-encoded.

    ``(bytes1 fields, string name, string version, uint256 chainId, address verifyingContract,
    bytes32 salt, uint256[] extensions)``.
    """
    name, version = _text(DOMAIN_NAMES[data.contract]), _text(DOMAIN_VERSION)
    at_name = 7 * WORD
    at_version = at_name + len(name)
    at_extensions = at_version + len(version)
    return b"".join(
        [
            bytes([DOMAIN_FIELDS]).ljust(WORD, b"\0"),
            *(number.to_bytes(WORD, "big") for number in (at_name, at_version, data.chain_id)),
            data.verifying_contract.rjust(WORD, b"\0"),
            bytes(WORD),
            at_extensions.to_bytes(WORD, "big"),
            name,
            version,
            bytes(WORD),
        ]
    )


def _text(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(WORD, "big") + raw + bytes(-len(raw) % WORD)
