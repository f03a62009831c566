"""Files as a new user loads them: every fixture there is, then `verify`."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import sendtally

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = sorted(path for path in (ROOT / "fixtures").iterdir()
                  if path.name not in ("directories", "signatures"))
REPORT = {"results": [{"messageId": "m-1", "to": "4917055512345",
                       "status": {"groupId": 3, "id": 5, "name": "DELIVERED_TO_HANDSET"}}]}


def load_all(folder: Path, source: str, work: Path) -> list[dict[str, object]]:
    """Loads a folder's payloads into one directory, has them verified, and gives its messages."""
    data = work / "data"
    records = work / "records.jsonl"
    payloads = []
    with records.open("w") as out:
        for path in sorted(folder.iterdir()):
            if path.name.endswith(".record.json"):
                out.write(json.dumps(json.loads(path.read_text())) + "\n")
            elif not path.name.endswith(".expected.jsonl"):
                payloads.append(path)
    load = ["load", "--source", source, "--data", data]
    sendtally.call(*load, "--whole", *payloads).expect(0)
    if records.stat().st_size:
        sendtally.call(*load, "--records", records).expect(0)
    sendtally.call("verify", "--data", data).expect(0)
    return sendtally.call(
        "sql", "--data", data, "--format", "json",
        "SELECT cohort_time, outcome_time FROM messages").expect(0).rows()


@pytest.mark.parametrize("folder", FIXTURES, ids=lambda folder: folder.name)
def test_what_a_vendors_fixtures_give_is_verified(folder: Path, tmp_path: Path) -> None:
    messages = load_all(folder, folder.name, tmp_path)
    assert messages
    for message in messages:
        assert "1970" not in json.dumps(message), message


