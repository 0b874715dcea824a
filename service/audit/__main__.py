"""``python -m service.audit``: the auditor's command without the rest of the service."""

from service.audit.command import audit_app

audit_app(prog_name="relief audit")
