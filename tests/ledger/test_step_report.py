"""What a round of the worker left, told to people."""

from __future__ import annotations

from dataclasses import replace

from service.ledger.worker import StepReport

QUIET = StepReport(
    head=9,
    final=7,
    events=0,
    planned=0,
    moved=0,
    settled=0,
    posted=0,
    rewound=0,
    pending=0,
    caught_up=True,
)


def test_a_round_says_in_words_what_it_left() -> None:
    assert replace(QUIET, pending=1).left == "1 transaction is due or not mined yet"
    assert replace(QUIET, pending=2).left == "2 transactions are due or not mined yet"
    assert replace(QUIET, caught_up=False).left == "blocks after 9 are not read yet"
    assert replace(QUIET, moved=1).left == "the last round still found something to do"
