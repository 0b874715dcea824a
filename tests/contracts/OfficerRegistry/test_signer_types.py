"""Each type of signer, against everything a signature can be wrong in: one table, each refusal.

Officer 1 makes a batch with an account's key; officer 20 reviews it, 21 governs, and 22 grants in an
emergency, with a signer of the type at hand.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from approvals import (
    EMERGENCY,
    GOVERNOR,
    REVIEWER,
    AccountSigner,
    EoaSigner,
    KeySigner,
    Officer,
    account_named,
    batch_digest,
    mirrored,
    packed_record,
    sign_batch,
    sign_for_lane,
)
from brownie import accounts, compile_source
from brownie._config import CONFIG
from clock import DAY, HOUR, advance, ask_node, next_transaction_at, now
from officer_keys import (
    BACKED_UP,
    BACKUP_ELIGIBLE,
    USER_PRESENT,
    USER_VERIFIED,
    P256Key,
    Passkey,
    packed_assertion,
    twin,
)
from outcomes import emitted, refused

WALLET = Path(__file__).parents[1] / "wallets" / "Wallet.sol"
ANSWERS = ("honest", "refuses", "reverts", "says true", "magic and more", "short magic", "writes")
HONEST, *LIARS = range(len(ANSWERS))


@pytest.fixture(scope="session")
def wallet_contract():
    """The test wallet, compiled once."""
    return compile_source(WALLET.read_text(), solc_version="0.8.37", evm_version="osaka").Wallet


@pytest.fixture
def new_wallet(relief, wallet_contract) -> Callable[..., AccountSigner]:
    """Deploy a wallet of an owner that answers in one of the ways."""

    # From an account of its own: Brownie remembers what stood at an address before the chain was
    # put back, and takes nothing else there.
    def deploy(owner, answer=HONEST):
        wallet = wallet_contract.deploy(owner.address, answer, {"from": accounts[18]})
        return AccountSigner(wallet.address, owner)

    return deploy


MAKE = {
    "account's key": lambda relief, new_wallet, name: EoaSigner(account_named(name)),
    "contract account": lambda relief, new_wallet, name: new_wallet(account_named(name)),
    "P-256 key": lambda relief, new_wallet, name: KeySigner(
        relief.p256_verifier.address, P256Key(name)
    ),
    "passkey": lambda relief, new_wallet, name: KeySigner(
        relief.passkey_verifier.address, Passkey(name)
    ),
}


@pytest.fixture(params=MAKE)
def kind(request):
    """Each type of signer in turn."""
    return request.param


@pytest.fixture
def seat(relief, add_officer) -> Callable[..., Officer]:
    """Add an officer with a signer and let the delay pass."""

    def add(signer, officer_id=20, roles=REVIEWER):
        officer = Officer(officer_id, roles, 0, 0, signer)
        add_officer(officer.as_new_officer())
        advance(2 * DAY)
        return officer

    return add


@pytest.fixture
def reviewer(relief, new_wallet, seat, kind):
    """Officer 20, in force."""
    return seat(MAKE[kind](relief, new_wallet, "officer 20"))


@pytest.fixture
def governor(relief, new_wallet, seat, kind):
    """Officer 21, in force."""
    return seat(MAKE[kind](relief, new_wallet, "officer 21"), 21, GOVERNOR)


@pytest.fixture
def batch(relief):
    """A payout that nobody signed yet."""
    return relief.batch([(relief.payees(1)[0], 100)], executeBefore=now() + 10 * DAY)


def wrong_signature(officer):
    signer = officer.signs_with
    return refused("WrongSignature", officer.officer_id, signer.signer_type, signer.signer)


def send(relief, batch, officer, signature):
    """Send an approval with this signature for the officer behind the maker's own."""
    maker = relief.officers(1)[0].record_over(batch_digest(relief.vault, batch.approval))
    second = packed_record(officer.officer_id, officer.signs_with, signature)
    return relief.send_approval(batch.approval, maker + second)


def signature_of(relief, batch, officer, **domain):
    """The officer's signature over a batch."""
    return officer.signs_with.sign(batch_digest(relief.vault, batch.approval, **domain))


