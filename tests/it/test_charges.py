"""Bills of vendors: exports and billing events that are loaded stand in `charges` as they were told, a copy that
came again counts once, an older one overwrites nothing, totals are added to nothing, and `verify` computes all of
it again from what is stored."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
import sendtally

FIXTURES = sendtally.ROOT / "fixtures"
DAY = {"account_sid": "AC1", "category": "phonenumbers-local", "usage": "2", "usage_unit": "numbers",
       "price_unit": "usd", "start_date": "2026-11-20", "end_date": "2026-11-20"}


def load(data: Path, source: str, *files: Path) -> None:
    """Loads whole files."""
    sendtally.call("load", "--source", source, "--whole", *files, "--data", data).expect(0)


def told(data: Path, place: Path, source: str, document: object) -> None:
    """Loads one document."""
    place.write_text(json.dumps(document))
    load(data, source, place)


def rows(data: Path, query: str) -> list[dict[str, object]]:
    """Rows of a query."""
    return sendtally.call("sql", query, "--data", data, "--format", "json").expect(0).rows()


def day(as_of: str, price: str) -> dict[str, object]:
    """A usage record as of some time."""
    return {"usage_records": [{**DAY, "as_of": as_of, "price": price}]}


def ledger(data: Path) -> dict[str, int]:
    """The ledger's sums."""
    names = ("elements", "accepted", "duplicate", "late", "dead", "ignored")
    query = "SELECT " + ", ".join(f"CAST(sum({name}) AS BIGINT) AS {name}" for name in names) + " FROM ledger"
    return {name: int(str(value)) for name, value in rows(data, query)[0].items()}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An empty data directory."""
    return tmp_path / "data"


def test_exports_of_every_vendor_are_charges_that_verify_agrees_with(data: Path) -> None:
    load(data, "twilio", FIXTURES / "twilio/usage_records.json", FIXTURES / "twilio/resource_priced.json")
    load(data, "infobip", FIXTURES / "infobip/billing_usage.json", FIXTURES / "infobip/billing_usage_final.json")
    load(data, "telnyx", FIXTURES / "telnyx/usage_report.json", FIXTURES / "telnyx/webhook_finalized.json")
    load(data, "vonage", FIXTURES / "vonage/report_zipped.csv")
    load(data, "aws_sns", FIXTURES / "aws_sns/usage_report_gzip.csv.gz")
    load(data, "aws_eum", FIXTURES / "aws_eum/sns_to_lambda.json")
    load(data, "google_rbm", FIXTURES / "google_rbm/billing_report.tsv", FIXTURES / "google_rbm/activity_log.tsv")
    load(data, "whatsapp", FIXTURES / "whatsapp/pricing.json", FIXTURES / "whatsapp/pricing_analytics.json")
    load(data, "gupshup", FIXTURES / "gupshup/billing.json")
    load(data, "cloudevents", FIXTURES / "cloudevents/billed.json")
    assert "good   charges" in sendtally.call("verify", "--data", data).expect(0).out
    sums = ledger(data)
    assert sums["elements"] == sum(sums.values()) - sums["elements"], sums
    told_of = {(row["source"], row["grain"]) for row in rows(data, "SELECT DISTINCT source, grain FROM charges")}
    assert {("twilio", "period"), ("twilio", "item"), ("infobip", "period"), ("telnyx", "message"),
            ("vonage", "message"), ("aws_sns", "message"), ("google_rbm", "item"), ("whatsapp", "message"),
            ("whatsapp", "item"), ("whatsapp", "period"), ("gupshup", "message"),
            ("cloudevents", "message")} <= told_of
    stored = rows(data, "SELECT kind, basis, amount FROM charges WHERE source = 'infobip' AND kind = 'segment'")
    assert [(row["basis"], Decimal(str(row["amount"]))) for row in stored] == [("invoice", Decimal("47.1744"))]


def test_a_copy_that_came_again_counts_once_and_an_older_one_overwrites_nothing(data: Path, tmp_path: Path) -> None:
    newest = "SELECT amount, revision FROM charges"
    told(data, tmp_path / "1.json", "twilio", day("2026-11-21T04:00:00Z", "2.00"))
    first = rows(data, newest)
    told(data, tmp_path / "2.json", "twilio", day("2026-11-21T04:00:00Z", "2.00")["usage_records"])
    assert rows(data, newest) == first, "told again"
    assert ledger(data)["duplicate"] == 1
    told(data, tmp_path / "3.json", "twilio", day("2026-11-25T04:00:00Z", "2.30"))
    revised = rows(data, newest)
    assert Decimal(str(revised[0]["amount"])) == Decimal("2.30")
    assert int(str(revised[0]["revision"])) > int(str(first[0]["revision"]))
    told(data, tmp_path / "4.json", "twilio", day("2026-11-22T04:00:00Z", "2.10"))
    assert rows(data, newest) == revised, "an older copy came later"
    assert ledger(data) == {"elements": 4, "accepted": 3, "duplicate": 1, "late": 0, "dead": 0, "ignored": 0}
    sendtally.call("verify", "--data", data).expect(0)


def test_totals_are_not_added_to_the_charges_of_their_messages(data: Path, tmp_path: Path) -> None:
    message = {"sid": "SM1", "account_sid": "AC1", "status": "delivered", "to": "+447700900143", "from": "Example",
               "price": "-0.00750", "price_unit": "USD", "date_created": "Fri, 20 Nov 2026 12:00:00 +0000",
               "date_updated": "Fri, 20 Nov 2026 12:00:05 +0000"}
    total = {**DAY, "category": "sms-outbound", "usage": "1", "usage_unit": "segments", "price": "0.00750",
             "start_date": "2026-11-20", "end_date": "2026-11-20", "as_of": "2026-11-21T04:00:00Z"}
    told(data, tmp_path / "message.json", "twilio", message)
    told(data, tmp_path / "usage.json", "twilio", {"usage_records": [total, {**DAY, "price": "2.30",
                                                                             "as_of": "2026-11-21T04:00:00Z"}]})
    spent = rows(data, "SELECT currency, sum(amount) AS amount FROM spend GROUP BY currency")
    assert [(row["currency"], Decimal(str(row["amount"]))) for row in spent] == [("USD", Decimal("2.3075"))]
    windows = rows(data, "SELECT sum(amount) AS amount FROM cost_windows WHERE window_s = 86400")
    assert Decimal(str(windows[0]["amount"])) == Decimal("0.0075"), "windows are of messages"
    sendtally.call("verify", "--data", data).expect(0)


def test_records_of_more_days_are_not_added_to_their_days(data: Path, tmp_path: Path) -> None:
    """Days, the month and a month that is not over: only days are in `spend`."""
    spans = [("2026-11-19", "2026-11-19", "1.00"), ("2026-11-20", "2026-11-20", "1.30"),
             ("2026-11-01", "2026-11-30", "2.30"), ("2026-11-01", "2026-11-20", "2.30")]
    told(data, tmp_path / "records.json", "twilio", {"usage_records": [
        {**DAY, "start_date": start, "end_date": end, "price": price, "as_of": "2026-12-01T04:00:00Z"}
        for start, end, price in spans]})
    sums = {row["category"]: Decimal(str(row["amount"])) for row in rows(
        data, "SELECT grain AS category, sum(amount) AS amount FROM charges GROUP BY grain")}
    assert sums == {"item": Decimal("2.30"), "period": Decimal("4.60")}
    spent = rows(data, "SELECT sum(amount) AS amount FROM spend")
    assert Decimal(str(spent[0]["amount"])) == Decimal("2.30")
    sendtally.call("verify", "--data", data).expect(0)


def test_a_fee_that_comes_before_its_message_is_placed_by_it_afterwards(data: Path, tmp_path: Path) -> None:
    billed = {"specversion": "1.0", "id": "b", "source": "/x", "type": "x.billed", "time": "2026-11-20T13:00:00Z",
              "data": {"message_id": "m", "channel": "sms", "billing": {
                  "unit": "carrier_fee", "price": {"amount": "0.003", "currency": "EUR"}}}}
    told(data, tmp_path / "fee.json", "cloudevents", billed)
    place = "SELECT channel, country, charge_time, amount FROM charges WHERE kind = 'carrier_fee'"
    assert rows(data, "SELECT * FROM messages") == [], "a bill is no message"
    before = rows(data, place)[0]
    assert (before["country"], str(before["charge_time"])[:13]) == (None, "2026-11-20T13")
    sent = {"specversion": "1.0", "id": "s", "source": "/x", "type": "x.delivered", "time": "2026-11-20T12:00:00Z",
            "data": {"message_id": "m", "channel": "sms", "recipient_ref": "+447700900143", "status": "delivered",
                     "billing": {"price": {"amount": "0.01", "currency": "EUR"}}}}
    told(data, tmp_path / "sent.json", "cloudevents", sent)
    after = rows(data, place)[0]
    assert (after["country"], str(after["charge_time"])[:13]) == ("GB", "2026-11-20T12")
    amounts = rows(data, "SELECT kind, amount, messages FROM cost_windows WHERE window_s = 86400 AND messages > 0")
    costs = {row["kind"]: Decimal(str(row["amount"])) for row in amounts}
    assert costs == {"message": Decimal("0.007"), "carrier_fee": Decimal("0.003")}, "the price holds the fee"
    sendtally.call("verify", "--data", data).expect(0)


def test_a_fee_is_taken_out_of_the_price_that_it_was_told_with(data: Path, tmp_path: Path) -> None:
    """Amazon may zero the price or the fee of a later event; whatever it zeroes, neither is lost."""
    def event(message: str, kind: str, seconds: int, price: float, fee: float) -> dict[str, object]:
        return {"eventType": kind, "eventTimestamp": 1_795_176_000_000 + 1000 * seconds, "messageId": message,
                "destinationPhoneNumber": "+12025550143", "totalMessagePrice": price, "totalCarrierFee": fee}

    for number, (price, fee) in enumerate([(0.0, 0.003), (0.007, 0.0), (0.0, 0.0)]):
        message = f"m-{number}"
        told(data, tmp_path / f"{number}a.json", "aws_eum", event(message, "RCS_DELIVERED", 0, 0.007, 0.003))
        told(data, tmp_path / f"{number}b.json", "aws_eum", event(message, "RCS_READ", 9, price, fee))
    costs = rows(data, "SELECT kind, count(*) AS n, min(amount) AS low, max(amount) AS high FROM charges "
                       "GROUP BY kind ORDER BY kind")
    shown = [(row["kind"], row["n"], Decimal(str(row["low"])), Decimal(str(row["high"]))) for row in costs]
    fee, own = Decimal("0.003"), Decimal("0.007")
    assert shown == [("carrier_fee", 3, fee, fee), ("message", 3, own, own)]
    sendtally.call("verify", "--data", data).expect(0)


def test_a_whole_cost_that_telnyx_tells_again_without_its_fee_is_not_charged_twice(data: Path, tmp_path: Path) -> None:
    """The answer to a send tells both parts; webhooks and records may tell the whole alone."""
    def message(kind: str, second: int, fee: str | None) -> dict[str, object]:
        parts = {} if fee is None else {"cost_breakdown": {
            "carrier_fee": {"amount": fee, "currency": "USD"}, "rate": {"amount": "0.00400", "currency": "USD"}}}
        payload = {"id": "m-1", "record_type": "message", "direction": "outbound", "from": {"phone_number": "+12025550100"},
                   "to": [{"phone_number": "+12025550143", "status": kind}], "parts": 1,
                   "cost": {"amount": "0.0140", "currency": "USD"}, **parts}
        return {"data": {"event_type": "message.finalized", "id": f"e-{second}", "payload": payload,
                         "occurred_at": f"2026-11-20T12:00:0{second}.000Z", "record_type": "event"}}

    told(data, tmp_path / "1.json", "telnyx", message("queued", 1, "0.01000"))
    told(data, tmp_path / "2.json", "telnyx", message("sent", 2, None))
    told(data, tmp_path / "3.json", "telnyx", message("delivered", 3, None))
    found = {row["kind"]: Decimal(str(row["amount"])) for row in rows(data, "SELECT kind, amount FROM charges")}
    assert found == {"message": Decimal("0.004"), "carrier_fee": Decimal("0.01")}
    sendtally.call("verify", "--data", data).expect(0)


def birds(word: str, second: int, whole: str | None, own: str | None, fee: str | None) -> dict[str, object]:
    """An event with what is known of the price at its time."""
    cost = {"amount": whole, "currency_code": "EUR", "transaction_amount": own, "passthrough_amount": fee}
    return {"type": f"sms.{word}", "timestamp": f"2026-11-20T12:00:0{second}Z",
            "data": {"sms_id": "s1", "workspace_id": "w", "to": "+12025550143", "from": "EXAMPLE", "cost": cost}}


@pytest.mark.parametrize("told_of, own", [
    ([("0.01000", "0.01000", None), ("0.00300", None, "0.00300")], "0.01"),
    ([("0.00300", None, "0.00300"), ("0.01000", "0.01000", None)], "0.01"),
    ([(None, "0.01000", None), ("0.00300", "0.00000", "0.00300")], "0.01"),
    ([("0.01300", "0.01000", "0.00300"), ("0.01400", "0.01400", None)], "0.014"),
    ([("0.01300", "0.01000", "0.00300"), ("0.00900", "0.00900", None)], "0.009"),
    # The whole again, which holds what is no longer told.
    ([("0.01300", "0.01000", "0.00300"), ("0.01300", "0.01000", None)], "0.01"),
])
def test_a_component_that_bird_prices_alone_is_no_part_of_the_other(
        data: Path, tmp_path: Path, told_of: list[tuple[str | None, str | None, str | None]], own: str) -> None:
    for at, cost in enumerate(told_of, 1):
        told(data, tmp_path / f"{at}.json", "bird", birds("sent", at, *cost))
    found = {row["kind"]: Decimal(str(row["amount"])) for row in rows(data, "SELECT kind, amount FROM charges")}
    assert found == {"message": Decimal(own), "carrier_fee": Decimal("0.003")}
    sendtally.call("verify", "--data", data).expect(0)


def test_birds_components_count_as_of_their_event_whatever_came_last(data: Path, tmp_path: Path) -> None:
    told(data, tmp_path / "1.json", "bird", birds("accepted", 1, "0.00790", "0.00790", None))
    told(data, tmp_path / "2.json", "bird", birds("delivered", 4, "0.00990", "0.00790", "0.00200"))
    late = [birds("sent", 2, "0.00700", "0.00700", None), birds("sent", 3, "0.00870", "0.00720", "0.00150")]
    told(data, tmp_path / "3.json", "bird", late)
    found = {row["kind"]: Decimal(str(row["amount"]))
             for row in rows(data, "SELECT kind, amount FROM charges WHERE source = 'bird'")}
    assert found == {"message": Decimal("0.0079"), "carrier_fee": Decimal("0.002")}
    # A component that is not priced does not take the price away, nor does it count as zero.
    told(data, tmp_path / "4.json", "bird", birds("delivered", 5, "0.00800", "0.00800", None))
    found = {row["kind"]: Decimal(str(row["amount"]))
             for row in rows(data, "SELECT kind, amount FROM charges WHERE source = 'bird'")}
    assert found == {"message": Decimal("0.008"), "carrier_fee": Decimal("0.002")}
    sendtally.call("verify", "--data", data).expect(0)


PRICED = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "marketing"}


@pytest.mark.parametrize("told_of", [
    [("sent", 1, PRICED), ("delivered", 2, PRICED), ("failed", 6, None)],
    [("sent", 1, PRICED), ("delivered", 2, PRICED), ("failed", 2, None)],
    [("sent", 1, PRICED), ("failed", 2, None), ("delivered", 4, None)],
    [("failed", 6, None), ("delivered", 3, PRICED)],
    [("sent", 1, PRICED), ("failed", 3, None), ("read", 9, None)],
])
def test_what_reached_one_of_whatsapps_devices_is_not_free_because_another_failed(
    data: Path, tmp_path: Path, told_of: list[tuple[str, int, dict[str, object] | None]]
) -> None:
    for number, (word, second, pricing) in enumerate(told_of):
        status = {"id": "wamid.a", "status": word, "timestamp": str(1_795_176_000 + second),
                  "recipient_id": "447700900143", **({"pricing": pricing} if pricing else {})}
        told(data, tmp_path / f"{number}.json", "whatsapp", status)
    found = rows(data, "SELECT kind, basis, amount, sku FROM charges")
    assert [tuple(row.values()) for row in found] == [("message", "vendor", None, "marketing/regular")]
    sendtally.call("verify", "--data", data).expect(0)


@pytest.mark.parametrize("seconds", [(1, 3), (1, 1), (3, 1)])
def test_a_whatsapp_message_that_failed_costs_nothing(data: Path, tmp_path: Path, seconds: tuple[int, int]) -> None:
    for word, second, more in (("sent", seconds[0], {"pricing": PRICED}), ("failed", seconds[1], {})):
        status = {"id": "wamid.a", "status": word, "timestamp": str(1_795_176_000 + second),
                  "recipient_id": "447700900143", **more}
        told(data, tmp_path / f"{word}.json", "whatsapp", status)
    found = rows(data, "SELECT basis, amount, sku FROM charges")
    assert [(row["basis"], Decimal(str(row["amount"])), row["sku"]) for row in found] == [
        ("estimated", Decimal(0), "marketing/regular")]
    sendtally.call("verify", "--data", data).expect(0)


@pytest.mark.parametrize("words, basis, amount", [
    (["queued"], "estimated", "0.011"),
    (["queued", "failed"], "vendor", "0"),
    (["failed"], "vendor", "0"),
    (["queued", "sent"], "vendor", "0.011"),
    (["queued", "sent", "undelivered"], "vendor", "0.011"),
    (["queued", "sent", "delivered"], "vendor", "0.011"),
])
def test_what_failed_at_plivo_is_free_though_every_callback_has_a_price(
    data: Path, tmp_path: Path, words: list[str], basis: str, amount: str
) -> None:
    for sequence, word in enumerate(words, 1):
        place = tmp_path / f"{sequence}.txt"
        place.write_text(f"MessageUUID=aa11&Status={word}&Sequence={sequence}&To=12025550143&Units=2&TotalRate=0.0055"
                         f"&TotalAmount=0.0110&MessageTime=2026-11-20+12:00:0{sequence}")
        load(data, "plivo", place)
    found = rows(data, "SELECT kind, basis, amount FROM charges")
    assert [(row["kind"], row["basis"], Decimal(str(row["amount"]))) for row in found] == [
        ("message", basis, Decimal(amount))]
    sendtally.call("verify", "--data", data).expect(0)


def plivo(status: str, sequence: int, **more: str) -> dict[str, object]:
    """A callback of a message of two parts."""
    error = {"ErrorCode": "1000"} if status == "failed" else {}
    return {"Status": status, "From": "12025550100", "To": "447700900143", "MessageUUID": "u1", "Type": "sms",
            "Units": 2, "TotalRate": "0.0025", "TotalAmount": "0.0050", "Sequence": sequence, **error, **more}


def vonage(error_code: str, second: int, **price: str) -> dict[str, object]:
    """A row of a report."""
    row = {"account_id": "a", "message_id": "m1", "direction": "outbound", "from": "E", "to": "447700900143",
           "date_received": "2026-09-20T12:00:00+0000", "date_finalized": f"2026-09-20T12:00:0{second}+00:00",
           "status": "rejected", "error_code": error_code, "currency": "EUR", "provider": "whatsapp", **price}
    return {"records": [row]}


MDR = {"error_code": "1000", "from_number": "12025550100", "message_direction": "outbound",
       "message_state": "failed", "message_time": "2026-09-20 17:30:00+05:30", "message_type": "sms",
       "message_uuid": "u1", "resource_uri": "/v1/Account/MAEXAMPLE0000000000/Message/u1/",
       "to_number": "447700900143", "total_amount": "0.00500", "total_rate": "0.00250", "units": 2}
DONE = {"DeliveryReportTime": "2026-09-20 12:00:02"}


@pytest.mark.parametrize("source, documents, expected", [
    ("plivo", [plivo("failed", 3), MDR], ("vendor", "0")),
    ("plivo", [plivo("failed", 3, **DONE), plivo("failed", 4, **DONE)], ("vendor", "0")),
    ("plivo", [plivo("queued", 1), plivo("queued", 2), plivo("failed", 3)], ("vendor", "0")),
    ("plivo", [plivo("queued", 1, **DONE), plivo("delivered", 2, **DONE)], ("vendor", "0.005")),
    ("vonage", [vonage("", 2, estimated_price="0.051"), vonage("1360", 2, estimated_price="0.051")],
     ("estimated", "0.051")),
    ("vonage", [vonage("", 2, estimated_price="0.051"), vonage("1360", 2, estimated_price="0.051"),
                vonage("", 1, total_price="0.0333")], ("vendor", "0.0333")),
    ("vonage", [vonage("", 2, estimated_price="0.051"), vonage("", 2, total_price="0.051")],
     ("vendor", "0.051")),
])
def test_an_estimate_stands_for_the_price_of_its_own_event(
        data: Path, tmp_path: Path, source: str, documents: list[dict[str, object]],
        expected: tuple[str, str]) -> None:
    for again, order in enumerate((documents, documents[::-1])):
        place = data / str(again)
        for at, document in enumerate(order):
            told(place, tmp_path / f"{again}-{at}.json", source, document)
        [row] = rows(place, "SELECT basis, amount FROM spend")
        assert (row["basis"], Decimal(str(row["amount"]))) == (expected[0], Decimal(expected[1])), order
        sendtally.call("verify", "--data", place).expect(0)
