"""When somebody last wrote an object, out of what the API server keeps about writers."""

from tools.kubernetes.writers import last_written, without_writers


def field(manager: str, time: str, **more: str) -> dict[str, str]:
    return {"manager": manager, "time": time, **more}


def test_the_newest_write_by_somebody_and_not_by_a_controller_or_of_the_status_is_kept() -> None:
    written = [
        field("kubectl-client-side-apply", "2026-01-01T10:00:00Z"),
        field("kubectl-edit", "2026-01-01T11:40:00Z"),
        field("kube-controller-manager", "2026-01-01T11:50:00Z"),
        field("argocd", "2026-01-01T11:55:00Z", subresource="status"),
    ]
    metadata = {"name": "cart", "managedFields": written}
    assert last_written("ConfigMap", metadata) == "2026-01-01T11:40:00Z"
    assert without_writers("ConfigMap", metadata) == {
        "name": "cart",
        "managedFields": [{"time": "2026-01-01T11:40:00Z"}],
    }
    # What is kept is read again as itself.
    assert without_writers("ConfigMap", without_writers("ConfigMap", metadata)) == without_writers(
        "ConfigMap", metadata
    )


def test_of_kinds_that_nobody_edits_and_of_objects_without_writers_nothing_is_kept() -> None:
    assert without_writers("Pod", {"name": "a", "managedFields": [field("x", "2026-01-01T10:00:00Z")]}) == {"name": "a"}
    assert without_writers("ConfigMap", {"name": "a", "managedFields": "torn"}) == {"name": "a"}
    assert without_writers("ConfigMap", {"name": "a"}) == {"name": "a"}
