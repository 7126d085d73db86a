"""Crashes as languages tell them: the type, what it says, and the first frame of the application's own code. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

MESSAGE = 200
"""Characters of an exception's message that are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """One crash, read from the words of one line or trace."""

    language: str
    """`python`, `java`, …; `native` for what a runtime or a kernel says."""
    kind: str
    """The type of the exception, or what it is called: `panic`, `segmentation fault`."""
    message: str = ""
    frame: str = ""
    """The first frame of the application's own code, as it stands there; empty where none is."""

    @property
    def told(self) -> str:
        """Kind, message and frame in one line."""
        message = f": {self.message}" if self.message else ""
        return f"{self.kind}{message}" + (f" (at {self.frame})" if self.frame else "")


@dataclass(frozen=True, slots=True)
class _Language:
    name: str
    sign: re.Pattern[str]
    """What tells the language and that it is a crash."""
    kind: re.Pattern[str]
    """Groups `kind` and `message`."""
    frame: re.Pattern[str]
    foreign: re.Pattern[str]
    """Frames of the runtime and of libraries."""
    is_last: bool = False
    """Whether the innermost frame stands last, and the exception after it."""


_JAVA_LIBRARIES = re.compile(
    r"^(?:java|javax|jakarta|jdk|sun|com\.sun|kotlin|kotlinx|scala|akka|reactor|okhttp3|retrofit2|feign|ch\.qos|redis"
    r"|com\.(?:fasterxml|google|zaxxer|mysql|mongodb|rabbitmq|netflix|amazonaws|microsoft|oracle|ibm)"
    r"|org\.(?:springframework|apache|hibernate|eclipse|postgresql|jboss|glassfish|junit|slf4j|flywaydb|mariadb"
    r"|aspectj)"
    r"|io\.(?:netty|grpc|micrometer|vertx|quarkus|lettuce|opentelemetry|undertow|reactivex|micronaut))[./]"
)
_TYPE = r"(?P<kind>(?:[A-Za-z_$][\w$]*[.:]{1,2})*[A-Z][\w$]*)"
_LANGUAGES = (
    _Language(
        "python",
        re.compile(r"Traceback \(most recent call last\)"),
        re.compile(r"(?m)^(?P<kind>[A-Za-z_][\w.]*)(?:: (?P<message>.*))?$"),
        re.compile(r"File \"(?P<file>[^\"]+)\", line (?P<line>\d+), in (?P<name>\S+)"),
        re.compile(r"site-packages|dist-packages|/lib/python|<frozen|<string>"),
        is_last=True,
    ),
    _Language(
        "go",
        re.compile(r"\bpanic: |\bfatal error: |goroutine \d+ \["),
        re.compile(r"\b(?P<kind>panic|fatal error): (?P<message>.*)"),
        re.compile(r"(?m)^\s+(?P<file>/\S+\.go):(?P<line>\d+)"),
        re.compile(r"/usr/local/go/|/go/pkg/mod/|/runtime/|/vendor/|/net/http/"),
    ),
    _Language(
        "rust",
        re.compile(r"thread '[^']*'(?: \(\d+\))? panicked at "),
        re.compile(r"(?P<kind>panicked) at (?:'(?P<message>[^']*)'|[^\n]*:\d+:\d+:\n(?P<more>.*))?"),
        re.compile(r"(?<![\w./-])(?P<file>[\w./-]{1,200}\.rs):(?P<line>\d+)"),
        re.compile(r"/rustc/|\.cargo/registry|library/(?:std|core)"),
    ),
    _Language(
        "dotnet",
        re.compile(r"Unhandled exception\. |(?m:^\s*at [\w.`<>]+\([^)\n]*\) in \S+:line \d+)"),
        re.compile(rf"(?:Unhandled exception\. |---> |^|\s){_TYPE}(?:Exception|Error)?(?:: (?P<message>[^\n]*))"),
        re.compile(r"at (?P<name>[\w.`<>]+)\([^)\n]*\)(?: in (?P<file>\S+):line (?P<line>\d+))?"),
        re.compile(r"^(?:System|Microsoft|Npgsql|Grpc)\."),
    ),
    _Language(
        "java",
        re.compile(r"Exception in thread|(?m:^\s*at [\w$.<>/]+\((?:[\w$]+\.(?:java|kt|scala|groovy)|Native|Unknown))"),
        re.compile(rf"(?:^|[\s\"]){_TYPE}(?:: (?P<message>[^\n]*)|(?=\n\s*at ))", re.MULTILINE),
        re.compile(r"at (?P<name>[\w$.<>/]+)\((?P<file>[\w$]+\.\w+):(?P<line>\d+)\)"),
        _JAVA_LIBRARIES,
    ),
    _Language(
        "node",
        re.compile(
            r"(?m)^\s*at (?:[^\n(]{1,200} \()?(?:file://|node:)?[\w./@:\\-]+:\d+:\d+\)?$"
            r"|Unhandled ?[Pp]romise ?[Rr]ejection"
        ),
        re.compile(r"(?P<kind>\b(?:[A-Z]\w*)?(?:Error|Exception|Rejection\w*))(?: \[\w+\])?: (?P<message>[^\n]*)"),
        re.compile(r"at (?:(?P<name>[^\n(]{1,200}) \()?(?:file://)?(?P<file>/[^\s:)]+):(?P<line>\d+):\d+"),
        re.compile(r"node_modules|node:internal"),
    ),
    _Language(
        "php",
        re.compile(r"PHP (?:Fatal|Parse) error|Uncaught [\w\\]+(?::|\s)"),
        re.compile(
            r"(?:Uncaught (?P<kind>[\w\\]+): "
            r"|(?P<other>(?:Fatal|Parse) error): +(?! |Uncaught))(?P<message>[^\n]*)"
        ),
        re.compile(r"(?:in |#\d+ )(?P<file>/[^\s:(]+)(?: on line |:|\()(?P<line>\d+)"),
        re.compile(r"/vendor/"),
    ),
    _Language(
        "ruby",
        re.compile(r"\.rb:\d+:in [`']"),
        re.compile(r": (?P<message>[^\n]*?) \((?P<kind>[A-Z]\w*(?:::\w+)*)\)"),
        re.compile(r"(?<![\w./-])(?P<file>[\w./-]{1,200}\.rb):(?P<line>\d+):in [`'](?P<name>[^']+)'"),
        re.compile(r"/gems/|/lib/ruby/"),
    ),
)  # fmt: skip
_BARE = re.compile(
    r"(?P<fault>segmentation fault|\bSIGSEGV\b|core dumped|stack smashing detected|double free or corruption"
    r"|\bSIGABRT\b|terminate called|pure virtual method called|stack overflow detected|illegal instruction\b)"
    r"|(?P<unhandled>unhandled (?:exception|rejection|error)|uncaught (?:exception|error|TypeError|ReferenceError)"
    r"|Unhandled ?Promise ?Rejection\w*)",
    re.IGNORECASE,
)


