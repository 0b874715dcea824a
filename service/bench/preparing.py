"""The way to approved and released batches, by the service's own functions, timed by stage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select

from service.application.approvals import sign_batch
from service.application.batches import build
from service.application.context import Application
from service.bench.chains import PROGRAMME, account
from service.cases import CaseFilter
from service.cases.imports import import_file, read_file
from service.cases.service import decide
from service.cases.states import CaseState
from service.chain.signers import LocalSigner
from service.clock import StageTimes
from service.payouts.directory import programme_list
from service.payouts.entries import MAX_CHUNK_ENTRIES
from service.payouts.models import Batch, Programme
from service.payouts.service import release
from service.regions import Region

ACTOR = "bench"
PROVINCE = Region(51, 2)


def prepare(app: Application, files: Sequence[Path], times: StageTimes) -> list[str]:
    """Import case files, approve every case, build batches, have officers sign, release.

    Returns
    -------
    list[str]
        Ids of the released batches.

    Raises
    ------
    ReliefError
        As the steps do.
    """
    imports = []
    for file in files:
        with times.stage("import"):
            with app.transaction() as session:
                programmes = programme_list(session)
            read = read_file(file, programmes=programmes)
            with app.transaction() as session:
                report = import_file(session, read, keyring=app.keyring, actor=ACTOR)
            imports.append(report.import_id)
    for import_id in imports:
        clock = app.chain_clock
        with times.stage("decide"), app.transaction() as session:
            wanted = CaseFilter(import_id=import_id)
            decide(session, wanted, CaseState.APPROVED, actor=ACTOR, clock=clock)
    batches: list[str] = []
    for import_id in imports:
        with times.stage("build"), app.transaction() as session:
            built = build(
                app,
                session,
                session.get_one(Programme, PROGRAMME),
                kind="one_off",
                region=PROVINCE,
                maker_officer_id=1,
                chunk_size=MAX_CHUNK_ENTRIES,
                cliff_s=0,
                cadence_s=None,
                import_id=import_id,
                actor=ACTOR,
            )
            batches += [batch["id"] for batch in built["batches"]]
    for batch_id in batches:
        with times.stage("approve"):
            clock = app.chain_clock
            for officer in (1, 2):
                signer = LocalSigner(account(f"officer {officer}"))
                with app.transaction() as session:
                    batch = session.scalars(select(Batch).where(Batch.id == batch_id)).one()
                    sign_batch(app, session, batch, signer, actor=f"officer {officer}", clock=clock)
            with app.transaction() as session:
                release(session, batch_id, actor=ACTOR, clock=clock)
    return batches
