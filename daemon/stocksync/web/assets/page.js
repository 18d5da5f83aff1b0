"use strict";
(() => {
  const main = document.querySelector("main");
  const frozen = document.getElementById("frozen");
  const language = document.documentElement.lang === "ar" ? "ar-SA-u-ca-gregory-nu-arab" : "en-GB";
  const styles = {
    clock: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
    moment: { dateStyle: "medium", timeStyle: "long" },
  };
  const written = Object.fromEntries(
    Object.entries(styles).map(([name, style]) => [name, new Intl.DateTimeFormat(language, style)]),
  );

  // Times come in UTC; people read the clock on their own wall.
  function local() {
    for (const each of main.querySelectorAll("time[data-style]")) {
      each.title = each.dateTime;
      each.textContent = written[each.dataset.style].format(new Date(each.dateTime));
    }
  }

  // Beside each command stands a button that copies it; without this script the command can be selected whole.
  const said = document.getElementById("copied");

  async function copy(code) {
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      // Beyond localhost a page without TLS is given no clipboard.
      document.getSelection().selectAllChildren(code);
      document.execCommand("copy");
      document.getSelection().removeAllRanges();
    }
  }

  function offer() {
    for (const code of main.querySelectorAll("code.type")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = said.dataset.copy;
      button.ariaLabel = `${said.dataset.copy}: ${code.textContent}`;
      button.addEventListener("click", async () => {
        await copy(code);
        button.textContent = said.dataset.copied;
        said.textContent = `${code.textContent}: ${said.dataset.copied}`;
        setTimeout(() => { button.textContent = said.dataset.copy; said.textContent = ""; }, 3000);
      });
      code.after(button);
    }
  }

  const PLACES = "a, button, summary, .scroll";
  const named = (each) =>
    [each.tagName, each.closest("article")?.ariaLabel, each.closest("details")?.id, each.ariaLabel, each.getAttribute("href")].join("|");

  // What a person has opened, scrolled or put the focus on stays as it was.
  function kept() {
    const opened = new Map([...main.querySelectorAll("details[id]")].map((each) => [each.id, each.open]));
    const scrolled = [...main.querySelectorAll(".scroll")].map((each) => [each.getAttribute("aria-label"), each.scrollLeft]);
    const within = main.contains(document.activeElement) && document.activeElement !== main;
    return { opened, scrolled, focus: within ? named(document.activeElement) : "" };
  }

  function restore({ opened, scrolled, focus }) {
    for (const each of main.querySelectorAll("details[id]")) {
      if (opened.has(each.id)) each.open = opened.get(each.id);
    }
    const tables = [...main.querySelectorAll(".scroll")];
    for (const [label, left] of scrolled) {
      const table = tables.find((each) => each.getAttribute("aria-label") === label);
      if (table && left) table.scrollLeft = left;
    }
    const same = [...main.querySelectorAll(PLACES)].find((each) => focus && named(each) === focus);
    same?.focus({ preventScroll: true });
  }

  function mark(known) {
    for (const row of main.querySelectorAll("tr[data-key]")) {
      if (known.size && !known.has(row.dataset.key)) row.classList.add("new");
    }
  }

  async function refresh() {
    if (document.hidden || String(document.getSelection())) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(8000) });
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      const content = next.querySelector("main");
      if (!content) throw new Error("not our page");
      const before = kept();
      const known = new Set([...main.querySelectorAll("tr[data-key]")].map((row) => row.dataset.key));
      main.replaceChildren(...content.childNodes);
      offer();
      restore(before);
      mark(known);
      local();
      document.title = next.title;
      frozen.hidden = true;
    } catch {
      frozen.hidden = false;
    }
  }
  local();
  offer();
  if ("refresh" in document.body.dataset) setInterval(refresh, 5000);
})();