def crash_of(words: str) -> Crash | None:
    """The crash that these words tell of; `None` when they tell of none."""
    for language in _LANGUAGES:
        if language.sign.search(words):
            return _read(language, words)
    if found := _BARE.search(words):
        said = words.splitlines()[0].strip()
        return Crash(language="native" if found["fault"] else "unknown", kind=found[0].lower(), message=said[:MESSAGE])
    return None


def _read(language: _Language, words: str) -> Crash:
    tail = words[_after_frames(language, words) :] if language.is_last else words
    found = language.kind.search(tail)
    groups: Mapping[str, str | None] = found.groupdict() if found else {}
    kind = groups.get("kind") or groups.get("other") or "crash"
    message = (groups.get("message") or groups.get("more") or "").strip()
    if language.name == "go" and "[recovered]" in message:
        message = message.partition(" [recovered]")[0]
    return Crash(language=language.name, kind=kind, message=message[:MESSAGE], frame=_frame(language, words))


def _after_frames(language: _Language, words: str) -> int:
    """Where the exception stands that ends a traceback: behind its last frame and the line of code shown with it."""
    last = max((found.end() for found in language.frame.finditer(words)), default=0)
    return last if last else max(0, words.find("\n"))


def _frame(language: _Language, words: str) -> str:
    frames = [found for found in language.frame.finditer(words) if not _is_foreign(language, found)]
    if not frames:
        return ""
    groups = frames[-1 if language.is_last else 0].groupdict()
    place = f"{groups.get('file') or ''}:{groups['line']}" if groups.get("line") else ""
    return " ".join(each for each in (groups.get("name"), place) if each)[:MESSAGE]


def _is_foreign(language: _Language, found: re.Match[str]) -> bool:
    groups = found.groupdict()
    return any(part and language.foreign.search(part) for part in (groups.get("file"), groups.get("name")))
