from __future__ import annotations

import pytest

from service.db import create_database_engine
from service.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("relief.db", "no database URL"),
        ("postgresql://relief:hunter2@host:port/relief", "no database URL"),
        ("mysql://relief:hunter2@host/relief", "'mysql'"),
        ("postgres://relief:hunter2@host/relief", "postgresql://"),
        ("sqlite+nothing:///relief.db", "unknown driver"),
        ("postgresql+pg8000://relief:hunter2@host/relief", "driver pg8000"),
    ],
)
def test_a_database_url_that_cannot_be_used_names_the_setting_and_repeats_no_password(
    url: str, words: str
) -> None:
    with pytest.raises(ConfigurationError, match="RELIEF_DATABASE_URL") as refused:
        create_database_engine(url)
    assert words in refused.value.detail
    assert "hunter2" not in refused.value.detail
