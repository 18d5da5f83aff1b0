"use strict";
(() => {
  const main = document.querySelector("main");
  const frozen = document.getElementById("frozen");
  const opened = () => new Set([...main.querySelectorAll("details[open]")].map((each) => each.id));

  // Times come in UTC; people read the clock on their own wall.
  function local() {
    for (const each of main.querySelectorAll("time[datetime]")) {
      const at = new Date(each.dateTime);
      const zone = new Intl.DateTimeFormat("en", { timeZoneName: "short" }).formatToParts(at);
      const wall = new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString();
      const shown = each.hasAttribute("title") ? wall.slice(11, 19) : wall.slice(0, 19).replace("T", " ");
      each.title = each.dateTime;
      each.textContent = `${shown} ${zone.find((part) => part.type === "timeZoneName").value}`;
    }
  }

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
      local();
      document.title = next.title;
      frozen.hidden = true;
    } catch {
      frozen.hidden = false;
    }
  }
  local();
  if ("refresh" in document.body.dataset) setInterval(refresh, 5000);
})();
