import pytest

from orchestration.settings import Settings, SettingsError


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("CRISIS_ENGINE", "oracle", "known engines"),
        ("CRISIS_THREADS", "many", "whole number"),
        ("CRISIS_AGENCIES", "/no/such/folder", "no such folder"),
    ],
)
def test_an_unknown_environment_raises(monkeypatch, variable, value, says):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=says):
        Settings.from_environment()


def test_the_home_is_absolute_and_private_parts_are_private(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CRISIS_HOME", raising=False)
    settings = Settings.from_environment()
    assert settings.home == tmp_path / ".crisis"
    settings.ensure_home()
    assert settings.identity.stat().st_mode & 0o077 == 0
    assert settings.results.stat().st_mode & 0o077 == 0
