// Elements, texts and numbers. What anybody else wrote goes in as text, never as HTML.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
}

export function clock(ms) {
  return ms ? new Date(ms).toISOString().slice(11, 19) : "";
}

export function age(ms) {
  if (ms === null || ms === undefined) return "unknown";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 90_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  if (ms < 5_400_000) return `${Math.round(ms / 60_000)} min`;
  return `${(ms / 3_600_000).toFixed(1)} h`;
}

export function shown(value, unit = "") {
  if (value === null || value === undefined || value === "") return "–";
  return unit ? `${value} ${unit}` : String(value);
}

export function badge(text, kind) {
  return h("span", { class: `badge ${kind}` }, text);
}

export function card(title, ...children) {
  return h("section", { class: "card" }, h("h2", {}, title), ...children);
}

export function sign(text) {
  return String(text).startsWith("-") ? "bad" : Number(text) > 0 ? "good" : "";
}

export function toast(text, kind = "") {
  const shownToast = h("div", { class: `toast ${kind}` }, text);
  document.getElementById("toasts").append(shownToast);
  setTimeout(() => shownToast.remove(), kind === "bad" ? 12_000 : 6_000);
}
