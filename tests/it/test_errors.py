"""What goes wrong around the program: each case with its exit code and its message."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import kafka
import pytest
import sendtally
from conftest import Traffic, make_traffic

needs_servers = pytest.mark.servers
GONE_S = 60.0 if os.environ.get("SENDTALLY_SLOW") != "0" else 20.0
SMS = ('{"results":[{"messageId":"m-%d","to":"4917055512345",'
       '"sentAt":"2026-03-02T23:50:00.000+0000","doneAt":"2026-03-02T23:50:01.000+0000","messageCount":1,"status":{"groupId":3,'
       '"groupName":"DELIVERED","id":5,"name":"DELIVERED_TO_HANDSET"}}]}\n')


def nowhere() -> str:
    """An address at which nothing listens."""
    return f"127.0.0.1:{kafka.free_ports(1)[0]}"


def config(work: Path, **settings: object) -> sendtally.Config:
    """A configuration without a broker, in a directory of its own."""
    settings.setdefault("brokers", nowhere())
    return sendtally.Config(work / "data", **settings)  # type: ignore[arg-type]


# Configuration and usage: exit 2, nothing is started.

def test_an_unknown_configuration_key_is_named(tmp_path: Path) -> None:
    file = config(tmp_path, extra={"commit": ["epoch_msec = 5"]}).write()
    sendtally.call("run", "--config", file).expect(2, "epoch_msec")


def test_a_secret_in_a_configuration_is_not_shown(tmp_path: Path) -> None:
    for key in ('sasl_password = "hunter2"', 'sasl_username = "hunter2', "group_id = ['hunter2']"):
        file = config(tmp_path, extra={"kafka": [key]}).write()
        answer = sendtally.call("run", "--config", file).expect(2, "line ")
        assert "hunter2" not in answer.out + answer.err, answer.err


def test_a_login_in_an_address_is_refused_and_not_shown(loaded: Path) -> None:
    for place in (["--data", loaded, "--store", "s3://AKIA:hunter2@bucket/prefix"],
                  ["--data", "s3://AKIA:hunter2@bucket/prefix"]):
        answer = sendtally.call("sql", "select 1", *place).expect(2)
        assert "hunter2" not in answer.out + answer.err, answer.err
    place = ["--data", loaded, "--store", "s3://bucket/prefix"]
    endpoint = {"AWS_ENDPOINT_URL": "https://AKIA:hunter2@host"}
    answer = sendtally.call("sql", "select 1", *place, **endpoint).expect(2, "AWS_ENDPOINT_URL")
    assert "hunter2" not in answer.out + answer.err, answer.err


def test_a_missing_configuration_file_is_named(tmp_path: Path) -> None:
    sendtally.call("run", "--config", tmp_path / "absent.toml").expect(2, "absent.toml")


def test_run_without_a_token_key_says_how_to_give_one(tmp_path: Path) -> None:
    file = config(tmp_path, key=False).write()
    sendtally.call("run", "--config", file).expect(2, "SENDTALLY_KEY")


def test_a_key_of_the_wrong_length_is_refused_and_not_shown(tmp_path: Path) -> None:
    answer = sendtally.call("run", "--config", config(tmp_path, key=False).write(),
                            SENDTALLY_KEY="abcdef0123")
    answer.expect(2, "64")
    assert "abcdef0123" not in answer.out + answer.err


def test_an_unreadable_scenario_names_the_key(tmp_path: Path) -> None:
    base = ["simulate", "--seed", "1", "--rate", "10", "--events", "10", "--out", str(tmp_path)]
    sendtally.call(*base, "--scenario", sendtally.SCENARIOS / "broken.yaml").expect(2, "weigth")
    sendtally.call(*base, "--scenario", tmp_path / "absent.yaml").expect(2, "absent.yaml")


def test_no_events_and_no_rate_are_wrong_usage(tmp_path: Path) -> None:
    base = ["simulate", "--scenario", sendtally.SCENARIOS / "oracle.yaml", "--seed", "1",
            "--out", tmp_path / "out"]
    sendtally.call(*base, "--rate", "0", "--events", "5").expect(2, "--rate")
    sendtally.call(*base, "--rate", "5", "--events", "0").expect(2, "--events")
    assert not (tmp_path / "out").exists()


def test_an_unknown_option_is_wrong_usage() -> None:
    sendtally.call("run", "--no-such-option").expect(2, "no-such-option")


@pytest.mark.parametrize(
    "command", ["demo", "run", "normalize", "load", "sql", "score", "simulate", "verify", "slo",
                "schemas"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    answer = sendtally.call(command, "--help").expect(0)
    assert f"sendtally {command}" in answer.out.split("Usage:")[-1], answer.out


# Files and SQL.

@pytest.fixture
def loaded(tmp_path: Path) -> Path:
    """A directory into which one small file was loaded."""
    file, data = tmp_path / "reports.jsonl", tmp_path / "loaded"
    file.write_text("".join(SMS % number for number in range(20)))
    sendtally.call("load", "--source", "infobip", file, "--data", data).expect(0)
    return data


def count(data: Path, table: str) -> int:
    """Rows of a table by `sendtally sql`."""
    query = f"select count(*) as n from {table}"
    done = sendtally.call("sql", query, "--data", data, "--format", "csv").expect(0)
    return int(done.out.split()[-1])


def test_a_file_is_loaded_once(loaded: Path) -> None:
    assert count(loaded, "events") == 20
    file = loaded.parent / "copy-under-another-name.jsonl"
    shutil.copy(loaded.parent / "reports.jsonl", file)
    again = sendtally.call("load", "--source", "infobip", file, "--data", loaded)
    again.expect(0)
    assert "already" in (again.out + again.err).lower(), again.out + again.err
    assert count(loaded, "events") == 20


def test_another_secret_key_is_refused_and_so_is_a_lost_one(loaded: Path) -> None:
    file = loaded.parent / "other.jsonl"
    file.write_text("".join(SMS % number for number in range(100, 110)))
    arguments = ("load", "--source", "infobip", file, "--data", loaded)
    sendtally.call(*arguments, SENDTALLY_KEY="ab" * 32).expect(4, "another secret key")
    key = (loaded / "key").read_text()
    (loaded / "key").unlink()
    sendtally.call(*arguments).expect(4, "key")
    assert count(loaded, "events") == 20
    (loaded / "key").write_text(key)
    sendtally.call(*arguments).expect(0, "10 events")
    assert count(loaded, "events") == 30


def test_lines_that_are_no_records_cost_themselves_only(tmp_path: Path) -> None:
    record = json.dumps({"headers": {"source": "infobip"}, "value": SMS % 1, "partition": 3})
    file = tmp_path / "records.jsonl"
    file.write_text("\n".join([record, "not json", '{"value_base64":"%"}', record, "[]"]))
    answer = sendtally.call("normalize", "--records", file).expect(0)
    assert len(answer.out.splitlines()) == 2, answer.out
    said = [json.loads(line) for line in answer.err.splitlines()]
    assert [line["dead_letter"]["offset"] for line in said[:-1]] == [1, 2, 4], answer.err
    assert said[-1]["summary"]["dead"] == 3
    strict = sendtally.call("normalize", "--records", "--strict", file).expect(1)
    assert json.loads(strict.err.splitlines()[-1])["summary"]["dead"] == 3


def test_standard_input_is_read_and_written_nowhere(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(sendtally.binary()), "normalize", "--source", "infobip"], input=SMS % 1, text=True,
        capture_output=True, check=True, env=sendtally.environment(TMPDIR=str(tmp_path)))
    assert len(done.stdout.splitlines()) == 1 and not list(tmp_path.iterdir())


def test_files_without_a_source_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "reports.jsonl"
    file.write_text(SMS % 1)
    data = tmp_path / "data"
    sendtally.call("load", file, "--data", data).expect(2, "--source")
    assert not (data / "chains").exists()


def test_an_objective_that_cannot_be_read_is_told_before_kafka_is_asked(tmp_path: Path) -> None:
    chosen = config(tmp_path)
    file = chosen.write()
    (tmp_path / "broken.yaml").write_text("kind: SLO\n")
    extra = f'\n[[objectives]]\nfile = "{tmp_path}/broken.yaml"\n'
    file.write_text(file.read_text() + extra)
    sendtally.call("run", "--config", file).expect(2, "broken.yaml")
    sendtally.call("run", "--config", file, "--check").expect(2, "broken.yaml")


def test_bad_sql_is_told_with_its_place(loaded: Path) -> None:
    sendtally.call("sql", "selct 1", "--data", loaded).expect(2, "selct")
    sendtally.call("sql", "select nope from events", "--data", loaded).expect(2, "nope")


def test_more_carriers_than_series_are_kept_fold_into_one_and_no_message_is_lost(
    tmp_path: Path
) -> None:
    file, data = tmp_path / "many.jsonl", tmp_path / "data"
    carrier = '"messageCount":1,"mccMnc":"%d%02d",'
    networks = [(mcc, mnc) for mcc in range(800, 822) for mnc in range(100)]
    file.write_text("".join(SMS.replace('"messageCount":1,', carrier % network) % number
                            for number, network in enumerate(networks)))
    sendtally.call("load", "--source", "infobip", file, "--data", data).expect(0)
    query = ("select count(distinct carrier) as n, cast(sum(total) as bigint) as t, "
             "cast(sum(total) filter (where carrier = '__other__') as bigint) as o "
             "from slo_windows where window_s = 86400")
    done = sendtally.call("sql", query, "--data", data, "--format", "json").expect(0)
    assert done.rows() == [{"n": 2001, "t": 2200, "o": 200}], done.out
    sendtally.call("verify", "--data", data).expect(0)


def test_an_empty_directory_is_verified_and_asked(tmp_path: Path) -> None:
    file, data = tmp_path / "empty.jsonl", tmp_path / "data"
    file.write_text("\n")
    sendtally.call("load", "--source", "infobip", file, "--data", data).expect(0)
    sendtally.call("verify", "--data", data).expect(0)
    assert count(data, "events") == count(data, "slo_windows") == 0
    assert count(data, "ledger") == 0


@pytest.mark.parametrize("statement", [
    "drop table events", "insert into events select * from events", "create table x (a int)",
    "copy (select 1) to '/tmp/sendtally-copy.csv'", "set datafusion.execution.batch_size = 1",
    "create external table t stored as csv location '/etc/passwd'",
])
def test_sql_that_writes_is_refused(loaded: Path, statement: str) -> None:
    sendtally.call("sql", statement, "--data", loaded).expect(2)
    assert not Path("/tmp/sendtally-copy.csv").exists()
    assert count(loaded, "events") == 20


def test_sql_on_no_data_directory_names_it(tmp_path: Path) -> None:
    sendtally.call("sql", "select 1", "--data", tmp_path / "absent").expect(2, "absent")


# Kafka.

def test_kafka_absent_at_start(tmp_path: Path) -> None:
    chosen = config(tmp_path)
    began = time.monotonic()
    sendtally.call("run", "--config", chosen.write(), timeout=90).expect(3, chosen.brokers)
    assert time.monotonic() - began < 60


@pytest.fixture(scope="module")
def small(work: Path) -> Iterator[Traffic]:
    """A node of this module's own with a little traffic; cases may stop and start it."""
    with kafka.Kafka() as node:
        yield make_traffic(node, "end_to_end.yaml", 60_000, 400.0, work / "small-log")


