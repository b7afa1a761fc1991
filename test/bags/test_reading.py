# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags are read as they are in the world; what is wrong is told with topic and time."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.writer import CompressionType, IndexType
from mcap.writer import Writer as McapWriter
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from instructvla_ros.bags import mcap_file
from instructvla_ros.bags.findings import Trouble
from instructvla_ros.bags.message_types import UnknownTypeError, message_definition, type_store
from instructvla_ros.bags.reading import Bag, BagReadingError
from instructvla_ros.timing import NANOSECONDS

ROOT = Path(__file__).resolve().parents[2]
START = 1_700_000_000 * NANOSECONDS  # 2023-11-14 22:13:20
STEP = NANOSECONDS // 10
COUNT = 40
STRING, JOINTS = "std_msgs/msg/String", "sensor_msgs/msg/JointState"

Message = tuple[str, str, int, bytes]  # topic, type, record time [ns], bytes


def text(word: str) -> bytes:
    store = type_store()
    return bytes(store.serialize_cdr(store.types[STRING](word), STRING))


def joints(stamp: int, position: float = 0.0) -> bytes:
    store = type_store()
    time = store.types["builtin_interfaces/msg/Time"](sec=stamp // NANOSECONDS, nanosec=stamp % NANOSECONDS)
    header = store.types["std_msgs/msg/Header"](stamp=time, frame_id="base")
    none = np.zeros(0)
    message = store.types[JOINTS](
        header=header, name=["waist"], position=np.array([position]), velocity=none, effort=none
    )
    return bytes(store.serialize_cdr(message, JOINTS))


def run(count: int = COUNT) -> list[Message]:
    """Words and joint states in turn, a tenth of a second apart."""
    messages: list[Message] = []
    for index in range(count):
        stamp = START + index * STEP
        if index % 2:
            messages.append(("/joint_states", JOINTS, stamp, joints(stamp, float(index))))
        else:
            messages.append(("/words", STRING, stamp, text(f"word {index}")))
    return messages


def write_mcap(
    path: Path,
    messages: Iterable[Message],
    compression: CompressionType = CompressionType.NONE,
    chunked: bool = True,
    indexed: bool = True,
    definitions: dict[str, str] | None = None,
    encoding: str = "cdr",
    chunk_size: int = 500,
) -> Path:
    """One MCAP file by the writer of the mcap library; ``definitions`` replace those of types, an empty one: none."""
    with path.open("wb") as stream:
        writer = McapWriter(
            stream,
            chunk_size,
            compression,
            IndexType.ALL if indexed else IndexType.NONE,
            repeat_channels=indexed,
            repeat_schemas=indexed,
            use_chunking=chunked,
            use_statistics=indexed,
            use_summary_offsets=indexed,
        )
        writer.start("ros2")
        channels: dict[tuple[str, str], int] = {}
        for topic, kind, stamp, data in messages:
            if (topic, kind) not in channels:
                definition = definitions[kind] if definitions and kind in definitions else message_definition(kind)
                schema = writer.register_schema(kind, "ros2msg" if definition else "", definition.encode())
                channels[topic, kind] = writer.register_channel(topic, encoding, schema)
            writer.add_message(channels[topic, kind], stamp, data, stamp)
        writer.finish()
    return path


def write_folder(
    path: Path,
    messages: Iterable[Message],
    plugin: StoragePlugin = StoragePlugin.MCAP,
    compression: CompressionMode = CompressionMode.NONE,
) -> Path:
    """A bag folder by the writer of rosbags."""
    writer = Writer(path, version=9, storage_plugin=plugin)
    if compression is not CompressionMode.NONE:
        writer.set_compression(compression, CompressionFormat.ZSTD)
    with writer:
        connections = {}
        for topic, kind, stamp, data in messages:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=type_store())
            writer.write(connections[topic], stamp, data)
    return path


def write_sqlite(path: Path, messages: Iterable[Message]) -> Path:
    folder = write_folder(path.with_suffix(""), messages, StoragePlugin.SQLITE3)
    return (folder / f"{folder.name}.db3").rename(path)


def mcap(**options: object) -> Callable[[Path], Path]:
    return lambda folder: write_mcap(folder / "good.mcap", run(), **options)  # type: ignore[arg-type]


