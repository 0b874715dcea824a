"""``python -m service.audit``: the auditor's command without the rest of the service."""

from service.audit.command import audit_app
from service.terminal import escape_what_cannot_be_shown

escape_what_cannot_be_shown()
audit_app(prog_name="relief audit")
