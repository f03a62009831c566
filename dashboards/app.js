// The page of Sendtally: asks /readyz, /v1/windows and /v1/alerts every 2 s and draws what they
// say. Whatever comes from the server becomes text (textContent), never markup.
"use strict";

const POLL_MS = 2000;
const TIMEOUT_MS = 12000;
const RECENT_ROWS = 30;
const MINUTE_MS = 60000;
const MATURE = 0.99;
const ROWS_MAX = 10000;
const byId = (id) => document.getElementById(id);

// What is known: the cursor of the alert log, its newest rows, and when the server last spoke.
const known = { cursor: null, recent: [], spoke: null, seen: { channels: "", active: "" } };

// ---- asking ------------------------------------------------------------------------------------

async function ask(path, alsoOk) {
  const response = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store" });
  if (!response.ok && response.status !== alsoOk) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

async function poll() {
  try {
    const ready = await ask("/readyz", 503);
    known.spoke = Date.now();
    if (!("ready" in ready)) throw new Error(ready.error ? ready.error.message : "no readiness");
    drawHeader(ready);
    const [windows, active] =
      await Promise.all([askWindows(ready.watermark), ask("/v1/alerts/active"), askRecent()]);
    drawCarriers(windows);
    drawActive(active.alerts, ready.watermark !== null);
    drawRecent(ready.watermark !== null);
    document.body.classList.remove("stale");
  } catch (error) {
    drawLost(error);
  }
  setTimeout(poll, POLL_MS);
}

function askWindows(watermark) {
  const query = new URLSearchParams({ window_s: "60", limit: String(ROWS_MAX) });
  if (watermark !== null) {
    const newest = Math.floor(Date.parse(watermark) / MINUTE_MS) * MINUTE_MS;
    const from = newest - (Number(byId("minutes").value) - 1) * MINUTE_MS;
    query.set("from", new Date(from).toISOString());
  }
  return ask(`/v1/windows?${query}`);
}

async function askRecent() {
  if (known.cursor === null) {
    const first = await ask("/v1/alerts?limit=1");
    known.cursor = Math.max(0, first.head - RECENT_ROWS);
  }
  const answer = await ask(`/v1/alerts?after=${known.cursor}&limit=1000`);
  if (answer.head < known.cursor) { // another data directory answers now
    known.cursor = null;
    known.recent = [];
    return;
  }
  known.cursor = answer.next;
  known.recent = known.recent.concat(answer.alerts).slice(-RECENT_ROWS);
}

// ---- sums over series --------------------------------------------------------------------------

function bySeries(rows) {
  const groups = new Map();
  for (const row of rows) {
    const key = JSON.stringify([row.channel, row.carrier]);
    if (!groups.has(key)) groups.set(key, { channel: row.channel, carrier: row.carrier, rows: [] });
    groups.get(key).rows.push(row);
  }
  const order = (a, b) => a.channel.localeCompare(b.channel)
    || (a.carrier === null) - (b.carrier === null)
    || String(a.carrier).localeCompare(String(b.carrier));
  return [...groups.values()].sort(order);
}

const sum = (rows, name) => rows.reduce((total, row) => total + row[name], 0);

// Null where no receipt of these series proves anything, or nothing is left to divide by.
function rate(rows, name, rateName) {
  const proven = rows.filter((row) => row[rateName] !== null);
  const base = sum(proven, "total") - sum(proven, "canceled");
  return base > 0 ? sum(proven, name) / base : null;
}

function maturity(rows) {
  const total = sum(rows, "total");
  return total > 0 ? 1 - sum(rows, "pending") / total : null;
}

// A percentile of one row is exact. Of several it is estimated: the rows' distributions, each a
// line through its three percentiles, are added up, and the sum is searched for the share.
function percentile(rows, share, name) {
  const told = rows.filter((row) => row.latency_n > 0 && row[name] !== null);
  if (told.length === 0) return null;
  const values = told.map((row) => row[name]);
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const range = [low, high];
  if (told.length === 1 || low === high) return { ms: low, range, exact: told.length === 1 };
  const wanted = share * sum(told, "latency_n");
  for (let step = 0; step < 40; step += 1) {
    const middle = (low + high) / 2;
    const below = told.reduce((n, row) => n + row.latency_n * shareBelow(row, middle), 0);
    if (below < wanted) low = middle; else high = middle;
  }
  return { ms: high, range, exact: false };
}

function shareBelow(row, ms) {
  let [x, y] = [0, 0];
  for (const [nextX, nextY] of [[row.p50_ms, 0.5], [row.p95_ms, 0.95], [row.p99_ms, 0.99]]) {
    if (ms < nextX) return y + (nextY - y) * (ms - x) / (nextX - x);
    [x, y] = [nextX, nextY];
  }
  return ms > x ? 1 : y;
}

// ---- words -------------------------------------------------------------------------------------

const count = (n) => n.toLocaleString("en");
// Cut, not rounded: 99.999 % is not 100 %.
const percent = (part, digits = 1) =>
  part === null ? "–" : `${(Math.floor(part * 100 * 10 ** digits + 1e-9) / 10 ** digits).toFixed(digits)} %`;

function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 100 * 1000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 100 * MINUTE_MS) return `${(ms / MINUTE_MS).toFixed(1)} min`;
  if (ms < 48 * 60 * MINUTE_MS) return `${(ms / 60 / MINUTE_MS).toFixed(1)} h`;
  return `${(ms / 1440 / MINUTE_MS).toFixed(1)} d`;
}

