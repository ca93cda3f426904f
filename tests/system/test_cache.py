"""The one cache folder."""

from pathlib import Path

import platformdirs
import pytest

from seesay.system.cache import cache_dir


def test_the_environment_names_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_dir() == Path(platformdirs.user_cache_dir("seesay", appauthor=False))
    monkeypatch.setenv("SEESAY_CACHE", str(tmp_path / "elsewhere"))
    assert cache_dir() == tmp_path / "elsewhere"
    monkeypatch.setenv("SEESAY_CACHE", "~/kept")
    assert cache_dir() == Path.home() / "kept"
