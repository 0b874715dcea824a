"""A seeded life of the contracts with everything that they can do, and re-orgs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.audit.driving.chain import Driven, Idle
from tests.audit.driving.facts import Facts
from tests.audit.driving.lane import LaneDeeds
from tests.audit.driving.powers import ManagerDeeds, RegistryDeeds
from tests.audit.driving.token import TokenDeeds
from tests.audit.driving.vault import VaultDeeds
from tests.support.walks import DAY_S, WEIGHTS

STEPS = 140
DRAWS = 6
WAIT = 0.7
"""Of the steps, after which mostly so much time passes that batches expire."""

LAST_PART = 0.85
"""Of the steps, after which the sunset may begin."""


@dataclass(frozen=True)
class Moment:
    """Where a chain can go back to."""

    snapshot: str
    block: int
    time: int
    facts: Facts


class Drive(VaultDeeds, TokenDeeds, LaneDeeds, RegistryDeeds, ManagerDeeds):
    """One seeded life of a driven chain."""

    weights: Mapping[str, float] = {
        **WEIGHTS,
        "plan": 9,
        "approve": 14,
        "execute": 22,
        "withdraw": 9,
        "withdraw_chunk": 9,
        "retry": 8,
        "cancel_batch": 0.7,
        "cancel_streams": 3,
        "change_wallet": 5,
        "hold_batch": 1.5,
        "hold_entry": 3,
        "expire_unexecuted": 2,
        "expire_payout": 9,
        "expire_streams": 5,
        "blocks_pass": 0.5,
        "time_passes": 3.5,
        "boundary": 3,
        "several": 7,
        "trespass": 1.2,
        "pause": 0.4,
        "unpause": 6,
        "create_programme": 0.7,
        "freeze": 2.5,
        "unfreeze": 2.5,
        "attest": 2.5,
        "grant": 4,
        "countersign": 3,
        "write_off": 1.2,
        "transfer": 1.5,
        "approve_spender": 1,
        "transfer_from": 2,
        "redeem": 1.5,
        "permit": 0.8,
        "transfer_authorized": 1.5,
        "receive_authorized": 1.2,
        "redeem_authorized": 1.2,
        "cancel_authorization": 0.6,
        "schedule_minter": 1.5,
        "activate_minter": 5,
        "remove_minter": 0.6,
        "other_minter": 8,
        "lower_cap": 0.5,
        "schedule_cap": 1,
        "apply_cap": 2,
        "pause_transfers": 0.4,
        "unpause_transfers": 5,
        "lower_limits": 0.6,
        "schedule_limits": 1,
        "apply_limits": 2,
        "lower_region_cap": 0.5,
        "schedule_region_cap": 0.8,
        "apply_region_cap": 1.5,
        "pause_grants": 0.4,
        "unpause_grants": 5,
        "consume_elsewhere": 0.4,
        "add_officer": 1.5,
        "add_signer": 1.5,
        "remove_verifier": 0.7,
        "remove_officer": 0.7,
        "remove_signer": 0.8,
        "add_verifier": 0.5,
        "raise_budget": 1,
        "apply_budget": 2,
        "lower_budget": 0.7,
        "grant_role": 1.5,
        "revoke_role": 0.7,
        "renounce_role": 0.4,
        "arrange": 1.2,
        "arrange_several": 0.4,
        "reopen": 3,
        "schedule_operation": 3,
        "run_operation": 8,
        "cancel_operation": 0.6,
    }

    def __init__(self, chain: Driven, seed: int, folder: Path) -> None:
        super().__init__(chain, seed, folder)
        self._moments: list[Moment] = []
        self.went_back = 0

    def live(self, steps: int) -> Iterator[None]:
        """Let so many things happen, with re-orgs; stops after each for who looks on."""
        for _ in range(4):
            self._attempt("plan")
        for step in range(steps):
            draw = self._draw.random()
            if draw < 0.035:
                self._reorganise()
            elif draw < 0.14:
                self._remember()
            if step == int(WAIT * steps) and self._chance(0.7):
                self._deployed.advance(self._draw.randint(90, 300) * DAY_S)
            if step > LAST_PART * steps and self._chance(0.01):
                self._attempt("begin_sunset")
            self._something_happens()
            yield

    def _something_happens(self) -> None:
        """Something is sent, or time passes: what finds nothing to be done to is drawn again."""
        before = (len(self._deployed.story), self._deployed.now())
        for _ in range(DRAWS):
            super()._something_happens()
            if (len(self._deployed.story), self._deployed.now()) != before:
                return

    # ---- time and blocks -------------------------------------------------------------------------

    def _several(self) -> None:
        """Many things in one block, each sent without knowing what became of the others."""
        with self._deployed.together():
            for _ in range(self._draw.randint(2, 7)):
                name = self._draw.choices(list(self.weights), list(self.weights.values()))[0]
                if name not in ("several", "time_passes", "blocks_pass", "boundary"):
                    self._attempt(name)

    def _boundary(self) -> None:
        """The next block comes at, just before or just after a time that decides something."""
        now = self._deployed.now()
        times = [*self._facts.due.values(), *self._facts.planned_minters.values()]
        times += [*self._facts.planned_caps.values(), (now // DAY_S + 1) * DAY_S]
        times += [operation.schedule for operation in self._facts.operations.values()]
        for batch in self.batches:
            signed = batch.approval
            times += [signed["executeBefore"], signed["expiresAt"]]
            times.append(self._facts.approved.get(signed["batchId"], 0))
            if signed["duration"]:
                start = signed["start"]
                times += [start, start + signed["cliff"], start + signed["duration"]]
                times.append(now + signed["cadence"] - (now - start) % signed["cadence"])
        ahead = sorted({time for time in times if now < time < now + 400 * DAY_S})
        if not ahead:
            raise Idle("nothing lies ahead")
        # The nearest ones mostly: else a life is over after a few steps.
        time = ahead[min(len(ahead) - 1, int(self._draw.expovariate(0.7)))]
        self._deployed.next_block_at(time + self._draw.choice([-1, 0, 0, 1]))

    # ---- re-orgs ---------------------------------------------------------------------------------

    def _remember(self) -> None:
        chain = self._deployed
        snapshot = chain.rpc.call("evm_snapshot")
        moment = Moment(snapshot, chain.rpc.block_number(), chain.now(), chain.facts.copy())
        self._moments.append(moment)

    def _reorganise(self) -> None:
        """Go back to an earlier moment, and on in other blocks."""
        if not self._moments:
            return
        # Mostly not far: else little of a life is left at its end.
        self._go_back(max(0, len(self._moments) - 1 - int(self._draw.expovariate(1))))
        self._deployed.mine(self._draw.randint(1, 3))
        self.went_back += 1

    def _go_back(self, at: int) -> None:
        moment = self._moments[at]
        del self._moments[at:]
        chain = self._deployed
        chain.story.append(f"back to block {moment.block}")
        chain.rpc.call("evm_revert", moment.snapshot)
        chain.set_clock(moment.time)
        chain.facts = moment.facts

    @contextmanager
    def put_back(self) -> Iterator[None]:
        """Put the chain back to where it stands now."""
        self._remember()
        (begin,) = self._moments
        self._moments.clear()
        try:
            yield
        finally:
            self._moments[:] = [begin]
            self._go_back(0)
