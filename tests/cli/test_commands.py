"""The commands as people call them: output, errors in one line, exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bot.cli import app, main
from bot.cli.outcome import BadInput
from bot.demo.show import INCIDENTS
from bot.settings import load
from tests.servers import free_port

SECRET = "s3cret-value-of-the-test"
PAYLOAD = INCIDENTS / "memory-exhaustion" / "alerts" / "01.json"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # No kubeconfig and no `.env` of whoever runs the tests.
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    load.cache_clear()


def run(*words: str, stdin: bytes = b"") -> tuple[int, str]:
    """The exit code and what was written to standard output."""
    result = CliRunner().invoke(app, list(words), input=stdin)
    if isinstance(result.exception, BadInput):
        raise result.exception
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout


def ended(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[object, str]:
    """The exit code and the error of the whole command."""
    monkeypatch.setattr(sys, "argv", ["locum", *words])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code, capsys.readouterr().err


def test_a_route_says_who_looks_and_why() -> None:
    code, text = run("route", str(PAYLOAD))
    assert code == 0
    assert "1 alert(s): " in text
    assert "infrastructure" in text
    code, same = run("route", "-", "--format", "json", stdin=PAYLOAD.read_bytes())
    routing: dict[str, Any] = json.loads(same)
    assert code == 0
    assert set(routing) == {"specialists", "abstained"}
    assert all(each["why"] and 0 <= each["score"] <= 1 for each in routing["specialists"])


def test_a_route_of_what_nobody_knows_says_so() -> None:
    _, text = run("route", "-", stdin=b'{"name": "qwertz"}')
    assert "nobody is sure" in text


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"{", "not an alert that Locum can read: the body is not JSON"), (b"[]", "expected a JSON object"), (None, "No")],
    ids=["broken", "list", "missing"],
)
def test_a_bad_file_is_one_clear_line_and_exit_2(
    content: bytes | None,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "alert.json"
    if content is not None:
        file.write_bytes(content)
    code, text = ended(monkeypatch, capsys, "route", str(file))
    assert code == 2
    assert text.startswith("locum: ")
    assert said in text
    assert text.count("\n") == 1


def test_a_format_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = ended(monkeypatch, capsys, "route", str(PAYLOAD), "--format", "xml")
    assert (code, text) == (2, "locum: --format 'xml': expected text or json\n")


def test_where_nothing_is_set_every_connector_is_off_and_says_how_to_set_it() -> None:
    code, text = run("check-config", "--format", "json")
    rows = {each["name"]: each for each in json.loads(text)}
    assert code == 0
    assert {name: each["health"] for name, each in rows.items()} == dict.fromkeys(rows, "off")
    assert set(rows) >= {"kubernetes", "prometheus", "loki", "mongodb", "model", "redis", "temporal", "slack"}
    assert rows["prometheus"]["detail"] == "set LOCUM_PROMETHEUS__URL"
    _, text = run("check-config")
    assert len(text.splitlines()) == len(rows)


def test_what_does_not_answer_has_failed_and_no_secret_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("LOCUM_PROMETHEUS__URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("LOCUM_PROMETHEUS__TOKEN", SECRET)
    monkeypatch.setenv("LOCUM_REDIS__URL", f"redis://:{SECRET}@127.0.0.1:{port}")
    monkeypatch.setenv("LOCUM_MODEL__API_KEY", SECRET)
    monkeypatch.setenv("LOCUM_ALERTS__GENERIC__TOKENS", json.dumps([SECRET]))
    monkeypatch.setenv("LOCUM_SLACK__BOT_TOKEN", f"xoxb-{SECRET}")
    code, text = run("check-config", "--format", "json")
    rows = {each["name"]: each for each in json.loads(text)}
    assert code == 1
    found = {name: rows[name]["health"] for name in ("prometheus", "redis", "model", "alerts from generic", "slack")}
    assert found == {
        "prometheus": "failed", "redis": "failed", "model": "ok", "alerts from generic": "ok", "slack": "failed",
    }  # fmt: skip
    assert "LOCUM_SLACK__APP_TOKEN" in rows["slack"]["detail"]
    assert SECRET not in text


def test_settings_that_cannot_be_used_end_the_command_with_their_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCUM_HTTP__PORT", "eighty")
    code, text = ended(monkeypatch, capsys, "check-config")
    assert code == 2
    assert "http.port: Input should be a valid integer" in text
    assert "Traceback" not in text


def test_a_diagnosis_of_a_snapshot_is_one_object_and_nothing_else() -> None:
    code, text = run("diagnose", "", "--snapshot", str(INCIDENTS / "memory-exhaustion"), "--format", "json")
    diagnosis = json.loads(text)
    assert code == 0
    assert diagnosis["mode"] == "rules"
    assert diagnosis["hypotheses"][0]["cause"] == "oom-killed"
    code, text = run("diagnose", "why?", "--snapshot", str(INCIDENTS / "memory-exhaustion"))
    assert code == 0
    assert text.startswith(f"{diagnosis['verdict'].upper()} ({diagnosis['state']})\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["diagnose", " "], "say what is wrong"),
        (["diagnose", "x" * 4_001], "the question has 4001 characters"),
        (["diagnose", "", "--snapshot", "not-there"], "not-there"),
        (["worker"], "`locum worker` is one of several processes: set LOCUM_REDIS__URL"),
        (["demo", "--once", "--incident", "none"], "there is no recorded incident 'none'"),
    ],
    ids=["empty", "long", "missing", "worker", "demo"],
)
def test_what_cannot_be_done_is_said_in_a_line_with_exit_2(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = ended(monkeypatch, capsys, *words)
    assert code == 2
    assert said in text
    assert "Traceback" not in text


def test_a_process_ends_with_a_sentence_when_its_data_are_taken(tmp_path: Path) -> None:
    """As a process of its own: `up` ends the interpreter itself."""
    (tmp_path / ".locum").mkdir()
    hold = "import fcntl,sys,os,time; f=open(sys.argv[1],'w'); fcntl.flock(f,2); f.write(str(os.getpid())); f.flush()"
    environment = {"HOME": str(tmp_path), "PATH": os.defpath, "PYTHONPATH": str(Path(__file__).parents[2])}
    holder = subprocess.Popen(
        [sys.executable, "-c", f"{hold}; print(1, flush=True); time.sleep(60)", str(tmp_path / ".locum/lock")],
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        ran = subprocess.run(
            [sys.executable, "-c", "from bot.cli import main; main()", "up"],
            cwd=tmp_path, env=environment, capture_output=True, timeout=30, check=False,
        )  # fmt: skip
    finally:
        holder.kill()
        holder.communicate()
    assert ran.returncode == 2
    last = ran.stderr.decode().splitlines()[-1]
    assert last.startswith(f"locum: another Locum (process {holder.pid}) runs on")
