"""``relief-audit`` and ``python -m service.audit``: the command without the rest of the service."""

from service.audit.command import audit_app
from service.terminal import escape_what_cannot_be_shown


def main() -> None:
    """Run the auditor's command."""
    escape_what_cannot_be_shown()
    audit_app(prog_name="relief-audit")


if __name__ == "__main__":
    main()
