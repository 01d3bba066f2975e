// The pages: each makes its elements once, and takes the documents that the stream brings.
import { age, badge, card, clock, fill, h, sign, toast } from "./dom.js";
import { ask, story, ticket } from "./dialogs.js";
import { Table } from "./table.js";
import { Failed, get, post } from "./net.js";

const stateBadge = (row) => badge(row.state, row.ok ? "good" : "bad");
const withUnit = (value, unit) => (value === "" || value === null || value === undefined ? "–" : h("span", {}, String(value), unit ? h("small", {}, ` ${unit}`) : null));
const amount = (key, title, unit = "unit") => ({ key, title, number: true, cell: (row) => withUnit(row[key], row[unit]) });
const num = (key, title, unit = "") => ({ key, title: unit ? `${title} (${unit})` : title, number: true });
const money = (key, title, currency) => ({ key, title: `${title} (${currency})`, number: true, kind: (row) => sign(row[key]) });

export function overview(me) {
  const tiles = h("div", { class: "tiles" });
  const sessions = new Table([
    { key: "name", title: "Session" }, { key: "state", title: "State", cell: stateBadge }, { key: "words", title: "In words" },
    { key: "heard_ms", title: "Last heard", number: true, cell: (r) => (r.heard_ms === null || r.heard_ms === undefined ? "–" : age(r.heard_ms)) },
    num("logons", "Logons"), num("ack_p50_ms", "Acknowledged p50", "ms"), num("ack_p99_ms", "p99", "ms"),
  ], { key: (r) => r.name, empty: "no session answered yet" });
  const strategies = new Table([
    { key: "name", title: "Strategy" }, { key: "state", title: "State", cell: stateBadge }, num("open", "Open orders"),
    num("sent", "Sent"), { ...num("refused", "Refused"), kind: (r) => (r.refused ? "warn" : "") }, num("fills", "Fills"),
    { key: "last_refusal", title: "Last refusal", cell: (r) => (r.last_refusal ? `${clock(r.refused_ms)} ${r.last_refusal}` : "–") },
    { key: "raising", title: "Raising", kind: (r) => (r.raising ? "bad" : "") },
  ], { key: (r) => r.name, empty: "no strategy" });
  const rest = new Table([
    { key: "name", title: "REST side" }, { key: "state", title: "State", cell: stateBadge }, num("asked", "Asked"),
    { ...num("failed", "Failed"), kind: (r) => (r.failed ? "warn" : "") }, { key: "last_error", title: "Last error" },
  ], { key: (r) => r.name, empty: "no account has a REST side" });
  const actors = new Table([
    { key: "name", title: "Process" }, { key: "state", title: "State", cell: stateBadge }, num("restarts", "Restarts"),
    { key: "last_exit", title: "Last exit" }, { key: "uptime_s", title: "Up for", number: true,
      cell: (r) => (r.uptime_s === null ? "–" : age(r.uptime_s * 1000)) }, num("memory_mb", "Memory", "MB"), num("pid", "Process id"),
  ], { key: (r) => r.name, empty: "nobody was asked yet" });
  const profit = profitTable("by_strategy", "Strategy");
  const since = h("p", { class: "quiet" });
  const troubles = h("div");
  const element = h("div", {}, tiles, troubles,
    card("Sessions", sessions.element), h("div", { class: "columns" }, card("Strategies", strategies.element, since),
      card("Profit", profit.element)), h("div", { class: "columns" }, card("Processes", actors.element), card("REST", rest.element)));
  const take = (it) => {
    const orders = it.orders, total = it.profit.total, currency = it.profit.currency;
    fill(troubles, it.head.troubles.length || it.head.alerts.length ? card("What is wrong", h("ul", { class: "troubles" },
      it.head.troubles.map((each) => h("li", {}, h("b", {}, each.who), " ", each.text)),
      it.head.alerts.map((each) => h("li", { class: each.severity === "critical" ? "" : "warn" }, h("b", {}, each.subject || each.who), " ", each.text || "", handledBy(each),
        each.mend ? h("div", { class: "quiet" }, each.mend) : null)))) : null);
    fill(tiles,
      tile("Open orders", orders.open, "orders"),
      tile("UNKNOWN", orders.unknown, orders.unknown ? `oldest ${orders.oldest_unknown}, ${age(orders.oldest_unknown_s * 1000)}` : "orders", orders.unknown ? "bad" : ""),
      tile(it.profit.day ? "Profit today" : "Profit", total.today || total.net || "0.00", currency, sign(total.today || total.net || "0") === "bad" ? "loss" : ""),
      tile("Sessions up", `${it.sessions.filter((row) => row.ok).length} of ${it.sessions.length}`, "sessions", it.sessions.every((row) => row.ok) ? "" : "bad"),
      tile("Last operator's act", it.last_act ? `${it.last_act.act} ${it.last_act.text}`.trim() : "none", it.last_act ? `${it.last_act.by}, ${it.last_act.actor}, ${clock(it.last_act.time_ms)} UTC` : "since the desk began to read"),
      it.head.killed ? h("div", { class: "tile bad" }, h("span", {}, "Kill switch"), h("strong", {}, "LATCHED"),
        "resume" in me.acts ? h("button", { onclick: () => ask("Resume trading", `Take the latch off everywhere, in ${me.environment}.`, "resume", {}, { typed: me.acts.resume }) }, "Resume ...") : null) : null);
    since.textContent = `Commands, fills and latencies counted since ${clock(it.since_ms)} UTC, when the desk began to read.`;
    sessions.set(it.sessions);
    strategies.set(it.strategies);
    rest.set(it.rest);
    actors.set(it.actors);
    profit.set([...it.profit.by_strategy, it.profit.total], it.profit);
  };
  return { element, take };
}

