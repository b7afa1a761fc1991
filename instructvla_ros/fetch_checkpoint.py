# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fetch a published checkpoint from the Hugging Face hub by its name, ready for ``checkpoint:=``.

    ros2 run instructvla_ros fetch_checkpoint                 # lists the names
    ros2 run instructvla_ros fetch_checkpoint generalist

A download that was cut goes on where it stopped, and every file is held against the hash that the hub tells.
HF_ENDPOINT names a mirror, HF_TOKEN is what a repository may ask for.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from instructvla_ros.checkpoint_files import step_of
from instructvla_ros.published_checkpoints import (
    BASE_FOLDER,
    BASE_REPOSITORY,
    PUBLISHED,
    CheckpointNameError,
    files_of_base,
    files_of_run,
    published,
)
from instructvla_ros.shared_files import PACKAGE

RECORD = "fetched.json"
_BLOCK = 1 << 20  # [bytes] read at once
_INTERRUPTED = 130  # exit code after Ctrl-C, as shells have it


class FetchError(RuntimeError):
    """A file cannot be had, or is not what it should be; the message says what to do."""


class OfflineError(FetchError):
    """The hub cannot be reached."""


@dataclass(frozen=True)
class RemoteFile:
    """One file as the hub describes it.

    Attributes:
        path: in the repository, with slashes.
        size: [bytes].
        algorithm: ``sha256`` for large files, ``git-sha1`` (of git's blob) for small ones.
        digest: hexadecimal.
    """

    path: str
    size: int
    algorithm: str
    digest: str

    def fits(self, file: Path) -> bool:
        """Whether a file on the disk is this one."""
        return file.is_file() and file.stat().st_size == self.size and digest_of(file, self.algorithm) == self.digest


@dataclass(frozen=True)
class Listing:
    """What a repository holds at one revision.

    Attributes:
        repository: owner and name.
        revision: the commit.
        files: by path.
    """

    repository: str
    revision: str
    files: dict[str, RemoteFile]


@dataclass(frozen=True)
class Wanted:
    """A file that is to be in a place.

    Attributes:
        listing: where it comes from.
        file: what it is.
        target: where it goes.
    """

    listing: Listing
    file: RemoteFile
    target: Path

    @property
    def part(self) -> Path:
        """What there is of it before it is whole; named by its hash, so that no other revision's is gone on with."""
        return self.target.with_name(f"{self.target.name}.{self.file.digest[:12]}.part")

    @property
    def there(self) -> int:
        """How much of it is here [bytes]."""
        return self.part.stat().st_size if self.part.is_file() else 0


def digest_of(file: Path, algorithm: str) -> str:
    """Hash of a file, read in blocks.

    Args:
        file: any size.
        algorithm: ``sha256``, or ``git-sha1``: SHA-1 over ``blob <size>\\0`` and the content, as git names a file.
    """
    if algorithm == "sha256":
        digest = hashlib.sha256()
    else:
        digest = hashlib.sha1(f"blob {file.stat().st_size}\0".encode(), usedforsecurity=False)
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


