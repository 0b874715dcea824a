"""approveBatch: what officers did not sign, or not enough of them, is refused, each by its error."""

import pytest
from approvals import (
    BATCH_APPROVAL,
    Officer,
    account_named,
    mirrored,
    record,
    sign_batch,
    sign_typed,
)
from brownie import web3
from chunk_tree import levels, packed_chunks, root
from clock import DAY, advance, ask_node
from outcomes import refused


@pytest.fixture
def batch(relief):
    """Two payouts that nobody signed yet."""
    first, second = relief.payees(2)
    return relief.batch([(first, 100), (second, 200)])


def _wrong_signature(officer: Officer):
    return refused("WrongSignature", officer.officer_id, 1, bytes.fromhex(officer.key.address[2:]))


def _signature(relief, batch, officer, key=None):
    """The 65 bytes of one officer's signature, or of another key's."""
    return sign_typed(
        key or officer.key,
        relief.vault,
        batch.approval,
        domain_name="Relief AllowanceVault",
        primary_type="BatchApproval",
        members=BATCH_APPROVAL,
    )


# ---- what was signed is not what is sent ---------------------------------------------------------


@pytest.mark.parametrize("change", ["one base unit", "one address"])
def test_a_list_changed_after_signing_is_refused(relief, vault, batch, change):
    signatures = sign_batch(vault, batch.approval, relief.officers(1, 2))
    entries = list(batch.entries)
    payee, amount = entries[1]
    entries[1] = (payee, amount + 1) if change == "one base unit" else (relief.payees(1, 9)[0], 200)
    changed = {
        **batch.approval,
        "chunksRoot": root(levels(batch.id, packed_chunks(entries, 500))),
        "total": sum(amount for _, amount in entries),
    }
    with _wrong_signature(relief.officers(1)[0]):
        relief.send_approval(changed, signatures)


@pytest.mark.parametrize("member", [name for name, _ in BATCH_APPROVAL])
def test_each_member_of_the_approval_is_signed(relief, vault, batch, member):
    value = batch.approval[member]
    other = bytes(31) + b"\xff" if isinstance(value, bytes) else value + 1
    signatures = sign_batch(vault, {**batch.approval, member: other}, relief.officers(1, 2))
    with _wrong_signature(relief.officers(1)[0]):
        relief.send_approval(batch.approval, signatures)


def test_a_batch_signed_for_another_chain_is_refused(relief, vault, batch):
    signatures = sign_batch(vault, batch.approval, relief.officers(1, 2), chain_id=1)
    with _wrong_signature(relief.officers(1)[0]):
        relief.send_approval(batch.approval, signatures)


def test_a_batch_signed_for_another_vault_is_refused(relief, token, batch):
    signatures = sign_batch(token, batch.approval, relief.officers(1, 2))
    with _wrong_signature(relief.officers(1)[0]):
        relief.send_approval(batch.approval, signatures)


def test_after_the_chain_forks_off_under_a_new_id_old_signatures_fail(relief, vault, batch):
    if not web3.client_version.startswith("anvil"):
        pytest.skip("only anvil changes the id of a running chain")
    old = sign_batch(vault, batch.approval, relief.officers(1, 2))
    new = sign_batch(vault, batch.approval, relief.officers(1, 2), chain_id=31338)
    approve = vault.approveBatch
    approval = tuple(batch.approval.values())
    ask_node("anvil_setChainId", 31338)
    try:
        with _wrong_signature(relief.officers(1)[0]):
            approve.call(approval, old, {"from": relief.anyone})
        approve.call(approval, new, {"from": relief.anyone})
    finally:
        ask_node("anvil_setChainId", 31337)


# ---- who signed ----------------------------------------------------------------------------------


def test_a_batch_signed_by_too_few_officers_is_refused(relief, batch):
    with refused("NotEnoughReviewers", 1, 0):
        relief.approve(batch, officers=(1,))


def test_a_batch_signed_by_nobody_is_refused(relief, batch):
    with refused("MakerSignatureMissing", 1):
        relief.approve(batch, officers=())