function handledBy(alert) {
  const word = alert.silenced || alert.acknowledged;
  return word ? h("em", {}, ` (${alert.silenced ? "silenced" : "acknowledged"} by ${word.by}: ${word.why})`) : null;
}

function tile(title, value, unit, kind = "") {
  return h("div", { class: `tile ${kind}` }, h("span", {}, title), h("strong", {}, String(value)), h("small", {}, unit));
}

function profitTable(_key, title) {
  const element = h("div");
  let table = null;
  const set = (rows, it) => {
    if (!table) {
      const currency = it.currency;
      table = new Table([{ key: "name", title }, money("realised", "Realised", currency), money("unrealised", "Unrealised", currency),
        { key: "fees", title: `Fees (${currency})`, number: true }, money("net", "Net", currency), money("today", "Today", currency)],
      { key: (r) => r.name, empty: "no fill yet" });
    }
    table.set(rows);
    const total = it.total || {};
    fill(element, table.element, [...(total.lacks || [])].map((text) => h("p", { class: "warn" }, `not in it: ${text}`)),
      [...(total.stale || [])].map((text) => h("p", { class: "warn" }, `stale: ${text}`)),
      total.undated && total.undated.length ? h("p", { class: "quiet" }, `Fees paid in ${total.undated.join(", ")} are in part at the rate of now: the journal has none of the fills' time.`) : null);
  };
  return { element, set };
}

