"""Diagnostic commands as actions, and a sandbox that says what a test wrote."""

import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from approvals.action import Action
from approvals.actions.run_diagnostic_command import SANDBOX, RunDiagnosticCommand, run_diagnostic_command
from approvals.sandbox.port import Command, Ended, Ran
from tests.servers import need
from tools.redaction import redact

X509 = ("openssl", "x509", "-subject", "-dates")


def diagnostic(*argv: str, given: str = "") -> Action:
    return run_diagnostic_command.on(SANDBOX, RunDiagnosticCommand(argv=argv, given=given))


@cache
def certificate(name: str = "shop.test", *, organisation: str = "Shop") -> str:
    """A certificate in PEM, of a key that nobody keeps."""
    openssl = need("openssl", "openssl")
    with TemporaryDirectory() as folder:
        argv = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{folder}/key", "-days", "30"]
        argv += ["-subj", f"/O={organisation}/CN={name}", "-out", f"{folder}/crt"]
        subprocess.run(argv, check=True, capture_output=True)
        return Path(folder, "crt").read_text()


def ran(ended: Ended = Ended.EXITED, *, code: int | None = 0, out: str = "", err: str = "") -> Ran:
    exit_code = code if ended is Ended.EXITED else None
    return Ran(ended=ended, exit_code=exit_code, stdout=redact(out), stderr=redact(err), seconds=0.25)


class WrittenSandbox:
    """Implements `Sandbox`: every run ends as it was written, and is remembered."""

    def __init__(self, end: Ran | Exception) -> None:
        self.runs: list[Command] = []
        self._end = end

    async def check(self) -> None:
        assert not self.runs

    async def run(self, command: Command) -> Ran:
        self.runs.append(command)
        if isinstance(self._end, Exception):
            raise self._end
        return self._end
