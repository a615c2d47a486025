"use strict";
(() => {
  const form = document.querySelector(".filter");
  const rows = [...document.querySelectorAll("tr[data-severity]")].map((row) => ({
    row,
    text: (row.dataset.package + " " + row.textContent).toLowerCase(),
  }));
  const packages = [...document.querySelectorAll("tr[data-listed]")].map((row) => ({
    row,
    text: row.textContent.toLowerCase(),
  }));
  const groups = [...document.querySelectorAll("tbody.group")];
  const ranks = ["Critical", "High", "Medium", "Low", "Negligible", "Unknown"];
  const rank = (row) => ranks.indexOf(row.dataset.severity);
  const members = groups.map((group, index) => {
    const lines = [...group.querySelectorAll("tr[data-severity]")];
    return { group, index, lines, worst: Math.min(...lines.map(rank)), name: lines[0].dataset.package };
  });
  let order = "";
  // Sorting keeps what is equal as the page had it: what an update mends comes first.
  const arrange = () => {
    const by = { worst: (a, b) => a.worst - b.worst, package: (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0) };
    const sorted = [...members].sort(by[order] ?? ((a, b) => a.index - b.index));
    for (const { group, lines } of sorted) {
      group.append(...(order === "worst" ? [...lines].sort((a, b) => rank(a) - rank(b)) : lines));
    }
    document.querySelector("#findings").append(...sorted.map(({ group }) => group));
  };
  const shown = form.querySelector("output");
  const apply = () => {
    const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const severities = new Set([...form.querySelectorAll("[name=severity]:checked")].map((box) => box.value));
    const fixable = form.elements.fixable?.checked;
    const origin = form.elements.origin?.value;
    const isFrom = (row) => !origin || row.dataset.origin.split(", ").includes(origin);
    const has = (text) => words.every((word) => text.includes(word));
    const wanted = form.elements.order?.value ?? "";
    if (wanted !== order) {
      order = wanted;
      arrange();
    }
    let count = 0;
    for (const { row, text } of rows) {
      const fits =
        severities.has(row.dataset.severity) && (!fixable || row.dataset.state === "fixed") && isFrom(row) && has(text);
      row.hidden = !fits;
      count += fits;
    }
    for (const group of groups) {
      group.hidden = !group.querySelector("tr[data-severity]:not([hidden])");
    }
    for (const { row, text } of packages) {
      row.hidden = !(isFrom(row) && has(text));
    }
    if (rows.length > 0) {
      shown.textContent = count + " of " + rows.length + " findings";
    } else {
      shown.textContent = packages.filter(({ row }) => !row.hidden).length + " of " + packages.length + " packages";
    }
  };
  // report.html#openssl opens with this filter.
  try {
    form.elements.words.value = decodeURIComponent(location.hash.slice(1));
  } catch {
    form.elements.words.value = "";
  }
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  // As many pages have it: a slash goes to the filter.
  document.addEventListener("keydown", (event) => {
    const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      form.elements.words.focus();
    }
  });
  apply();
})();
