"""How the API writes the name of a kind in the plural. Pure."""


def plural(kind: str) -> str:
    """The word that `kubectl get` takes; of `Kind.group` the group stays."""
    word, dot, group = kind.partition(".")
    word = word.lower()
    if word.endswith(("s", "x", "ch", "sh")):
        word = word if word == "endpoints" else f"{word}es"
    elif word.endswith("y") and word[-2:-1] not in "aeiou":
        word = f"{word[:-1]}ies"
    else:
        word = f"{word}s"
    return f"{word}{dot}{group}"
