"""What the gateway spends on a webhook: processor time, rate, latency. One Kafka, one gateway, one vendor
on the same machine; WhatsApp statuses with their signature, checked and required.

    python tests/proof/gateway.py --binary target/release/sendtally \
        --vendor target/release/examples/webhooks --work DIR

Ends with 1 where the gateway took more than 50 us of processor time a webhook, as it tells itself in
`process_cpu_seconds_total`. That is judged from 16 connections on. Each of them has one webhook on its way
and the producer waits 5 ms for a batch, so 1 and 4 connections make no batch worth the name: a batch costs
what it costs, whatever it holds, and so few webhooks bear it alone. They are printed and not judged.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
for near in (HERE, HERE.parent / "it", HERE.parent / "servers"):
    sys.path.insert(0, str(near))

import kafka  # noqa: E402
import sendtally  # noqa: E402

BUDGET_US = 50.0
KEY, TOPIC = "app-secret", "hooks"
FEW, MANY = (1, 4), (16, 64, 256)
SECONDS = 10


def body() -> bytes:
    """A status of WhatsApp, of about 500 bytes."""
    status = {"id": "wamid.HBgLMTUwMDU1NTAwMDYVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA",
              "status": "delivered", "timestamp": "1795176000", "recipient_id": "15005550006",
              "conversation": {"id": "c" * 32, "origin": {"type": "utility"}},
              "pricing": {"billable": True, "pricing_model": "PMP", "category": "utility"}}
    value = {"messaging_product": "whatsapp",
             "metadata": {"display_phone_number": "15005550001", "phone_number_id": "1" * 15},
             "statuses": [status]}
    change = {"value": value, "field": "messages"}
    entry = {"id": "1" * 15, "changes": [change]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def configured(work: Path, brokers: str, port: int) -> Path:
    """Signatures are required; nothing else is bounded below what is measured."""
    (work / "key").write_text(KEY)
    path = work / "gateway.toml"
    path.write_text("\n".join([
        "[kafka]", f'brokers = "{brokers}"',
        "[[signatures]]", 'source = "whatsapp"', f'secret_files = ["{work / "key"}"]',
        "[gateway]", f'listen = "127.0.0.1:{port}"', f'topic = "{TOPIC}"', "rate = 1000000.0",
        "[[gateway.accounts]]", 'source = "whatsapp"', 'signatures = "require"', ""]))
    return path


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--vendor", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    chosen = parser.parse_args()
    chosen.work.mkdir(parents=True, exist_ok=True)
    os.environ["SENDTALLY_BIN"] = str(chosen.binary)
    text = body()
    (chosen.work / "body").write_bytes(text)
    signature = hmac.new(KEY.encode(), text, hashlib.sha256).hexdigest()
    worst = 0.0
    with kafka.Kafka() as node:
        node.create_topics([TOPIC], 4)
        port = kafka.free_ports(1)[0]
        config = configured(chosen.work, node.brokers, port)
        log = chosen.work / "gateway.log"
        log.unlink(missing_ok=True)
        with sendtally.running("gateway", "--config", config, log=log) as process:
            process.wait_for("the gateway listens", 60)
            for connections in FEW + MANY:
                done = subprocess.run(
                    [str(chosen.vendor), f"127.0.0.1:{port}", "/in/whatsapp/1",
                     str(chosen.work / "body"), str(SECONDS), str(connections),
                     f"x-hub-signature-256: sha256={signature}",
                     "content-type: application/json"],
                    stdout=subprocess.PIPE, text=True, check=True, timeout=SECONDS * 10)
                remark = ", no batch: not judged" if connections in FEW else ""
                print(f"{connections} connections{remark}\n{done.stdout}", flush=True)
                spent = re.search(r"processor ([0-9.]+) us", done.stdout)
                assert spent and " refused 0," in done.stdout, done.stdout
                if connections in MANY:
                    worst = max(worst, float(spent.group(1)))
    print(f"at most {worst} us a webhook from {MANY[0]} connections on, budget {BUDGET_US}: "
          + ("met" if worst <= BUDGET_US else "NOT met"))
    return 0 if worst <= BUDGET_US else 1


if __name__ == "__main__":
    sys.exit(main())
