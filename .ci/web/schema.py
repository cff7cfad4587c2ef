"""Requests that schemathesis of PyPI makes of the OpenAPI document: none is a server error."""

import subprocess
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path

from server import server


def end_drawings(address, over):
    """Drawings are asked for that would take minutes: each ends after its step."""
    while not over.wait(0.2):
        request = urllib.request.Request(address + "/sdapi/v1/interrupt", method="POST")
        urllib.request.urlopen(request, timeout=30)


def main():
    with server() as port:
        address = f"http://127.0.0.1:{port}"
        over = threading.Event()
        ending = threading.Thread(target=end_drawings, args=(address, over))
        ending.start()
        try:
            command = [Path(sys.executable).with_name("schemathesis"), "run", address + "/openapi.json"]
            command += ["--checks", "not_a_server_error", "--phases", "fuzzing"]
            command += ["--max-examples", "10", "--seed", "7", "--generation-database", "none"]
            command += ["--suppress-health-check", "all", "--request-timeout", "20", "--no-color"]
            # It leaves a folder of its own where it runs.
            with tempfile.TemporaryDirectory() as folder:
                code = subprocess.run(command, cwd=folder).returncode
            sys.exit(code)
        finally:
            over.set()
            ending.join()


main()
