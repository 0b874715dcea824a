"""The routes under ``/v1``, one module a resource; each is thin over the services."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from service.api.authentication import bearer
from service.api.parameters import only_known
from service.api.routes import (
    actions,
    alarms,
    batches,
    cases,
    chain_requests,
    emergency,
    expiry,
    imports,
    ledger,
    officers,
    pauses,
    payments,
    payouts,
    programmes,
    reserve,
    roles,
    streams,
    supply,
    wallets,
)

MODULES = (
    programmes,
    officers,
    imports,
    cases,
    batches,
    actions,
    emergency,
    payouts,
    streams,
    expiry,
    wallets,
    payments,
    reserve,
    supply,
    roles,
    pauses,
    ledger,
    chain_requests,
    alarms,
)


def v1() -> APIRouter:
    """Return all routes that need a token."""
    router = APIRouter(prefix="/v1", dependencies=[Depends(bearer), Depends(only_known)])
    for module in MODULES:
        router.include_router(module.router)
    return router