# ---- every type ----------------------------------------------------------------------------------


def test_an_approval_counts_and_its_event_re_proves_it(relief, batch, reviewer):
    transaction = relief.approve(batch, officers=(1, reviewer))
    (event,) = emitted(transaction, "BatchApproved")
    signer = reviewer.signs_with
    assert (
        bytes([signer.signer_type]) + len(signer.signer).to_bytes(2, "big") in event["signatures"]
    )
    assert signer.signer in event["signatures"]


def test_another_chain_is_refused(relief, batch, reviewer):
    with wrong_signature(reviewer):
        send(relief, batch, reviewer, signature_of(relief, batch, reviewer, chain_id=1))


def test_another_contract_is_refused(relief, batch, reviewer):
    digest = batch_digest(relief.token, batch.approval)
    with wrong_signature(reviewer):
        send(relief, batch, reviewer, reviewer.signs_with.sign(digest))


def test_another_batch_is_refused(relief, batch, reviewer):
    other = relief.batch([(relief.payees(1)[0], 101)])
    with wrong_signature(reviewer):
        send(relief, batch, reviewer, signature_of(relief, other, reviewer))


def test_twice_in_an_approval_is_refused(relief, batch, reviewer):
    with refused("OfficersNotAscending", 20, 20):
        relief.approve(batch, officers=(1, reviewer, reviewer))


def test_out_of_order_is_refused(relief, batch, reviewer):
    with refused("OfficersNotAscending", 20, 1):
        relief.approve(batch, officers=(reviewer, 1))


def test_the_mirrored_signature_is_refused(relief, batch, reviewer, kind):
    digest = batch_digest(relief.vault, batch.approval)
    if kind == "passkey":
        signature, *documents = reviewer.signs_with.key.assertion(digest)
        high = packed_assertion(twin(signature), *documents)
    else:
        mirror = twin if kind == "P-256 key" else mirrored
        high = mirror(reviewer.signs_with.sign(digest))
    with wrong_signature(reviewer):
        send(relief, batch, reviewer, high)


@pytest.mark.parametrize("missing", [33, "all"])
def test_a_signature_cut_short_is_refused(relief, batch, reviewer, missing):
    whole = signature_of(relief, batch, reviewer)
    with wrong_signature(reviewer):
        send(relief, batch, reviewer, b"" if missing == "all" else whole[:-missing])


def test_a_record_cut_short_is_refused(relief, batch, reviewer):
    packed = sign_batch(relief.vault, batch.approval, [*relief.officers(1), reviewer])
    first = len(relief.officers(1)[0].record_over(bytes(32)))
    with refused("MalformedSignatures", first):
        relief.send_approval(batch.approval, packed[:-1])


def test_a_changed_byte_is_refused(relief, batch, reviewer):
    whole = signature_of(relief, batch, reviewer)
    for position in (0, 31, 40):
        changed = bytearray(whole)
        changed[position] ^= 1
        with wrong_signature(reviewer):
            send(relief, batch, reviewer, bytes(changed))


def test_a_removed_officer_is_refused(relief, batch, reviewer, remove_officer):
    remove_officer(20)
    with refused("OfficerInactive", 20):
        relief.approve(batch, officers=(1, reviewer))


def test_a_removed_signer_is_refused(relief, batch, reviewer, remove_signer):
    signer = reviewer.signs_with
    remove_signer(signer.signer, signer.signer_type)
    with refused("SignerNotOfficers", 20, signer.signer_type, signer.signer):
        relief.approve(batch, officers=(1, reviewer))


def test_a_signer_is_refused_until_its_delay_is_over(relief, batch, new_wallet, kind, add_signer):
    signer = MAKE[kind](relief, new_wallet, "second signer of officer 2")
    add_signer(2, signer.signer, signer.signer_type)
    second = Officer(2, REVIEWER, 51, 2, signer)
    with refused("SignerNotOfficers", 2, signer.signer_type, signer.signer):
        relief.approve(batch, officers=(1, second))
    advance(2 * DAY)
    relief.approve(batch, officers=(1, second))


