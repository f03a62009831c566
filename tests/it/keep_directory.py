"""Makes a directory that `test_format.py` keeps, with a program that writes its format:

    SENDTALLY_BIN=old/sendtally python tests/it/keep_directory.py 3

The traffic of `scenarios/horizon.yaml`, five days of it, and messages whose charges some formats
count by a rule of their own (`odd_prices`), in order of receipt: six parts are loaded one after the
other, the seventh is `format-N.next.jsonl`.
"""

from __future__ import annotations

import json
import sys
import tarfile
import tempfile
from pathlib import Path
from urllib.parse import urlencode

import sendtally

KEPT = sendtally.ROOT / "fixtures" / "directories"
N_PARTS = 7
Record = dict[str, object]


def told(source: str, at: str, value: object, **headers: str) -> Record:
    """A record as `--records` takes it; `at` is day and time of March 2026."""
    text = value if isinstance(value, str) else json.dumps(value)
    return {"headers": {"source": source, "received-at": f"2026-03-{at}Z", **headers}, "value": text}


def own(name: str, status: str, at: str, price: tuple[str, str | None], *, dated: bool = True) -> Record:
    """An event of an own app, with its price."""
    amount = {"amount": price[0]} | ({"currency": price[1]} if price[1] else {})
    data = {"message_id": name, "channel": "inapp", "status": status, "recipient_ref": "user-1",
            "billing": {"units": 1, "unit": "Messages", "price": amount}}
    if not dated:
        return told("cloudevents", at, data, account="/apps/odd")
    event = {"specversion": "1.0", "id": f"{name}-{status}", "source": "/apps/odd", "type": "com.example.message",
             "time": f"2026-03-{at}Z", "data": data}
    return told("cloudevents", at, event)


def plivo(number: int, status: str, at: str, **prices: str) -> Record:
    """A callback whose price is of the message, of a segment, or of both."""
    stamp = at.replace("T", " ")
    uuid = f"00000000-0000-4000-8000-{number:012}"
    form = {"Status": status, "From": "12025550100", "To": "447700900143", "MessageUUID": uuid,
            "ParentMessageUUID": uuid, "PartInfo": "1 of 1", "Type": "sms", "Units": "3", **prices,
            "MCC": "234", "MNC": "010", "MessageTime": f"2026-03-{stamp}",
            {"sent": "SentTime", "queued": "QueuedTime"}.get(status, "DeliveryReportTime"): f"2026-03-{stamp}"}
    return told("plivo", at, urlencode(form), **{"content-type": "application/x-www-form-urlencoded"})


def telnyx(day: int) -> Record:
    """A receipt that tells the carrier's fee beside the price: a line of a bill since format 4."""
    text = (sendtally.ROOT / "fixtures" / "telnyx" / "webhook_finalized.json").read_text()
    event = json.loads(text.replace("2026-11-20T12", f"2026-03-{day:02}T15"))
    event["data"]["payload"]["id"] = f"00000000-0000-4000-8000-{day:012}"
    event["data"]["id"] = f"10000000-0000-4000-8000-{day:012}"
    return told("telnyx", f"{day:02}T15:00:04", event, **{"content-type": "application/json"})


def odd_prices() -> list[Record]:
    """Zeros with and without a currency, prices of a message and of its segments, fees: revised by
    the last part, told again by it, and left alone. The last part begins on the 7th, after 16:00."""
    records = []
    for day in (3, 6, 7):
        at = f"{day:02}T1"
        for name, currency in (("free", None), ("free-eur", "EUR")):
            for what in ("left", "read", "again", "paid"):
                records.append(own(f"{name}-{day}-{what}", "delivered", f"{at}2:00:0{len(what)}", ("0", currency)))
            again, paid = f"{name}-{day}-again", f"{name}-{day}-paid"
            records.append(own(f"{name}-{day}-read", "read", "08T18:00:00", ("0", currency)))
            records.append(own(again, "delivered", f"{at}2:00:05", ("0", currency)) | {"late": True})
            records.append(own(paid, "read", "08T18:00:01", ("0.02", "USD")))
        records += [telnyx(day), telnyx(day) | {"late": True}]
        records.append(own(f"undated-{day}", "sent", f"{at}3:00:09", ("0", None), dated=False))
        earlier = own(f"undated-{day}", "sent", f"{at}3:00:01", ("0", None), dated=False)
        records.append(earlier | {"late": True})
        for number, what in enumerate(("left", "sent", "again", "delivered"), day * 10):
            both = {"TotalRate": "0.0025", "TotalAmount": "0.0080"}
            records.append(plivo(number, "queued", f"{at}4:00:00", TotalRate="0.0025"))
            records.append(plivo(number, "sent", f"{at}4:00:02", **both))
            if what == "again":
                records.append(plivo(number, "sent", f"{at}4:00:02", **both) | {"late": True})
            elif what != "left":
                price = {"TotalRate": "0.0030"} if what == "sent" else {"TotalAmount": "0.0090"}
                records.append(plivo(number, "delivered", "08T18:10:00", **price))
    return records


def received(record: Record) -> str:
    """By what records are ordered; `late` ones come in the last part."""
    headers = record["headers"]
    assert isinstance(headers, dict)
    return "9" if record.get("late") else str(headers["received-at"])


def main(number: str) -> None:
    """The directory and what is loaded after it."""
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        scenario = sendtally.ROOT / "tests" / "scenarios" / "horizon.yaml"
        simulated = ("--seed", "3", "--rate", "0.0016", "--events", "560", "--out", work / "sim")
        sendtally.call("simulate", "--scenario", scenario, *simulated).expect(0)
        lines = [line for path in sorted((work / "sim" / "records").iterdir()) for line in path.open()]
        records = sorted([json.loads(line) for line in lines] + odd_prices(), key=received)
        size = -(-len(records) // N_PARTS)
        for part in range(N_PARTS):
            last = part == N_PARTS - 1
            path = KEPT / f"format-{number}.next.jsonl" if last else work / f"{part}.jsonl"
            own = [{"headers": one["headers"], "value": one["value"]}
                   for one in records[part * size : (part + 1) * size]]
            path.write_text("".join(json.dumps(one) + "\n" for one in own))
            if not last:
                sendtally.call("load", "--records", path, "--data", work / "data").expect(0)
        with tarfile.open(KEPT / f"format-{number}.tar.xz", "w:xz", preset=9) as archive:
            archive.add(work / "data", "data")


if __name__ == "__main__":
    main(sys.argv[1])
