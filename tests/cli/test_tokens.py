from __future__ import annotations

from sqlalchemy import select

from service.identity.tokens import authenticate
from service.payouts.models import JournalEntry
from tests.cli.conftest import Cli


def test_an_issued_token_stands_alone_on_stdout_and_speaks_for_its_holder(cli: Cli) -> None:
    ran = cli("token", "issue", "Chen Wei")

    assert ran.code == 0
    assert "cannot be shown again" in ran.err
    with cli.app.transaction() as session:
        assert authenticate(session, ran.out.removesuffix("\n")).name == "Chen Wei"


def test_json_gives_the_token_with_its_id(cli: Cli) -> None:
    issued = cli.ok("token", "issue", "Chen Wei")

    with cli.app.transaction() as session:
        assert authenticate(session, issued["token"]).id == issued["id"]


def test_a_revoked_token_is_listed_only_on_demand_and_no_list_shows_a_token(cli: Cli) -> None:
    issued, kept = (cli.ok("token", "issue", name) for name in ("Chen Wei", "Li Na"))

    assert cli.ok("token", "revoke", issued["id"])["revoked_at"] is not None

    assert [item["id"] for item in cli.ok("token", "list")["items"]] == [kept["id"]]
    listed = cli.ok("token", "list", "--revoked")["items"]
    assert [item["name"] for item in listed] == ["Chen Wei", "Li Na"]
    assert issued["token"] not in cli("token", "list", "--revoked", "--json").out


def test_who_issued_and_who_revoked_is_in_the_journal(cli: Cli) -> None:
    token_id = cli.ok("token", "issue", "Chen Wei")["id"]
    cli.ok("token", "revoke", token_id)

    with cli.app.transaction() as session:
        rows = session.scalars(select(JournalEntry).where(JournalEntry.object_id == token_id))
        written = [(row.actor, row.action) for row in rows]
    assert written == [("tester", "issue_token"), ("tester", "revoke_token")]


def test_an_unknown_token_and_a_name_of_blanks_are_refused(cli: Cli) -> None:
    assert (cli("token", "revoke", "none").code, cli("token", "issue", " ").code) == (1, 2)
