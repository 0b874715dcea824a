"""Where the passphrase of the service's own keys comes from: a private file, or a prompt."""

from __future__ import annotations

import getpass
import sys

from service.config import Settings
from service.errors import ConfigurationError

_OTHERS = 0o077


def read_passphrase(settings: Settings, *, prompt: str = "Passphrase of the keys: ") -> str:
    """Read the passphrase from ``settings.key_passphrase_file``, or ask at the terminal.

    One line end after the passphrase is not part of it.

    Raises
    ------
    ConfigurationError
        When the file is missing, empty or readable by others, or when there is neither a file
        nor a terminal.
    """
    path = settings.key_passphrase_file
    if path is None:
        if not sys.stdin.isatty():
            raise ConfigurationError(
                "no passphrase: set RELIEF_KEY_PASSPHRASE_FILE or run at a terminal"
            )
        return _not_empty(getpass.getpass(prompt), "the passphrase typed")
    try:
        mode = path.stat().st_mode & 0o777
        if mode & _OTHERS:
            raise ConfigurationError(f"{path} can be read by others (mode {mode:o}): chmod 600 it")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the passphrase file cannot be read: {error}") from None
    return _not_empty(text.removesuffix("\n").removesuffix("\r"), str(path))


def _not_empty(passphrase: str, source: str) -> str:
    if not passphrase:
        raise ConfigurationError(f"{source} is empty")
    return passphrase
