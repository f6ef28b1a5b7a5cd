"""One running ec2sim: a process, its address, and what it says about itself."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

START_DEADLINE = 20.0


class Simulator:
    """`with Simulator(world, speed=…) as simulator: …`; the process ends with the block."""

    def __init__(
        self, world: Path, *, speed: float, seed: int, log: Path, policies: dict[str, Path] | None = None
    ) -> None:
        self._log = log
        self._command = [
            os.environ["EC2SIM"],
            *("--listen", "127.0.0.1:0"),
            *("--world", str(world)),
            *("--speed", str(speed)),
            *("--seed", str(seed)),
            *(f"--policy={who}={file}" for who, file in (policies or {}).items()),
        ]
        self.endpoint = ""

    def __enter__(self) -> Simulator:
        with self._log.open("wb") as stderr:
            self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=stderr, text=True)
        lines: queue.Queue[str] = queue.Queue()
        assert self._process.stdout is not None
        stdout = self._process.stdout

        def read() -> None:
            lines.put(stdout.readline())

        threading.Thread(target=read, daemon=True).start()
        try:
            address = lines.get(timeout=START_DEADLINE).strip()
        except queue.Empty:
            address = ""
        if not address:
            self.__exit__(None, None, None)
            raise RuntimeError(f"ec2sim printed no address:\n{self._log.read_text()}")
        self.endpoint = address if address.startswith("http") else f"http://{address}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def calls(self) -> list[dict[str, Any]]:
        """The log of calls: time, account, region, action, outcome."""
        return self._get("/_ec2sim/calls")

    def world(self) -> Any:
        """The whole state."""
        return self._get("/_ec2sim/world")

    def policies(self) -> Any:
        """What the policies did, what of them nothing needed, and the denials."""
        return self._get("/_ec2sim/policies")

    def advance(self, seconds: int) -> None:
        """Lets so much time pass at once."""
        address = f"{self.endpoint}/_ec2sim/clock?advance={seconds}"
        with urllib.request.urlopen(urllib.request.Request(address, method="POST"), timeout=20):
            pass

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(self.endpoint + path, timeout=20) as answer:
            return json.load(answer)
