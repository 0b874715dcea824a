"""The office's answer to an auditor's draw, and the key of a programme's commitments.

Both show who people are, so both are recorded as :func:`service.application.cases.reveal` is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.application.cases import reason_to_look, record_look
from service.application.programmes import find_programme
from service.audit.openings.check import OPENINGS_FORMAT
from service.audit.openings.draw import VERSION, Draw, Drawn
from service.cases import Case, reveal_person
from service.clock import SYSTEM_CLOCK
from service.errors import Conflict, IntegrityError, NotFound, Problem
from service.payouts import journal
from service.payouts.building import link_cases
from service.payouts.models import Batch, Payout
from service.privacy.commitments import canonical_cause, canonical_identity, case_commitment
from service.privacy.keyring import Keyring


@dataclass(frozen=True, slots=True)
class Opening:
    """Whom and what one payout is for, as docs/audit.md spells it: for the answer alone.

    Attributes
    ----------
    programme, number
        The payout's number in its programme.
    identity
        ``CN-RIC:`` and the identity number.
    cause
        In words, without needless blanks.
    period
        Month of the case, ``2026-11``.
    """

    programme: int
    number: int
    identity: str = field(repr=False)
    cause: str = field(repr=False)
    period: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the office says to a draw.

    Attributes
    ----------
    openings
        In the order of the draw.
    left_out
        Each payout that cannot be opened, and why; names no person.
    """

    openings: Sequence[Opening]
    left_out: Sequence[Problem]

    @property
    def content(self) -> bytes:
        """The file's bytes, as ``relief-audit check-openings`` reads them."""
        document = {
            "format": OPENINGS_FORMAT,
            "version": VERSION,
            "openings": [asdict(opening) for opening in self.openings],
        }
        return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def open_drawn(
    session: Session,
    keyring: Keyring,
    draw: Draw,
    *,
    actor: str,
    reason: str | None,
    reason_field: str,
    leave_out: bool = False,
) -> Answer:
    """Open each payout of a draw, and write into the journal whose case was looked at and why.

    Both are of the caller's transaction: without the record there is no look. Of each case is
    opened what officers signed, or nothing: the commitment is made anew first.

    Parameters
    ----------
    reason_field
        Name of the option that the reason came in, for the error.
    leave_out
        Whether what cannot be opened is left out; else nothing is opened then.

    Raises
    ------
    InvalidInput
        When there is no reason, or one that does not print in 2000 characters.
    Conflict
        When the draw is from other payouts than the database has. When a payout cannot be opened
        and is not to be left out, or none can: it is another one here, its case is not here, its
        person was erased or cannot be decrypted, or they do not give the commitment that was
        signed. ``problems`` names each, by programme and number.
    """
    why = reason_to_look(reason, reason_field)
    link_cases(session, Payout.programme_id.in_({each.programme for each in draw.payouts}))
    openings: list[Opening] = []
    left_out: list[Problem] = []
    for drawn, at_position in zip(draw.payouts, _at_positions(session, draw), strict=True):
        try:
            payout, case = _here(session, drawn, at_position)
            openings.append(_open(session, keyring, drawn, payout, case))
        except _UnopenedError as error:
            name = f"{drawn.programme}#{drawn.number}"
            left_out.append(Problem(error.code, str(error), value=name))
        else:
            record_look(session, case, actor=actor, reason=why)
    if left_out and not (leave_out and openings):
        count = f"{len(left_out)} of the {len(draw.payouts)} payouts drawn"
        raise Conflict(f"{count} cannot be opened: nothing was written", problems=left_out)
    session.flush()
    return Answer(openings, left_out)


