"""Children are told their settings alone, end when asked, and by force when they do not."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from service.config import Settings
from service.processes import end_process, environment_of, start_python, start_relief, wait_until

DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True)"


def test_a_child_has_the_settings_given_and_no_others_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELIEF_LEASE_SECONDS", "7")
    monkeypatch.setenv("SOMETHING_ELSE", "kept")
    given = environment_of(Settings(data_dir=tmp_path, lease_seconds=9))
    assert given["SOMETHING_ELSE"] == "kept"
    assert {name: value for name, value in given.items() if name.startswith("RELIEF_")} == {
        "RELIEF_DATA_DIR": str(tmp_path),
        "RELIEF_LEASE_SECONDS": "9",
    }


def test_the_command_line_is_started_by_this_interpreter() -> None:
    process = start_relief("--version", stdout=subprocess.PIPE)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.strip()


def test_a_child_ends_when_asked_and_one_that_has_ended_keeps_its_code() -> None:
    sleeper = start_python("-c", "import time; time.sleep(60)")
    assert end_process(sleeper, 30) == -signal.SIGTERM
    ended = start_python("-c", "raise SystemExit(3)")
    ended.wait(30)
    assert end_process(ended) == 3


def test_a_child_that_does_not_listen_is_ended_by_force() -> None:
    process = start_python("-c", f"{DEAF}; import time; time.sleep(60)", stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"1\n"
    assert end_process(process, 0.2) == -signal.SIGKILL
    process.stdout.close()


def test_waiting_in_vain_says_for_what() -> None:
    with pytest.raises(TimeoutError, match=r"waited 0 s for the moon"):
        wait_until(lambda: False, 0, "the moon")