@pytest.mark.parametrize("claimed", [1, 2, 3])
def test_a_signer_serves_as_the_type_it_was_added_as_only(relief, batch, reviewer, claimed):
    signer = reviewer.signs_with
    if claimed == signer.signer_type:
        return
    digest = batch_digest(relief.vault, batch.approval)
    record = bytearray(reviewer.record_over(digest))
    record[4] = claimed
    maker = relief.officers(1)[0].record_over(digest)
    with refused("SignerNotOfficers", 20, claimed, signer.signer):
        relief.send_approval(batch.approval, maker + bytes(record))


def test_a_grant_is_made_and_countersigned(relief, lane, token, seat, reviewer, new_wallet, kind):
    granter = seat(MAKE[kind](relief, new_wallet, "officer 22"), 22, EMERGENCY)
    payee = relief.payees(1)[0]
    grant = relief.prepare_grant(payee, 100, officer=22)
    (made,) = emitted(relief.send_grant(grant, granter), "GrantMade")
    assert (made["officer"], token.balanceOf(payee)) == (22, 100)
    assert granter.signs_with.signer in made["signatures"]
    (signed,) = emitted(relief.countersign(grant, reviewer), "GrantCountersigned")
    assert signed["officer"] == 20
    assert lane.outstanding() == 0


def test_a_grant_of_other_words_than_signed_is_refused(relief, lane, seat, new_wallet, kind):
    granter = seat(MAKE[kind](relief, new_wallet, "officer 22"), 22, EMERGENCY)
    signed = relief.prepare_grant(relief.payees(1)[0], 100, officer=22)
    record = sign_for_lane(lane, "EmergencyGrant", signed, granter)
    for changed in ({"amount": 101}, {"payee": relief.payees(2)[1]}):
        with wrong_signature(granter):
            lane.grant(tuple((signed | changed).values()), record, {"from": relief.anyone})
    lane.grant(tuple(signed.values()), record, {"from": relief.anyone})


def test_an_approval_is_used_once(relief, batch, reviewer):
    signatures = sign_batch(relief.vault, batch.approval, [*relief.officers(1), reviewer])
    relief.send_approval(batch.approval, signatures)
    with refused("BatchExists", batch.id):
        relief.send_approval(batch.approval, signatures)


def test_a_quorum_action_is_good_until_its_deadline_and_once(relief, governor):
    relief.vault.pause(1, {"from": relief.guardian})
    deadline, action_id = now() + HOUR, relief.action_id()
    signed = relief.signed_action(
        relief.vault,
        "Unpause",
        {"operations": 1},
        (governor, Officer(22, GOVERNOR, 0, 0)),
        deadline=deadline,
        action_id=action_id,
    )
    with wrong_signature(governor):
        relief.vault.unpause(1, action_id, deadline + 1, signed[2], {"from": relief.anyone})
    next_transaction_at(deadline + 1)
    with refused("ActionExpired", action_id, deadline):
        relief.vault.unpause(1, *signed, {"from": relief.anyone})
    fresh = relief.signed_action(relief.vault, "Unpause", {"operations": 1}, (6, governor))
    relief.vault.unpause(1, *fresh, {"from": relief.anyone})
    with refused("ActionUsed", relief.vault, fresh[0]):
        relief.vault.unpause(1, *fresh, {"from": relief.anyone})


# ---- keys and their verifiers --------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["P-256 key", "passkey"], indirect=True)
def test_a_removed_verifiers_signatures_are_refused_at_once(
    relief, batch, reviewer, kind, remove_verifier
):
    verifier = relief.p256_verifier if kind == "P-256 key" else relief.passkey_verifier
    remove_verifier(verifier)
    with refused("VerifierInactive", verifier):
        relief.approve(batch, officers=(1, reviewer))


def test_a_key_under_another_verifier_is_another_signer(relief, batch, seat):
    officer = seat(KeySigner(relief.p256_verifier.address, P256Key("officer 20")))
    other = KeySigner(relief.passkey_verifier.address, Passkey("officer 20"))
    with refused("SignerNotOfficers", 20, 3, other.signer):
        relief.approve(batch, officers=(1, Officer(20, REVIEWER, 0, 0, other)))
    relief.approve(batch, officers=(1, officer))