export function orders(me) {
  const filter = h("input", { type: "search", placeholder: "Filter (/)", id: "filter", "aria-label": "Filter" });
  const which = h("select", { "aria-label": "Which orders" }, ["open", "closed", "all"].map((each) => h("option", {}, each)));
  const table = new Table([
    { key: "sent_ms", title: "Sent (UTC)", cell: (r) => clock(r.sent_ms) }, { key: "name", title: "Order" },
    { key: "status", title: "Status", cell: (r) => badge(r.status, r.unknown ? "bad" : r.status.startsWith("PENDING") ? "warn" : r.open ? "good" : "plain") },
    { key: "venue", title: "Venue" }, { key: "symbol", title: "Symbol" }, { key: "side", title: "Side", kind: (r) => r.side },
    { key: "type", title: "Type", minor: true, cell: (r) => `${r.type} ${r.tif}` }, amount("qty", "Quantity"), amount("filled", "Filled"),
    { ...num("price", "Price"), cell: (r) => withUnit((r.price || "market") + (r.stop ? ` stop ${r.stop}` : ""), r.price ? r.quote : "") },
    { ...amount("average", "Average", "quote"), minor: true }, { key: "list", title: "List", minor: true }, { key: "label", title: "Label", minor: true }, { key: "text", title: "Why", minor: true },
  ], { key: (r) => r.name, open: (row) => story(row.name, me, row), sort: { key: "sent_ms", down: true }, empty: "no such order" });
  const only = () => {
    table.only = { open: (row) => row.open, closed: (row) => !row.open, all: () => true }[which.value];
    table.draw();
  };
  which.addEventListener("change", only);
  filter.addEventListener("input", () => { table.filter = filter.value; table.draw(); });
  only();
  const note = h("p", { class: "warn" });
  const counted = h("span", { class: "quiet" });
  const buttons = [h("a", { class: "button", href: "/api/orders.csv", download: "orders.csv" }, "CSV")];
  if ("new" in me.acts) buttons.push(h("button", { class: "primary", onclick: () => ticket(me) }, "New order (n)"));
  if ("cancel-all" in me.acts) {
    buttons.push(h("button", { onclick: () => ask("Cancel all my orders", `All open orders of ${me.strategy}.`, "cancel-all", {}) }, "Cancel mine"));
    if (me.role === "operator") buttons.push(h("button", { class: "kill", onclick: () => ask("Cancel everybody's orders",
      "Every open order of every strategy. What is sent afterwards is not held back: that is the kill.", "cancel-all", { strategy: "*" }) }, "Cancel everybody's"));
  }
  const element = h("div", {}, h("div", { class: "bar" }, which, filter, counted, h("span", { class: "room" }), buttons), note, table.element);
  let known = new Map();
  const take = (it) => {
    if (it.rows) {
      table.set(it.rows);
      fill(note, it.hidden ? `${it.hidden} open orders are older and not shown here. ` : "",
        it.external.map((each) => h("div", {}, `not ours: ${each.account} ${each.symbol} ${each.qty} at ${each.price}, OrderID(37) ${each.order_id}`)));
    } else if (it.changed.length) table.update(it.changed);
    known = table.rows;
    if (known.size > 3000) for (const [name, row] of known) if (known.size > 2000 && !row.open) known.delete(name);
    counted.textContent = `${[...known.values()].filter((row) => row.open).length} open`;
  };
  return { element, take, shortcut: (key) => (key === "n" && "new" in me.acts ? ticket(me) : null) };
}

export function positions() {
  const by = Object.fromEntries([["by_strategy", "Strategy"], ["by_venue", "Venue"], ["by_symbol", "Symbol"]].map(([key, title]) => [key, profitTable(key, title)]));
  const plot = h("div", { class: "plot" });
  const since = h("p", { class: "quiet" });
  let chart = null, parts = null;
  const table = h("div");
  const element = h("div", {}, card("Profit over the day", plot, since), card("Positions", table, h("p", {}, h("a", { class: "button", href: "/api/trades.csv", download: "trades.csv" }, "Today's trades as CSV"))),
    h("div", { class: "columns" }, card("By strategy", by.by_strategy.element), card("By venue", by.by_venue.element), card("By symbol", by.by_symbol.element)));
  const take = (it) => {
    const currency = it.profit.currency;
    for (const key of Object.keys(by)) by[key].set([...it.profit[key], it.profit.total], it.profit);
    parts = parts || new Table([
      { key: "name", title: "Strategy" }, { key: "venue", title: "Venue" }, { key: "symbol", title: "Symbol" }, amount("quantity", "Position"),
      amount("average", "Average price", "quote"), { ...amount("price", "Price", "quote"), kind: (r) => (r.price_stale ? "warn" : "") },
      { key: "age_ms", title: "Price age", number: true, cell: (r) => (r.age_ms === null ? "no price" : age(r.age_ms) + (r.price_stale ? ", stale" : "")), kind: (r) => (r.price_stale ? "warn" : "") },
      money("realised", "Realised", currency), money("unrealised", "Unrealised", currency), { key: "fees_paid", title: "Fees paid" }, money("net", "Net", currency), money("today", "Today", currency),
    ], { key: (r) => `${r.name} ${r.account} ${r.symbol}`, empty: "nothing is held and nothing was filled" });
    parts.set(it.profit.parts);
    if (!table.firstChild) table.append(parts.element);
    chart = drawn(chart, plot, it.samples, currency);
    since.textContent = it.samples.length > 1
      ? `Net profit ${it.profit.day ? `of the day ${it.profit.day}` : "since the beginning"} in ${currency}, once a minute.`
        + (it.before ? ` Before ${clock(it.began_ms)} UTC, when this desk began, from the journal: positions at the last price of a fill, since it has no market prices.`
          : it.before_text ? ` What was before ${clock(it.began_ms)} UTC could not be had: ${it.before_text}` : "")
      : "A chart needs two points: they come within two minutes.";
  };
  return { element, take };
}

