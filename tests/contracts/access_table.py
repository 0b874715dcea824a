"""Who may call what, and which pause stops it: one row for each function that changes something.

A row is tried by every caller under every pause. What it is tried with would do: where a function
asks for a signature, it is a good one, so that only the caller and the pause can be in the way.
"""

from collections.abc import Sequence
from typing import Any

import brownie
import signed_actions
from access import Error, Row, changing_functions, row
from approvals import account_named
from authorizations import sign_as_holder
from chunk_tree import pack_entries
from clock import DAY, HOUR, advance, now
from deployment import LIMITS, RESERVE, TIERED, TIERED_BUDGET, Relief
from eth_abi import encode
from eth_utils import keccak
from outcomes import ZERO_ADDRESS

OFFICERS = {"maker": 1, "reviewer": 2, "emergency officer": 9, "governor": 6}
CONTRACTS = (*("vault", "lane", "token", "registry", "manager", "administration", "corrections"),)

APPROVALS = {"approvals": ("OperationPaused", 1), "sunset": ("InSunset",)}
EXECUTION = {"execution": ("OperationPaused", 2)}
WITHDRAWALS = {"withdrawals": ("OperationPaused", 4)}
TRANSFERS = {"transfers": ("TransfersArePaused",)}
GRANTS = {"grants": ("GrantsArePaused",)}
SUNSET = {"sunset": ("InSunset",)}


