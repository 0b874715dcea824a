"""Deeds about who may do what: officers, signers, verifiers, and the manager's roles."""

from __future__ import annotations

from typing import Any

from eth_utils.address import to_checksum_address

from tests.audit.driving.chain import EVERYWHERE, GOVERNOR, ROLE_IDS
from tests.audit.driving.deeds import QUORUM, Deeds
from tests.support.deployed import account
from tests.support.walks import DAY_S, UNIT

NOBODYS_ROLE = 77
KEEPERS = 4
DELAYS = (0, 0, 3_600, 2 * DAY_S)


class RegistryDeeds(Deeds):
    """What governors do with officers, their signers, and the verifiers of keys."""

    def _newcomer(self) -> dict[str, Any]:
        region = self._pick([EVERYWHERE, EVERYWHERE, self._region()])
        kind, signer = self._spare_signer()
        return {
            "officerId": self._pick([0, *range(1, 9), *range(30, 40), 2**32 - 1]),
            "roles": self._pick([1, 2, 2, 4, 8, 10, 12, 15, 0, 16]),
            "regionCode": region[0],
            "regionDigits": region[1],
            "signerType": kind,
            "signer": signer,
        }

    def _spare_signer(self) -> tuple[int, bytes]:
        """Mostly one whose verifier is allowed; some are malformed."""
        facts = self._facts
        if self._chance(0.05):
            return self._pick([(1, bytes(20)), (2, bytes(19) + b"\1"), (3, bytes(84)), (4, b"\1")])
        spare = [
            signer
            for signer in self._deployed.spare_signers
            if signer not in facts.signers and (signer[0] != 3 or signer[1][:20] in facts.verifiers)
        ]
        return self._pick(spare if self._chance(0.9) else self._deployed.spare_signers)

    def _leaver(self) -> int:
        """Seldom the last governors, and mostly somebody who came later."""
        officers = self._facts.officers
        governors = [n for n, officer in officers.items() if officer.roles & GOVERNOR]
        leavers = [n for n in sorted(officers) if n > 8 or self._chance(0.1)]
        if len(governors) <= QUORUM + 2:
            leavers = [n for n in leavers if n not in governors] or sorted(officers)
        return self._pick(leavers or [99])

    def _signer(self) -> dict[str, Any]:
        kind, signer = self._spare_signer()
        officer = self._pick([*sorted(self._facts.officers), 99])
        return {"officerId": officer, "signerType": kind, "signer": signer}

    def _leaving_signer(self) -> dict[str, Any]:
        """Mostly of somebody who has another one."""
        owners = [owner for owner, _ in self._facts.signers.values()]
        several = sorted(
            key
            for key, (owner, _) in self._facts.signers.items()
            if owners.count(owner) > 1 or self._chance(0.02)
        )
        kind, signer = self._pick(several or self._deployed.spare_signers)
        return {"signerType": kind, "signer": signer}

    def _leaving_verifier(self) -> str:
        allowed = [to_checksum_address(verifier) for verifier in sorted(self._facts.verifiers)]
        first = [
            self._deployed.deployment.p256_verifier,
            self._deployed.deployment.passkey_verifier,
        ]
        if not self._chance(0.1):
            allowed = [verifier for verifier in allowed if verifier not in first]
        return str(self._pick(allowed or [self._deployed.token]))

    def _new_verifier(self) -> str:
        chain = self._deployed
        return self._pick([*chain.spare_verifiers, chain.token, account("stranger").address])

    def _consume_elsewhere(self) -> None:
        """Officers sign for somebody else's contract; the registry counts the action too."""
        chain, by = self._deployed, self._governors()
        digest, action = self._hash("digest"), self._hash("foreign action")
        signatures = b"".join(chain.sign_as(officer, digest) for officer in by)
        deadline = chain.now() + DAY_S
        self._send(
            "registry", "consumeQuorum", digest, action, deadline, GOVERNOR, 0, 0, signatures
        )