def test_a_charge_of_which_nothing_tells_the_time_has_none(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("MessageUUID=m-1&Status=delivered&To=12025550143&Units=1&TotalAmount=0.0075\n")
    [line] = sendtally.call("normalize", "--source", "plivo", "--table", "charges", file).expect(0).rows()
    assert (line["charge_time"], line["amount"]) == (None, "0.007500000"), line


def test_a_file_without_times_came_when_the_other_files_of_its_load_did(tmp_path: Path) -> None:
    told, untold = tmp_path / "told.jsonl", tmp_path / "untold.jsonl"
    done = {"messageId": "m-2", "doneAt": "2026-03-02T23:50:01.000+0000"}
    told.write_text(json.dumps({"results": [{**REPORT["results"][0], **done}]}) + "\n")
    untold.write_text(json.dumps(REPORT) + "\n")
    data = tmp_path / "data"
    sendtally.call("load", "--source", "infobip", "--data", data, untold, told).expect(
        0, "untold.jsonl: 1 records, 1 events")
    sendtally.call("verify", "--data", data).expect(0)
    rows = sendtally.call("sql", "--data", data, "--format", "json",
                          "SELECT event_time, event_time_source FROM events").expect(0).rows()
    assert {str(row["event_time"])[:19] for row in rows} == {"2026-03-02T23:50:01"}, rows
    assert sorted(str(row["event_time_source"]) for row in rows) == ["broker", "vendor"]


@pytest.mark.parametrize("header", [True, False])
def test_a_time_ahead_of_the_clock_closes_nothing_and_makes_nothing_late(
        tmp_path: Path, header: bool) -> None:
    now = datetime.now(timezone.utc)
    before, ahead = now - timedelta(hours=2), now + timedelta(days=120)

    def record(message: str, status: str, time: datetime) -> str:
        value = {"message_uuid": message, "to": "447700900000", "status": status, "channel": "sms"}
        if not header:
            value["timestamp"] = time.isoformat()
        headers = {"source": "vonage", **({"received-at": time.isoformat()} if header else {})}
        return json.dumps({"headers": headers, "value": json.dumps(value)}) + "\n"

    data, one, other = tmp_path / "data", tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    one.write_text(record("m-1", "submitted", before) + record("m-2", "submitted", ahead))
    other.write_text(record("m-1", "delivered", before + timedelta(minutes=1)))
    for file in (one, other):
        sendtally.call("load", "--records", "--data", data, file).expect(0)

    def ask(query: str) -> list[dict[str, object]]:
        return sendtally.call("sql", "--data", data, "--format", "json", query).expect(0).rows()

    [row] = ask("SELECT outcome, closed_by FROM messages WHERE message_id = 'm-1'")
    assert row["outcome"] == "delivered", row
    assert not ask("SELECT event_id FROM events WHERE disposition = 'late'")
    [status] = ask("SELECT max(watermark) AS mark FROM status")
    assert str(status["mark"])[:10] <= datetime.now(timezone.utc).strftime("%Y-%m-%d"), status


def test_a_stale_time_of_one_answer_makes_no_push_of_its_file_late(tmp_path: Path) -> None:
    """APNs tells with a 410 since when a token is gone: that may be years ago."""
    def answer(push: str, status: int, sent_at: str, gone: int | None) -> str:
        reason = None if gone is None else "Unregistered"
        return json.dumps({"apns_id": push, "status": status, "reason": reason, "timestamp": gone,
                           "topic": "com.x", "push_type": "alert", "token_hash": "ab" * 16,
                           "sent_at": sent_at}) + "\n"

    data, one, other = tmp_path / "data", tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    one.write_text(answer("a", 200, "2026-11-20T12:00:00Z", None)
                   + answer("b", 410, "2026-11-20T12:20:00Z", 1_795_176_000_000))
    other.write_text(answer("c", 200, "2026-11-21T12:00:00Z", None)
                     + answer("d", 410, "2026-11-21T12:30:00Z", 1_732_406_400_000))
    for file in (one, other):
        sendtally.call("load", "--source", "apns", "--data", data, file).expect(0)
    sendtally.call("verify", "--data", data).expect(0)
    rows = sendtally.call("sql", "--data", data, "--format", "json",
                          "SELECT message_id, cohort_time FROM messages").expect(0).rows()
    told = {row["message_id"]: str(row["cohort_time"])[:10] for row in rows}
    assert told == {"a": "2026-11-20", "b": "2026-11-20", "c": "2026-11-21", "d": "2026-11-21"}


def test_the_newest_figure_of_a_bill_counts_beside_messages_of_its_load(tmp_path: Path) -> None:
    def usage(as_of: str, price: str) -> str:
        return json.dumps({"usage_records": [{
            "account_sid": "AC" + "b" * 32, "as_of": as_of, "usage": price, "count": "10",
            "category": "failed-message-processing-fee", "count_unit": "messages",
            "usage_unit": "messages", "price": price, "price_unit": "usd",
            "start_date": "2024-02-29", "end_date": "2024-02-29"}]}) + "\n"

    message = tmp_path / "message.jsonl"
    message.write_text(json.dumps({
        "account_sid": "AC" + "b" * 32, "sid": "SM" + "a" * 32, "status": "delivered",
        "to": "+14155550101", "date_updated": "Fri, 01 Mar 2024 00:00:05 +0000"}) + "\n")
    for number in range(6):
        dates = {"older": "2024-03-01T02:00:00+00:00", "newer": "2024-03-03T02:00:00+00:00"}
        files = []
        for name, as_of in dates.items():
            file = tmp_path / f"{name}{number}.jsonl"
            file.write_text(usage(as_of, f"{'1' if name == 'older' else '5'}.{number}"))
            files.append(file)
        data = tmp_path / f"data{number}"
        sendtally.call("load", "--source", "twilio", "--data", data, message, *files[::-1]).expect(0)
        [row] = sendtally.call("sql", "--data", data, "--format", "json",
                               "SELECT sum(amount) AS all FROM spend").expect(0).rows()
        assert float(str(row["all"])) == float(f"5.{number}"), row


def test_a_file_that_is_named_twice_is_loaded_once(tmp_path: Path) -> None:
    file, data = tmp_path / "reports.jsonl", tmp_path / "data"
    file.write_text(json.dumps(REPORT) + "\n")
    sendtally.call("load", "--source", "infobip", "--data", data, file, file).expect(
        0, "1 records, 1 events", "already loaded")
    ledger = sendtally.call("sql", "--data", data, "--format", "json",
                            "SELECT SUM(records) AS records FROM ledger").expect(0).rows()
    assert ledger == [{"records": 1}], ledger


def test_a_payload_over_several_lines_is_not_loaded_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text(json.dumps(REPORT, indent=2))
    load = ["load", "--source", "infobip", "--data", tmp_path / "data", file]
    sendtally.call(*load).expect(2, "report.json is one payload", "--whole")
    sendtally.call(*load, "--whole").expect(0, "1 events")
    seen = sendtally.call("normalize", "--source", "infobip", file).expect(
        0, '{"advice":', "give --whole")
    assert not seen.out


def test_a_receipts_own_times_give_a_latency_whatever_their_zone(tmp_path: Path) -> None:
    """SMPP tells both without a zone: the SMSC's clock is the vendor's."""
    receipt = ("id:0A sub:001 dlvrd:001 submit date:2611210800 done date:2611210805 stat:DELIVRD "
               "err:000 text:")
    told = {"headers": {"source": "smpp", "received-at": "2026-11-21T07:05:01Z"}, "value": receipt}
    file, data = tmp_path / "receipts.jsonl", tmp_path / "data"
    file.write_text(json.dumps(told) + "\n")
    sendtally.call("load", "--records", "--zone", "Europe/Berlin", "--data", data, file).expect(0)
    query = "SELECT latency_ms, latency_broker_ms FROM messages"
    found = sendtally.call("sql", query, "--data", data, "--format", "json").expect(0).rows()
    assert found == [{"latency_ms": 300_000, "latency_broker_ms": None}]
    query = "SELECT p50_ms, latency_n FROM slo_windows WHERE window_s = 86400"
    found = sendtally.call("sql", query, "--data", data, "--format", "json").expect(0).rows()
    assert [(round(row["p50_ms"], -4), row["latency_n"]) for row in found] == [(300_000, 1)]
    sendtally.call("verify", "--data", data).expect(0)


def test_files_are_read_by_a_configurations_keys_accounts_and_carriers(tmp_path: Path) -> None:
    """And by the flags where it says nothing."""
    receipt = {"messageId": "0A", "msisdn": "447700900143", "status": "delivered",
               "network-code": "23410", "price": "0.0333", "scts": "2607011210", "api-key": "k1"}
    file = tmp_path / "receipts.jsonl"
    other = receipt | {"api-key": "k2", "messageId": "0B"}
    file.write_text(json.dumps(receipt) + "\n" + json.dumps(other) + "\n")
    (tmp_path / "key").write_text("ab" * 32)
    (tmp_path / "names.csv").write_text("name,country,carrier\nO2 (UK),GB,Mine\n")
    config = tmp_path / "a.toml"
    config.write_text(f"""
        [keys]
        secret_file = "{tmp_path / "key"}"
        token_key_id = 9
        [carriers]
        file = "{tmp_path / "names.csv"}"
        [[accounts]]
        source = "vonage"
        account = "k1"
        currency = "GBP"
        zone = "Europe/London"
        """)
    command = ["normalize", "--source", "vonage", "--currency", "EUR", file]
    first, second = sendtally.call(*command, "--config", config).expect(0).rows()
    plain, _ = sendtally.call(*command).expect(0).rows()
    assert (first["currency"], first["event_time"]) == ("GBP", "2026-07-01T11:10:00.000000Z")
    assert (second["currency"], second["event_time"]) == ("EUR", "2026-07-01T12:10:00.000000Z")
    assert (first["carrier"], plain["carrier"]) == ("Mine", "O2 (UK)")
    assert first["token_key_id"] == 9 and first["message_key"] != plain["message_key"]
    data = tmp_path / "data"
    sendtally.call("load", *command[1:], "--config", config, "--data", data).expect(0)
    assert not (data / "key").exists(), "the configured one is used"
    stored = sendtally.call("sql", "SELECT currency, token_key_id, carrier FROM events", "--data",
                            data, "--format", "json").expect(0).rows()
    assert {(row["currency"], row["token_key_id"], row["carrier"]) for row in stored} == {
        ("GBP", 9, "Mine"), ("EUR", 9, "Mine")}


def test_what_cannot_be_read_is_told_beside_its_explanation(tmp_path: Path) -> None:
    file = tmp_path / "reports.jsonl"
    file.write_text(json.dumps(REPORT) + '\n{"messageId":"m"}\n')
    explained = sendtally.call("normalize", "--source", "infobip", "--explain", file).expect(
        0, '"reason":"envelope"', '"dead":1')
    rows = explained.rows()
    assert rows[0]["columns"]["message_id"] == "results[0].messageId", rows
    assert rows[1] == {"offset": 1, "table": None, "element": None, "columns": None}
    sendtally.call("normalize", "--source", "infobip", "--explain", "--strict", file).expect(1)
