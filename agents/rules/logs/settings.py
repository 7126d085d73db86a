"""What a process lacks to start, by its own words: a setting, a file, a module, a right, a free port."""

import re
from collections.abc import Iterator, Sequence

from agents.causes import Rule, rule
from agents.finding import Finding, Role, Severity
from agents.logs.lines import Line
from agents.logs.telling import Sign, said
from agents.scene import Scene
from tools.entity import Entity

_LACKS = (
    r"(?:not (?:been )?(?:set|defined|found|provided|specified|configured|present)|missing|required|unset|undefined"
    r"|empty)"
)
_NAMED = r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b"
_SETTING = Sign(
    words=re.compile(
        rf"(?i:(?:environment variables?|env(?:ironment)?[ _]?vars?|required (?:config\w*|settings?|options?"
        rf"|parameters?"
        rf"|propert(?:y|ies)|values?|keys?|secrets?)|(?:config\w*|settings?) (?:key|value"
        rf"|entry))\b.{{0,80}}?\b{_LACKS}\b)"
        rf"|(?i:(?:missing|no|undefined|unset) (?:required |mandatory )?(?:environment variable"
        rf"|env(?:ironment)?[ _]?var\w*"
        rf"|settings?|config\w* (?:key|value|entry|option|parameter|property)|configuration (?:for|of)\b"
        rf"|required (?:option|parameter|property|value|key|config\w*)))"
        rf"|{_NAMED}[\"'`]?(?i:(?: environment variable)? (?:is |was |are |has |must be |is a )?"
        rf"(?:{_LACKS}|set\b(?! to)|specified|provided|defined)\b)"
        rf"|(?i:must (?:set|specify|provide|define)|need to (?:set|specify)|please (?:set|provide"
        rf"|specify)).{{0,60}}?{_NAMED}"
        rf"|KeyError: ['\"]{_NAMED}['\"]"
        rf"|(?i:could not resolve placeholder|password is not specified|no such environment variable)"
    ),
    unless=re.compile(r"(?i)\b(?:using|falling back to|defaulting to|default is|ignored|optional)\b"),
    stops=True,
)
_NAMES = (
    re.compile(_NAMED),
    re.compile(r"placeholder ['\"](?P<name>[\w.-]+)['\"]"),
    re.compile(r"(?:variable|setting|option|key|parameter|property|value)s?:? ['\"`]?(?P<name>[\w.-]{3,60})['\"`]? "),
)
_INVALID = Sign(
    words=re.compile(
        r"(?i)(?:invalid|bad|malformed|unsupported|unrecogni[sz]ed|unknown|illegal) (?:\w+ )?(?:config\w*|settings?"
        r"|options?"
        r"|flags?|directives?|arguments?|command.?line|log.?level|parameter)\b"
        r"|(?:fail\w*|unable|errors?|could not|cannot|can't)(?: to)? (?:\w+ ){0,2}(?:pars|load|read|decod|unmarshal"
        r"|validat)\w*"
        r"(?: \w+){0,4}? \"?'?[\w./-]*(?:config\w*|settings?|\.ya?ml|\.toml|\.ini|\.conf|\.properties)\b"
        r"|config\w*(?: file)?\b.{0,60}?(?:is invalid|not valid|parse error|syntax error|could not be parsed)"
        r"|yaml: (?:line \d+|unmarshal)|(?:Scanner|Parser)Error|\[emerg\]|flag provided but not defined|unknown flag"
        r"|invalid value .{0,60} for (?:flag|option|argument|-)|configuration (?:error|problem|validation failed)"
        r"|FATAL CONFIG FILE ERROR|unknown variable '|invalid (?:configuration|port)\b"
        r"|error: unrecognized arguments|TOML parse error|strconv\.\w+: parsing"
    ),
    # A line that names the setting that is missing says more.
    unless=_SETTING.words,
    stops=True,
)
_FILE = Sign(
    words=re.compile(
        r"(?i)(?:ENOENT|FileNotFound(?:Error|Exception)|NoSuchFileException|no such file or directory"
        r"|cannot find the (?:file|path)|could not find (?:the )?file)"
        r"|\b(?:file|certificate|key|template|directory|path)s?\b[^,;/]{0,40}/[\w./-]{1,120}[^,;/]{0,30}?"
        r"(?:does not exist|not found)"
    ),
    unless=re.compile(r"(?i)\bexec(?:utable|vp?e?)?\b|shared librar|cannot find module|\.pid\b|/proc/|/sys/"),
    stops=True,
)
_PATH = re.compile(r"(?<![\w:/])(?P<name>/[\w.@-]+(?:/[\w.@-]+)*)")
_MODULE = Sign(
    words=re.compile(
        r"ModuleNotFoundError|ImportError: |No module named|Cannot find (?:module|package)|ERR_MODULE_NOT_FOUND"
        r"|ClassNotFoundException|NoClassDefFoundError|error while loading shared libraries|cannot load such file"
        r"|Class \"?[\w\\]+\"? not found|symbol lookup error|version `?GLIBC\w*[\d._]*'? not found"
        r"|Could not find or load main class"
        r"|Could not load file or assembly|cannot open shared object file|Unable to access jarfile|NoSuchMethodError"
    ),
    stops=True,
)
_MODULES = (
    re.compile(
        r"(?:No module named|[Mm]odule|[Pp]ackage|load such file --|assembly|Class) ['\"`]?(?P<name>[\w.@/\\-]+)"
    ),
    re.compile(r"(?:ClassNotFoundException|NoClassDefFoundError|main class|libraries|jarfile):? (?P<name>[\w./$-]+)"),
)
_DENIED = Sign(
    words=re.compile(
        r"(?i)\bE(?:ACCES|PERM)\b|PermissionError|AccessDeniedException|permission denied|operation not permitted"
        r"|UnauthorizedAccessException"
    ),
    unless=re.compile(
        r"(?i)for (?:table|relation|schema|database|sequence|function|view|user)\b|publickey|desc =|PermissionDenied\b"
        r"|\b40[13]\b|\bdenied \(|status(?:code)?[ =:]+7\b|\bexec\b"
    ),
)
_IN_USE = Sign(
    words=re.compile(
        r"(?i)\bEADDRINUSE\b|address (?:is )?already in use|port \d+ (?:is |was )?already (?:in use|allocated|bound)"
        r"|only one usage of each socket address|failed to bind to (?:port|address)"
    ),
    stops=True,
)
_PORT = re.compile(r"(?::|port )(?P<name>\d{2,5})\b")


