"""The data directory on an object store: what is local is a cache, and nobody needs it.

The store is `servers/s3.py`; its files below a prefix look like a data directory, so what other
cases ask of a directory is asked of them.
"""

from __future__ import annotations

import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import kafka
import pytest
import s3
import sendtally
from conftest import Traffic
from test_crash import owns
from test_errors import SMS
from test_oracle import check_chain

TAKEOVER_S = 60.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[s3.S3]:
    """A store of the case's own."""
    with s3.S3(tmp_path / "s3") as one:
        yield one


def reports(folder: Path, numbers: range) -> Path:
    """A file of delivery reports."""
    path = folder / f"{numbers.start}-{numbers.stop}.jsonl"
    path.write_text("".join(SMS % number for number in numbers))
    return path


def load(store: s3.S3, cache: Path, file: Path, url: str | None = None,
         **env: str) -> sendtally.Answer:
    """`load` of a file into a store."""
    settings = {"SENDTALLY_KEY": sendtally.SECRET, **store.environment(), **env}
    return sendtally.call("load", "--source", "infobip", file, "--data", cache,
                          "--store", url or store.url("a/b"), **settings)


def outcomes(store: s3.S3, cache: Path) -> list[dict[str, object]]:
    """What `sql` says of messages and windows."""
    query = ("SELECT (SELECT count(*) FROM events) AS events, outcome, count(*) AS messages, "
             "(SELECT sum(total) FROM slo_windows WHERE window_s = 86400) AS total "
             "FROM messages GROUP BY outcome ORDER BY outcome")
    answer = sendtally.call("sql", query, "--data", cache, "--store", store.url("a/b"),
                            "--format", "json", **store.environment())
    return answer.expect(0).rows()


# The server itself: what these cases rest on.