def sasl(mechanism: str, password: str) -> dict[str, list[str]]:
    """The [kafka] lines of a listener with a password; the password is given by environment."""
    os.environ["SENDTALLY_KAFKA_PASSWORD"] = password
    return {"kafka": ['security_protocol = "sasl_plaintext"', f'sasl_mechanism = "{mechanism}"',
                      f'sasl_username = "{kafka.USER}"']}


@pytest.fixture
def no_password() -> Iterator[None]:
    """Takes the password out of the environment afterwards."""
    yield
    os.environ.pop("SENDTALLY_KAFKA_PASSWORD", None)


@needs_servers
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_a_wrong_password_is_told(
    small: Traffic, tmp_path: Path, no_password: None, mechanism: str
) -> None:
    brokers = small.server.sasl_brokers
    file = config(tmp_path, brokers=brokers, extra=sasl(mechanism, "not-it")).write()
    answer = sendtally.call("run", "--config", file, timeout=90).expect(2, "authentication")
    assert "not-it" not in answer.out + answer.err


@needs_servers
@pytest.mark.parametrize("mechanism", [None, "PLAIN", "SCRAM-SHA-512"])
def test_tls_works_with_and_without_a_password(
    small: Traffic, tmp_path: Path, no_password: None, mechanism: str | None
) -> None:
    extra = sasl(mechanism, kafka.PASSWORD) if mechanism else {"kafka": []}
    protocol = "sasl_ssl" if mechanism else "ssl"
    lines = [line for line in extra["kafka"] if "protocol" not in line]
    lines += [f'security_protocol = "{protocol}"', f'ssl_ca_file = "{small.server.ca}"']
    chosen = config(tmp_path, brokers=small.server.tls_brokers(bool(mechanism)),
                    extra={"kafka": lines})
    sendtally.call("run", "--config", chosen.write(), "--until-end").expect(0)
    small.check(chosen.data)