def test_reviewers_without_the_maker_are_refused(relief, batch):
    with refused("MakerSignatureMissing", 1):
        relief.approve(batch, officers=(2, 3))


def test_the_maker_is_no_reviewer_of_the_same_batch(relief):
    # Officer 4 may do both, for different batches.
    batch = relief.batch([(relief.payees(1)[0], 1)], maker=4)
    with refused("NotEnoughReviewers", 1, 0):
        relief.approve(batch, officers=(4,))
    with refused("OfficersNotAscending", 4, 4):
        relief.approve(batch, officers=(4, 4))
    relief.approve(batch, officers=(2, 4))


def test_the_same_officer_twice_is_refused(relief, batch):
    with refused("OfficersNotAscending", 2, 2):
        relief.approve(batch, officers=(1, 2, 2))


def test_the_same_officer_with_two_signers_is_refused(relief, registry, batch):
    second = account_named("second signer of officer 2")
    _add_signer(relief, 2, second)
    advance(2 * DAY)
    one, two = relief.officers(1, 2)
    signatures = (
        record(1, one.key.address, _signature(relief, batch, one))
        + record(2, two.key.address, _signature(relief, batch, two))
        + record(2, second.address, _signature(relief, batch, two, second))
    )
    with refused("OfficersNotAscending", 2, 2):
        relief.send_approval(batch.approval, signatures)


def test_signatures_out_of_order_are_refused(relief, batch):
    with refused("OfficersNotAscending", 2, 1):
        relief.approve(batch, officers=(2, 1))


def test_an_officer_from_another_region_is_refused(relief, batch):
    with refused("OfficerOutsideRegion", 5, 510722, 6):
        relief.approve(batch, officers=(1, 5))


def test_an_officer_of_a_part_of_the_region_is_refused(relief):
    province = relief.batch([(relief.payees(1)[0], 1)], regionCode=51, regionDigits=2)
    with refused("OfficerOutsideRegion", 3, 51, 2):
        relief.approve(province, officers=(1, 3))


def test_a_governor_is_no_reviewer(relief, batch):
    with refused("OfficerLacksRole", 6, 2):
        relief.approve(batch, officers=(1, 6))


def test_a_reviewer_is_no_maker(relief):
    with refused("OfficerLacksRole", 2, 1):
        relief.approve(relief.batch([(relief.payees(1)[0], 1)], maker=2), officers=(2, 3))


def test_an_unknown_officer_is_refused(relief, vault, batch):
    stranger = Officer(99, 2, 0, 0)
    signatures = sign_batch(vault, batch.approval, [*relief.officers(1, 2), stranger])
    with refused("UnknownOfficer", 99):
        relief.send_approval(batch.approval, signatures)


def test_a_removed_officer_is_refused(relief, registry, batch):
    signed = relief.signed_action(registry, "OfficerRemoval", {"officerId": 2}, (6, 7))
    registry.removeOfficer(2, *signed, {"from": relief.anyone})
    with refused("OfficerInactive", 2):
        relief.approve(batch)


def test_what_an_officer_approved_outlives_the_officer(relief, registry, token, batch):
    relief.approve(batch)
    signed = relief.signed_action(registry, "OfficerRemoval", {"officerId": 2}, (6, 7))
    registry.removeOfficer(2, *signed, {"from": relief.anyone})
    relief.execute(batch)
    assert token.totalSupply() == 300


def test_a_new_officer_counts_from_the_second_the_delay_is_over(relief, registry, vault, batch):
    new = Officer(20, 2, 51, 2)
    struct = new.as_new_officer()
    names = ("officerId", "roles", "regionCode", "regionDigits", "signerType", "signer")
    message = dict(zip(names, struct, strict=True))
    signed = relief.signed_action(registry, "OfficerAddition", message, (6, 7))
    registry.addOfficer(struct, *signed, {"from": relief.anyone})
    signatures = sign_batch(vault, batch.approval, [*relief.officers(1), new])
    with refused("OfficerInactive", 20):
        relief.send_approval(batch.approval, signatures)
    advance(2 * DAY)
    relief.send_approval(batch.approval, signatures)


