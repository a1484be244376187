"use strict";
(() => {
  const table = document.getElementById("items");
  const body = table.tBodies[0];
  const rule = JSON.parse(table.dataset.rule);
  const slider = document.getElementById("fpr");
  const out = document.getElementById("fpr-out");

  // 95 % interval of a share. Source: Wilson 1927, doi 10.1080/01621459.1927.10502953.
  const interval = (hits, of) => {
    const z2 = 1.96 * 1.96, p = hits / of;
    const middle = (p + z2 / (2 * of)) / (1 + z2 / of);
    const half = 1.96 * Math.sqrt(p * (1 - p) / of + z2 / (4 * of * of)) / (1 + z2 / of);
    return [middle - half, middle + half];
  };
  const share = (word, hits, of) => {
    if (!of) return "";
    const [low, high] = interval(hits, of).map((v) => (100 * v).toFixed(0));
    return `; ${word} ${(100 * hits / of).toFixed(0)} % (${low} to ${high})`;
  };

  // Counts of all items by their p, also of those that the table leaves out.
  const within = (counts, wanted) => {
    const found = [0, 0, 0];
    for (const [p, row] of Object.entries(counts)) {
      if (Number(p) <= wanted + 1e-9) row.forEach((count, i) => { found[i] += count; });
    }
    return found;
  };
  const tell = (flagged, level, text) => {
    const all = within(rule.counts, 1);
    const sum = (counts) => counts[0] + counts[1] + counts[2];
    let line = `${text}: ${sum(flagged)} of ${sum(all)} flagged; among as many normals about ` +
      `${(sum(all) * level).toFixed(1)} would be`;
    if (all[2]) {
      line += share("precision", flagged[2], flagged[1] + flagged[2]) +
        share("recall", flagged[2], all[2]);
    }
    out.textContent = line;
  };
  slider.addEventListener("input", () => {
    // p <= wanted is the rule for any number of held-out normals; it flags a little fewer.
    const wanted = Math.pow(10, slider.value / 10);
    for (const row of body.rows) {
      const p = parseFloat(row.dataset.p);
      if (Number.isNaN(p)) continue;
      const on = p <= wanted + 1e-9;
      row.classList.toggle("flag", on);
      row.querySelector(".verdict").textContent = on ? "flagged" : "normal";
    }
    const level = Object.entries(rule.grids).reduce((total, [n, share]) => {
      const ranks = Number(n) + 1;
      return total + share * Math.floor(wanted * ranks + 1e-9) / ranks;
    }, 0);
    tell(within(rule.counts, wanted), level, `${(100 * wanted).toPrecision(2)} %`);
  });
  tell(within(rule.told, 1), rule.level, "As the job was told");

  // Sorting by a column, a second time in the other direction.
  let sorted = null;
  table.tHead.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const column = Number(button.dataset.column);
    const sign = sorted === column ? -1 : 1;
    sorted = sign === 1 ? column : null;
    for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
    button.parentElement.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
    const key = (row) => row.cells[column].textContent;
    const rows = [...body.rows].sort((a, b) => {
      const x = Number(key(a) || NaN), y = Number(key(b) || NaN);
      if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
      return sign * (Number.isNaN(x) ? key(a).localeCompare(key(b)) : x - y);
    });
    body.append(...rows);
  });

  // Keyboard and buttons: walk the cards, hide maps, mark what a person found.
  const cards = [...document.querySelectorAll(".card")];
  const marks = new Map();
  const told = document.getElementById("marked");
  const mark = (card, key) => {
    const verdict = { t: "anomalous", f: "normal" }[key];
    const again = marks.get(card.dataset.name) === verdict;
    card.classList.remove("marked-anomalous", "marked-normal");
    if (again) marks.delete(card.dataset.name);
    else {
      marks.set(card.dataset.name, verdict);
      card.classList.add(`marked-${verdict}`);
    }
    told.textContent = `${marks.size} marked`;
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-mark]");
    if (button) mark(button.closest(".card"), button.dataset.mark);
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.tagName === "INPUT" || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = cards.indexOf(document.activeElement.closest(".card"));
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (step && at >= 0) {
      const next = cards[Math.min(cards.length - 1, Math.max(0, at + step))];
      next.focus();
      next.scrollIntoView({ block: "nearest" });
      event.preventDefault();
    } else if (event.key === "m") {
      document.body.classList.toggle("maps-off");
    } else if ((event.key === "f" || event.key === "t") && at >= 0) {
      mark(cards[at], event.key);
    }
  });

  // Strength of the maps: the map's picture over the input, more or less of it. Without script, and
  // in print, the whole of it.
  document.body.classList.add("has-script");
  for (const over of document.querySelectorAll(".overlay img")) {
    const input = over.closest(".card").querySelector(".input img");
    if (!input) continue;
    const layers = document.createElement("span");
    layers.className = "layers";
    over.replaceWith(layers);
    const under = input.cloneNode();
    under.alt = "";
    under.className = "under";
    over.classList.add("over");
    layers.append(under, over);
  }
  const opacity = document.getElementById("opacity");
  if (opacity) opacity.addEventListener("input", () => {
    document.body.style.setProperty("--strength", opacity.value / 100);
  });
  const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
  const button = document.getElementById("feedback");
  if (button) button.addEventListener("click", () => {
    const lines = [...marks].map(([name, verdict]) => `${quoted(name)},${verdict}`);
    const link = document.createElement("a");
    link.id = "feedback-link";
    link.href = "data:text/csv;charset=utf-8," +
      encodeURIComponent(["path,verdict", ...lines].join("\n") + "\n");
    link.download = "feedback.csv";
    link.hidden = true;
    document.body.append(link);
    link.click();
  });
})();
