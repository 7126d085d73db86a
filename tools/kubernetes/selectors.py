"""Which labels a selector selects. Pure."""

from collections.abc import Mapping

from tools.kubernetes.fields import Fields, items, mapping, text, words


def matches(selector: Fields, labels: Mapping[str, str]) -> bool:
    """Whether a label selector (`matchLabels`, `matchExpressions`) selects `labels`; an empty one selects all."""
    if any(labels.get(key) != value for key, value in mapping(selector, "matchLabels").items()):
        return False
    return all(_holds(each, labels) for each in items(selector, "matchExpressions"))


def _holds(expression: Fields, labels: Mapping[str, str]) -> bool:
    key, values = text(expression, "key"), words(expression, "values")
    match text(expression, "operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return True
