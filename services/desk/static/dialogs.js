// What asks a person: the kill, what needs a word typed, an order's story, the ticket.
import { fill, h, toast } from "./dom.js";
import { newToken, post } from "./net.js";

const dialog = document.getElementById("dialog");

export function show(...children) {
  fill(dialog, h("button", { class: "close", "aria-label": "Close", onclick: () => dialog.close() }, "×"), ...children);
  if (!dialog.open) dialog.showModal();
}

export function close() {
  if (dialog.open) dialog.close();
}

// One token for each question that is asked: a second click on its button is the same act.
async function act(name, body, token, typed = "") {
  try {
    const answer = await post(`/api/act/${name}`, { token, typed, body });
    toast(said(name, answer), answer.outcome === "refused" || Object.keys(answer.failed || {}).length ? "bad" : "good");
    return answer;
  } catch (error) {
    toast(`${name}: ${error.message}`, "bad");
    return null;
  }
}

function said(name, answer) {
  if (answer.outcome) return `${answer.command || name}: ${answer.outcome}${answer.text ? `, ${answer.text}` : ""}`;
  if (!answer.done) return `${name}: ${answer.text || "done"}`;
  const failed = Object.values(answer.failed);
  return `${name}: ${Object.keys(answer.done).length} answered${failed.length ? `; NOT ${failed.join("; ")}` : ""}`;
}

export function ask(title, text, name, body, { typed = "", danger = false } = {}) {
  const token = newToken();
  const word = typed ? h("input", { autocomplete: "off", spellcheck: "false", "aria-label": `Type ${typed}` }) : null;
  const send = async (event) => {
    event.preventDefault();
    if (word && word.value !== typed) return;
    if (await act(name, body, token, typed)) close();
  };
  show(h("h2", {}, title), h("p", {}, text), h("form", { onsubmit: send },
    word ? h("label", {}, `Type "${typed}" to confirm `, word) : null,
    h("div", { class: "buttons" }, h("button", { type: "button", onclick: close }, "Back"),
      h("button", { class: danger ? "kill" : "primary" }, title))));
  (word || dialog.querySelector("form button:last-child")).focus();
}

export function kill() {
  ask("Kill now", "Every session, account and risk: refuse new orders, cancel every open one, verify that nothing is left. "
    + "Resuming is an act of its own.", "kill", {}, { danger: true });
}

export async function story(order, me, row) {
  const body = h("div", { class: "story" }, "reading the journal ...");
  const own = row && row.open && "cancel" in me.acts && (me.role === "operator" || row.strategy === me.strategy);
  show(h("h2", {}, order), own ? orderActs(row) : null, body);
  try {
    const told = await post("/api/story", { order });
    fill(body, told.steps.map((step) => h("div", { class: "step" },
      h("div", { class: "when" }, `+${step.after_ms.toFixed(1)} ms`, h("span", { class: "quiet" }, ` LSN ${step.lsn}`)),
      h("div", {}, h("b", {}, step.what || step.kind || ""),
        step.answered_in_ms === null || step.answered_in_ms === undefined ? null
          : h("span", { class: "quiet" }, ` answered in ${step.answered_in_ms.toFixed(1)} ms`),
        step.payload && step.payload.raw ? h("pre", {}, step.payload.raw) : null))));
  } catch (error) {
    fill(body, error.message);
  }
}

function orderActs(row) {
  const qty = h("input", { value: row.qty, inputmode: "decimal", "aria-label": "Quantity" });
  const price = h("input", { value: row.price, inputmode: "decimal", "aria-label": "Price" });
  const amend = () => ask("Amend", `${row.name}: ${row.side} ${qty.value} ${row.symbol} at ${price.value || "market"}`, "amend", {
    order: row.name, qty: qty.value === row.qty ? "" : qty.value, price: price.value === row.price ? "" : price.value,
  });
  return h("div", { class: "acts" },
    h("button", { class: "kill", onclick: () => ask("Cancel the order", `${row.name}: ${row.side} ${row.leaves} ${row.symbol}`,
      "cancel", { order: row.name }) }, "Cancel the order"),
    h("label", {}, "Quantity ", qty), h("label", {}, "Price ", price), h("button", { onclick: amend }, "Amend"));
}

export function ticket(me) {
  const venues = Object.keys(me.venues);
  const select = (options, label) => h("select", { "aria-label": label }, options.map((each) => h("option", {}, each)));
  const venue = select(venues, "Venue"), symbol = select([], "Symbol"), account = select([], "Account");
  const side = select(["buy", "sell"], "Side"), tif = select(["gtc", "ioc", "fok"], "Time in force");
  const number = (label) => h("input", { inputmode: "decimal", autocomplete: "off", "aria-label": label });
  const qty = number("Quantity"), price = number("Price");
  price.placeholder = "none: market";
  const label = h("input", { autocomplete: "off", "aria-label": "Label" });
  const postOnly = h("input", { type: "checkbox" });
  const answer = h("p", { class: "answer", role: "status" }, "Risk has not been asked yet.");
  const fit = () => {
    fill(symbol, me.venues[venue.value].symbols.map((each) => h("option", {}, each)));
    fill(account, me.venues[venue.value].accounts.map((each) => h("option", {}, each)));
  };
  venue.addEventListener("change", fit);
  fit();
  const wanted = () => ({
    venue: venue.value, symbol: symbol.value, side: side.value, qty: qty.value, price: price.value, tif: tif.value,
    post_only: postOnly.checked, account: account.value, label: label.value,
  });
  const deal = (it) => `${it.side} ${it.qty} ${it.symbol} ${it.price ? `at ${it.price}` : "at the market"} on ${it.venue}`;
  const check = async (event) => {
    event.preventDefault();
    const it = wanted();
    try {
      const told = await post("/api/check", it);
      answer.className = `answer ${told.passes ? "good" : "bad"}`;
      const facts = told.passes
        ? `; notional ${told.notional}, at worst ${told.position_worst} of ${told.position_limit}, reference ${told.reference}, ${told.reference_age_ms} ms old`
        : "";
      fill(answer, `${told.passes ? "Passes" : "Refused"}: ${told.text}${facts}`,
        told.passes ? h("button", { type: "button", class: "primary",
          onclick: () => ask("Send the order", `${deal(it)}, as ${me.strategy}`, "new", it) }, `Send: ${deal(it)}`) : null);
    } catch (error) {
      answer.className = "answer bad";
      answer.textContent = error.message;
    }
  };
  const row = (text, input, unit = "") => h("label", {}, h("span", {}, text), input, unit ? h("span", { class: "quiet" }, unit) : null);
  show(h("h2", {}, "New order"), h("form", { class: "ticket", onsubmit: check },
    row("Venue", venue), row("Account", account), row("Symbol", symbol), row("Side", side), row("Quantity", qty),
    row("Price", price), row("Time in force", tif), row("Post only", postOnly), row("Label", label),
    h("div", { class: "buttons" }, h("button", { class: "primary" }, "Ask risk"))), answer);
  qty.focus();
}