@needs_servers
def test_a_certificate_that_is_not_trusted_is_told(small: Traffic, tmp_path: Path) -> None:
    chosen = config(tmp_path, brokers=small.server.tls_brokers(False),
                    extra={"kafka": ['security_protocol = "ssl"']})
    sendtally.call("run", "--config", chosen.write(), timeout=90).expect(
        2, "certificate", "ssl_ca_file")


@needs_servers
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_the_right_password_works(
    small: Traffic, tmp_path: Path, no_password: None, mechanism: str
) -> None:
    extra = sasl(mechanism, kafka.PASSWORD)
    chosen = config(tmp_path, brokers=small.server.sasl_brokers, extra=extra)
    sendtally.call("run", "--config", chosen.write(), "--until-end").expect(0)
    small.check(chosen.data)


@needs_servers
def test_a_missing_topic_is_named(small: Traffic, tmp_path: Path) -> None:
    file = config(tmp_path, brokers=small.server.brokers).write()
    text = file.read_text()
    file.write_text(text[:text.index("[[topics]]")] + '[[topics]]\nname = "no.such.topic"\n')
    sendtally.call("run", "--config", file, timeout=90).expect(2, "no.such.topic")


@needs_servers
def test_kafka_gone_while_running_and_back(small: Traffic, tmp_path: Path) -> None:
    chosen = config(tmp_path, brokers=small.server.brokers)
    file = chosen.write()
    with sendtally.running("run", "--config", file, log=tmp_path / "log") as process:
        sendtally.wait_until(lambda: sendtally.head(chosen.data) > 1, 60, "a commit")
        small.server.kill()
        try:
            time.sleep(GONE_S)
            assert process.popen.poll() is None, process.text()[-3000:]
            before = sendtally.head(chosen.data)
            sendtally.wait_until(
                lambda: sendtally.head(chosen.data) > before, 10, "idle commits without Kafka")
        finally:
            small.server.start()
        time.sleep(5)
        assert process.end(signal.SIGTERM) == 0, process.text()[-3000:]
    sendtally.call("run", "--config", file, "--until-end").expect(0)
    small.check_live(chosen.data)