const clock = (text) => `${text.slice(11, 19)}Z`;
const today = (text) => (new Date().toISOString().startsWith(text.slice(0, 10)) ? "" : `${text.slice(0, 10)} `);

// ---- drawing -----------------------------------------------------------------------------------

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function say(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

function state(text, className) {
  say("state", text);
  byId("state").className = `pill ${className}`;
}

function drawHeader(ready) {
  const told = ready.watermark !== null;
  if (!ready.ready) state("not ready", "bad");
  else if (!told) state("ready, no data yet", "waiting");
  else state("ready", "good");
  say("watermark", told ? duration(Math.max(0, Date.now() - Date.parse(ready.watermark))) : "no data yet");
  say("complete", ready.complete_through === null ? "–"
    : today(ready.complete_through) + clock(ready.complete_through));
  say("maturity", percent(ready.maturity));
  byId("reasons").hidden = ready.reasons.length === 0;
  byId("reasons").replaceChildren(...ready.reasons.map((reason) => make("li", reason)));
}

function drawLost(error) {
  const told = known.spoke === null ? "no answer yet" : `last answer at ${clock(new Date(known.spoke).toISOString())}`;
  state(error instanceof TypeError || error.name === "TimeoutError"
    ? `connection lost, ${told}` : `no answer: ${error.message}`, "bad");
  document.body.classList.add("stale");
}

function drawCarriers(answer) {
  drawChannels(answer.windows);
  const wanted = byId("channel").value;
  const rows = answer.windows.filter((row) => wanted === "" || row.channel === wanted);
  byId("rows").replaceChildren(...bySeries(rows).map(carrierRow));
  byId("rows-none").hidden = rows.length > 0;
  byId("rows").closest(".scroll").hidden = rows.length === 0;
  say("rows-none", answer.watermark === null ? "No data yet." : "No messages in these minutes.");
  byId("truncated").hidden = !answer.truncated;
}

function drawChannels(rows) {
  const select = byId("channel");
  const chosen = select.value;
  const names = new Set(rows.map((row) => row.channel));
  if (chosen !== "") names.add(chosen);
  const channels = [...names].sort();
  if (known.seen.channels === channels.join()) return;
  known.seen.channels = channels.join();
  const options = ["", ...channels].map((name) => {
    const option = make("option", name || "all");
    option.value = name;
    return option;
  });
  select.replaceChildren(...options);
  select.value = chosen;
}

function carrierRow(group) {
  const { rows } = group;
  const row = make("tr");
  row.append(make("td", group.channel), carrierCell(group.carrier));
  for (const name of ["total", "delivered", "failed", "pending"]) {
    row.append(make("td", count(sum(rows, name)), "n"));
  }
  const spark = make("td");
  spark.append(sparkline(rows));
  const errors = rate(rows, "failed", "error_rate");
  row.append(rateCell(rate(rows, "delivered", "delivery_rate")), spark);
  row.append(make("td", percent(errors, 2), errors > 0.05 ? "n alarm" : "n"));
  for (const [share, name] of [[0.5, "p50_ms"], [0.95, "p95_ms"], [0.99, "p99_ms"]]) {
    row.append(percentileCell(percentile(rows, share, name)));
  }
  row.append(make("td", percent(maturity(rows)), "n"));
  return row;
}

function carrierCell(carrier) {
  const other = carrier === "__other__";
  const word = carrier === null ? "not told" : other ? "all others" : carrier;
  const cell = make("th", word, carrier === null || other ? "untold" : "");
  cell.scope = "row";
  return cell;
}

function rateCell(part) {
  const cell = make("td");
  if (part === null) {
    cell.append(make("span", "no receipts", "untold"));
    return cell;
  }
  const box = make("div", undefined, "rate");
  const track = make("span", undefined, "track");
  const bar = make("i");
  bar.style.width = `${Math.max(0, Math.min(1, part)) * 100}%`;
  track.append(bar);
  track.setAttribute("aria-hidden", "true");
  box.append(make("span", percent(part)), track);
  cell.append(box);
  return cell;
}

function percentileCell(told) {
  if (told === null) return make("td", "–", "n");
  const cell = make("td", (told.exact ? "" : "≈ ") + duration(told.ms), "n");
  if (!told.exact) cell.title = `between ${duration(told.range[0])} and ${duration(told.range[1])}`;
  return cell;
}

// Delivery rate by minute; solid where mature, dotted where messages are still pending.
function sparkline(rows) {
  const [width, height] = [120, 24];
  const minutes = new Map();
  for (const row of rows) {
    if (!minutes.has(row.window_start)) minutes.set(row.window_start, []);
    minutes.get(row.window_start).push(row);
  }
  const points = [...minutes.entries()]
    .map(([start, of]) => ({
      time: Date.parse(start), part: rate(of, "delivered", "delivery_rate"), mature: maturity(of) >= MATURE,
    }))
    .filter((point) => point.part !== null)
    .sort((a, b) => a.time - b.time);
  const chart = svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, role: "img" });
  if (points.length === 0) {
    chart.setAttribute("aria-label", "no rates");
    return chart;
  }
  const span = (Number(byId("minutes").value) - 1) * MINUTE_MS;
  const end = points[points.length - 1].time;
  const x = (point) => width - ((end - point.time) / span) * width;
  const y = (point) => height - 1 - point.part * (height - 2);
  const line = (some) => some.map((point) => `${x(point).toFixed(1)},${y(point).toFixed(1)}`).join(" ");
  const young = points.findIndex((point) => !point.mature);
  const solid = young < 0 ? points : points.slice(0, Math.max(young, 0));
  chart.append(svg("polyline", { points: line(solid) }));
  if (young >= 0) {
    chart.append(svg("polyline", { points: line(points.slice(Math.max(0, young - 1))), class: "young" }));
  }
  const last = points[points.length - 1];
  chart.append(svg("circle", { cx: x(last), cy: y(last), r: 1.8 }));
  const parts = points.map((point) => point.part);
  chart.setAttribute("aria-label",
    `delivery rate by minute, ${percent(Math.min(...parts))} to ${percent(Math.max(...parts))}`);
  return chart;
}

