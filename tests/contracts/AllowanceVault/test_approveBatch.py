"""approveBatch: what is stored and announced, and every reason but the signatures to refuse."""

import pytest
from approvals import sign_batch
from chunk_tree import root
from clock import DAY, HOUR, advance, next_transaction_at, now
from deployment import COUNTY, SIMPLE, TIERED
from outcomes import emitted, refused

TOKENS = 10**6


@pytest.fixture
def pair(relief):
    """Two payouts, 3 and 4 tokens."""
    first, second = relief.payees(2)
    return [(first, 3 * TOKENS), (second, 4 * TOKENS)]


def test_an_approval_is_stored_announced_and_its_total_committed(relief, vault, token, pair):
    batch = relief.batch(pair, chunk_size=1)
    number, seq = vault.programme(SIMPLE)[2], vault.seq()
    signatures = sign_batch(vault, batch.approval, relief.officers(1, 2))
    transaction = relief.send_approval(batch.approval, signatures)

    assert emitted(transaction, "BatchApproved") == [
        {
            "batchId": batch.id,
            "programme": SIMPLE,
            "approval": tuple(batch.approval.values()),
            "firstNumber": number,
            "executeFrom": transaction.timestamp,
            "rollingSum": 7 * TOKENS,
            "signatures": signatures,
            "seq": seq + 1,
        }
    ]
    assert emitted(transaction, "Committed") == [
        {"minter": vault.address, "amount": 7 * TOKENS, "outstanding": 7 * TOKENS}
    ]
    assert vault.seq() == seq + 1
    assert vault.batch(batch.id) == (
        "0x" + root(batch.tree).hex(),
        SIMPLE,
        1,  # approved
        0,  # one-off
        COUNTY[0],
        1,  # entries a chunk
        2,  # payouts
        *(0, 0, 0, 0),  # terms of a stream
        COUNTY[1],
        number,
        transaction.timestamp,
        batch.approval["executeBefore"],
        batch.approval["expiresAt"],
        7 * TOKENS,
    )
    assert vault.executedChunks(batch.id) == 0
    programme = vault.programme(SIMPLE)
    assert (programme[1], programme[2]) == (7 * TOKENS, number + 2)
    assert token.committed() == 7 * TOKENS
    assert token.totalSupply() == 0


def test_terms_of_streams_are_stored(relief, vault, pair):
    start = now() + DAY
    batch = relief.stream_batch(pair, start=start, cliff=2 * DAY, duration=30 * DAY, cadence=HOUR)
    relief.approve(batch)
    stored = vault.batch(batch.id)
    assert stored[3] == 1
    assert stored[7:11] == (start, 2 * DAY, 30 * DAY, HOUR)


def test_numbers_are_contiguous_in_a_programme(relief, vault, pair):
    first, second = relief.batch(pair), relief.batch(pair)
    relief.approve(first)
    relief.approve(second)
    assert vault.batch(second.id)[12] == vault.batch(first.id)[12] + 2


def test_the_digest_is_that_of_eip_712(relief, vault, pair):
    batch = relief.batch(pair)
    digest = vault.approvalDigest(tuple(batch.approval.values()))
    other = relief.batch(pair, batchId=batch.id, total=7 * TOKENS + 1)
    assert vault.approvalDigest(tuple(other.approval.values())) != digest
    relief.approve(batch)  # signed by an EIP-712 library that has not seen the contract


def test_a_batch_id_is_used_once(relief, pair):
    batch = relief.batch(pair)
    relief.approve(batch)
    with refused("BatchExists", batch.id):
        relief.approve(batch)


def test_the_id_of_a_cancelled_batch_stays_dead(relief, pair):
    batch = relief.batch(pair)
    relief.approve(batch)
    relief.cancel_batch(batch)
    with refused("BatchExists", batch.id):
        relief.approve(batch)


def test_an_approval_after_its_deadline_is_refused(relief, pair):
    deadline = now() + DAY
    batch = relief.batch(pair, executeBefore=deadline)
    next_transaction_at(deadline)
    with refused("ApprovalExpired", deadline):
        relief.approve(batch)