function drawn(chart, plot, samples, currency) {
  const names = [...new Set(samples.flatMap((sample) => Object.keys(sample)))].filter((name) => name !== "time_ms");
  const data = [samples.map((sample) => sample.time_ms / 1000), ...names.map((name) => samples.map((sample) => (sample[name] === undefined ? null : Number(sample[name]))))];
  const mark = names.join();
  if (chart && chart.mark === mark) {
    chart.plot.setData(data);
    return chart;
  }
  plot.replaceChildren();
  if (samples.length < 2) return null;
  // Neither green nor red, which are gain and loss everywhere else; the total is in the ink of the page.
  const colours = ["#4c8dff", "#e6a23c", "#b37feb", "#36cfc9", "#d48bc2", "#8fa3bf"];
  const bold = getComputedStyle(document.body).getPropertyValue("--ink").trim();
  const ink = getComputedStyle(document.body).getPropertyValue("--quiet").trim();
  const grid = { stroke: getComputedStyle(document.body).getPropertyValue("--line").trim(), width: 1 };
  const made = new window.uPlot({
    width: Math.max(260, plot.clientWidth || 600), height: 220, tzDate: (time) => window.uPlot.tzDate(new Date(time * 1e3), "UTC"),
    axes: [{ stroke: ink, grid, values: (_plot, ticks) => ticks.map((tick) => clock(tick * 1000)) }, { stroke: ink, grid, size: 70, label: currency, labelSize: 20 }],
    series: [{ label: "UTC", value: (_plot, time) => (time ? clock(time * 1000) : "–") }, ...names.map((name, nth) => ({ label: name, stroke: name === "total" ? bold : colours[nth % colours.length], width: name === "total" ? 3 : 1.5, points: { show: samples.length < 3 } }))],
  }, data, plot);
  new ResizeObserver(() => made.setSize({ width: Math.max(260, plot.clientWidth), height: 220 })).observe(plot);
  return { plot: made, mark };
}

export function risk(me) {
  const halts = h("div");
  const limits = new Table([
    { key: "who", title: "Whose" }, { key: "what", title: "Limit" },
    { key: "share", title: "Use", number: true, cell: (r) => h("span", { class: "use" }, h("meter", { min: 0, max: 1, low: 0.7, high: 0.9, optimum: 0, value: Math.min(1, r.share) }), ` ${(r.share * 100).toFixed(1)} %`) },
    num("used", "Used"), num("limit", "Limit"), { key: "unit", title: "Unit" },
  ], { key: (r) => `${r.who} ${r.what}`, sort: { key: "share", down: true }, empty: "risk did not answer" });
  const counts = new Table([{ key: "what", title: "Passed or refused since risk's start" }, num("count", "Commands")], { key: (r) => r.what, sort: { key: "count", down: true } });
  const exposures = new Table([{ key: "account", title: "Account" }, { key: "symbol", title: "Symbol" }, num("position", "Position"), num("worst_long", "Worst long"),
    num("worst_short", "Worst short"), num("limit", "Limit"), num("reference", "Reference"),
    { key: "reference_age_ms", title: "Its age", number: true, cell: (r) => (r.reference ? age(r.reference_age_ms) : "no price"), kind: (r) => (!r.reference || r.reference_age_ms > r.reference_max_age_ms ? "warn" : "") },
  ], { key: (r) => `${r.account} ${r.symbol}` });
  const element = h("div", {}, card("Halts", halts), card("Limits", limits.element), card("Exposure", exposures.element), card("Counts", counts.element));
  let told = "";
  const take = (it) => {
    limits.set(it.limits);
    exposures.set(it.exposures);
    counts.set(Object.entries(it.counts).map(([what, count]) => ({ what, count })));
    const mark = JSON.stringify([it.halts, it.answers, it.state]);
    if (mark === told) return;
    told = mark;
    const scope = (text) => ({ scope: text.split(" ")[0], name: text.split(" ").slice(1).join(" ") });
    fill(halts, it.answers ? null : h("p", { class: "bad" }, `risk: ${it.state}`),
      it.halts.length ? it.halts.map((text) => h("p", { class: "bad" }, `HALTED: ${text} `, "unhalt" in me.acts
        ? h("button", { onclick: () => ask("End the halt", `Halted: ${text}.`, "unhalt", scope(text), { typed: me.acts.unhalt }) }, "End the halt ...") : null))
        : h("p", { class: "quiet" }, "Nothing is halted."),
      "halt" in me.acts ? haltForm(me) : null);
  };
  return { element, take };
}

