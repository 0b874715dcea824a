"""consumeQuorum: action ids are used up for the calling contract, and for no other."""

import pytest
from approvals import record
from eth_account import Account
from outcomes import emitted, refused

DIGEST = bytes(range(32))
ACTION = bytes(31) + b"\x07"
REVIEWER = 2
FOREVER = 2**256 - 1


@pytest.fixture
def consume(relief, registry):
    """Use up the action as `sender`."""

    def send(sender, officers=(2, 3), region=(0, 0)):
        signatures = b"".join(
            record(
                officer.officer_id,
                officer.key.address,
                bytes(Account.unsafe_sign_hash(DIGEST, officer.key.key).signature),
            )
            for officer in relief.officers(*officers)
        )
        return registry.consumeQuorum(
            DIGEST, ACTION, FOREVER, REVIEWER, *region, signatures, {"from": sender}
        )

    return send


def test_an_action_is_used_up_for_its_consumer_and_announced(relief, registry, consume):
    seq = registry.seq()
    assert emitted(consume(relief.anyone), "ActionConsumed") == [
        {
            "consumer": relief.anyone.address,
            "actionId": ACTION,
            "digest": DIGEST,
            "seq": seq + 1,
        }
    ]
    assert registry.actionUsed(relief.anyone, ACTION)


def test_nobody_uses_up_another_ones_action(relief, registry, consume):
    consume(relief.anyone)
    assert not registry.actionUsed(relief.vault, ACTION)
    consume(relief.deployer)


def test_an_action_is_used_once(relief, consume):
    consume(relief.anyone)
    with refused("ActionUsed", relief.anyone, ACTION):
        consume(relief.anyone)


def test_without_a_region_any_officers_region_will_do(relief, consume):
    consume(relief.anyone, officers=(3, 5))


def test_a_maker_is_no_reviewer(relief, consume):
    with refused("OfficerLacksRole", 1, REVIEWER):
        consume(relief.anyone, officers=(1, 2))


def test_with_a_region_each_officer_must_cover_it(relief, consume):
    with refused("OfficerOutsideRegion", 5, 5107, 4):
        consume(relief.anyone, officers=(3, 5), region=(5107, 4))