class Hub:
    """The hub, or a mirror of it, by huggingface_hub.

    Raises:
        FetchError: huggingface_hub is not installed.
    """

    def __init__(self) -> None:
        try:
            import huggingface_hub
            from huggingface_hub import errors, file_download, utils
        except ImportError as error:
            raise FetchError(f"{error}; install it: pip install huggingface_hub") from error
        self._hub, self._errors, self._download, self._utils = huggingface_hub, errors, file_download, utils
        self.endpoint = huggingface_hub.constants.ENDPOINT

    def list(self, repository: str, revision: str | None) -> Listing:
        """The files of a repository with their hashes.

        Raises:
            FetchError: it is not there or not public; OfflineError where the hub cannot be reached.
        """
        try:
            told = self._hub.HfApi().model_info(repository, revision=revision, files_metadata=True)
        except (OSError, self._errors.HTTPError) as error:
            raise self._explained(error, repository) from error
        files = [_described(sibling, repository) for sibling in told.siblings or ()]
        return Listing(repository, str(told.sha), {file.path: file for file in files})

    def fetch(self, wanted: Wanted) -> None:
        """Bring one file to its place; what an earlier attempt has brought is kept and gone on with.

        Raises:
            FetchError: it is not what the hub said; OfflineError where the connection fails.
        """
        file, listing, part = wanted.file, wanted.listing, wanted.part
        part.parent.mkdir(parents=True, exist_ok=True)
        url = self._hub.hf_hub_url(listing.repository, file.path, revision=listing.revision)
        try:
            with part.open("ab") as stream:
                if wanted.there > file.size:
                    stream.truncate(0)
                # hf_hub_download would begin anew after a restart, this goes on
                self._download.http_get(
                    url,
                    stream,
                    resume_size=wanted.there,
                    headers=self._utils.build_hf_headers(),
                    expected_size=file.size,
                    displayed_filename=wanted.target.name,
                )
        except (OSError, self._errors.HTTPError) as error:
            raise self._explained(error, listing.repository) from error
        if not file.fits(part):
            found = digest_of(part, file.algorithm)
            part.unlink()
            raise FetchError(
                f"{file.path} of {listing.repository} is damaged: its {file.algorithm} is {found}, it should be "
                f"{file.digest}. It was deleted; run the command again. If it comes damaged again, what answers at "
                f"{self.endpoint} is not to be trusted"
            )
        part.replace(wanted.target)

    def _explained(self, error: Exception, repository: str) -> FetchError:
        errors = self._errors
        if isinstance(error, errors.GatedRepoError):
            return FetchError(f"{repository} asks for consent: log in at {self.endpoint}/{repository}, set HF_TOKEN")
        if isinstance(error, (errors.RepositoryNotFoundError, errors.RevisionNotFoundError)):
            return FetchError(f"{self.endpoint} has no {repository} of this revision, or it is not public")
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status is not None:
            return FetchError(f"{self.endpoint} answers {status} for {repository}: {_first_line(error)}")
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError):
            return FetchError(f"cannot write: {error}")
        return OfflineError(f"{self.endpoint} cannot be reached: {_first_line(error)}")


def fetch(name: str, folder: Path, revision: str | None = None, step: int | None = None) -> Path:
    """Fetch a run, and beside it configuration and tokenizer of its vision-language model.

    Args:
        name: of a published checkpoint.
        folder: the run goes into ``folder/name``, the base into ``folder/Eagle2-2B``.
        revision: commit, branch or tag of the run's repository; None: the newest.
        step: training step of the weights; None: the highest.

    Returns:
        The run folder, every file held against its hash.

    Raises:
        CheckpointNameError: there is no such checkpoint or step.
        FetchError: something cannot be had; what is there already stays.
    """
    checkpoint = published(name)
    run = folder / checkpoint.name
    hub = Hub()
    try:
        listing = hub.list(checkpoint.repository, revision)
        base = hub.list(BASE_REPOSITORY, None)
        chosen = files_of_run(listing.files, checkpoint.repository, step)
        wanted = [Wanted(listing, listing.files[path], run / path) for path in chosen]
        wanted += [Wanted(base, base.files[path], folder / path) for path in files_of_base(base.files)]
        _bring(hub, wanted, folder)
    except OfflineError as error:
        if revision is None and step is None and _complete(run, folder):
            print(f"{error}\n{run} is complete: every file has the hash it had when it was fetched", flush=True)
            return run
        raise OfflineError(
            f"{error}\nWhat was fetched so far stays in {folder}. Run the command again when the network is there, set "
            f"HF_ENDPOINT to a mirror, or run it on another machine and copy {run} and {folder / BASE_FOLDER} here"
        ) from error
    _record(run, wanted, folder)
    return run