function haltForm(me) {
  const scope = h("select", { "aria-label": "Scope" }, ["firm", "venue", "account", "strategy", "symbol"].map((each) => h("option", {}, each)));
  const name = h("input", { placeholder: "name (none for firm)", "aria-label": "Name" });
  return h("form", { class: "bar", onsubmit: (event) => {
    event.preventDefault();
    ask("Halt", `Refuse what adds risk: ${scope.value} ${name.value}. Nothing is cancelled.`, "halt", { scope: scope.value, name: name.value });
  } }, scope, name, h("button", {}, "Halt"), h("span", { class: "quiet" }, `in ${me.environment}`));
}

export function sessions(me) {
  let chosen = "";
  const messages = h("div");
  const table = new Table([
    { key: "name", title: "Session" }, { key: "state", title: "State", cell: stateBadge }, { key: "words", title: "In words" },
    { key: "by_hand", title: "By hand", cell: (r) => (r.by_hand && "logon" in me.acts ? byHand(me, r.name.split("@")[1]) : "–") },
    num("out", "Next out"), num("in", "Next in"),
    { key: "heard_ms", title: "Last heard", number: true, cell: (r) => (r.heard_ms === null || r.heard_ms === undefined ? "–" : age(r.heard_ms)) },
    num("offset_ms", "Offset", "ms"), { key: "rate_used", title: "Messages, of limit", number: true, cell: (r) => (r.rate_limit ? `${r.rate_used} of ${r.rate_limit}` : "–") },
    { key: "may_be_open", title: "May be open", number: true, cell: (r) => withUnit(r.may_be_open, "orders") },
    { key: "generation", title: "Generation, connection", number: true, cell: (r) => (r.generation ? `${r.generation}, ${r.connection}` : "–") },
    { key: "schedule", title: "Schedule, last failed logon", kind: (r) => (r.failed_logon ? "bad" : ""), cell: (r) => [r.schedule, r.failed_logon].filter(Boolean).join("; ") || "–" },
  ], { key: (r) => r.name, open: (row) => choose(row.name), empty: "no session answered yet" });
  const acts = new Table([{ key: "time_ms", title: "Time (UTC)", cell: (r) => clock(r.time_ms) }, { key: "by", title: "Who" }, { key: "actor", title: "To whom" },
    { key: "act", title: "Act" }, { key: "text", title: "What" }, num("lsn", "LSN")], { key: (r) => r.lsn, sort: { key: "lsn", down: true }, empty: "no act since the desk began to read" });
  const choose = async (name) => {
    chosen = name;
    try {
      const told = await get(`/api/messages?session=${encodeURIComponent(name)}`);
      fill(messages, h("h3", {}, `Last messages of ${name}`), told.rows.length ? told.rows.map((row) => h("div", { class: `message ${row.way}` },
        h("div", { class: "when" }, `${row.time.slice(9, 21)} `, badge(row.way, row.way === "out" ? "plain" : "good"), h("span", { class: "quiet" }, ` MsgSeqNum(34) ${row.number}, LSN ${row.lsn}`)),
        h("code", {}, row.text))) : h("p", { class: "quiet" }, "none since the desk began to read"));
    } catch (error) {
      fill(messages, error.message);
    }
  };
  const timer = setInterval(() => { if (chosen) choose(chosen); }, 2000);
  const element = h("div", {}, card("Sessions", table.element, h("p", { class: "quiet" }, "Choose a session for its last messages.")), card("Messages", messages), card("Operators' acts", acts.element));
  const take = (it) => {
    table.set(it.sessions);
    acts.set(it.acts);
    if (!chosen && it.sessions.length) choose(it.sessions[0].name);
  };
  return { element, take, leave: () => clearInterval(timer) };
}