function svg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function drawActive(alerts, anyData) {
  const order = (a, b) => (a.to_state === "pending") - (b.to_state === "pending")
    || a.event_time.localeCompare(b.event_time) || a.seq - b.seq;
  const sorted = [...alerts].sort(order);
  byId("active-none").hidden = sorted.length > 0;
  say("active-none", anyData ? "None. Nothing is pending or firing." : "No data yet.");
  const firing = sorted.filter((alert) => alert.to_state === "firing").length;
  say("active-count", `${firing} firing, ${sorted.length - firing} pending`);
  document.title = firing > 0 ? `(${firing}) Sendtally` : "Sendtally";
  const seen = sorted.map((alert) => alert.seq).join();
  if (known.seen.active === seen) return;
  known.seen.active = seen;
  byId("active").replaceChildren(...sorted.map(activeItem));
}

function activeItem(alert) {
  const item = make("li", undefined, alert.to_state === "firing" ? "firing" : "pending");
  item.append(make("span", alert.to_state, "word"),
    make("span", `${alert.objective} · ${alert.tier} · ${alert.series}`),
    when("since ", alert.event_time), make("span", alert.reason, "why"));
  return item;
}

function when(prefix, text) {
  const time = make("time", prefix + today(text) + clock(text));
  time.dateTime = text;
  return time;
}

function drawRecent(anyData) {
  const rows = [...known.recent].reverse();
  byId("recent-none").hidden = rows.length > 0;
  say("recent-none", anyData ? "None yet." : "No data yet.");
  const newest = rows.length > 0 ? String(rows[0].seq) : "";
  if (byId("recent").dataset.newest === newest) return;
  byId("recent").dataset.newest = newest;
  byId("recent").replaceChildren(...rows.map((row) => {
    const item = make("li");
    item.append(when("", row.event_time), make("span", `${row.from_state} → ${row.to_state}`),
      make("span", `${row.objective} · ${row.tier} · ${row.series}: ${row.reason}`));
    return item;
  }));
}

poll();
