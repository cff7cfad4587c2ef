"""A server on the demo model for the checks."""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/wayword"


@contextlib.contextmanager
def server():
    """Runs `wayword serve`; gives its port."""
    with tempfile.TemporaryDirectory() as folder:
        demo = ROOT / "demo"
        command = [PROGRAM, "serve", "--port", "0", "--base", demo / "wayword-mini.safetensors"]
        command += ["--models", demo, "--out", Path(folder) / "out"]
        environment = {**os.environ, "HOME": folder, "XDG_CACHE_HOME": folder + "/cache"}
        running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        try:
            yield int(re.search(r":(\d+)/", running.stdout.readline()).group(1))
        finally:
            running.send_signal(signal.SIGINT)
            running.wait(30)
