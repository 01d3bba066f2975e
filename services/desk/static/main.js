// The frame around the pages: environment, health, ages, the kill; which page is shown, and the keys.
import { age, clock, fill, h } from "./dom.js";
import { close, kill } from "./dialogs.js";
import { get, post, stream } from "./net.js";
import * as views from "./views.js";

const TITLES = { overview: "Overview", orders: "Orders", positions: "Positions and profit", risk: "Risk", sessions: "Sessions",
  market: "Market", journal: "Journal", logs: "Logs" };
const at = (id) => document.getElementById(id);
let me = null, page = "", view = null, end = () => {}, heardMs = 0, broken = "", head = null;

function theme(name) {
  document.documentElement.dataset.theme = name;
  try { localStorage.setItem("theme", name); } catch { /* a browser that keeps nothing shows its own choice next time */ }
}

function open() {
  const wanted = location.hash.slice(1) in TITLES ? location.hash.slice(1) : "overview";
  if (wanted === page) return;
  end();
  if (view && view.leave) view.leave();
  page = wanted;
  view = views[page](me);
  fill(at("main"), h("h1", { class: "unseen" }, TITLES[page]), view.element);
  document.title = `${TITLES[page]}, fixring ${me.environment}`;
  for (const link of at("pages").children) link.setAttribute("aria-current", link.hash === `#${page}` ? "page" : "false");
  end = stream(page, (document) => {
    heardMs = performance.now();
    broken = "";
    head = document.head;
    drawHead();
    view.take(document);
  }, (why) => { broken = why; drawHead(); });
}

function drawHead() {
  const silentMs = performance.now() - heardMs;
  const cut = broken || (heardMs && silentMs > 4000 ? "nothing heard" : "");
  document.body.classList.toggle("stale", Boolean(cut) || Boolean(head && (head.log_stale || head.stack_stale)));
  const banner = at("banner");
  const wrong = cut ? `THE DESK DOES NOT ANSWER (${cut}): what is below is ${heardMs ? age(silentMs) : "unknown"} old. The kill from a terminal: scripts/fixring kill`
    : head && head.killed ? "KILL SWITCH LATCHED: nothing new is sent until somebody resumes"
      : head && head.log_stale ? `STALE: the log was read ${head.lag_s === null ? "never" : age(head.lag_s * 1000)} ago` : "";
  banner.hidden = !wrong;
  banner.textContent = wrong;
  if (!head) return;
  const count = head.troubles.length + head.alerts.length;
  const health = at("health");
  health.className = `pill ${cut ? "bad" : count ? "bad" : head.stack_stale ? "warn" : "good"}`;
  health.textContent = cut ? "no answer" : count ? `${count} wrong` : head.stack_stale ? "asking ..." : "all well";
  at("ages").textContent = `log ${head.lag_s === null ? "not read" : age(head.lag_s * 1000)} old${head.behind ? `, ${head.behind} records behind` : ""}, actors asked ${head.asked_s === null ? "never" : `${age(head.asked_s * 1000)} ago`}, LSN ${head.lsn}`;
  at("clock").textContent = `${clock(head.time_ms)} UTC`;
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName)) return;
  const nth = Number(event.key) - 1;
  const names = Object.keys(TITLES);
  if (nth >= 0 && nth < names.length) location.hash = names[nth];
  else if (event.key === "k" && "kill" in me.acts) kill();
  else if (event.key === "t") at("theme").click();
  else if (event.key === "/" && at("filter")) at("filter").focus();
  else if (view.shortcut) { view.shortcut(event.key); return; }
  else return;
  event.preventDefault();
}

async function begin() {
  try { if (localStorage.getItem("theme")) theme(localStorage.getItem("theme")); } catch { /* as above */ }
  me = await get("/api/me");
  document.body.dataset.environment = me.environment;
  at("environment").textContent = me.environment.toUpperCase();
  at("user").textContent = `${me.user}, ${me.role}`;
  fill(at("pages"), Object.entries(TITLES).map(([name, title], nth) => h("a", { href: `#${name}`, title: `key ${nth + 1}` }, title)));
  at("kill").hidden = !("kill" in me.acts);
  at("kill").addEventListener("click", kill);
  at("theme").addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme
      ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    theme(dark ? "light" : "dark");
  });
  at("sign-out").addEventListener("click", async () => { await post("/api/sign-out", {}); location.replace("/sign-in"); });
  at("dialog").addEventListener("click", (event) => { if (event.target === at("dialog")) close(); });
  addEventListener("hashchange", open);
  addEventListener("keydown", pressed);
  for (const button of at("top").querySelectorAll("button")) button.disabled = false;
  setInterval(drawHead, 1000);
  open();
}

begin();