class _UnopenedError(Exception):
    """A payout that cannot be opened, and why in words."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


def _at_positions(session: Session, draw: Draw) -> list[tuple[int, int]]:
    """Return programme and number of what stands at each position drawn, by the database.

    The reader of the draw saw that the hash draws these positions. Without this, others than those
    who stand there could be named, and persons picked by hand.
    """
    approved = select(Batch.programme_id, Batch.first_number, Batch.count).where(
        Batch.approved_block_number <= draw.until
    )
    if draw.programme is not None:
        approved = approved.where(Batch.programme_id == draw.programme)
    rows = session.execute(approved.order_by(Batch.programme_id, Batch.first_number))
    batches = [(programme, first, count) for programme, first, count in rows if first is not None]
    ends = list(accumulate(count for _, _, count in batches))
    if ends[-1:] != [draw.population]:
        raise Conflict(
            f"the draw is from {draw.population} payouts approved up to block {draw.until}, and "
            f"{ends[-1] if ends else 0} are in the database: let the worker read that block, "
            "restore batches that were lost, or ask what was drawn from"
        )
    found = []
    for drawn in draw.payouts:
        at = bisect_right(ends, drawn.position)
        programme, first, count = batches[at]
        found.append((programme, first + drawn.position - (ends[at] - count)))
    return found


def _here(session: Session, drawn: Drawn, at_position: tuple[int, int]) -> tuple[Payout, Case]:
    if (drawn.programme, drawn.number) != at_position:
        programme, number = at_position
        why = f"position {drawn.position} is payout {number} of programme {programme} here"
        raise _UnopenedError("other_payout", why)
    payout = session.get(Payout, (drawn.batch, drawn.index))
    if payout is None or (payout.programme_id, payout.number) != at_position:
        why = f"it is not index {drawn.index} of batch {drawn.batch} here"
        raise _UnopenedError("other_payout", why)
    if session.get_one(Batch, drawn.batch).manifest_hash != drawn.manifest_hash:
        raise _UnopenedError("other_list", "officers signed another list than is here")
    # The draw has what officers signed only where the auditor gave it the lists.
    if drawn.commitment not in (None, payout.commitment):
        raise _UnopenedError("other_commitment", "officers signed another commitment than is here")
    if payout.case_id is None:
        why = "its batch was restored, and its case was not filed again"
        raise _UnopenedError("no_case", why)
    return payout, session.get_one(Case, payout.case_id)


def _open(session: Session, keyring: Keyring, drawn: Drawn, payout: Payout, case: Case) -> Opening:
    try:
        person = reveal_person(session, keyring, case)
    except NotFound:
        raise _UnopenedError("erased", "its person was erased") from None
    except IntegrityError:
        why = "its person's data was changed, or is of another keyring"
        raise _UnopenedError("unreadable", why) from None
    key = keyring.programme_key(drawn.programme)
    made = case_commitment(key, person.id_number, case.cause, case.period).hex()
    if made != payout.commitment:
        raise _UnopenedError("other_commitment", "its case is not what officers signed")
    return Opening(
        drawn.programme,
        drawn.number,
        canonical_identity(person.id_number),
        canonical_cause(case.cause),
        case.period,
    )


def commitment_key(
    session: Session,
    keyring: Keyring,
    programme: str,
    *,
    actor: str,
    reason: str | None,
    reason_field: str,
) -> tuple[int, bytes]:
    """Return a programme's number and the key of its commitments, 32 bytes; recorded.

    Whoever has the key can try identities against every case of the programme, for ever
    (decision 0114).

    Parameters
    ----------
    programme
        Its code or number.
    reason_field
        Name of the option that the reason came in, for the error.

    Raises
    ------
    InvalidInput
        When there is no reason, or one that does not print in 2000 characters.
    NotFound
        When there is no such programme.
    """
    why = reason_to_look(reason, reason_field)
    number = find_programme(session, programme).id
    journal.record(
        session,
        at=SYSTEM_CLOCK.now(),
        actor=actor,
        action="write_commitment_key",
        object_type="programme",
        object_id=str(number),
        reason=why,
    )
    session.flush()
    return number, keyring.programme_key(number)
