"""``relief-audit`` and ``python -m service.audit``: the command without the rest of the service."""

import gc

from service.audit.command import audit_app
from service.terminal import escape_what_cannot_be_shown


def main() -> None:
    """Run the auditor's command."""
    escape_what_cannot_be_shown()
    try:
        audit_app(prog_name="relief-audit")
    finally:
        gc.freeze()  # what is left goes with the process: nobody need look through it first


if __name__ == "__main__":
    main()
