// A page inside another (Snakemake's report) shows no links to its neighbours.
if (window.self !== window.top) document.documentElement.classList.add("embedded");
// A click on a heading sorts the table by that column; numbers as numbers, empty cells last.
document.addEventListener("click", function (event) {
  const button = event.target.closest("th button");
  if (!button) return;
  const heading = button.parentElement, row = heading.parentElement, place = heading.cellIndex;
  const body = heading.closest("table").tBodies[0];
  const down = heading.getAttribute("aria-sort") === "ascending";
  for (const other of row.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = function (line) {
    const cell = line.cells[place], text = cell.dataset.value === undefined ? cell.textContent : cell.dataset.value;
    return { text: text, number: text.trim() === "" ? NaN : Number(text) };
  };
  const lines = Array.from(body.rows, function (line) { return { line: line, key: key(line) }; });
  lines.sort(function (a, b) {
    if (a.key.text === "" || b.key.text === "") return (a.key.text === "") - (b.key.text === "");
    const numbers = !Number.isNaN(a.key.number) && !Number.isNaN(b.key.number);
    const order = numbers ? a.key.number - b.key.number : a.key.text.localeCompare(b.key.text);
    return down ? -order : order;
  });
  for (const item of lines) body.appendChild(item.line);
});
