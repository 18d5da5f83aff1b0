"use strict";
(() => {
  const main = document.querySelector("main");
  const frozen = document.getElementById("frozen");
  const opened = () => new Set([...main.querySelectorAll("details[open]")].map((each) => each.id));

  async function refresh() {
    const selected = String(document.getSelection());
    if (document.hidden || selected) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(8000) });
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      const content = next.querySelector("main");
      if (!content) throw new Error("not our page");
      const open = opened();
      for (const each of content.querySelectorAll("details")) each.open = open.has(each.id);
      main.replaceChildren(...content.childNodes);
      document.title = next.title;
      frozen.hidden = true;
    } catch {
      frozen.hidden = false;
    }
  }
  if ("refresh" in document.body.dataset) setInterval(refresh, 5000);
})();