function byHand(me, session) {
  const act = (event, name, typed) => {
    event.stopPropagation();
    ask(name === "logon" ? "Log on" : "Log out", `${session}, in ${me.environment}.`, name, { session }, { typed });
  };
  return h("span", { class: "acts" }, h("button", { onclick: (event) => act(event, "logout", "") }, "Log out"), h("button", { onclick: (event) => act(event, "logon", me.acts.logon) }, "Log on ..."));
}

export function market() {
  let chosen = null;
  const depth = h("div", {}, h("p", { class: "quiet" }, "Choose a symbol above for its depth."));
  const tops = new Table([{ key: "venue", title: "Venue" }, { key: "symbol", title: "Symbol" }, num("bid_qty", "Bid quantity"), { ...num("bid", "Bid"), kind: () => "buy" },
    { ...num("ask", "Ask"), kind: () => "sell" }, num("ask_qty", "Ask quantity"), num("spread", "Spread"), num("last", "Last trade"),
    { key: "age_ms", title: "Age", number: true, cell: (r) => age(r.age_ms) + (r.stale ? ", stale" : ""), kind: (r) => (r.stale ? "warn" : "") }],
  { key: (r) => `${r.venue} ${r.symbol}`, open: (row) => choose(row), empty: "no price was heard yet" });
  const trades = h("div");
  const element = h("div", {}, card("Best prices", tops.element), h("div", { class: "columns" }, card("Depth", depth), card("Trades", trades)));
  const choose = async (row) => {
    chosen = row;
    try {
      const told = await get(`/api/depth?venue=${encodeURIComponent(row.venue)}&symbol=${encodeURIComponent(row.symbol)}`);
      if (chosen === row) fill(depth, ladder(told));
    } catch (error) { if (chosen === row) fill(depth, h("p", { class: "warn" }, error.message)); }
  };
  const timer = setInterval(() => { if (chosen && !document.hidden) choose(chosen); }, 1000);
  const take = (it) => {
    tops.set(it.tops);
    if (!chosen && it.tops.length) choose(it.tops[0]);
    fill(trades, it.trades.length ? h("table", { class: "plain" }, h("thead", {}, h("tr", {}, ["Age", "Venue", "Symbol", "Taker", "Quantity", "Price"].map((each, nth) => h("th", { class: nth > 3 ? "number" : "", scope: "col" }, each)))),
      h("tbody", {}, it.trades.map((row) => h("tr", {}, h("td", {}, age(row.age_ms)), h("td", {}, row.venue), h("td", {}, row.symbol), h("td", { class: row.taker === "buys" ? "buy" : "sell" }, row.taker), h("td", { class: "number" }, row.qty), h("td", { class: "number" }, row.price)))))
      : h("p", { class: "quiet" }, "no trade was heard since this page was opened"));
  };
  return { element, take, leave: () => clearInterval(timer) };
}