@needs_servers
def test_load_on_a_directory_in_use_names_its_owner(small: Traffic, tmp_path: Path) -> None:
    chosen = config(tmp_path, brokers=small.server.brokers)
    file = tmp_path / "reports.jsonl"
    file.write_text(SMS % 1)
    with sendtally.running("run", "--config", chosen.write(), log=tmp_path / "log") as process:
        sendtally.wait_until(lambda: sendtally.head(chosen.data) > 1, 60, "a commit")
        answer = sendtally.call("load", "--source", "infobip", file, "--data", chosen.data)
        answer.expect(3, str(process.popen.pid))
        assert process.end(signal.SIGTERM) == 0


# The disk.

@contextmanager
def small_disk(at: Path, megabytes: int) -> Iterator[Path]:
    """A memory file system of a fixed size; the case is skipped where it cannot be mounted."""
    at.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(at)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a tmpfs needs root")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def fill(path: Path) -> None:
    """Writes until the file system is full."""
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65_536)
        except OSError:
            return


@needs_servers
def test_a_full_disk_at_start_stops_it(small: Traffic, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64) as disk:
        chosen = sendtally.Config(disk / "data", small.server.brokers,
                                  extra={"commit": ["epoch_ms = 1000", "min_free_mb = 0"]})
        file = chosen.write()
        fill(disk / "filler")
        full = sendtally.call("run", "--config", file, "--until-end", timeout=150)
        full.expect(4, "No space left")
        (disk / "filler").unlink()
        wants = sendtally.Config(disk / "other", small.server.brokers,
                                 extra={"commit": ["epoch_ms = 1000", "min_free_mb = 100"]})
        sendtally.call("run", "--config", wants.write(), timeout=150).expect(4, "min_free_mb = 100")


