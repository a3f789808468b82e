"""A demo cluster of real nodes, for tests. The environment names the program: TROUPE=path/to/troupe."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

PROGRAM = os.environ.get("TROUPE", "")


@dataclass(frozen=True)
class Account:
    name: str
    password: str


class Demo:
    """Runs as long as its context, with its data in `folder`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self._options = options

    def __enter__(self) -> Demo:
        self._process = subprocess.Popen(
            [PROGRAM, "demo", "--json", "--data-dir", str(self.folder), *self._options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the demo ended before it was ready"
        ready = json.loads(line)
        self.nodes: list[str] = [node["client"] for node in ready["nodes"]]
        self.http: list[str] = [node["http"] for node in ready["nodes"]]
        self.accounts = [Account(**account) for account in ready["accounts"]]
        return self

    def order(self, *words: str) -> str:
        """`troupe chaos` for this cluster."""
        command = [PROGRAM, "chaos", *words, "--data-dir", str(self.folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def ready(self) -> None:
        """Waits until all nodes are ready again."""
        deadline = time.monotonic() + 60
        for node in self.http:
            while not _is_ready(node):
                assert time.monotonic() < deadline, f"{node} is not ready"
                time.sleep(0.05)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _is_ready(node: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{node}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
