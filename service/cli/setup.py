"""``relief init``: the database and the keyring, made or brought up to date."""

from __future__ import annotations

import typer

from service.cli.run import Json, start


def init(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Make the database (or bring it to the newest version) and the keyring of personal data.

    Running it again changes nothing that is up to date.
    """
    from service.application.database import current_revision, migrate_to_head
    from service.privacy.keyring import Keyring

    run = start(ctx, as_json)
    app = run.app
    before = current_revision(app.engine)
    migrate_to_head(app.engine)
    after = current_revision(app.engine)
    made = not app.keyring_path.exists()
    if made:
        Keyring.create(app.keyring_path, app.passphrase)
        run.note(f"back up {app.keyring_path}: without it no name or identity number can be read")
    run.record(
        {
            "database": app.engine.url.render_as_string(hide_password=True),
            "revision_before": before,
            "revision": after,
            "keyring": str(app.keyring_path),
            "keyring_created": made,
        }
    )
