# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""fetch_checkpoint against a local server that speaks what huggingface_hub asks of the hub."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from instructvla_ros.published_checkpoints import (
    BASE_REPOSITORY,
    PUBLISHED,
    CheckpointNameError,
    files_of_base,
    files_of_run,
    published,
)

ROOT = Path(__file__).resolve().parents[1]
EXPERT = PUBLISHED["expert"].repository
REVISION = "0123456789abcdef0123456789abcdef01234567"
NEWEST = "checkpoints/step-000200-epoch-01-loss=0.1.pt"
LARGE = 24 << 20  # [bytes]: more than the 10 MiB that huggingface_hub writes at once


class StandInHub:
    """Two repositories, and the ways in which a download goes wrong.

    Attributes:
        repositories: content by path by repository.
        wrong_hash: paths whose hash is told wrongly.
        cut_after: by path, after how many bytes the connection is cut, once for each number in the list.
        stall_after: by path, after how many bytes nothing more comes, once.
        ranges: by path, where each request of it began [bytes].
        stalled: set while a request stalls.
    """

    def __init__(self) -> None:
        weights = os.urandom(1 << 20) * (LARGE >> 20)
        run = {"config.json": b"{}", "dataset_statistics.json": b'{"bridge_dataset": {}}', NEWEST: weights}
        run |= {"README.md": b"# run", "results/video.mp4": b"large", "checkpoints/step-000100-epoch-00.pt": b"old"}
        base = {"Eagle2-2B/config.json": b"{}", "Eagle2-2B/tokenizer.json": b'{"a": 1}', "README.md": b"assets"}
        base |= {"Eagle2-2B/model.safetensors": b"huge", "Eagle2-2B/modeling_eagle_chat.py": b"code"}
        self.repositories = {EXPERT: run, BASE_REPOSITORY: base}
        self.wrong_hash: set[str] = set()
        self.cut_after: dict[str, list[int]] = {}
        self.stall_after: dict[str, int] = {}
        self.ranges: dict[str, list[int]] = {}
        self.stalled = threading.Event()
        self.ended = threading.Event()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                hub.answer(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = urlsplit(request.path).path
        info = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        if info and info[1] in self.repositories and info[2] in (None, "main", REVISION):
            self._tell(request, info[1])
        elif file and file[2] == REVISION and file[3].replace("%3D", "=") in self.repositories.get(file[1], {}):
            self._send(request, file[3].replace("%3D", "="), self.repositories[file[1]][file[3].replace("%3D", "=")])
        else:
            request.send_response(404)
            request.send_header("X-Error-Code", "RepoNotFound" if info else "EntryNotFound")
            request.send_header("Content-Length", "0")
            request.end_headers()

    def _tell(self, request: BaseHTTPRequestHandler, repository: str) -> None:
        siblings = []
        for name, content in self.repositories[repository].items():
            entry: dict[str, object] = {"rfilename": name, "size": len(content)}
            entry["blobId"] = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
            if name.endswith(".pt"):
                digest = hashlib.sha256(content if name not in self.wrong_hash else b"other").hexdigest()
                entry["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 134}
            elif name in self.wrong_hash:
                entry["blobId"] = "0" * 40
            siblings.append(entry)
        body = json.dumps({"id": repository, "sha": REVISION, "siblings": siblings}).encode()
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _send(self, request: BaseHTTPRequestHandler, name: str, content: bytes) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        self.ranges.setdefault(name, []).append(start)
        request.send_response(206 if asked else 200)
        request.send_header("Content-Length", str(len(content) - start))
        if asked:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        request.end_headers()
        if self.cut_after.get(name):
            request.wfile.write(content[start : start + self.cut_after[name].pop(0)])
            request.wfile.flush()
            request.connection.close()
        elif name in self.stall_after:
            request.wfile.write(content[start : start + self.stall_after.pop(name)])
            request.wfile.flush()
            self.stalled.set()
            self.ended.wait()
        else:
            request.wfile.write(content[start:])


@pytest.fixture
def hub() -> Iterator[StandInHub]:
    pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed: pip install huggingface_hub")
    hub = StandInHub()
    yield hub
    hub.close()


def started(folder: Path, endpoint: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "instructvla_ros.fetch_checkpoint", *arguments, "--into", str(folder)]
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(folder.parent / "hf"), "no_proxy": "127.0.0.1"}
    environment |= {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(folder: Path, endpoint: str, *arguments: str) -> tuple[int, str, str]:
    process = started(folder, endpoint, *arguments)
    output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors


def test_a_name_brings_a_run_folder_and_its_base_and_nothing_else(hub: StandInHub, tmp_path: Path) -> None:
    code, output, errors = run(tmp_path / "into", hub.url, "expert")
    assert code == 0, errors
    found = {
        str(path.relative_to(tmp_path / "into")): path.read_bytes()
        for path in (tmp_path / "into").rglob("*")
        if path.is_file()
    }
    assert set(found) == {
        f"expert/{NEWEST}", "expert/config.json", "expert/dataset_statistics.json", "expert/fetched.json",
        "Eagle2-2B/config.json", "Eagle2-2B/tokenizer.json",
    }  # fmt: skip
    assert found[f"expert/{NEWEST}"] == hub.repositories[EXPERT][NEWEST]
    assert output.splitlines()[-1] == f"checkpoint:={tmp_path / 'into' / 'expert'}"

    from instructvla_ros.model.run_folder import RunFolder

    opened = RunFolder.open(tmp_path / "into" / "expert")
    assert opened.checkpoint.name == Path(NEWEST).name
    assert opened.base_folders() == [(tmp_path / "into" / "Eagle2-2B").resolve()]


def test_of_several_steps_the_one_that_was_asked_for_is_named_to_be_loaded(hub: StandInHub, tmp_path: Path) -> None:
    assert run(tmp_path / "into", hub.url, "expert")[0] == 0
    code, output, errors = run(tmp_path / "into", hub.url, "expert", "--step", "100")
    assert code == 0, errors
    from instructvla_ros.model.run_folder import RunFolder

    weights = tmp_path / "into" / "expert" / "checkpoints" / "step-000100-epoch-00.pt"
    assert output.splitlines()[-1] == f"checkpoint:={weights}"
    assert RunFolder.open(weights).checkpoint.read_bytes() == b"old"


def test_what_is_here_already_is_checked_and_not_fetched_again(hub: StandInHub, tmp_path: Path) -> None:
    assert run(tmp_path / "into", hub.url, "expert")[0] == 0
    (tmp_path / "into" / "expert" / "config.json").write_bytes(b"[]")
    hub.ranges.clear()
    code, output, errors = run(tmp_path / "into", hub.url, EXPERT)
    assert code == 0, errors
    assert set(hub.ranges) == {"config.json"}, "a changed file alone comes anew"
    assert (tmp_path / "into" / "expert" / "config.json").read_bytes() == b"{}"
    assert f"{NEWEST}: is here and has the right hash" in output


def test_a_connection_that_is_cut_is_gone_on_with_where_it_was(hub: StandInHub, tmp_path: Path) -> None:
    hub.cut_after[NEWEST] = [12 << 20]
    code, _, errors = run(tmp_path / "into", hub.url, "expert")
    assert code == 0, errors
    assert hub.ranges[NEWEST] == [0, 10 << 20]
    assert (tmp_path / "into" / "expert" / NEWEST).read_bytes() == hub.repositories[EXPERT][NEWEST]


def test_a_download_that_was_interrupted_goes_on_at_the_next_call(hub: StandInHub, tmp_path: Path) -> None:
    hub.stall_after[NEWEST] = 15 << 20
    process = started(tmp_path / "into", hub.url, "expert")
    folder = tmp_path / "into" / "expert" / "checkpoints"
    assert hub.stalled.wait(60.0), process.communicate()
    waiting = threading.Event()
    for _ in range(600):
        if any(part.stat().st_size for part in folder.glob("*.part")):
            break
        waiting.wait(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "goes on from here" in errors
    assert not (folder.parent / NEWEST).exists(), "a part must not look like the whole"

    code, output, errors = run(tmp_path / "into", hub.url, "expert")
    assert code == 0, errors
    assert hub.ranges[NEWEST] == [0, 10 << 20]
    assert "10.5 MB of it here" in output
    assert (folder.parent / NEWEST).read_bytes() == hub.repositories[EXPERT][NEWEST]
    assert not list(folder.glob("*.part"))


@pytest.mark.parametrize("path", [NEWEST, "dataset_statistics.json"])
def test_a_file_with_another_hash_is_refused_and_deleted(hub: StandInHub, tmp_path: Path, path: str) -> None:
    hub.wrong_hash.add(path)
    code, _, errors = run(tmp_path / "into", hub.url, "expert")
    assert code == 1
    assert f"{path} of {EXPERT} is damaged" in errors and "should be" in errors
    assert not (tmp_path / "into" / "expert" / path).exists()
    assert not list(tmp_path.rglob("*.part"))


def test_without_the_hub_it_says_so_and_what_to_do(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed: pip install huggingface_hub")
    code, _, errors = run(tmp_path / "into", "http://127.0.0.1:9", "expert")  # the discard port: nobody answers
    assert code == 1
    assert "http://127.0.0.1:9 cannot be reached" in errors and "HF_ENDPOINT" in errors and "Traceback" not in errors


def test_without_the_hub_a_complete_run_is_checked_by_what_was_recorded(hub: StandInHub, tmp_path: Path) -> None:
    assert run(tmp_path / "into", hub.url, "expert")[0] == 0
    code, output, errors = run(tmp_path / "into", "http://127.0.0.1:9", "expert")
    assert code == 0 and "is complete" in output, errors
    (tmp_path / "into" / "expert" / "config.json").write_bytes(b"[]")
    assert run(tmp_path / "into", "http://127.0.0.1:9", "expert")[0] == 1


def test_a_repository_that_is_not_there_is_named(hub: StandInHub, tmp_path: Path) -> None:
    code, _, errors = run(tmp_path / "into", hub.url, "generalist")
    assert code == 1
    assert PUBLISHED["generalist"].repository in errors and "Traceback" not in errors


def test_without_a_name_it_lists_all_and_asks_nobody(tmp_path: Path) -> None:
    code, output, _ = run(tmp_path / "into", "http://127.0.0.1:9")
    assert code == 0
    assert [line.split()[0] for line in output.splitlines()] == list(PUBLISHED)


def test_a_wrong_name_is_answered_with_the_right_ones() -> None:
    with pytest.raises(CheckpointNameError, match=r"did you mean 'generalist'.*expert_state"):
        published("generalst")


def test_the_highest_step_is_taken_unless_one_is_named() -> None:
    files = ["config.json", "dataset_statistics.json", *(f"checkpoints/step-{n:06d}.pt" for n in (5, 1200, 300))]
    assert files_of_run(files, "r")[-1] == "checkpoints/step-001200.pt"
    assert files_of_run(files, "r", step=300)[-1] == "checkpoints/step-000300.pt"
    with pytest.raises(CheckpointNameError, match="no weights of step 7; it has steps 5, 300, 1200"):
        files_of_run(files, "r", step=7)
    with pytest.raises(CheckpointNameError, match="lacks dataset_statistics.json"):
        files_of_run([files[0], *files[2:]], "r")
    with pytest.raises(CheckpointNameError, match="config.json"):
        files_of_base(["README.md"])


def test_the_page_about_the_model_names_every_published_checkpoint() -> None:
    page = (ROOT / "docs" / "model.md").read_text(encoding="utf-8")
    for checkpoint in PUBLISHED.values():
        row = f"| `{checkpoint.name}` | `{checkpoint.repository.split('/')[1]}` |"
        assert row in page, row
