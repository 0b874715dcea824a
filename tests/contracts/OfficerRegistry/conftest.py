"""What governors do to the registry."""

import pytest
from approvals import EOA_SIGNER


@pytest.fixture
def add_officer(relief):
    """Have governors add an officer, given as the registry's struct."""

    def send(struct, officers=(6, 7)):
        names = ("officerId", "roles", "regionCode", "regionDigits", "signerType", "signer")
        message = dict(zip(names, struct, strict=True))
        signed = relief.signed_action(relief.registry, "OfficerAddition", message, officers)
        return relief.registry.addOfficer(struct, *signed, {"from": relief.anyone})

    return send


@pytest.fixture
def remove_officer(relief):
    """Have governors remove an officer."""

    def send(officer_id, officers=(6, 7)):
        message = {"officerId": officer_id}
        signed = relief.signed_action(relief.registry, "OfficerRemoval", message, officers)
        return relief.registry.removeOfficer(officer_id, *signed, {"from": relief.anyone})

    return send


@pytest.fixture
def add_signer(relief):
    """Have governors give an officer another signer."""

    def send(officer_id, signer, signer_type=EOA_SIGNER):
        message = {"officerId": officer_id, "signerType": signer_type, "signer": signer}
        signed = relief.signed_action(relief.registry, "SignerAddition", message, (6, 7))
        return relief.registry.addSigner(*message.values(), *signed, {"from": relief.anyone})

    return send


@pytest.fixture
def remove_signer(relief):
    """Have governors take a signer away."""

    def send(signer, signer_type=EOA_SIGNER):
        message = {"signerType": signer_type, "signer": signer}
        signed = relief.signed_action(relief.registry, "SignerRemoval", message, (6, 7))
        return relief.registry.removeSigner(*message.values(), *signed, {"from": relief.anyone})

    return send


@pytest.fixture
def add_verifier(relief):
    """Have governors allow a verifier."""

    def send(verifier):
        message = {"verifier": str(getattr(verifier, "address", verifier))}
        signed = relief.signed_action(relief.registry, "VerifierAddition", message, (6, 7))
        return relief.registry.addVerifier(message["verifier"], *signed, {"from": relief.anyone})

    return send


@pytest.fixture
def remove_verifier(relief):
    """Have governors disallow a verifier."""

    def send(verifier):
        message = {"verifier": verifier.address}
        signed = relief.signed_action(relief.registry, "VerifierRemoval", message, (6, 7))
        return relief.registry.removeVerifier(verifier, *signed, {"from": relief.anyone})

    return send