def _stopped(scene: Scene, of: Rule, sign: Sign, does: str, names: Sequence[re.Pattern[str]] = ()) -> Iterator[Finding]:
    """What a process says of what it lacks, with the name of it where it tells one."""

    def what(entity: Entity, hits: Sequence[Line]) -> str:
        name = _name(sign, hits[-1], names)
        return f"{entity} {does}{f' {name}' if name else ''}"

    yield from said(scene, of, sign, what, Severity.CRITICAL)


def _name(sign: Sign, line: Line, names: Sequence[re.Pattern[str]]) -> str:
    found = sign.found(line)
    near = line.claim[max(0, found.start() - 80) : found.end() + 120] if found else line.claim
    # What was matched itself comes first, then what stands about it.
    for words in (found[0] if found else "", near):
        for each in names:
            if one := each.search(f"{words} "):
                return one.groupdict().get("name") or one[0]
    return ""


@rule(
    id="setting-missing",
    area="logs",
    role=Role.CAUSE,
    title="A setting is missing",
    meaning="The process says that a variable or a setting is not there, and does not run. One with a default is fine.",
    remediation="Add it to the container's environment or configuration; see which change took it away.",
    needs=("logs",),
)
def setting_missing(scene: Scene) -> Iterator[Finding]:
    yield from _stopped(scene, setting_missing, _SETTING, "does not run for lack of a setting", _NAMES)


@rule(
    id="config-invalid",
    area="logs",
    role=Role.CAUSE,
    title="Configuration is refused",
    meaning="The process cannot read its configuration or its arguments, and does not run: syntax, an unknown option.",
    remediation="Correct what the line names; compare with the configuration that worked.",
    needs=("logs",),
)
def config_invalid(scene: Scene) -> Iterator[Finding]:
    yield from _stopped(scene, config_invalid, _INVALID, "does not run with its configuration")


@rule(
    id="file-missing",
    area="logs",
    role=Role.CAUSE,
    title="A file is missing",
    meaning="The process looks for a file that is not there, and does not run: a mount, a path, a build.",
    remediation="See what should bring the file: a volume, a ConfigMap's key, the image.",
    needs=("logs",),
)
def file_missing(scene: Scene) -> Iterator[Finding]:
    yield from _stopped(scene, file_missing, _FILE, "does not run for lack of a file", (_PATH,))


@rule(
    id="module-missing",
    area="logs",
    role=Role.CAUSE,
    title="A module or library is missing",
    meaning="The program was built or packed without something that it loads: a dependency, a class, a shared library.",
    remediation="Go back to the image that worked; then build it with what is missing.",
    needs=("logs",),
)
def module_missing(scene: Scene) -> Iterator[Finding]:
    yield from _stopped(scene, module_missing, _MODULE, "does not run for lack of a module", _MODULES)


@rule(
    id="file-permission-denied",
    area="logs",
    role=Role.CAUSE,
    title="The process may not use a file or a port",
    meaning="The kernel refuses: the user that the container runs as, the owner of a volume, a port below 1024.",
    remediation="Compare runAsUser and fsGroup with the owner of the path; or drop what needs the right.",
    needs=("logs",),
)
def file_permission_denied(scene: Scene) -> Iterator[Finding]:
    does = "is refused by its own system"
    yield from _stopped(scene, file_permission_denied, _DENIED, does, (_PATH,))


@rule(
    id="address-in-use",
    area="logs",
    role=Role.CAUSE,
    title="The port is taken",
    meaning="Another process in the pod, or on the node's network, listens there already.",
    remediation="See which container of the pod has the same port; on the host's network, which pod of the node.",
    needs=("logs",),
)
def address_in_use(scene: Scene) -> Iterator[Finding]:
    yield from _stopped(scene, address_in_use, _IN_USE, "does not run: its address is taken,", (_PORT,))