// Both sides of a book, the best first, each with what is there up to its price.
function ladder(it) {
  const summed = (levels) => levels.reduce((rows, [px, qty]) => [...rows, { px, qty, sum: (rows.length ? rows[rows.length - 1].sum : 0) + Number(qty) }], []);
  const [bids, offers] = [summed(it.bids), summed(it.offers)];
  const most = Math.max(0, ...bids.map((row) => row.sum), ...offers.map((row) => row.sum));
  const cells = (row, kind) => (row ? [h("td", { class: `number ${kind}` }, row.px), h("td", { class: "number" }, row.qty),
    h("td", { class: "minor" }, h("meter", { min: 0, max: most, value: row.sum, title: `${row.sum} up to this price` }))] : [h("td"), h("td"), h("td", { class: "minor" })]);
  const rows = Array.from({ length: Math.max(bids.length, offers.length) }, (_, nth) => h("tr", {}, cells(bids[nth], "buy"), cells(offers[nth], "sell")));
  return [h("p", { class: it.why ? "warn" : "quiet" }, `${it.symbol} at ${it.venue}, ${it.age_ms === null ? "not heard yet" : `${age(it.age_ms)} old`}`
      + (it.why ? `: not known, ${it.why}` : it.best_only ? `. Only the best prices: ${it.best_only}.` : "")),
    rows.length ? h("table", { class: "plain" }, h("thead", {}, h("tr", {}, ["Bid", "Quantity", "Summed", "Ask", "Quantity", "Summed"].map((each) => h("th", { class: each === "Summed" ? "minor" : "number", scope: "col" }, each)))), h("tbody", {}, rows))
      : h("p", { class: "quiet" }, "no price is known")];
}

export function journal(me) {
  const field = (title, placeholder = "") => [title, h("input", { placeholder, "aria-label": title, autocomplete: "off" })];
  const fields = { pattern: field("FIX matches", "35=8.*39=2"), order: field("Order", "maker/17"), session: field("Session"), kind: field("Kind", "OPERATOR"), start: field("From", "-5m, LSN or time"), end: field("To") };
  const lines = h("div", { class: "lines", tabindex: "0" });
  const following = h("input", { type: "checkbox", checked: true });
  const past = h("div");
  const at = h("input", { placeholder: "LSN, time, or -5m", "aria-label": "Moment", autocomplete: "off" });
  let after = 0, work = null;
  const draw = (texts, anew) => {
    const stays = lines.scrollTop + lines.clientHeight >= lines.scrollHeight - 30;
    const rows = texts.map((each) => h("div", {}, each));
    if (anew) fill(lines, rows.length ? rows : "nothing found");
    else lines.append(...rows);
    while (lines.childElementCount > 600) lines.firstChild.remove();
    if (stays || anew) lines.scrollTop = lines.scrollHeight;
  };
  const follow = async () => {
    if (!following.checked || document.hidden) return;
    try {
      const told = await get(`/api/journal?after=${after}`);
      if (told.rows.length) {
        draw(told.rows.map((row) => row.text), after === 0);
        after = told.rows[told.rows.length - 1].lsn;
      }
    } catch (error) { toast(error.message, "bad"); }
  };
  const timer = setInterval(follow, 1000);
  following.addEventListener("change", () => { after = 0; follow(); });
  const run = async (path, body, done) => {
    if (work) work.abort();
    work = new AbortController();
    try { done(await post(path, body, work.signal)); } catch (error) {
      if (error instanceof Failed) toast(error.message, "bad");
      else if (error.name !== "AbortError") throw error;
    } finally { work = null; }
  };
  const search = (event) => {
    event.preventDefault();
    following.checked = false;
    fill(lines, "searching ...");
    run("/api/search", Object.fromEntries(Object.entries(fields).map(([key, [, input]]) => [key, input.value])), (told) => draw(told.lines, true));
  };
  const travel = (event) => {
    event.preventDefault();
    fill(past, h("p", {}, "replaying ... ", h("button", { type: "button", onclick: () => { if (work) work.abort(); fill(past, "cancelled"); } }, "Cancel")));
    run("/api/past", { at: at.value }, (told) => fill(past, pastView(told, me))).then(() => { if (past.textContent.startsWith("replaying")) fill(past, "not found"); });
  };
  const element = h("div", {}, card("The journal", h("form", { class: "bar", onsubmit: search }, Object.values(fields).map(([title, input]) => h("label", {}, title, " ", input)),
    h("button", { class: "primary" }, "Search"), h("label", {}, following, " Follow")), lines),
  card("Time travel", h("form", { class: "bar", onsubmit: travel }, h("label", {}, "As of ", at), h("button", { class: "primary" }, "Go there"), h("span", { class: "quiet" }, "what the stack knew then; nothing can be done in the past")), past));
  follow();
  return { element, take: () => {}, leave: () => clearInterval(timer) };
}

