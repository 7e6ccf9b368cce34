"use strict";
{
  const root = document.documentElement;
  const theme = document.getElementById("theme");
  const dark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const tell = () => { theme.textContent = dark() ? "Light colours" : "Dark colours"; };
  theme.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; tell(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell);
  theme.hidden = false;
  tell();
}
{
  const box = document.getElementById("search");
  if (box) {
    const count = document.getElementById("matched");
    const rows = [...document.querySelectorAll("#all-queries tbody tr")];
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const filter = () => {
      const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      let matched = 0;
      rows.forEach((row, place) => {
        row.hidden = !words.every((word) => texts[place].includes(word));
        matched += !row.hidden;
      });
      count.textContent = `${matched.toLocaleString("en")} of ${rows.length.toLocaleString("en")} queries`;
    };
    box.addEventListener("input", filter);
    box.addEventListener("keydown", (event) => { if (event.key === "Escape") { box.value = ""; filter(); } });
    box.closest(".find").hidden = false;
    filter();
  }
}
