"""approveBatch: how many reviewers a batch needs follows from what its region was given lately."""

from clock import DAY, next_transaction_at, now
from deployment import COUNTY, TIERED
from outcomes import refused

# Programme 1: one reviewer up to 100,000 tokens in the window, two and a day's delay up to 500,000.
TOKENS = 10**6
ONE_REVIEWER = 100_000 * TOKENS
PAYOUT = 5_000 * TOKENS
SIX_DAYS = 6 * DAY


def _batch(relief, total, **changed):
    """A batch of programme 1 over `total`, in payouts of 5,000 tokens at most."""
    amounts = [PAYOUT] * (total // PAYOUT) + ([total % PAYOUT] if total % PAYOUT else [])
    return relief.batch(
        list(zip(relief.payees(len(amounts)), amounts, strict=True)), programme=TIERED, **changed
    )


def test_a_sum_at_the_limit_needs_one_reviewer(relief, vault):
    transaction = relief.approve(_batch(relief, ONE_REVIEWER))
    assert transaction.events["BatchApproved"]["executeFrom"] == transaction.timestamp
    assert vault.rollingSum(TIERED, *COUNTY) == ONE_REVIEWER


def test_a_sum_over_the_limit_needs_two_reviewers_and_waits_a_day(relief):
    batch = _batch(relief, ONE_REVIEWER + TOKENS)
    with refused("NotEnoughReviewers", 2, 1):
        relief.approve(batch)
    transaction = relief.approve(batch, officers=(1, 2, 3))
    assert transaction.events["BatchApproved"]["executeFrom"] == transaction.timestamp + DAY


def test_a_batch_whose_delay_ends_when_no_chunk_may_run_any_more_is_refused(relief):
    at = now() + 10
    opens = at + DAY
    batch = _batch(relief, ONE_REVIEWER + TOKENS, executeBefore=opens)
    next_transaction_at(at)
    with refused("NeverOpen", opens, opens):
        relief.approve(batch, officers=(1, 2, 3))
    sooner = _batch(relief, ONE_REVIEWER + TOKENS, executeBefore=opens - 5)
    next_transaction_at(at + 1)
    with refused("NeverOpen", opens + 1, opens - 5):
        relief.approve(sooner, officers=(1, 2, 3))
    batch = _batch(relief, ONE_REVIEWER + TOKENS, executeBefore=opens + 3)
    next_transaction_at(at + 2)
    relief.approve(batch, officers=(1, 2, 3))
    next_transaction_at(opens + 2)
    relief.execute(batch)


def test_splitting_a_batch_does_not_evade_its_tier(relief):
    for _ in range(4):
        relief.approve(_batch(relief, ONE_REVIEWER // 4))
    last = _batch(relief, TOKENS)
    with refused("NotEnoughReviewers", 2, 1):
        relief.approve(last)
    relief.approve(last, officers=(1, 2, 3))


def test_a_sum_over_the_last_tier_is_refused(relief):
    over = 500_000 * TOKENS + TOKENS
    with refused("TierLimitExceeded", over, 500_000 * TOKENS):
        relief.approve(_batch(relief, over), officers=(1, 2, 3, 4))


def test_a_part_of_a_token_counts_as_a_whole_one(relief):
    with refused("NotEnoughReviewers", 2, 1):
        relief.approve(_batch(relief, ONE_REVIEWER + 1))


def test_a_wider_region_counts_what_was_approved_inside_it(relief, vault):
    relief.approve(_batch(relief, ONE_REVIEWER))
    assert vault.rollingSum(TIERED, 5107, 4) == ONE_REVIEWER
    assert vault.rollingSum(TIERED, 51, 2) == ONE_REVIEWER
    with refused("NotEnoughReviewers", 2, 1):
        relief.approve(_batch(relief, TOKENS, regionCode=51, regionDigits=2))


def test_only_regions_have_a_sum(relief, vault):
    relief.approve(_batch(relief, ONE_REVIEWER))
    for code, digits in ((51072, 5), (510, 3), (5, 1), (0, 0)):
        assert vault.rollingSum(TIERED, code, digits) == 0


def test_a_county_does_not_count_what_its_neighbour_was_given(relief, vault):
    relief.approve(_batch(relief, ONE_REVIEWER))
    relief.approve(_batch(relief, ONE_REVIEWER, regionCode=510703))
    relief.approve(_batch(relief, ONE_REVIEWER, regionCode=510723))
    assert vault.rollingSum(TIERED, *COUNTY) == ONE_REVIEWER
    assert vault.rollingSum(TIERED, 5107, 4) == 3 * ONE_REVIEWER


def test_another_programme_has_a_sum_of_its_own(relief, vault):
    relief.approve(_batch(relief, ONE_REVIEWER))
    assert vault.rollingSum(2, *COUNTY) == 0


def test_a_sum_counts_for_the_last_of_its_36_days_and_not_a_second_longer(relief, vault):
    first_of_window = (now() // SIX_DAYS + 1) * SIX_DAYS
    batch = _batch(relief, ONE_REVIEWER, executeBefore=first_of_window + DAY)
    next_transaction_at(first_of_window)
    relief.approve(batch)

    end = first_of_window + 6 * SIX_DAYS
    relief.attest(10**16)
    next_transaction_at(end - 1)
    inside = _batch(relief, TOKENS, executeBefore=end + DAY)
    with refused("NotEnoughReviewers", 2, 1):
        relief.approve(inside)
    next_transaction_at(end)
    relief.attest(10**16)
    assert vault.rollingSum(TIERED, *COUNTY) == 0
    relief.approve(inside)


def test_a_sum_approved_at_the_end_of_its_bucket_counts_for_30_days(relief, vault):
    last_of_bucket = (now() // SIX_DAYS + 1) * SIX_DAYS - 1
    batch = _batch(relief, ONE_REVIEWER, executeBefore=last_of_bucket + DAY)
    next_transaction_at(last_of_bucket)
    relief.approve(batch)
    next_transaction_at(last_of_bucket + 30 * DAY)
    relief.attest(10**16)
    assert vault.rollingSum(TIERED, *COUNTY) == ONE_REVIEWER


def test_the_challenge_delay_holds_back_the_first_chunk(relief):
    batch = _batch(relief, ONE_REVIEWER + TOKENS)
    opens = relief.approve(batch, officers=(1, 2, 3)).timestamp + DAY
    next_transaction_at(opens - 1)
    with refused("ExecutionNotOpen", opens):
        relief.execute(batch)
    next_transaction_at(opens)
    relief.execute(batch)
