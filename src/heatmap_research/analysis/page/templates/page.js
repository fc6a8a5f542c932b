"use strict";
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.parentElement;
    const place = [...head.parentElement.children].indexOf(head);
    const body = head.closest("table").tBodies[0];
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.children) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => {
      const cell = row.cells[place];
      return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent;
    };
    const compare = (a, b) => {
      const [one, other] = [key(a), key(b)];
      const numbers = [typeof one === "number", typeof other === "number"];
      if (numbers[0] !== numbers[1]) return numbers[0] ? -1 : 1; // what is unknown comes last
      const order = numbers[0] ? one - other : one.localeCompare(other);
      return down ? -order : order;
    };
    body.append(...[...body.rows].sort(compare));
  });
}
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details")) folded.open = true;
});