def test_of_twenty_creators_at_once_exactly_one_wins(store: s3.S3) -> None:
    for number in range(20):
        won: list[int] = []
        barrier = threading.Barrier(20)

        def create(mine: int) -> None:
            request = urllib.request.Request(
                f"{store.endpoint}/bucket/key-{number}", b"%d" % mine, method="PUT",
                headers={"If-None-Match": "*", "Authorization": f"Credential={s3.KEY_ID}/"})
            barrier.wait()
            try:
                urllib.request.urlopen(request, timeout=20)
                won.append(mine)
            except urllib.error.HTTPError as error:
                assert error.code == 412

        threads = [threading.Thread(target=create, args=(mine,)) for mine in range(20)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert len(won) == 1
        assert store.files(f"key-{number}").read_text() == str(won[0])


# Files and questions.

def test_an_empty_directory_answers_and_goes_on(store: s3.S3, tmp_path: Path) -> None:
    load(store, tmp_path / "one", reports(tmp_path, range(300))).expect(0)
    here = outcomes(store, tmp_path / "one")
    assert here == [{"events": 300, "outcome": "delivered", "messages": 300, "total": 300}]
    assert outcomes(store, tmp_path / "two") == here
    # Of what was loaded already there is nothing to do, whoever did it.
    again = load(store, tmp_path / "three", reports(tmp_path, range(300)))
    again.expect(0, "already loaded")
    load(store, tmp_path / "three", reports(tmp_path, range(200, 500))).expect(0)
    for cache in ("one", "two", "three", "four"):
        [row] = outcomes(store, tmp_path / cache)
        assert (row["events"], row["messages"]) == (500, 500), cache
    named = ["--data", tmp_path / "five", "--store", store.url("a/b")]
    sendtally.call("verify", *named, **store.environment()).expect(0)
    check_chain(store.files("a/b"))
    public = list(store.files("a/b/public").glob("*/date=*/*.parquet"))
    local = list((tmp_path / "one" / "public").glob("*/date=*/*.parquet"))
    assert local and {path.name for path in local} <= {path.name for path in public}


def test_verify_tells_a_damaged_object_and_a_missing_one(store: s3.S3, tmp_path: Path) -> None:
    load(store, tmp_path / "one", reports(tmp_path, range(300))).expect(0)
    [events] = store.files("a/b/lake/events").glob("*/0*.parquet")
    whole = events.read_bytes()
    env, url = store.environment(), store.url("a/b")
    events.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    told = sendtally.call("verify", "--data", tmp_path / "two", "--store", url, **env)
    assert events.name in told.expect(1).out
    sendtally.call("sql", "SELECT count(*) FROM events", "--data", tmp_path / "three",
                   "--store", url, **env).expect(4, "sha-256", events.name)
    events.unlink()
    # The directory that wrote it still has it, but that is not what was asked.
    for cache in ("one", "two"):
        told = sendtally.call("verify", "--data", tmp_path / cache, "--store", url, **env)
        assert "WRONG" in told.expect(1).out
    events.write_bytes(whole)
    sendtally.call("verify", "--data", tmp_path / "two", "--store", url, **env).expect(0)


def test_a_directory_is_not_mixed_with_what_is_not_its_store(
    store: s3.S3, tmp_path: Path
) -> None:
    file = reports(tmp_path, range(10))
    load(store, tmp_path / "one", file).expect(0)
    sendtally.call("sql", "SELECT 1", "--data", tmp_path / "one").expect(2, "--store")
    load(store, tmp_path / "one", file, store.url("else")).expect(2, "empty directory")
    own = tmp_path / "own"
    sendtally.call("load", "--source", "infobip", file, "--data", own).expect(0)
    load(store, own, file).expect(2, "empty directory")


# What a store refuses, or fails to do.

def test_a_wrong_bucket_wrong_keys_and_nothing_there_end_with_2(
    store: s3.S3, tmp_path: Path
) -> None:
    file, cache = reports(tmp_path, range(10)), tmp_path / "one"
    load(store, cache, file, "s3://absent/a").expect(2, "s3://absent/a", "bucket")
    wrong = {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "hidden-words"}
    refused = load(store, cache, file, **wrong).expect(2, "credentials")
    assert "hidden-words" not in refused.err
    load(store, cache, file, "bucket/a").expect(2, "s3://BUCKET")
    load(store, cache, file, AWS_ALLOW_HTTP="false").expect(2, "not encrypted")
    load(store, cache, file, SENDTALLY_KEY="").expect(2, "64 hex digits")
    for url, word in ((store.url("empty"), "holds no data"), ("s3://absent/a", "bucket")):
        sendtally.call("sql", "SELECT 1", "--data", cache, "--store", url,
                       **store.environment()).expect(2, word)
    assert not list(store.files("").glob("a/b/chains/*"))


def test_a_store_that_is_away_at_the_start_ends_with_3(store: s3.S3, tmp_path: Path) -> None:
    store.stop()
    load(store, tmp_path / "one", reports(tmp_path, range(10))).expect(3, store.endpoint)


def test_a_store_that_overwrites_is_refused(store: s3.S3, tmp_path: Path) -> None:
    store.faults.overwrites = True
    answer = load(store, tmp_path / "one", reports(tmp_path, range(10)))
    answer.expect(2, "create-if-absent")
    assert not list(store.files("a/b").glob("*"))


@pytest.mark.slow
def test_lost_answers_and_a_store_that_is_often_busy_change_nothing(
    store: s3.S3, tmp_path: Path
) -> None:
    """The first tries of every manifest are done and their answers lost; a fifth of all requests
    are refused with 503."""
    store.faults.lose = lambda method, key: method == "PUT" and "/chains/" in key
    for round_, lost in enumerate((1, 2, 3, 14)):
        store.faults.lost = lost
        store.faults.unavailable = 0.2
        numbers = range(100 * round_, 100 * round_ + 100)
        load(store, tmp_path / f"cache-{round_}", reports(tmp_path, numbers)).expect(0)
        assert store.faults.lost == 0
    store.faults.unavailable = 0.0
    [row] = outcomes(store, tmp_path / "one")
    assert (row["events"], row["messages"], row["total"]) == (400, 400, 400)
    sendtally.call("verify", "--data", tmp_path / "two", "--store", store.url("a/b"),
                   **store.environment()).expect(0)
    check_chain(store.files("a/b"))


# A running pipeline.

def configured(
    store: s3.S3, traffic: Traffic, cache: Path, prefix: str = "run"
) -> sendtally.Config:
    """A configuration on a store, with its credentials in a file."""
    keys = cache.parent / "credentials"
    keys.write_text(f"{s3.KEY_ID}\n{s3.SECRET}\n")
    lines = [f'store = "{store.url(prefix)}"', f'endpoint = "{store.endpoint}"',
             "allow_http = true", f'credentials_file = "{keys}"']
    return sendtally.Config(cache, traffic.server.brokers, group=f"{cache.parent.name}-{prefix}",
                            extra={"data": lines})


def verify(store: s3.S3, cache: Path, prefix: str = "run") -> None:
    """`verify` from an empty directory."""
    sendtally.call("verify", "--data", cache, "--store", store.url(prefix),
                   **store.environment()).expect(0)


def readiness(listen: str) -> str:
    """What `/readyz` says, whatever its status."""
    try:
        return sendtally.get(f"http://{listen}/readyz")
    except urllib.error.HTTPError as error:
        return error.read().decode()


def has_events(store: s3.S3) -> bool:
    """Whether an epoch with events is being committed."""
    return any(store.files("run/segments/job").glob("*-events.arrow"))


@pytest.mark.servers
def test_after_a_kill_an_empty_machine_goes_on_and_equals_the_oracle(
    store: s3.S3, traffic: Traffic, tmp_path: Path
) -> None:
    """Each time another empty directory; manifests lose their answers now and then."""
    store.faults.lose = lambda method, key: method == "PUT" and "/chains/" in key
    data = store.files("run")
    for number in range(3):
        store.faults.lost = 5
        config = configured(store, traffic, tmp_path / f"machine-{number}").write()
        before = sendtally.head(data)
        log = tmp_path / f"{number}.log"
        with sendtally.running("run", "--config", config, log=log) as process:
            sendtally.wait_until(
                lambda: has_events(store) and sendtally.head(data) > before + 4
                or process.popen.poll() is not None, TAKEOVER_S, "commits")
            assert process.popen.poll() is None, process.text()[-3000:]
            process.end(signal.SIGKILL)
        if number == 1:
            verify(store, tmp_path / "looks")
    store.faults.lost = 20
    last = configured(store, traffic, tmp_path / "last").write()
    sendtally.call("run", "--config", last, "--until-end").expect(0)
    check_chain(data)
    traffic.check_live(data)
    verify(store, tmp_path / "verify")


@pytest.mark.servers
def test_of_two_machines_one_stands_by_takes_over_and_the_frozen_one_stops(
    store: s3.S3, traffic: Traffic, tmp_path: Path
) -> None:
    data = store.files("run")
    configs = [configured(store, traffic, tmp_path / f"machine-{n}").write() for n in range(2)]
    with (
        sendtally.running("run", "--config", configs[0], log=tmp_path / "0.log") as one,
        sendtally.running("run", "--config", configs[1], log=tmp_path / "1.log") as two,
    ):
        sendtally.wait_until(lambda: sendtally.head(data) > 5, TAKEOVER_S, "commits")
        assert [one.popen.poll(), two.popen.poll()] == [None, None]
        owner, other = (one, two) if owns(data, one) else (two, one)
        other.wait_for("another process owns", TAKEOVER_S)
        owner.popen.send_signal(signal.SIGSTOP)
        sendtally.wait_until(lambda: owns(data, other), TAKEOVER_S, "the other to take over")
        owner.popen.send_signal(signal.SIGCONT)
        assert owner.popen.wait(TAKEOVER_S) == 4, owner.text()[-3000:]
        assert "taken over" in owner.text(), owner.text()[-3000:]
        assert other.end(signal.SIGTERM) == 0, other.text()[-3000:]
    sendtally.call("run", "--config", configs[0], "--until-end").expect(0)
    check_chain(data)
    traffic.check_live(data)
    verify(store, tmp_path / "verify")


@pytest.mark.servers
def test_a_store_that_is_gone_for_20_seconds_is_waited_for(
    store: s3.S3, traffic: Traffic, tmp_path: Path
) -> None:
    data = store.files("run")
    settings = configured(store, traffic, tmp_path / "machine")
    settings.listen = f"127.0.0.1:{kafka.free_ports(1)[0]}"
    config = settings.write()
    with sendtally.running("run", "--config", config, log=tmp_path / "log") as process:
        sendtally.wait_until(lambda: has_events(store), TAKEOVER_S, "events")
        store.stop()
        process.wait_for("the object store is away", TAKEOVER_S)
        time.sleep(20)
        assert process.popen.poll() is None, process.text()[-3000:]
        said = readiness(settings.listen)
        assert store.url("run") in said, said
        head = sendtally.head(data)
        store.start()
        process.wait_for("answers again", TAKEOVER_S)
        sendtally.wait_until(lambda: sendtally.head(data) > head + 2, TAKEOVER_S, "commits")
        assert process.end(signal.SIGTERM) == 0, process.text()[-3000:]
    sendtally.call("run", "--config", config, "--until-end").expect(0)
    check_chain(data)
    traffic.check_live(data)
    verify(store, tmp_path / "verify")


@pytest.mark.servers
@pytest.mark.slow
def test_a_process_that_is_to_end_waits_a_minute_for_the_store(
    store: s3.S3, traffic: Traffic, tmp_path: Path
) -> None:
    config = configured(store, traffic, tmp_path / "machine").write()
    with sendtally.running("run", "--config", config, log=tmp_path / "log") as process:
        sendtally.wait_until(lambda: has_events(store), TAKEOVER_S, "events")
        store.stop()
        process.wait_for("the object store is away", TAKEOVER_S)
        began = time.monotonic()
        assert process.end(signal.SIGTERM, timeout=200) == 4, process.text()[-3000:]
        assert time.monotonic() - began > 55
        assert "it was waited for, 60 s" in process.text(), process.text()[-3000:]
    store.start()
    sendtally.call("run", "--config", config, "--until-end").expect(0)
    traffic.check_live(store.files("run"))


def test_the_section_data_is_checked(tmp_path: Path) -> None:
    def told(*lines: str) -> sendtally.Answer:
        config = sendtally.Config(tmp_path / "data", "127.0.0.1:1", extra={"data": list(lines)})
        return sendtally.call("run", "--config", config.write(), "--check")

    told('stor = "s3://b/a"').expect(2, "stor")
    told('endpoint = "https://127.0.0.1:1"').expect(2, "names no `store`")
    keys = tmp_path / "keys"
    keys.write_text("a-hidden-word\n")
    answer = told('store = "s3://b/a"', f'credentials_file = "{keys}"').expect(2, "two lines")
    assert "a-hidden-word" not in answer.err
