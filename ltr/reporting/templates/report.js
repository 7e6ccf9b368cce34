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
{
  // A link may lead into what is folded: it is opened first.
  const open = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let e = target; e; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
    target.hidden = false;
    target.scrollIntoView({ block: target.tagName === "TR" ? "center" : "start" });
  };
  addEventListener("hashchange", open);
  if (location.hash) open();
}
{
  const hover = document.getElementById("hover");
  const show = (event) => {
    const bar = event.target.closest(".bars a");
    hover.hidden = !bar;
    if (!bar) return;
    const cells = document.getElementById(bar.getAttribute("href").slice(1)).cells;
    const [query, , , before, after, gain] = [...cells].map((cell) => cell.textContent.trim());
    hover.textContent = `${query}: ${before} → ${after} (${gain})`;
    const box = hover.getBoundingClientRect();
    hover.style.left = `${Math.max(4, Math.min(event.clientX + 12, innerWidth - box.width - 4))}px`;
    hover.style.top = `${event.clientY > innerHeight / 2 ? event.clientY - box.height - 12 : event.clientY + 16}px`;
  };
  for (const bars of hover ? document.querySelectorAll(".bars") : []) {
    bars.addEventListener("pointermove", show);
    bars.addEventListener("pointerleave", () => { hover.hidden = true; });
  }
}