@pytest.mark.parametrize("kind", ["P-256 key", "passkey"], indirect=True)
def test_where_the_chain_has_no_p256_precompile_the_library_computes(relief, reviewer, kind):
    def gas_of_an_approval(second):
        batch = relief.batch([(relief.payees(1)[0], 100)])
        return relief.approve(batch, officers=(1, second)).gas_used

    gas_of_an_approval(2)  # the programme's first one pays for words that were zero
    more_than_an_account = gas_of_an_approval(reviewer) - gas_of_an_approval(2)
    if CONFIG.active_network["cmd_settings"]["evm_version"] == "osaka":  # EIP-7951
        assert more_than_an_account < 40_000
    else:
        assert more_than_an_account > 200_000


@pytest.fixture
def passkey_officer(relief, seat):
    """Officer 20 with a passkey."""
    return seat(KeySigner(relief.passkey_verifier.address, Passkey("officer 20")))


@pytest.mark.parametrize(
    "how",
    [
        {"flags": USER_PRESENT},
        {"flags": USER_VERIFIED},
        {"flags": 0},
        {"flags": USER_PRESENT | USER_VERIFIED | BACKED_UP},
        {"kind": "webauthn.create"},
    ],
    ids=["no user verification", "no user", "neither", "backed up, not eligible", "a registration"],
)
def test_an_assertion_that_proves_less_is_refused(relief, batch, passkey_officer, how):
    digest = batch_digest(relief.vault, batch.approval)
    with wrong_signature(passkey_officer):
        send(relief, batch, passkey_officer, passkey_officer.signs_with.key.sign(digest, **how))


def test_a_synchronised_passkey_signs(relief, batch, passkey_officer):
    digest = batch_digest(relief.vault, batch.approval)
    flags = USER_PRESENT | USER_VERIFIED | BACKUP_ELIGIBLE | BACKED_UP
    send(relief, batch, passkey_officer, passkey_officer.signs_with.key.sign(digest, flags=flags))


def test_an_assertion_over_another_challenge_is_refused(relief, batch, passkey_officer):
    digest = batch_digest(relief.vault, batch.approval)
    # The digest stands in the client data, but not as the challenge.
    signature, data, client = passkey_officer.signs_with.key.assertion(bytes(32))
    moved = packed_assertion(signature, data, client)
    with wrong_signature(passkey_officer):
        send(relief, batch, passkey_officer, moved)
    _, _, right = passkey_officer.signs_with.key.assertion(digest)
    with wrong_signature(passkey_officer):
        send(relief, batch, passkey_officer, packed_assertion(signature, data, right))


# ---- contract accounts ---------------------------------------------------------------------------


@pytest.mark.parametrize("answer", LIARS, ids=ANSWERS[1:])
def test_whatever_is_not_the_exact_magic_value_is_refused(relief, batch, new_wallet, seat, answer):
    officer = seat(new_wallet(account_named("owner"), answer))
    with wrong_signature(officer):
        relief.approve(batch, officers=(1, officer))


@pytest.mark.parametrize("code", ["0x", "0xef0100" + "ab" * 20], ids=["no code", "delegation"])
def test_an_account_that_is_a_contract_no_more_is_refused(relief, batch, new_wallet, seat, code):
    officer = seat(new_wallet(account_named("owner")))
    account = officer.signs_with.address
    ask_node("hardhat_setCode", account, code)
    with refused("NoContract", account):
        relief.approve(batch, officers=(1, officer))


def test_code_at_an_accounts_address_does_not_sign_for_its_key(relief, batch, new_wallet, seat):
    # An externally owned account that delegates (EIP-7702) stays one: its key alone counts.
    key = account_named("officer 20")
    officer = seat(EoaSigner(key))
    lenient = new_wallet(account_named("a thief"))
    ask_node("hardhat_setCode", key.address, "0xef0100" + lenient.address[2:])
    stolen = EoaSigner(account_named("a thief")).sign(batch_digest(relief.vault, batch.approval))
    with wrong_signature(officer):
        send(relief, batch, officer, stolen)
    relief.approve(batch, officers=(1, officer))