@needs_servers
def test_at_the_disk_limit_ingest_pauses_and_its_owner_stays_the_owner(
    small: Traffic, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", 400) as disk:
        chosen = sendtally.Config(disk / "data", small.server.brokers,
                                  extra={"commit": ["epoch_ms = 1000", "min_free_mb = 100"]})
        file = chosen.write()
        with sendtally.running("run", "--config", file, log=tmp_path / "log") as owner:
            sendtally.wait_until(lambda: sendtally.head(chosen.data) > 0, 60, "a commit")
            with sendtally.running("run", "--config", file, log=tmp_path / "standby") as standby:
                ballast = disk / "ballast"
                with open(ballast, "wb") as file_object:
                    os.posix_fallocate(file_object.fileno(), 0, 320 << 20)
                owner.wait_for("min_free_mb = 100", 30)
                began = sendtally.head(chosen.data)
                time.sleep(15)
                assert sendtally.head(chosen.data) > began + 4, "no sign of life while it pauses"
                assert "taking over" not in standby.text(), standby.text()[-2000:]
                ballast.unlink()
                owner.wait_for("ingest goes on", 30)
                assert standby.end(signal.SIGTERM) == 0
            assert owner.end(signal.SIGTERM) == 0, owner.text()[-3000:]
        sendtally.call("run", "--config", file, "--until-end").expect(0)
        small.check_live(chosen.data)


@needs_servers
def test_a_disk_that_fills_pauses_it_and_nothing_is_lost(small: Traffic, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 400) as disk:
        chosen = sendtally.Config(disk / "data", small.server.brokers,
                                  extra={"commit": ["epoch_ms = 1000", "min_free_mb = 0"]})
        file = chosen.write()
        with sendtally.running("run", "--config", file, log=tmp_path / "log") as process:
            sendtally.wait_until(lambda: sendtally.head(chosen.data) > 0, 60, "a commit")
            fill(disk / "filler")
            process.wait_for("the disk is full", 60)
            time.sleep(10)
            assert process.popen.poll() is None, process.text()[-3000:]
            (disk / "filler").unlink()
            time.sleep(10)
            assert process.end(signal.SIGTERM) == 0, process.text()[-3000:]
        sendtally.call("run", "--config", file, "--until-end").expect(0)
        small.check_live(chosen.data)
