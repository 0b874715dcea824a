"""Programmes by their names, and as row and chain together show them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.application.approvals import propose
from service.application.batches import journal_view
from service.application.context import Application
from service.approvals.models import ActionKind, QuorumAction
from service.approvals.states import ActionState
from service.errors import Conflict, NotFound
from service.payouts.directory import region_of
from service.payouts.models import Batch, Programme
from service.payouts.programmes import get_programme, pause_programme, record_step
from service.payouts.service import cancel_draft, cancelled_by_quorum
from service.payouts.states import BatchState
from service.transactions.in_flight import in_flight
from service.units import amounts, format_time, format_unix_s


def find_programme(session: Session, text: str) -> Programme:
    """Return a programme by its code or its number, as people type either.

    Raises
    ------
    NotFound
        When there is none.
    """
    try:
        return get_programme(session, text)
    except NotFound:
        if not (text.isascii() and text.isdigit()):
            raise
    return get_programme(session, int(text))


def programme_view(programme: Programme) -> dict[str, Any]:
    """Return a programme's row for JSON."""
    return {
        "number": programme.id,
        "code": programme.code,
        "name": programme.name,
        "state": programme.state,
        "region": str(region_of(programme.region_code, programme.region_digits)),
        **amounts(budget=programme.budget_base_units, payout_cap=programme.payout_cap_base_units),
        "tiers": [
            {
                **amounts(up_to=tier["up_to_base_units"]),
                "reviewers": tier["reviewers"],
                "challenge_delay_s": tier["challenge_delay_s"],
            }
            for tier in programme.tiers
        ],
        "metadata_hash": programme.metadata_hash,
        "version": programme.version,
        "active_from": programme.active_from and format_time(programme.active_from),
        "paused": programme.paused,
        "pause_reason": programme.pause_reason,
        "created_by": programme.created_by,
        "created_at": format_time(programme.created_at),
    }


def programme_step_view(session: Session, programme: Programme) -> dict[str, Any]:
    """Return a programme's row with what of its batches is on its way, for JSON."""
    sent = in_flight(session, Batch.programme_id == programme.id)
    return programme_view(programme) | {"in_flight": asdict(sent)}


def cancel_batches(
    app: Application,
    session: Session,
    programme: Programme,
    *,
    deadline_unix_s: int,
    actor: str,
    reason: str,
) -> list[BatchOutcome]:
    """Cancel every batch of a programme of which something is left, as far as each can be.

    The programme is paused first, so that no more goes out. What was not released is cancelled
    here; for what is on chain an action is proposed, a batch each, which a quorum of reviewers
    signs; what can be neither is told in words (decision 0097).

    Parameters
    ----------
    deadline_unix_s
        The contract refuses the actions after it.

    Raises
    ------
    InvalidInput
        When there is no reason, or the deadline is none.
    """
    if not programme.paused:
        pause_programme(session, programme, actor=actor, reason=reason, clock=app.chain_clock)
    proposed = _proposed_cancellations(session)
    outcomes = []
    batches = session.scalars(
        select(Batch)
        .where(
            Batch.programme_id == programme.id,
            Batch.state.not_in([BatchState.DONE.value, BatchState.CANCELLED.value]),
        )
        .order_by(Batch.created_at, Batch.id)
    ).all()
    for batch in batches:
        try:
            if batch.id in proposed:
                outcomes.append(BatchOutcome(batch, "proposed", "", proposed[batch.id]))
            elif cancelled_by_quorum(session, batch):
                action = propose(
                    app,
                    session,
                    ActionKind.BATCH_CANCELLATION,
                    {"batchId": batch.id},
                    deadline_unix_s=deadline_unix_s,
                    actor=actor,
                    reason=reason,
                )
                outcomes.append(BatchOutcome(batch, "proposed", "", action))
            else:
                cancel_draft(session, batch.id, actor=actor, reason=reason, clock=app.chain_clock)
                outcomes.append(BatchOutcome(batch, "cancelled", "", None))
        except Conflict as error:  # told beside the others, which it does not keep from theirs
            outcomes.append(BatchOutcome(batch, "refused", error.detail, None))
    record_step(
        session, programme, "cancel_programme", actor=actor, reason=reason, clock=app.chain_clock
    )
    return outcomes


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What cancelling a programme did to one of its batches.

    Attributes
    ----------
    outcome
        ``cancelled``, ``proposed`` (officers must sign the action) or ``refused``.
    message
        Why it was refused.
    action
        The cancellation that was proposed, now or before.
    """

    batch: Batch
    outcome: str
    message: str
    action: QuorumAction | None


def outcome_view(outcome: BatchOutcome) -> dict[str, Any]:
    """Return what became of a batch, for JSON."""
    return {
        "batch_id": outcome.batch.id,
        "outcome": outcome.outcome,
        "message": outcome.message,
        "action_id": outcome.action.id if outcome.action is not None else None,
    }


def _proposed_cancellations(session: Session) -> dict[str, QuorumAction]:
    """Cancellations that officers may still sign or that are on their way, by batch."""
    actions = session.scalars(
        select(QuorumAction).where(
            QuorumAction.kind == ActionKind.BATCH_CANCELLATION.value,
            QuorumAction.state.not_in([ActionState.DONE.value, ActionState.EXPIRED.value]),
        )
    )
    return {str(action.message["batchId"]): action for action in actions}


def programme_journal(session: Session, programme: Programme) -> list[dict[str, Any]]:
    """Return what was done to a programme and why, oldest first, for JSON."""
    return journal_view(session, "programme", str(programme.id))


def programme_on_chain(app: Application, number: int) -> dict[str, Any]:
    """Return what the vault says of a programme now, for JSON.

    Raises
    ------
    ChainUnavailable
        When the node does not answer.
    """
    block = app.rpc.block_number()
    found = app.contracts.read(app.rpc, "vault", "programme", number, block=block)
    pending_from = found["pendingBudgetFrom"]
    return {
        "block_number": block,
        "version": found["version"],
        **amounts(
            budget=found["budget"],
            allocated=found["allocated"],
            budget_left=found["budget"] - found["allocated"],
            pending_budget=found["pendingBudget"],
        ),
        "active_from": format_unix_s(found["activeFrom"]),
        "pending_budget_from": format_unix_s(pending_from) if pending_from else None,
        "next_payout_number": found["nextNumber"],
    }
