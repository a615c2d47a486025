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
  const shown = form.querySelector("output");
  const apply = () => {
    const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const severities = new Set([...form.querySelectorAll("[name=severity]:checked")].map((box) => box.value));
    const fixable = form.elements.fixable?.checked;
    const has = (text) => words.every((word) => text.includes(word));
    let count = 0;
    for (const { row, text } of rows) {
      const fits =
        severities.has(row.dataset.severity) && (!fixable || row.dataset.state === "fixed") && has(text);
      row.hidden = !fits;
      count += fits;
    }
    for (const group of groups) {
      group.hidden = !group.querySelector("tr[data-severity]:not([hidden])");
    }
    for (const { row, text } of packages) {
      row.hidden = !has(text);
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
  apply();
})();