def test_a_wrong_programme_version_is_refused(relief, pair):
    with refused("ProgrammeVersionMismatch", 2, 1):
        relief.approve(relief.batch(pair, programmeVersion=2))


def test_an_unknown_programme_is_refused(relief, pair):
    with refused("UnknownProgramme", 99):
        relief.approve(relief.batch(pair, programme=99))


def test_a_region_outside_the_programmes_is_refused(relief, pair):
    outside = relief.batch(pair, programme=TIERED, regionCode=4401, regionDigits=4)
    with refused("RegionOutsideProgramme", 4401, 4):
        relief.approve(outside, officers=(1, 5))


def test_a_region_wider_than_the_programmes_is_refused(relief, create_programme, pair):
    create_programme(7, region=(5107, 4))
    with refused("RegionOutsideProgramme", 51, 2):
        relief.approve(relief.batch(pair, programme=7, regionCode=51, regionDigits=2))


@pytest.mark.parametrize(("code", "digits"), [(0, 0), (5107, 6), (51, 3)])
def test_a_region_that_is_none_or_the_whole_country_is_refused(relief, pair, code, digits):
    with refused("InvalidRegion", code, digits):
        relief.approve(relief.batch(pair, regionCode=code, regionDigits=digits))


@pytest.mark.parametrize(
    ("count", "chunk_size"), [(0, 500), (2, 0), (2, 501), (257, 1), (256 * 500 + 1, 500)]
)
def test_a_shape_that_does_not_fit_the_tree_is_refused(relief, pair, count, chunk_size):
    with refused("InvalidBatchShape", count, chunk_size):
        relief.approve(relief.batch(pair, count=count, chunkSize=chunk_size))


@pytest.mark.parametrize(
    "terms",
    [
        {"kind": 2},
        {"start": 1},
        {"cliff": 1},
        {"duration": 1},
        {"cadence": 1},
    ],
    ids=lambda terms: next(iter(terms)),
)
def test_a_one_off_batch_with_terms_of_a_stream_is_refused(relief, pair, terms):
    with refused("InvalidTerms"):
        relief.approve(relief.batch(pair, **terms))


@pytest.mark.parametrize(
    "terms",
    [
        {"duration": 0},
        {"duration": 2**31 - 1},
        {"cliff": 90 * DAY + 1},
        {"cadence": 0},
        {"cadence": 90 * DAY + 1},
    ],
    ids=["no duration", "beyond the lanes", "cliff after the end", "no step", "step too long"],
)
def test_terms_that_no_stream_can_have_are_refused(relief, pair, terms):
    with refused("InvalidTerms"):
        relief.approve(relief.stream_batch(pair, **terms))


def test_a_cliff_may_be_the_end(relief, vault, pair):
    batch = relief.stream_batch(pair, duration=90 * DAY, cliff=90 * DAY)
    relief.approve(batch)
    assert vault.batch(batch.id)[8:10] == (90 * DAY, 90 * DAY)


@pytest.mark.parametrize("kind", ["batch", "stream_batch"])
def test_a_batch_that_pays_nothing_is_refused(relief, kind):
    with refused("InvalidTerms"):
        relief.approve(getattr(relief, kind)([(relief.payees(1)[0], 0)]))


def test_back_pay_reaches_back_366_days_and_no_further(relief, pair):
    at = now() + 10
    too_early = relief.stream_batch(pair, start=at - 366 * DAY - 1)
    just_in_time = relief.stream_batch(pair, start=at + 1 - 366 * DAY)
    next_transaction_at(at)
    with refused("InvalidTerms"):
        relief.approve(too_early)
    next_transaction_at(at + 1)
    relief.approve(just_in_time)


def test_less_than_90_days_to_claim_a_one_off_payout_is_refused(relief, pair):
    deadline = now() + DAY
    least = deadline + 90 * DAY
    with refused("InvalidTimes", deadline, least - 1, least):
        relief.approve(relief.batch(pair, executeBefore=deadline, expiresAt=least - 1))
    relief.approve(relief.batch(pair, executeBefore=deadline, expiresAt=least))


