"""What must not reach a log: tokens, passphrases, keys, and the secrets in addresses.

Secrets that the process knows are named to :func:`hide` when they are read. What has a form of its
own (API tokens, ``Authorization``, passwords in URLs) is found without. A private key has the form
of any hash, so it can only be hidden by name or by value.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from service.config import Settings

HIDDEN = "[hidden]"

_LEAST = 6
"""Shorter values would blot out ordinary words."""

_FORMS = (
    (re.compile(r"relief_[A-Za-z0-9_-]{43}"), HIDDEN),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"://([^/\s:@]*):[^/\s@]+@"), rf"://\1:{HIDDEN}@"),
    (
        re.compile(
            r"(?i)\b(pass(?:word|phrase)?|secret|private[_ ]?key|api[_-]?key)"
            r"(\s*[=:]\s*)[^\s,;&'\"]+"
        ),
        rf"\1\2{HIDDEN}",
    ),
)
_NAMES = re.compile(
    r"(?i)pass(word|phrase|wd)|secret|private|mnemonic|authorization|(^|_)token$|dsn"
)

_secrets: dict[str, str] = {}


def hide(secret: str, shown: str = HIDDEN) -> None:
    """Have every later line show `shown` wherever it would say `secret`."""
    if len(secret) >= _LEAST:
        _secrets[secret] = shown


def hide_url(url: str) -> None:
    """Hide user, password, path and query of a node's address: providers put keys there."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    plain = f"{parts.scheme}://{host}:{parts.port}" if parts.port else f"{parts.scheme}://{host}"
    if url.rstrip("/") != plain:
        hide(url, f"{plain}/…")


def hide_addresses(settings: Settings) -> None:
    """Hide what the addresses of node and database hold beside the host."""
    for url in settings.rpc_urls:
        hide_url(url)
    password = urlsplit(settings.resolved_database_url).password
    if password:
        hide(password)
        hide(unquote(password))


def redact(text: str) -> str:
    """Return a text without what must not be seen."""
    for secret, shown in _secrets.items():
        if secret in text:
            text = text.replace(secret, shown)
    for form, shown in _FORMS:
        text = form.sub(shown, text)
    return text


def names_a_secret(name: str) -> bool:
    """Tell whether a fact of this name is never to be shown, whatever it is."""
    return _NAMES.search(name) is not None