class ManagerDeeds(Deeds):
    """What the officers' quorum does through the registry, and what holders of roles do."""

    def _keeper_address(self) -> str:
        return account(f"keeper {self._draw.randrange(KEEPERS)}").address

    def _call_manager(self, function: str, *args: Any) -> None:
        self._govern(self._deployed.contracts.encode_call("manager", function, *args))

    def _govern(self, data: bytes) -> None:
        members, message = [("data", "bytes")], {"data": data}
        action = self._signed("registry", "ManagerCall", members, message, self._governors())
        self._send("registry", "callManager", data, *action)

    def _some_role(self) -> int:
        return self._pick([*ROLE_IDS.values(), NOBODYS_ROLE])

    def _grant_role(self) -> None:
        """To a keeper, or again to one who has it, with or without a delay of what it does."""
        role, account_ = self._some_role(), self._keeper_address()
        if self._chance(0.3):
            role, account_ = self._pick(sorted(key for key in self._facts.holders if key[0]))
        self._call_manager("grantRole", role, account_, self._pick(DELAYS))

    def _revoke_role(self) -> None:
        """Of a keeper mostly: without the first holders little happens any more."""
        keepers = {account(f"keeper {n}").address for n in range(KEEPERS)}
        held = [k for k in sorted(self._facts.holders) if k[0] and k[1] in keepers]
        if self._chance(0.1):
            held = [(self._some_role(), self._keeper_address())]
        self._call_manager("revokeRole", *self._pick(held))

    def _renounce_role(self) -> None:
        keepers = {account(f"keeper {n}").address for n in range(KEEPERS)}
        held = [k for k in sorted(self._facts.holders) if k[0] and k[1] in keepers]
        role, holder = self._pick(held)
        confirmation = holder if self._chance(0.9) else account("stranger").address
        self._deployed.send(holder, "manager", "renounceRole", role, confirmation)

    def _arrange(self) -> None:
        """Labels, guardians, admins, delays, closed targets, functions of roles, the authority."""
        chain = self._deployed
        target = self._pick([chain.vault, chain.token, chain.lane])
        role = self._some_role()
        function, args = self._pick(
            [
                ("labelRole", (role, f"role {role}")),
                ("setRoleGuardian", (role, self._some_role())),
                # To another than the administrators only where nobody has the role.
                ("setRoleAdmin", (role, 0)),
                ("setRoleAdmin", (NOBODYS_ROLE, NOBODYS_ROLE)),
                ("setGrantDelay", (role, self._pick(DELAYS))),
                ("setTargetAdminDelay", (target, self._pick([0, 0, 3_600]))),
                ("setTargetClosed", (target, self._chance(0.3))),
                ("setTargetFunctionRole", (chain.lane, [b"\1\2\3\4"], role)),
                ("updateAuthority", (target, chain.contracts.address("manager"))),
                ("grantRole", (2**64 - 1, chain.vault, 0)),
            ]
        )
        self._call_manager(function, *args)

    def _reopen(self) -> None:
        self._call_manager("setTargetClosed", self._pick(sorted(self._facts.closed)), False)

    def _arrange_several(self) -> None:
        """Several at once, as one action of the quorum."""
        encode = self._deployed.contracts.encode_call
        role, keeper = self._some_role(), self._keeper_address()
        calls = [
            encode("manager", "grantRole", role, keeper, self._pick(DELAYS)),
            encode("manager", "labelRole", role, "several"),
            encode("manager", "revokeRole", role, keeper),
            encode("manager", "grantRole", role, keeper, self._pick(DELAYS)),
        ]
        self._call_manager("multicall", calls[: self._draw.randint(1, 4)])

    # ---- what a delay lets be done ---------------------------------------------------------------

    def _schedule_operation(self) -> None:
        """A role's holder whose deeds have a delay plans one."""
        chain = self._deployed
        roles = {*ROLE_IDS.values()}
        delayed = sorted(k for k, delay in self._facts.holders.items() if k[0] in roles and delay)
        role, caller = self._pick(delayed)
        encode = chain.contracts.encode_call
        wallet = self._wallet()
        possible = {
            "guardian": (chain.token, encode("token", "pauseTransfers")),
            "freezer": (chain.token, encode("token", "freeze", wallet)),
            "attestor": (
                chain.token,
                encode("token", "attestReserve", 10**13, 0, chain.now(), bytes(32)),
            ),
            "treasurer": (chain.lane, encode("lane", "lowerRegionCap", 51, 2, 900 * UNIT)),
            "programme_manager": (
                chain.vault,
                encode("vault", "scheduleBudgetIncrease", 1, 2 * 10**13),
            ),
        }
        named = {ROLE_IDS[name]: call for name, call in possible.items()}
        target, data = named[role]
        chain.send(caller, "manager", "schedule", target, data, 0)

    def _run_operation(self) -> None:
        """What was planned is done: by the manager for its caller, or straight on the target."""
        chain = self._deployed
        now, operations = chain.now(), self._facts.operations
        ripe = [number for number, operation in operations.items() if operation.schedule <= now]
        if self._chance(0.1):
            ripe = list(operations)
        operation = operations[self._pick(sorted(ripe))]
        if self._chance(0.5):
            chain.send(operation.caller, "manager", "execute", operation.target, operation.data)
            return
        key = next(
            k for k in ("vault", "token", "lane") if chain.contracts.address(k) == operation.target
        )
        function, args = self._decoded(key, operation.data)
        chain.send(operation.caller, key, function, *args)

    def _decoded(self, key: str, data: bytes) -> tuple[str, list[Any]]:
        found = self._deployed.contracts.decode_call(key, data)
        assert found is not None
        return found[0], list(found[1].values())

    def _cancel_operation(self) -> None:
        operation = self._facts.operations[self._pick(sorted(self._facts.operations))]
        caller = operation.caller if self._chance(0.9) else account("stranger").address
        self._deployed.send(
            caller, "manager", "cancel", operation.caller, operation.target, operation.data
        )
