"""Tools in the words of the service: short, since every request carries them. Pure."""

from collections.abc import Mapping
from typing import Any, cast

from agents.report import Stance
from tools.catalogue import Tool

CONCLUDE = "conclude"
READ_EVIDENCE = "read_evidence"

_DROPPED = frozenset(
    {
        *("title", "default", "additionalProperties", "pattern", "minLength", "maxLength", "minItems", "maxItems"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    }
)
"""Said by the name, or checked again by the tool itself, which then says what was wrong."""


def wire_name(tool: str) -> str:
    """The name as the service allows it, which has no dots."""
    return tool.replace(".", "__")


def described(tool: Tool[Any]) -> dict[str, Any]:
    """One tool as the service takes it."""
    return {
        "name": wire_name(tool.name),
        "description": " ".join(tool.doc.split()),
        "input_schema": _object(tool.args.model_json_schema()),
    }


def conclude(*, with_proposals: bool, with_actions: bool = False) -> dict[str, Any]:
    """The tool that ends the work; its claims are checked by code before anyone sees them."""
    text = {"type": "string"}
    claim = {
        "type": "object",
        "properties": {
            "text": {"type": "string", "description": "One sentence, plain text"},
            "citations": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "evidence": {"type": "string", "description": "ev_…"},
                        "quote": {"type": "string", "description": "Copied from that evidence, under 200 characters"},
                    },
                    "required": ["evidence", "quote"],
                },
            },
            "cause": {"type": "string", "description": "Id of a known cause, if one fits"},
            "entity": {"type": "string", "description": "kind/namespace/name"},
            "stance": {"enum": [str(Stance.AGAINST), str(Stance.FIRST)], "description": "Towards that cause"},
        },
        "required": ["text", "citations"],
    }
    properties: dict[str, Any] = {"claims": {"type": "array", "items": claim}}
    if with_proposals:
        properties["proposals"] = {
            "type": "array",
            "description": "Other possible causes, each {text, citations, cause?, entity?} as in claims",
            "items": {"type": "object", "properties": {"text": text, "citations": {"type": "array"}}},
        }
    if with_actions:
        properties["actions"] = {
            "type": "array",
            "description": "Those numbered actions that you would take first; `arguments` only for other numbers",
            "items": {
                "type": "object",
                "properties": {"action": {"type": "integer"}, "arguments": {"type": "object"}},
                "required": ["action"],
            },
        }
    return {
        "name": CONCLUDE,
        "description": "Give the conclusion. This ends the work.",
        "input_schema": {"type": "object", "properties": properties, "required": ["claims"]},
    }


def read_evidence() -> dict[str, Any]:
    """The tool that shows evidence that is there already, where only its beginning was shown."""
    return {
        "name": READ_EVIDENCE,
        "description": "The whole excerpt of evidence that is listed; costs no look.",
        "input_schema": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
    }


def _object(schema: Mapping[str, Any]) -> dict[str, Any]:
    definitions = cast("Mapping[str, Any]", schema.get("$defs", {}))
    properties = cast("Mapping[str, Any]", schema.get("properties", {}))
    short: dict[str, Any] = {
        "type": "object",
        "properties": {name: _short(each, definitions) for name, each in properties.items()},
    }
    if schema.get("required"):
        short["required"] = schema["required"]
    return short


def _short(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(schema)
    if reference := merged.pop("$ref", None):
        merged = {**definitions[str(reference).rpartition("/")[2]], **merged}
    options = [each for each in merged.get("anyOf", ()) if each.get("type") != "null"]
    if len(options) == 1:
        # That it may be left out says `required`; nobody has to be told that null is allowed.
        del merged["anyOf"]
        merged = {**_short(options[0], definitions), **merged}
    if isinstance(merged.get("items"), dict):
        merged["items"] = _short(merged["items"], definitions)
    return {key: value for key, value in merged.items() if key not in _DROPPED}
