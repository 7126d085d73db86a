"""A small collection of runbooks, in the shapes that teams write them in."""

from collections.abc import Mapping
from pathlib import Path

OOM = """---
title: Container out of memory
url: https://wiki.example/oom
---
# ContainerOOM

## Symptoms

The kernel killed a container because it was out of memory: its limit is reached.

## Diagnosis

```sh
kubectl describe pod $POD
```

## Mitigation

Raise the memory limit, or find the leak.
"""
CERTIFICATE = """# [TLS certificate expires](https://wiki.example/tls)

A certificate is about to expire, or has expired; clients refuse the connection.

## What to do

Renew it with cert-manager.
"""
FILESYSTEM = """NodeFilesystemFull
==================

## Overview
The file system of a node runs out of space. Pods are evicted.

## Steps
1. Find what fills it: `du -xh /`.
2. Remove old images.
"""
NOT_READY = """# Node is not ready

## Meaning

A node has not been ready for more than 15 minutes.

## Remediation

Restart the kubelet, look for a full disk or a lost network.
"""
QUEUE = """# Queue grows

## Meaning

Consumers of the message queue are too slow, so that messages pile up.
"""
SHELF: Mapping[str, str] = {
    "containers/ContainerOOM.md": OOM,
    "tls.md": CERTIFICATE,
    "node/filesystem-full.md": FILESYSTEM,
    "node/NodeNotReady.md": NOT_READY,
    "queues/QueueGrows.markdown": QUEUE,
}


def written(folder: Path, shelf: Mapping[str, str] = SHELF) -> Path:
    """The folder, with these runbooks in it."""
    for name, text in shelf.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder
