"""What a route gets of one call: the application, who calls, and sessions to read with."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session, sessionmaker

from service.api.authentication import Principal
from service.application.context import Application
from service.errors import ConfigurationError, Unauthenticated
from service.privacy.keyring import Keyring


class Call:
    """One call by somebody known.

    Attributes
    ----------
    application
        The parts of the deployment.
    principal
        Who calls.
    """

    def __init__(self, request: Request) -> None:
        self.application: Application = request.app.state.application
        self._reader: sessionmaker[Session] = request.app.state.reader
        principal = getattr(request.state, "principal", None)
        if not isinstance(principal, Principal):  # a route outside the guarded prefix
            raise Unauthenticated("this needs a token")
        self.principal = principal

    @property
    def actor(self) -> str:
        """Name that journals record."""
        return self.principal.actor

    @property
    def keyring(self) -> Keyring:
        """The keys of personal data; a server asks nobody for their passphrase.

        Raises
        ------
        ConfigurationError
            When they cannot be opened.
        """
        if self.application.settings.key_passphrase_file is None:
            raise ConfigurationError("the API needs RELIEF_KEY_PASSPHRASE_FILE for personal data")
        return self.application.keyring

    def read(self) -> AbstractContextManager[Session]:
        """Return a session that only reads."""
        return self._reader()


CallDep = Annotated[Call, Depends()]
"""Declares that a route is called by somebody known."""