FILES = {
    "mcap": mcap(),
    "mcap with zstd": mcap(compression=CompressionType.ZSTD),
    "mcap with lz4": mcap(compression=CompressionType.LZ4),
    "mcap without chunks": mcap(chunked=False),
    "mcap without index": mcap(indexed=False),
    "sqlite": lambda folder: write_sqlite(folder / "good.db3", run()),
}


def read(path: Path) -> list[Message]:
    with Bag(path) as bag:
        return [(m.topic, m.message_type, m.stamp, m.data) for m in bag.messages()]


def findings(path: Path, topics: Iterable[str] = ()) -> dict[Trouble, str]:
    """What is said when a bag is read and decoded to its end."""
    with Bag(path) as bag:
        bag.expect(list(topics))
        list(bag.decoded())
        return {finding.trouble: str(finding) for finding in bag.findings}


@pytest.fixture(scope="session", params=FILES)
def good(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FILES[request.param](tmp_path_factory.mktemp("good"))


def test_all_forms_give_the_same_messages_in_order(good: Path) -> None:
    assert read(good) == run()
    assert set(findings(good)) <= {Trouble.NO_INDEX}, "a good bag has nothing wrong"
    with Bag(good) as bag:
        assert (bag.start, bag.end, bag.count) == (START, START + (COUNT - 1) * STEP, COUNT)
        assert {name: (topic.message_type, topic.count) for name, topic in bag.topics.items()} == {
            "/words": (STRING, COUNT // 2),
            "/joint_states": (JOINTS, COUNT // 2),
        }
        some = list(bag.messages(["/words"], START + 10 * STEP, START + 20 * STEP))
        assert [bag.decode(message).data for message in some] == [f"word {index}" for index in range(10, 20, 2)]
        assert [bag.header_stamp(m) for m in bag.messages(["/joint_states"])] == [
            START + index * STEP for index in range(1, COUNT, 2)
        ]


@pytest.mark.parametrize("plugin", list(StoragePlugin))
@pytest.mark.parametrize("compression", list(CompressionMode))
def test_bag_folders_are_read_however_they_are_compressed(
    tmp_path: Path, plugin: StoragePlugin, compression: CompressionMode
) -> None:
    if plugin is StoragePlugin.SQLITE3 and compression is CompressionMode.STORAGE:
        pytest.skip("rosbag2 has no such form")
    bag = write_folder(tmp_path / "bag", run(), plugin, compression)
    assert read(bag) == run() and not findings(bag)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_cut_at_any_byte_is_read_up_to_the_cut(good: Path, tmp_path: Path, data: st.DataObject) -> None:
    whole = good.read_bytes()
    length = data.draw(st.integers(0, len(whole) - 1))
    cut = tmp_path / f"cut{good.suffix}"
    cut.write_bytes(whole[:length])
    got = read(cut)
    assert got == run()[: len(got)], "what can be read is a beginning of the recording"
    with Bag(cut) as bag:
        assert bag.count == len(got)
        found = {finding.trouble for finding in bag.findings}
    assert found & {Trouble.CUT, Trouble.EMPTY, Trouble.UNREADABLE, Trouble.NO_INDEX}, (
        "it is told that something is lacking"
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_with_any_byte_changed_is_no_crash(good: Path, tmp_path: Path, data: st.DataObject) -> None:
    spoilt = bytearray(good.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(spoilt) - 1), min_size=1, max_size=3)):
        spoilt[place] ^= data.draw(st.integers(1, 255))
    (tmp_path / f"spoilt{good.suffix}").write_bytes(spoilt)
    findings(tmp_path / f"spoilt{good.suffix}")


def test_the_cut_is_told_with_topic_and_time_and_costs_no_whole_message(tmp_path: Path) -> None:
    for compression in CompressionType:
        good = write_mcap(tmp_path / "good.mcap", run(), compression, chunk_size=1 << 20)
        size = good.stat().st_size
        data = good.read_bytes()[: size * 6 // 10]
        (tmp_path / "cut.mcap").write_bytes(data)
        count = len(read(tmp_path / "cut.mcap"))
        assert count, f"{compression}: what is there of the only chunk is read"
        said = findings(tmp_path / "cut.mcap")[Trouble.CUT]
        last = run()[count - 1]
        assert last[0] in said and f"of {size * 6 // 10}" in said
        assert f"22:13:{20 + (count - 1) / 10:06.3f}" in said


def test_a_damaged_chunk_is_left_out_and_the_rest_read(tmp_path: Path) -> None:
    good = write_mcap(tmp_path / "good.mcap", run())
    data = bytearray(good.read_bytes())
    at = data.index(b"word 20")
    data[at] ^= 1
    for name, spoilt in (("indexed", data), ("cut", data[:-100])):
        path = tmp_path / f"{name}.mcap"
        path.write_bytes(spoilt)
        got = read(path)
        lost = [message for message in run() if message not in got]
        assert any(message[3] == text("word 20") for message in lost) and 0 < len(lost) < 10
        assert got[-1] == run()[-1]
        assert "22:13:2" in findings(path)[Trouble.DAMAGED]


def test_a_damaged_index_is_not_believed(tmp_path: Path) -> None:
    good = write_mcap(tmp_path / "good.mcap", run())
    data = bytearray(good.read_bytes())
    data[-500] ^= 0xFF  # of the summary
    good.write_bytes(data)
    assert read(good) == run() and Trouble.NO_INDEX in findings(good)


def test_a_damaged_message_that_is_compressed_by_itself_is_left_out(tmp_path: Path) -> None:
    bag = write_folder(tmp_path / "bag", run(), StoragePlugin.SQLITE3, CompressionMode.MESSAGE)
    database = sqlite3.connect(bag / "bag.db3")
    database.execute("UPDATE messages SET data = x'00010203' WHERE id = 5")
    database.commit()
    database.close()
    assert read(bag) == [*run()[:4], *run()[5:]]
    assert "/words at 2023-11-14 22:13:20.400" in findings(bag)[Trouble.DAMAGED]


def test_without_metadata_the_files_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    folder = tmp_path / "bag"
    folder.mkdir()
    for number in (0, 9, 10):
        write_mcap(folder / f"bag_{number}.mcap", run()[number : number + 3])
    assert read(folder) == sorted([*run()[:3], *run()[9:12], *run()[10:13]], key=lambda message: message[2])
    assert "ros2 bag reindex" in findings(folder)[Trouble.NO_METADATA]
    (folder / "metadata.yaml").write_text("rosbag2_bagfile_information: [")
    assert len(read(folder)) == 9 and Trouble.NO_METADATA in findings(folder)


def test_a_file_that_metadata_names_and_that_is_lost_is_told_and_the_others_read(tmp_path: Path) -> None:
    folder = tmp_path / "bag"
    folder.mkdir()
    write_mcap(folder / "bag_1.mcap", run())
    metadata = {"version": 9, "relative_file_paths": ["bag_0.mcap", "bag_1.mcap"], "custom_data": {"robot": "sim"}}
    (folder / "metadata.yaml").write_text(yaml.safe_dump({"rosbag2_bagfile_information": metadata}))
    assert read(folder) == run() and "bag_0.mcap" in findings(folder)[Trouble.MISSING_FILE]
    with Bag(folder) as bag:
        assert bag.about == {"robot": "sim"}


def test_a_missing_topic_is_named_with_those_that_are_there(good: Path) -> None:
    said = findings(good, ["/words", "/wrist_image"])[Trouble.MISSING_TOPIC]
    assert "/wrist_image" in said and "/joint_states, /words" in said
    with Bag(good) as bag:
        assert bag.expect(["/words", "/wrist_image"]) == ["/words"]


def test_unknown_types_are_told_and_the_others_read(tmp_path: Path) -> None:
    odd = ("/grip", "nowhere_msgs/msg/Grip", START, text("odd"))
    bag = write_mcap(tmp_path / "bag.mcap", [odd, *run()], definitions={odd[1]: ""})
    said = findings(bag)[Trouble.UNKNOWN_TYPE]
    assert "/grip" in said and "nowhere_msgs/msg/Grip" in said and "22:13:20.000" in said
    with Bag(bag) as opened:
        assert len(list(opened.decoded())) == COUNT
        first = next(opened.messages())
        assert first.data == odd[3], "its bytes are there"
        with pytest.raises(UnknownTypeError, match="nowhere_msgs/msg/Grip"):
            opened.decode(first)


def test_a_type_is_read_by_the_definition_in_the_bag(tmp_path: Path) -> None:
    odd = ("/grip", "nowhere_msgs/msg/Grip", START, text("strong"))
    bag = write_mcap(tmp_path / "bag.mcap", [odd], definitions={odd[1]: "string how\n"})
    with Bag(bag) as opened:
        ((_, content),) = opened.decoded()
        assert content.how == "strong"


def test_what_is_no_cdr_is_left_out_and_told(tmp_path: Path) -> None:
    bag = write_mcap(tmp_path / "bag.mcap", run(4), encoding="ros1")
    assert not read(bag) and "'ros1'" in findings(bag)[Trouble.UNKNOWN_TYPE]


def test_bytes_that_are_no_such_message_are_told_and_left_out(tmp_path: Path) -> None:
    messages = [*run(4), ("/joint_states", JOINTS, START + STEP * 9, joints(START + STEP * 9)[:-9])]
    bag = write_mcap(tmp_path / "bag.mcap", messages)
    with Bag(bag) as opened:
        assert len(list(opened.decoded())) == 4
    assert "/joint_states at 2023-11-14 22:13:20.900" in findings(bag)[Trouble.DAMAGED]


def test_headers_on_another_clock_are_told(tmp_path: Path) -> None:
    def sensed(topic: str, offset: int) -> list[Message]:
        return [(topic, JOINTS, START + i * STEP, joints(START + i * STEP + offset)) for i in range(5)]

    simulated = sensed("/joint_states", 3 * NANOSECONDS - START)
    bag = write_mcap(tmp_path / "sim.mcap", simulated)
    said = findings(bag)
    assert set(said) == {Trouble.FAR_STAMPS} and "/joint_states" in said[Trouble.FAR_STAMPS]
    bag = write_mcap(tmp_path / "both.mcap", [*simulated, *sensed("/arm", 0)])
    said = findings(bag)
    assert (
        "/arm of a wall clock" in said[Trouble.MIXED_CLOCKS] and "/joint_states of a sim" in said[Trouble.MIXED_CLOCKS]
    )
    bag = write_mcap(tmp_path / "zero.mcap", sensed("/arm", -START))
    assert "/arm at 2023-11-14 22:13:20.000 has no time" in findings(write_zero(tmp_path))[Trouble.NO_STAMPS]


def write_zero(folder: Path) -> Path:
    return write_mcap(folder / "zero.mcap", [("/arm", JOINTS, START, joints(0))])


def test_record_times_of_two_clocks_are_told_and_the_commoner_one_is_the_bags(good: Path, tmp_path: Path) -> None:
    early = [("/words", STRING, index * STEP, text(f"early {index}")) for index in range(3)]
    for path in (
        write_mcap(tmp_path / "both.mcap", [*early, *run()]),
        write_sqlite(tmp_path / "both.db3", [*early, *run()]),
    ):
        said = findings(path)[Trouble.MIXED_CLOCKS]
        assert f"{COUNT} messages were recorded by a wall clock" in said and "/words at 0.000 s" in said
        with Bag(path) as bag:
            assert (bag.start, bag.end, bag.count) == (START, START + (COUNT - 1) * STEP, COUNT + 3)
            assert len(list(bag.messages(start=bag.start))) == COUNT
        assert sorted(read(path)) == sorted([*early, *run()]), "what can be read is read"


@pytest.mark.parametrize("kind", ["mcap", "db3"])
def test_stamps_that_go_back_are_told_and_put_in_order(tmp_path: Path, kind: str) -> None:
    messages = [*run(20)[10:], *run(20)[:10]]
    write: Callable[[Path, list[Message]], Path] = write_mcap if kind == "mcap" else write_sqlite
    path = write(tmp_path / f"back.{kind}", messages)
    assert read(path) == run(20)
    with Bag(path) as bag:
        list(bag.messages())
        back = {finding.topic: str(finding) for finding in bag.findings if finding.trouble is Trouble.GOING_BACK}
    assert set(back) == {"/words", "/joint_states"}
    assert "from 2023-11-14 22:13:21" in back["/words"] and "to 2023-11-14 22:13:20" in back["/words"]


def test_header_stamps_that_go_back_are_told(tmp_path: Path) -> None:
    stamps = [START, START + 2 * STEP, START + STEP]
    messages = [("/arm", JOINTS, START + i * STEP, joints(stamp)) for i, stamp in enumerate(stamps)]
    said = findings(write_mcap(tmp_path / "bag.mcap", messages))[Trouble.GOING_BACK]
    assert "header stamps of /arm go back from 2023-11-14 22:13:20.200 to 2023-11-14 22:13:20.100" in said


@pytest.mark.parametrize("name", ["bag.mcap", "bag.db3"])
def test_a_file_of_zero_length_and_a_bag_without_messages_are_empty_not_errors(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    for path in (tmp_path, tmp_path / name):
        assert not read(path) and Trouble.EMPTY in findings(path)
        with Bag(path) as bag:
            assert (bag.start, bag.end, bag.count, bag.topics) == (0, 0, 0, {})
    plugin = StoragePlugin.MCAP if name.endswith("mcap") else StoragePlugin.SQLITE3
    bag_without = write_folder(tmp_path / "without", [], plugin)
    assert not read(bag_without) and "no messages" in findings(bag_without)[Trouble.EMPTY]


@pytest.mark.parametrize("name", ["bag.mcap", "bag.db3"])
def test_a_file_that_is_something_else_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n" * 100)
    assert str(tmp_path / name) in findings(tmp_path)[Trouble.UNREADABLE]


def test_where_there_is_no_bag_it_is_an_error_that_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(BagReadingError, match="nothing at this path"):
        Bag(tmp_path / "none")
    with pytest.raises(BagReadingError, match="no .mcap and no .db3"):
        Bag(tmp_path)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(BagReadingError, match="neither an .mcap nor a .db3"):
        Bag(tmp_path / "notes.txt").close()


def test_a_recorder_killed_with_sqlite_leaves_what_its_journal_has(tmp_path: Path) -> None:
    good = write_sqlite(tmp_path / "good.db3", run())
    writer = sqlite3.connect(good)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("INSERT INTO messages (topic_id, timestamp, data) VALUES (1, ?, ?)", (START * 2, text("last")))
    writer.commit()
    for file in tmp_path.glob("good.db3*"):
        shutil.copy(file, tmp_path / file.name.replace("good", "killed"))
    writer.close()
    assert len(read(tmp_path / "killed.db3")) == COUNT + 1


def test_chunks_that_overlap_too_much_are_given_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mixed = [message for pair in zip(run()[:20], run()[20:], strict=True) for message in pair]
    bag = write_mcap(tmp_path / "bag.mcap", mixed)
    assert read(bag) == run()
    monkeypatch.setattr(mcap_file, "OVERLAP_BYTES", 1000)
    assert sorted(read(bag)) == sorted(mixed) and "22:13:20.000" in findings(bag)[Trouble.UNORDERED]


MEASURE = """
import resource, sys
from instructvla_ros.bags.reading import Bag
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
with Bag(sys.argv[1]) as warm: list(warm.decoded())
before = peak()
with Bag(sys.argv[2]) as bag: count = sum(1 for _ in bag.messages())
print(count, peak() - before)
"""


@pytest.mark.parametrize("form", ["indexed", "without index", "two clocks", "sqlite"])
def test_memory_stays_bounded_over_half_a_million_messages(tmp_path: Path, form: str) -> None:
    count, data = 500_000, text("x" * 200)
    stamps = (START + index * STEP if index % 1000 or form != "two clocks" else index for index in range(count))
    messages = (("/words", STRING, stamp, data) for stamp in stamps)
    path = tmp_path / ("bag.db3" if form == "sqlite" else "bag.mcap")
    if form == "sqlite":
        write_sqlite(path, messages)
    else:
        write_mcap(path, messages, indexed=form != "without index", chunk_size=1 << 20)
    size = path.stat().st_size >> 20
    small = write_mcap(tmp_path / "small.mcap", run())
    command = [sys.executable, "-c", MEASURE, str(small), str(path)]
    read_count, grown = map(
        int, subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split()
    )
    assert read_count == count
    assert size > 100 and grown < 30, f"reading {size} MB took {grown} MB of memory"