def test_less_than_90_days_to_claim_after_a_streams_end_is_refused(relief, pair):
    start = now()
    deadline, least = start + DAY, start + 60 * DAY + 90 * DAY
    terms = {"start": start, "duration": 60 * DAY, "executeBefore": deadline}
    with refused("InvalidTimes", deadline, least - 1, least):
        relief.approve(relief.stream_batch(pair, **terms, expiresAt=least - 1))
    relief.approve(relief.stream_batch(pair, **terms, expiresAt=least))


def test_streams_that_end_while_chunks_may_run_have_90_days_after_the_chunks(relief, pair):
    start = now() - 10 * DAY
    deadline = start + 20 * DAY
    least = deadline + 90 * DAY
    terms = {"start": start, "duration": 5 * DAY, "executeBefore": deadline}
    with refused("InvalidTimes", deadline, least - 1, least):
        relief.approve(relief.stream_batch(pair, **terms, expiresAt=least - 1))
    relief.approve(relief.stream_batch(pair, **terms, expiresAt=least))


def test_times_too_late_for_their_40_bits_are_refused_by_name(relief, pair):
    latest = 2**40 - 1
    one_off = relief.batch(pair, executeBefore=latest, expiresAt=latest)
    with refused("InvalidTimes", latest, latest, latest + 90 * DAY):
        relief.approve(one_off)
    start, deadline = latest - 5, now() + DAY
    streams = relief.stream_batch(
        pair, start=start, duration=60 * DAY, executeBefore=deadline, expiresAt=latest
    )
    with refused("InvalidTimes", deadline, latest, start + 150 * DAY):
        relief.approve(streams)


def test_a_total_over_the_budget_is_refused(relief, pair, create_programme):
    create_programme(7, budget=7 * TOKENS)
    payee = relief.payees(1)[0]
    with refused("BudgetExceeded", 7 * TOKENS + 1, 7 * TOKENS):
        relief.approve(relief.batch([(payee, 7 * TOKENS + 1)], programme=7))
    relief.approve(relief.batch(pair, programme=7))
    with refused("BudgetExceeded", 7 * TOKENS + 1, 7 * TOKENS):
        relief.approve(relief.batch([(payee, 1)], programme=7))


def test_a_total_over_the_reserve_is_refused(relief, pair):
    relief.attest(7 * TOKENS - 1)
    with refused("ReserveExceeded", 7 * TOKENS, 7 * TOKENS - 1):
        relief.approve(relief.batch(pair))
    advance(1)
    relief.attest(7 * TOKENS)
    relief.approve(relief.batch(pair))


def test_a_total_over_the_tokens_cap_is_refused(relief, token, pair):
    token.lowerCap(7 * TOKENS - 1, {"from": relief.treasurer})
    with refused("CapExceeded", 7 * TOKENS, 7 * TOKENS - 1):
        relief.approve(relief.batch(pair))


def test_an_attestation_35_days_old_carries_an_approval_and_an_older_one_none(relief, token, pair):
    as_of = token.attestation()[2]
    batch = relief.batch(pair, executeBefore=as_of + 50 * DAY)
    late = relief.batch(pair, executeBefore=as_of + 50 * DAY)
    next_transaction_at(as_of + 35 * DAY)
    relief.approve(batch)
    next_transaction_at(as_of + 35 * DAY + 1)
    with refused("ReserveStale", as_of, 35 * DAY):
        relief.approve(late)


def test_a_rolling_sum_too_large_for_its_word_is_refused(relief, create_programme):
    most = 2**36 - 1
    create_programme(7, budget=2**79, tiers=[(2**79, 1, 0)])
    batch = relief.batch([(relief.payees(1)[0], 1)], programme=7, total=most * TOKENS + 1)
    with refused("RollingSumOverflow", most + 1):
        relief.approve(batch)


def test_a_refused_approval_leaves_nothing_behind(relief, vault, token, pair):
    before = (vault.seq(), vault.programme(SIMPLE), token.committed())
    relief.attest(1)
    with refused("ReserveExceeded", 7 * TOKENS, 1):
        relief.approve(relief.batch(pair))
    assert (vault.seq(), vault.programme(SIMPLE), token.committed()) == before
    assert vault.rollingSum(SIMPLE, *COUNTY) == 0