def _bring(hub: Hub, wanted: Sequence[Wanted], folder: Path) -> None:
    missing = []
    for item in wanted:
        if item.file.fits(item.target):
            print(f"  {item.target.relative_to(folder)}: is here and has the right hash", flush=True)
        else:
            missing.append(item)
    folder.mkdir(parents=True, exist_ok=True)
    needed = sum(item.file.size - item.there for item in missing)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise FetchError(f"{needed / 1e9:.2f} GB are needed in {folder}, {free / 1e9:.2f} GB are free: choose --into")
    for item in missing:
        there = f", {item.there / 1e6:.1f} MB of it here" if item.there else ""
        print(f"  {item.target.relative_to(folder)}: {item.file.size / 1e6:.1f} MB{there} ...", flush=True)
        hub.fetch(item)


def _record(run: Path, wanted: Sequence[Wanted], folder: Path) -> None:
    """Keep what was fetched, so that it can be checked without the hub."""
    told = {
        str(item.target.relative_to(folder)): {
            "repository": item.listing.repository,
            "revision": item.listing.revision,
            **asdict(item.file),
        }
        for item in wanted
    }
    (run / RECORD).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def _complete(run: Path, folder: Path) -> bool:
    """Whether all that was recorded is here, unchanged."""
    try:
        told = json.loads((run / RECORD).read_text(encoding="utf-8"))
        keys = [field.name for field in fields(RemoteFile)]
        files = {name: RemoteFile(**{key: entry[key] for key in keys}) for name, entry in told.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return False
    return bool(files) and all(file.fits(folder / name) for name, file in files.items())


def _described(sibling: Any, repository: str) -> RemoteFile:
    large = sibling.lfs
    algorithm, digest = ("sha256", large.sha256) if large else ("git-sha1", sibling.blob_id)
    if not digest or sibling.size is None:
        raise FetchError(f"the hub tells neither hash nor size of {sibling.rfilename} in {repository}: not fetched")
    if ".." in Path(sibling.rfilename).parts or Path(sibling.rfilename).is_absolute():
        raise FetchError(f"{repository} names a file outside of itself: {sibling.rfilename!r}")
    return RemoteFile(sibling.rfilename, int(sibling.size), algorithm, digest.lower())


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def default_folder() -> Path:
    """Where checkpoints go unless told otherwise: below the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / PACKAGE / "checkpoints"


def listed() -> str:
    """The published checkpoints, a line each."""
    width = max(map(len, PUBLISHED))
    return "\n".join(f"{item.name:{width}}  {item.description}  ({item.repository})" for item in PUBLISHED.values())


def main(argv: Sequence[str] | None = None) -> int:
    """Fetch a checkpoint, or list them; exit code 1 where it cannot be had."""
    parser = argparse.ArgumentParser(
        description="Fetch a published InstructVLA checkpoint; without a name, list them.",
        epilog="Checkpoints are their authors'; read their licences on the hub.",
    )
    parser.add_argument("name", nargs="?", help="one of the listed names, or a repository of the list")
    parser.add_argument("--into", type=Path, default=default_folder(), help="folder for checkpoints [%(default)s]")
    parser.add_argument("--revision", help="commit, branch or tag of the run's repository")
    parser.add_argument("--step", type=int, help="training step of the weights; default: the highest")
    given = parser.parse_args(argv)
    if given.name is None:
        print(listed())
        return 0
    try:
        run = fetch(given.name, given.into.expanduser().resolve(), given.revision, given.step)
    except (CheckpointNameError, FetchError) as error:
        print(f"not fetched: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return _INTERRUPTED
    weights = run  # of a folder the highest step is loaded, which may be another one than was asked for
    if given.step is not None:
        weights = next(path for path in (run / "checkpoints").glob("*.pt") if step_of(path.name) == given.step)
    print(f"{run} is complete, every file has the right hash\ncheckpoint:={weights}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