# ---- how it was signed ---------------------------------------------------------------------------


def _add_signer(relief, officer_id, key):
    signer = bytes.fromhex(key.address[2:])
    message = {"officerId": officer_id, "signerType": 1, "signer": signer}
    signed = relief.signed_action(relief.registry, "SignerAddition", message, (6, 7))
    relief.registry.addSigner(officer_id, 1, signer, *signed, {"from": relief.anyone})


def _with_second_record(relief, batch, second):
    one = relief.officers(1)[0]
    return record(1, one.key.address, _signature(relief, batch, one)) + second


def test_a_second_signer_signs_for_its_officer_once_in_force(relief, batch):
    second = account_named("second signer of officer 2")
    two = relief.officers(2)[0]
    _add_signer(relief, 2, second)
    signatures = _with_second_record(
        relief, batch, record(2, second.address, _signature(relief, batch, two, second))
    )
    with refused("SignerNotOfficers", 2, 1, bytes.fromhex(second.address[2:])):
        relief.send_approval(batch.approval, signatures)
    advance(2 * DAY)
    relief.send_approval(batch.approval, signatures)


def test_a_removed_signer_is_refused(relief, registry, batch):
    two = relief.officers(2)[0]
    signer = bytes.fromhex(two.key.address[2:])
    message = {"signerType": 1, "signer": signer}
    signed = relief.signed_action(registry, "SignerRemoval", message, (6, 7))
    registry.removeSigner(1, signer, *signed, {"from": relief.anyone})
    with refused("SignerNotOfficers", 2, 1, signer):
        relief.approve(batch)


def test_another_officers_signer_is_refused(relief, batch):
    two, three = relief.officers(2, 3)
    second = record(2, three.key.address, _signature(relief, batch, two, three.key))
    with refused("SignerNotOfficers", 2, 1, bytes.fromhex(three.key.address[2:])):
        relief.send_approval(batch.approval, _with_second_record(relief, batch, second))


def test_a_strangers_signature_under_an_officers_name_is_refused(relief, batch):
    two = relief.officers(2)[0]
    stranger = account_named("stranger")
    second = record(2, two.key.address, _signature(relief, batch, two, stranger))
    with _wrong_signature(two):
        relief.send_approval(batch.approval, _with_second_record(relief, batch, second))


def test_the_malleable_twin_of_a_signature_is_refused(relief, batch):
    two = relief.officers(2)[0]
    twin = mirrored(_signature(relief, batch, two))
    with _wrong_signature(two):
        second = record(2, two.key.address, twin)
        relief.send_approval(batch.approval, _with_second_record(relief, batch, second))


@pytest.mark.parametrize("length", [0, 64, 66])
def test_a_signature_that_is_not_65_bytes_is_refused(relief, batch, length):
    two = relief.officers(2)[0]
    signature = (_signature(relief, batch, two) + b"\x00")[:length]
    with _wrong_signature(two):
        second = record(2, two.key.address, signature)
        relief.send_approval(batch.approval, _with_second_record(relief, batch, second))


@pytest.mark.parametrize("signer_type", [0, 2, 3])
def test_a_signer_of_another_type_is_refused(relief, batch, signer_type):
    two = relief.officers(2)[0]
    second = record(2, two.key.address, _signature(relief, batch, two), signer_type)
    with refused("SignerNotOfficers", 2, signer_type, bytes.fromhex(two.key.address[2:])):
        relief.send_approval(batch.approval, _with_second_record(relief, batch, second))


@pytest.mark.parametrize("left_out", [1, 65, 86])
def test_a_record_cut_short_is_refused(relief, vault, batch, left_out):
    signatures = sign_batch(vault, batch.approval, relief.officers(1, 2))
    with refused("MalformedSignatures", 94):
        relief.send_approval(batch.approval, signatures[:-left_out])


def test_a_byte_behind_the_last_record_is_refused(relief, vault, batch):
    signatures = sign_batch(vault, batch.approval, relief.officers(1, 2))
    with refused("MalformedSignatures", 188):
        relief.send_approval(batch.approval, signatures + b"\x00")
