"""What became of recorded worlds: a folder beside them says which folder is the world now.

One process changes recorded worlds and others read them: the table is one small file that is replaced as a whole, and a
folder that it names is complete before it is named. The recording itself is never touched.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import orjson
import yaml

from tools.entity import Entity
from tools.kubernetes.fields import value
from tools.world import Object

WORLDS = "worlds.json"
OUTCOMES = "outcomes.yaml"
"""In a snapshot: `[{action: {name, target, arguments}, world: FOLDER}]`, recorded after exactly that action."""


def overlaid(folder: Path, overlay: Path) -> Path:
    """The folder to open for the recorded world in `folder`: another one when it was changed since it was recorded."""
    try:
        table: Any = orjson.loads((overlay / WORLDS).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return folder
    found = value(table, str(folder.resolve()))
    return Path(found) if isinstance(found, str) and Path(found).is_dir() else folder


def outcome(world: Path, action: Mapping[str, Any]) -> Path | None:
    """The folder with the recorded world after an action (its name, target and arguments), where one was recorded."""
    try:
        listed: Any = yaml.safe_load((world / OUTCOMES).read_text())
    except (OSError, ValueError, yaml.YAMLError):
        return None
    wanted = {key: action[key] for key in ("name", "target", "arguments")}
    for each in cast("list[Any]", listed) if isinstance(listed, list) else []:
        named = value(each, "world")
        if value(each, "action") == wanted and isinstance(named, str) and named == Path(named).name:
            return world / named
    return None


def changed(original: Path, world: Path, overlay: Path, entity: Entity, new: Object | None) -> Path:
    """A copy of a world in which one object is another, or gone; nobody reads it before `point` names it.

    Raises:
        LookupError: when no file of the world that can be written again holds the object.
    """
    copy = overlay / f"{original.resolve().name}-changed-{secrets.token_hex(4)}"
    shutil.copytree(world, copy, copy_function=_linked, symlinks=True)
    area = copy / "kubernetes"
    files = [
        path
        for path in (area if area.is_dir() else copy).rglob("*")
        if path.is_file() and not path.is_symlink() and path.suffix in (".json", ".yaml", ".yml")
    ]
    # All of them: the object may stand in several files.
    rewritten = [_rewrite(path, entity, new) for path in files]
    if not any(rewritten):
        shutil.rmtree(copy)
        raise LookupError(f"no file of {world.name} holds {entity} in a form that can be written again")
    return copy


def point(original: Path, world: Path, overlay: Path) -> None:
    """Makes `world` what the recorded world in `original` is from now on, for every reader at once."""
    overlay.mkdir(parents=True, exist_ok=True)
    try:
        table: dict[str, Any] = orjson.loads((overlay / WORLDS).read_bytes())
    except FileNotFoundError:
        table = {}
    table[str(original.resolve())] = str(world.resolve())
    with tempfile.NamedTemporaryFile(dir=overlay, prefix=f".{WORLDS}", delete=False) as file:
        file.write(orjson.dumps(table, option=orjson.OPT_INDENT_2))
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(overlay / WORLDS)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _rewrite(path: Path, entity: Entity, new: Object | None) -> bool:
    documents = _documents(path)
    rewritten = [after for each in documents for after in _replaced(each, "", entity, new)]
    if rewritten == documents:
        return False
    # The file may be the recording's own, under a second name: it is replaced and not written into.
    path.unlink()
    if path.suffix == ".json":
        path.write_bytes(b"\n".join(orjson.dumps(each) for each in rewritten))
    else:
        path.write_text(yaml.safe_dump_all(rewritten, sort_keys=False))
    return True


def _documents(path: Path) -> list[Any]:
    try:
        if path.suffix == ".json":
            return [orjson.loads(path.read_bytes())]
        return list(yaml.safe_load_all(path.read_text()))
    except (ValueError, yaml.YAMLError):
        # Whoever opens the snapshot says that this file cannot be read.
        return []


def _replaced(document: Any, kind: str, entity: Entity, new: Object | None) -> Iterator[Any]:
    """The document with the object replaced or left out, wherever in it that stands."""
    if isinstance(document, list):
        yield [after for each in cast("list[Any]", document) for after in _replaced(each, kind, entity, new)]
        return
    listed, own = value(document, "items"), value(document, "kind")
    if isinstance(listed, list):
        inner = str(own).removesuffix("List")
        items = [after for each in cast("list[Any]", listed) for after in _replaced(each, inner, entity, new)]
        yield {**cast("dict[str, Any]", document), "items": items}
        return
    metadata = value(document, "metadata")
    name, namespace = value(metadata, "name"), value(metadata, "namespace") or ""
    if (str(own or kind).lower(), namespace, name) != (entity.kind, entity.namespace, entity.name):
        yield document
    elif new is not None:
        yield dict(new)
