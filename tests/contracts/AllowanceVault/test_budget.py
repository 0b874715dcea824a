"""scheduleBudgetIncrease, applyBudgetIncrease, decreaseBudget: slowly up, at once down."""

import pytest
from clock import DAY, advance, next_transaction_at
from deployment import TIERED, TIERED_BUDGET
from outcomes import emitted, refused, unauthorized

MORE = TIERED_BUDGET + 10**9
LESS = TIERED_BUDGET - 10**9


@pytest.fixture
def budget(vault):
    """The budget in force of programme 1, and what is planned: (budget, pending, pending from)."""

    def read():
        programme = vault.programme(TIERED)
        return programme[0], programme[8], programme[9]

    return read


def test_an_increase_is_planned_and_does_not_apply_yet(relief, vault, budget):
    seq = vault.seq()
    transaction = vault.scheduleBudgetIncrease(TIERED, MORE, {"from": relief.planner})
    applies_from = transaction.timestamp + 2 * DAY
    assert emitted(transaction, "BudgetIncreaseScheduled") == [
        {"programme": TIERED, "budget": MORE, "appliesFrom": applies_from, "seq": seq + 1}
    ]
    assert budget() == (TIERED_BUDGET, MORE, applies_from)


def test_anyone_applies_an_increase_from_the_second_its_delay_is_over(relief, vault, budget):
    applies_from = (
        vault.scheduleBudgetIncrease(TIERED, MORE, {"from": relief.planner}).timestamp + 2 * DAY
    )
    next_transaction_at(applies_from - 1)
    with refused("BudgetIncreaseNotDue", TIERED, applies_from):
        vault.applyBudgetIncrease(TIERED, {"from": relief.anyone})
    seq = vault.seq()
    next_transaction_at(applies_from)
    transaction = vault.applyBudgetIncrease(TIERED, {"from": relief.anyone})
    assert emitted(transaction, "BudgetChanged") == [
        {"programme": TIERED, "budget": MORE, "seq": seq + 1}
    ]
    assert budget() == (MORE, 0, 0)


def test_an_increase_applies_once(relief, vault):
    vault.scheduleBudgetIncrease(TIERED, MORE, {"from": relief.planner})
    advance(2 * DAY)
    vault.applyBudgetIncrease(TIERED, {"from": relief.anyone})
    with refused("BudgetIncreaseNotDue", TIERED, 0):
        vault.applyBudgetIncrease(TIERED, {"from": relief.anyone})


def test_a_decrease_applies_at_once_and_drops_a_planned_increase(relief, vault, budget):
    vault.scheduleBudgetIncrease(TIERED, MORE, {"from": relief.planner})
    seq = vault.seq()
    transaction = vault.decreaseBudget(TIERED, LESS, {"from": relief.planner})
    assert emitted(transaction, "BudgetChanged") == [
        {"programme": TIERED, "budget": LESS, "seq": seq + 1}
    ]
    assert budget() == (LESS, 0, 0)


def test_a_budget_does_not_fall_below_what_is_allocated(relief, vault, budget):
    relief.approve(relief.batch([(relief.payees(1)[0], 700)], programme=TIERED))
    with refused("BudgetBelowAllocated", 699, 700):
        vault.decreaseBudget(TIERED, 699, {"from": relief.planner})
    vault.decreaseBudget(TIERED, 700, {"from": relief.planner})
    assert budget() == (700, 0, 0)


@pytest.mark.parametrize(
    ("function", "error"),
    [("scheduleBudgetIncrease", "BudgetNotHigher"), ("decreaseBudget", "BudgetNotLower")],
)
def test_the_same_budget_is_neither_higher_nor_lower(relief, vault, function, error):
    with refused(error, TIERED_BUDGET, TIERED_BUDGET):
        getattr(vault, function)(TIERED, TIERED_BUDGET, {"from": relief.planner})


@pytest.mark.parametrize(
    ("function", "arguments"),
    [("scheduleBudgetIncrease", [5]), ("applyBudgetIncrease", []), ("decreaseBudget", [5])],
)
def test_a_programme_that_does_not_exist_has_no_budget(relief, vault, function, arguments):
    with refused("UnknownProgramme", 99):
        getattr(vault, function)(99, *arguments, {"from": relief.planner})


@pytest.mark.parametrize("function", ["scheduleBudgetIncrease", "decreaseBudget"])
def test_only_the_planner_may(relief, vault, function):
    with unauthorized(relief.anyone):
        getattr(vault, function)(TIERED, 5, {"from": relief.anyone})