function pastView(it, me) {
  const table = (title, columns, rows, key) => {
    const made = new Table(columns, { key, empty: "none" });
    made.set(rows);
    return card(title, made.element);
  };
  const note = h("div", { class: "past-frame" }, `THE PAST: record ${it.lsn}, ${it.time} UTC, ${me.environment}; replayed in ${it.took_s} s. Prices and reservations: not recorded. No acts here.`);
  return [note,
    it.risk.killed ? h("p", { class: "bad" }, "The kill switch was latched.") : null, it.risk.halts.map((text) => h("p", { class: "bad" }, `Halted: ${text}`)),
    table("Open orders then", [{ key: "name", title: "Order" }, { key: "status", title: "Status" }, { key: "venue", title: "Venue" }, { key: "symbol", title: "Symbol" }, { key: "side", title: "Side" }, num("order_qty", "Quantity"), num("leaves_qty", "Open"), num("price", "Price")],
      it.orders.map((o) => ({ ...o, name: `${o.strategy}/${o.number}`, side: o.side === "1" ? "buy" : "sell" })), (r) => r.name),
    table("Positions then", [{ key: "account", title: "Account" }, { key: "symbol", title: "Symbol" }, num("quantity", "Position"), num("average_price", "Average price"), num("realised_profit", "Realised (own currency)"), { key: "price", title: "Price", cell: () => "not recorded" }], it.positions, (r) => `${r.account} ${r.symbol}`),
    table("Exposure then", [{ key: "account", title: "Account" }, { key: "symbol", title: "Symbol" }, num("position", "Position"), num("may_buy", "May still buy"), num("may_sell", "May still sell"), { key: "reserved", title: "Reserved", cell: () => "not recorded" }], it.risk.exposures, (r) => `${r.account} ${r.symbol}`),
    table("Sessions then", [{ key: "name", title: "Session" }, { key: "state", title: "State" }, num("generation", "Generation"), num("connection", "Connection"), num("next_outbound", "Next out"), num("next_inbound", "Next in")], Object.entries(it.sessions).map(([name, its]) => ({ name, ...its })), (r) => r.name)];
}

export function logs() {
  const actor = h("select", { "aria-label": "Process" });
  const filter = h("input", { type: "search", id: "filter", placeholder: "Filter (/)", "aria-label": "Filter" });
  const lines = h("div", { class: "lines", tabindex: "0" });
  let all = [], told = "";
  const draw = () => {
    const mark = filter.value + all.length + (all[all.length - 1] || "") + actor.value;
    if (mark === told) return;
    told = mark;
    fill(lines, all.filter((line) => line.toLowerCase().includes(filter.value.toLowerCase())).map(logLine));
    lines.scrollTop = lines.scrollHeight;
  };
  const load = async () => {
    try {
      const answer = await get(`/api/logs?actor=${encodeURIComponent(actor.value)}`);
      if (!actor.options.length) {
        fill(actor, answer.names.map((name) => h("option", {}, name)));
        load();
        return;
      }
      all = answer.lines;
      draw();
    } catch (error) { toast(error.message, "bad"); }
  };
  actor.addEventListener("change", load);
  filter.addEventListener("input", draw);
  const timer = setInterval(() => { if (!document.hidden) load(); }, 2000);
  load();
  return { element: card("Logs", h("div", { class: "bar" }, actor, filter), lines), take: () => {}, leave: () => clearInterval(timer) };
}

function logLine(line) {
  try {
    const { time, level, event, actor, ...fields } = JSON.parse(line);
    void actor;
    const rest = Object.entries(fields).map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`).join("  ");
    return h("div", { class: level }, h("span", { class: "quiet" }, `${time.slice(9, 21)} `), badge(level, level === "error" ? "bad" : level === "warning" ? "warn" : "plain"), ` ${event}  `, h("span", { class: "quiet" }, rest));
  } catch {
    return h("div", {}, line);
  }
}