class Table:
    """The rows, over a deployment in which each of them has something to do.

    Attributes
    ----------
    callers
        Each kind of caller and its address: a wallet of each kind, an officer of each role, and the
        contracts themselves.
    """

    def __init__(self, relief: Relief, administration: Any, corrections: Any) -> None:
        self.relief = relief
        self.administration, self.corrections = administration, corrections
        self.holder = account_named("holder of 1,000")
        self.delayed, self.spender, self.payee = brownie.accounts[10:13]
        self.somebody = relief.payees(1, 500)[0]
        self.callers = {
            "stranger": relief.anyone.address,
            "deployer": relief.deployer.address,
            "guardian": relief.guardian.address,
            "delayed guardian": self.delayed.address,
            "freezer": relief.freezer.address,
            "attestor": relief.attestor.address,
            "treasurer": relief.treasurer.address,
            "planner": relief.planner.address,
            **{name: relief.officers(officer)[0].key.address for name, officer in OFFICERS.items()},
            "holder": self.holder.address,
            "spender": self.spender.address,
            "payee": self.payee.address,
            **{name: self.contract(name).address for name in CONTRACTS},
        }
        self._prepare()
        vaults_rows = self._vault_rows()
        self.rows = [
            *vaults_rows,
            *self._part_rows(vaults_rows),
            *self._token_rows(),
            *self._registry_rows(),
            *self._lane_rows(),
            *self._manager_rows(),
        ]

    def contract(self, name: str) -> Any:
        """One of `CONTRACTS`."""
        parts = {"administration": self.administration, "corrections": self.corrections}
        return parts[name] if name in parts else getattr(self.relief, name)

    # ---- something to do for each function -------------------------------------------------------

    def _prepare(self) -> None:
        relief, day = self.relief, DAY
        relief.pay([(self.holder.address, 1_000)])
        permit, arguments = self._signed_by_holder("Permit", number=0, spender=self.spender.address)
        permit(*arguments, {"from": relief.anyone})
        # What has expired by the time that the table is tried.
        self.unexecuted = relief.batch([(self.somebody, 10)])
        relief.approve(self.unexecuted)
        self.never_payable = relief.pay([(ZERO_ADDRESS, 1)])
        self.never_streamed = relief.open_streams([(ZERO_ADDRESS, 90)], duration=day)
        advance(101 * day)
        relief.attest(RESERVE)
        self._plan_raises()
        advance(14 * day)
        # What goes on.
        self.approved = relief.batch([(self.somebody, 10)])
        relief.approve(self.approved)
        frozen = relief.payees(1, 600)[0]
        relief.freeze(frozen)
        self.skipped = relief.pay([(frozen, 7)])
        relief.unfreeze(frozen)
        self.streams = relief.open_streams([(self.somebody, 9_000)])
        advance(3 * day)
        # A guardian who must announce each pause an hour before.
        relief.call_manager(relief.manager.grantRole.encode_input(1, self.delayed, HOUR))
        self.pause = relief.vault.pause.encode_input(1)
        relief.manager.schedule(relief.vault, self.pause, 0, {"from": self.delayed})
        advance(2 * HOUR)
        self.signed = {build: build(relief) for build in signed_actions.EVERYTHING_SIGNED}

    def _plan_raises(self) -> None:
        """Higher limits of each kind, due after fourteen days at most."""
        relief, anyone = self.relief, {"from": self.relief.anyone}
        relief.vault.scheduleBudgetIncrease(TIERED, TIERED_BUDGET + 1, {"from": relief.planner})
        for build in (
            signed_actions.cap_increase,
            signed_actions.minter_addition,
            signed_actions.limits_raise,
            signed_actions.region_cap_raise,
        ):
            planned = build(relief)
            officers = relief.officers(*planned.by.officers)
            planned.function(*planned.sent_as(planned.signatures(officers)), anyone)

    def _signed_by_holder(
        self, primary_type: str, *, key: Any = None, number: int = 1, spender: Any = None
    ) -> tuple[Any, tuple[Any, ...]]:
        """A function of the token and its arguments, signed by the holder or by another key."""
        holder, token = self.holder.address, self.relief.token
        nonce = number.to_bytes(32, "big")
        window = {"validAfter": 0, "validBefore": 2**40, "nonce": nonce}
        transfer = {"from": holder, "to": self.payee.address, "value": 1, **window}
        signed = {
            "Permit": {
                "owner": holder,
                "spender": spender or self.somebody,
                "value": 5,
                "nonce": number,
                "deadline": 2**40,
            },
            "TransferWithAuthorization": transfer,
            "ReceiveWithAuthorization": transfer,
            "CancelAuthorization": {"authorizer": holder, "nonce": nonce},
            "RedeemWithAuthorization": {
                "from": holder,
                "value": 1,
                "paymentReference": bytes(32),
                **window,
            },
        }[primary_type]
        signature = sign_as_holder(key or self.holder, token, primary_type, signed)
        sent = [v for name, v in signed.items() if (primary_type, name) != ("Permit", "nonce")]
        function = getattr(token, primary_type[0].lower() + primary_type[1:])
        return function, (*sent, *signature)

    # ---- rows of one kind ------------------------------------------------------------------------

    def _restricted(self, role: str, function: Any, *arguments: Any, **rule: Any) -> Row:
        """A row of a function that belongs to a housekeeping role."""
        target, data = function._address, bytes.fromhex(function.encode_input(*arguments)[2:])

        def refusal(caller: str) -> Error:
            address = self.callers[caller]
            if caller == "delayed guardian" and role == "guardian":
                operation = encode(["address", "address", "bytes"], [address, target, data])
                return ("AccessManagerNotScheduled", keccak(operation))
            return ("AccessManagedUnauthorized", address)

        by = rule.pop("by", role)
        return row(function, *arguments, by=by, refusal=refusal, **rule)

    def _new_authority(self, contract: Any) -> Row:
        """The row of what every restricted contract inherits."""
        return self._restricted("manager", contract.setAuthority, self.relief.registry)

    def _signed_rows(self, contract: Any) -> list[Row]:
        """Two rows for each thing that officers sign for a contract: with signatures, and with none."""
        rows = []
        for build, thing in self.signed.items():
            if thing.contract != contract:
                continue
            signatures = thing.signatures(self.relief.officers(*thing.by.officers))
            stopped = {
                signed_actions.batch_approval: APPROVALS,
                signed_actions.emergency_grant: GRANTS,
                signed_actions.sunset: SUNSET,
            }.get(build, {})
            if build in signed_actions.BY_A_QUORUM:
                none: Error = ("NotEnoughOfficers", 2, 0)
            elif build is signed_actions.batch_approval:
                none = ("MakerSignatureMissing", 1)
            else:
                none = ("MalformedSignatures", 0)
            first = build in {signed_actions.batch_approval, signed_actions.emergency_grant}
            rows += [
                row(thing.function, *thing.sent_as(signatures), stopped=stopped),
                row(
                    thing.function,
                    *thing.sent_as(b""),
                    by=(),
                    refusal=none,
                    stopped=stopped,
                    pause_first=first,
                ),
            ]
        return rows

    # ---- the token -------------------------------------------------------------------------------

    def _token_rows(self) -> list[Row]:
        token, address = self.relief.token, self.callers
        entries = pack_entries([(self.somebody, 1)])
        thief = account_named("thief")
        forged: Error = ("WrongSigner", thief.address, self.holder.address)

        def poor(caller: str) -> Error:
            return ("InsufficientBalance", address[caller], 0, 1)

        def no_allowance(caller: str) -> Error:
            return ("InsufficientAllowance", address[caller], 0, 1)

        def not_payee(caller: str) -> Error:
            return ("CallerNotPayee", address[caller], self.payee.address)

        def not_minter(caller: str) -> Error:
            return ("NotMinter", address[caller])

        nothing_committed: Error = ("CommitmentExceeded", 1, 0)
        moved = {"stopped": TRANSFERS}
        rows = [
            row(token.approve, self.somebody, 5),
            row(
                token.transfer,
                self.somebody,
                1,
                by="holder",
                refusal=poor,
                **moved,
                pause_first=True,
            ),
            row(
                token.transferFrom,
                *(self.holder.address, self.somebody, 1),
                by="spender",
                refusal=no_allowance,
                **moved,
            ),
            row(token.redeem, 1, bytes(32), by="holder", refusal=poor, **moved, pause_first=True),
            row(token.commit, 1, by=("vault", "lane"), refusal=not_minter),
            row(token.release, 1, by="vault", refusal=nothing_committed),
            row(token.mintBatch, entries, 10, by="vault", refusal=nothing_committed),
            row(token.mintEntry, self.somebody, 1, by="vault", refusal=nothing_committed),
            self._restricted("attestor", token.attestReserve, RESERVE, 0, now() - 1, bytes(32)),
            self._restricted("freezer", token.freeze, self.somebody),
            self._restricted("freezer", token.unfreeze, self.somebody),
            self._restricted("guardian", token.pauseTransfers),
            self._restricted("treasurer", token.lowerCap, 10**12),
            row(token.applyCap),
            row(token.activateMinter, brownie.accounts[13]),
            self._new_authority(token),
            *self._signed_rows(token),
        ]
        for primary_type, rule in {
            "Permit": {},
            "TransferWithAuthorization": moved,
            "ReceiveWithAuthorization": {**moved, "by": "payee", "refusal": not_payee},
            "CancelAuthorization": {},
            "RedeemWithAuthorization": moved,
        }.items():
            function, arguments = self._signed_by_holder(primary_type)
            rows.append(row(function, *arguments, **rule))
            function, arguments = self._signed_by_holder(primary_type, key=thief)

            def refusal(caller: str, *, of_payees: bool = "by" in rule) -> Error:
                return not_payee(caller) if of_payees and caller != "payee" else forged

            rows.append(row(function, *arguments, by=(), refusal=refusal))
        return rows

    # ---- the vault -------------------------------------------------------------------------------

    def _vault_rows(self) -> list[Row]:
        vault, approved = self.relief.vault, self.approved
        tiers = [(10**12, 1, 0)]
        return [
            row(
                vault.executeChunk,
                *(approved.id, 0, approved.chunks[0], approved.proof(0)),
                stopped=EXECUTION,
            ),
            row(vault.retryPayout, self.skipped.id, 0, stopped=EXECUTION),
            row(vault.withdraw, self.streams.id, 0, stopped=WITHDRAWALS),
            row(vault.withdrawChunk, self.streams.id, 0, stopped=WITHDRAWALS),
            row(vault.expireUnexecuted, self.unexecuted.id),
            row(vault.expirePayout, self.never_payable.id, 0, stopped=EXECUTION),
            row(vault.expireStreams, self.never_streamed.id, 0, stopped=WITHDRAWALS),
            self._restricted(
                "planner",
                vault.createProgramme,
                *(9, 51, 2, 10**9, 10**6, tiers, bytes(32)),
                stopped=SUNSET,
            ),
            self._restricted(
                "planner", vault.scheduleBudgetIncrease, TIERED, TIERED_BUDGET + 2, stopped=SUNSET
            ),
            self._restricted("planner", vault.decreaseBudget, TIERED, TIERED_BUDGET - 1),
            row(vault.applyBudgetIncrease, TIERED, stopped=SUNSET),
            # The delayed guardian announced this very call.
            self._restricted("guardian", vault.pause, 1, by=("guardian", "delayed guardian")),
            self._new_authority(vault),
            *self._signed_rows(vault),
        ]

    def _part_rows(self, vaults_rows: Sequence[Row]) -> list[Row]:
        """Each call of the vault that a part's code answers, made at the part itself."""
        rows = []
        for part in (self.administration, self.corrections):
            own = changing_functions(part.abi)
            rows.append(self._new_authority(part))
            rows += [
                self._at_part(getattr(part, vaults.function.abi["name"]), vaults.arguments)
                for vaults in vaults_rows
                if vaults.signature in own and vaults.signature != "setAuthority(address)"
            ]
        return rows

    def _at_part(self, function: Any, arguments: tuple[Any, ...]) -> Row:
        """A part knows no programme and no batch, and nobody signs for it."""
        name = function.abi["name"]
        if name in {"createProgramme", "scheduleBudgetIncrease", "decreaseBudget", "pause"}:
            # No role may call a part, which leaves it to the administrator: the registry, which
            # only ever calls the manager. What it did here would stand in the part's own storage.
            by = ("registry",) if name in {"createProgramme", "pause"} else ()

            def refusal(caller: str) -> Error:
                if caller == "registry":
                    return ("UnknownProgramme", TIERED)
                return ("AccessManagedUnauthorized", self.callers[caller])

            return row(function, *arguments, by=by, refusal=refusal)
        if name == "applyBudgetIncrease":
            error: Error = ("UnknownProgramme", TIERED)
        elif name in {"unpause", "beginSunset"}:
            (governor,) = self.relief.officers(6)
            wrong = ("WrongSignature", 6, 1, governor.signs_with.signer)
            error = wrong if arguments[-1] else ("NotEnoughOfficers", 2, 0)
        else:
            error = ("UnknownBatch", arguments[0])
        return row(function, *arguments, by=(), refusal=error)

    # ---- the registry ----------------------------------------------------------------------------

    def _registry_rows(self) -> list[Row]:
        registry = self.relief.registry
        thing = self.signed[signed_actions.unpause]
        governors = self.relief.officers(6, 7)
        # Used up under the caller's own name, whoever that is; what it stands for is the caller's.
        asked = (thing.digest(), self.relief.action_id(), 2**40, 8, 0, 0)
        return [
            row(registry.consumeQuorum, *asked, thing.signatures(governors)),
            row(registry.consumeQuorum, *asked, b"", by=(), refusal=("NotEnoughOfficers", 2, 0)),
            *self._signed_rows(registry),
        ]

    # ---- the emergency lane ----------------------------------------------------------------------

    def _lane_rows(self) -> list[Row]:
        lane = self.relief.lane
        return [
            row(lane.applyLimits),
            row(lane.applyRegionCap, 51, 2),
            self._restricted("treasurer", lane.lowerLimits, tuple(LIMITS.values())),
            self._restricted("treasurer", lane.lowerRegionCap, 51, 2, 1),
            self._restricted("guardian", lane.pause),
            self._new_authority(lane),
            *self._signed_rows(lane),
        ]

    # ---- the access manager ----------------------------------------------------------------------

    def _manager_rows(self) -> list[Row]:
        manager, vault, address = self.relief.manager, self.relief.vault, self.callers
        pause, selector = self.pause, vault.pause.signature
        announced = (self.delayed, vault, pause)

        def no_administrator(caller: str) -> Error:
            return ("AccessManagerUnauthorizedAccount", address[caller], 0)

        def may_not_call(caller: str) -> Error:
            return ("AccessManagerUnauthorizedCall", address[caller], vault, selector)

        def may_not_cancel(caller: str) -> Error:
            return (
                *(
                    "AccessManagerUnauthorizedCancel",
                    address[caller],
                    self.delayed,
                    vault,
                    selector,
                ),
            )

        def consumes_nothing(caller: str) -> Error:
            if caller in {"vault", "lane", "token", "administration", "corrections"}:
                return ("AccessManagerUnauthorizedConsume", address[caller])
            return ()

        administration = {"by": "registry", "refusal": no_administrator}
        grant = manager.grantRole.encode_input(2, self.somebody, 0)
        other_pause = vault.pause.encode_input(2)
        return [
            row(manager.labelRole, 1, "guardian", **administration),
            row(manager.grantRole, 2, self.somebody, 0, **administration),
            row(manager.revokeRole, 1, self.relief.guardian, **administration),
            row(manager.setRoleAdmin, 1, 2, **administration),
            row(manager.setRoleGuardian, 1, 2, **administration),
            row(manager.setGrantDelay, 1, DAY, **administration),
            row(manager.setTargetFunctionRole, vault, [selector], 2, **administration),
            row(manager.setTargetAdminDelay, vault, DAY, **administration),
            row(manager.setTargetClosed, vault, True, **administration),
            row(manager.updateAuthority, vault, self.relief.registry, **administration),
            row(manager.multicall, [grant], **administration),
            row(
                manager.renounceRole,
                *(1, self.relief.guardian),
                by="guardian",
                refusal=("AccessManagerBadConfirmation",),
            ),
            row(
                manager.execute,
                *(vault, pause),
                by=("guardian", "delayed guardian"),
                refusal=may_not_call,
            ),
            row(
                manager.schedule,
                *(vault, other_pause, 0),
                by="delayed guardian",
                refusal=may_not_call,
            ),
            row(
                manager.cancel,
                *announced,
                by=("delayed guardian", "registry"),
                refusal=may_not_cancel,
            ),
            row(manager.consumeScheduledOp, self.delayed, pause, by=(), refusal=consumes_nothing),
        ]
