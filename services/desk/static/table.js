// A table that is sorted by a click on its head, filtered by a text, and drawn anew only where a row has changed.
import { fill, h } from "./dom.js";

const MOST_ROWS = 300;

export class Table {
  // `columns`: [{key, title, number, cell(row) -> text or element, kind(row) -> class}]; `key` names a row.
  constructor(columns, { key, open = null, sort = null, empty = "nothing" }) {
    this.columns = columns;
    this.key = key;
    this.open = open;
    this.sort = sort || { key: columns[0].key, down: false };
    this.empty = empty;
    this.filter = "";
    this.only = () => true;
    this.rows = new Map();
    this.drawn = new Map();
    this.body = h("tbody");
    this.head = h("tr");
    this.more = h("p", { class: "quiet" });
    this.element = h("div", { class: "table" }, h("table", {}, h("thead", {}, this.head), this.body), this.more);
    this.drawHead();
  }

  drawHead() {
    fill(this.head, this.columns.map((column) => {
      const sorted = this.sort.key === column.key;
      const order = sorted ? (this.sort.down ? "descending" : "ascending") : null;
      return h("th", { class: column.number ? "number" : "", "aria-sort": order, scope: "col" },
        h("button", { onclick: () => this.sortBy(column.key) }, column.title, sorted ? (this.sort.down ? "\u00a0↓" : "\u00a0↑") : ""));
    }));
  }

  sortBy(key) {
    this.sort = { key, down: this.sort.key === key ? !this.sort.down : false };
    this.drawHead();
    this.draw();
  }

  set(rows) {
    this.rows = new Map(rows.map((row) => [this.key(row), row]));
    this.draw();
  }

  update(rows) {
    for (const row of rows) this.rows.set(this.key(row), row);
    this.draw();
  }

  compare(a, b) {
    const column = this.columns.find((each) => each.key === this.sort.key);
    const [x, y] = [a[this.sort.key] ?? "", b[this.sort.key] ?? ""];
    const found = column && column.number ? Number(x) - Number(y) : String(x).localeCompare(String(y), "en", { numeric: true });
    return this.sort.down ? -found : found;
  }

  draw() {
    const wanted = this.filter.toLowerCase();
    const all = [...this.rows.values()].filter((row) => this.only(row)
      && (!wanted || Object.values(row).join(" ").toLowerCase().includes(wanted)));
    all.sort((a, b) => this.compare(a, b));
    const rows = all.slice(0, MOST_ROWS);
    const drawn = new Map();
    for (const row of rows) {
      const key = this.key(row);
      const mark = JSON.stringify(row);
      const former = this.drawn.get(key);
      drawn.set(key, former && former.mark === mark ? former : { mark, element: this.drawRow(row) });
    }
    const elements = [...drawn.values()].map((each) => each.element);
    const stands = this.body.children;
    if (elements.length !== stands.length || elements.some((element, nth) => stands[nth] !== element)) {
      const focused = document.activeElement?.dataset?.key;
      this.body.replaceChildren(...elements);
      if (focused !== undefined) elements.find((element) => element.dataset.key === focused)?.focus();
    }
    this.drawn = drawn;
    this.more.textContent = !all.length ? this.empty
      : all.length > MOST_ROWS ? `${all.length - MOST_ROWS} more: filter to see them` : "";
  }

  drawRow(row) {
    const open = this.open && (() => this.open(row));
    return h("tr", {
      "data-key": this.key(row), class: open ? "opens" : "", tabindex: open ? "0" : null, onclick: open || (() => {}),
      onkeydown: (event) => { if (open && event.key === "Enter" && event.target.tagName === "TR") open(); },
    }, this.columns.map((column) => h("td", {
      class: `${column.number ? "number" : ""} ${column.minor ? "minor" : ""} ${column.kind ? column.kind(row) : ""}`, "data-title": column.title,
    }, column.cell ? column.cell(row) : text(row[column.key]))));
  }
}

function text(value) {
  return value === null || value === undefined || value === "" ? "–" : String(value);
}
