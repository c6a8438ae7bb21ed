"use strict";

// Search as you type: the same page as without this script, its results fetched as a fragment.
const form = document.getElementById("search");
if (form) {
  const results = document.getElementById("results");
  const box = document.getElementById("q");
  let timer = 0;
  let asked = 0;
  let at = -1;

  const address = () => {
    const fields = new URLSearchParams(new FormData(form));
    for (const [name, value] of [...fields]) if (!value || (name === "mode" && value === "hybrid")) fields.delete(name);
    return "/" + (fields.size ? "?" + fields : "");
  };

  const show = async (push) => {
    const number = ++asked;
    const where = address();
    results.classList.add("waiting");
    try {
      const answer = await fetch(where, { headers: { "X-Part": "results", "Accept": "text/html" } });
      const text = await answer.text();
      if (number !== asked) return;
      if (answer.redirected) { location.assign(where); return; }
      const isPart = answer.headers.get("X-Part") === "results";  // which says itself what went wrong
      if (!answer.ok && !isPart) { results.textContent = "The search failed (" + answer.status + "). Try again in a moment."; return; }
      results.innerHTML = text;
      at = -1;
      history[push ? "pushState" : "replaceState"](null, "", where);
      document.title = (box.value || "Search") + " · Tandem";
    } catch {
      if (number === asked) results.textContent = "The service did not answer. Try again in a moment.";
    } finally {
      if (number === asked) results.classList.remove("waiting");
    }
  };

  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(show, 200, false); });
  form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(timer); close(); show(true); });
  addEventListener("popstate", () => location.reload());

  // Suggestions while somebody types: a list that the box owns, as the ARIA pattern "combobox" has it.
  const list = document.getElementById("suggestions");
  let chosen = -1;
  let typed = 0;
  box.type = "text";  // a search box may not have the role
  for (const [name, value] of Object.entries({ role: "combobox", inputmode: "search", enterkeyhint: "search",
    "aria-autocomplete": "list", "aria-controls": list.id, "aria-expanded": "false" })) box.setAttribute(name, value);

  const close = () => {
    typed++;
    chosen = -1;
    list.hidden = true;
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
  };

  const mark = (place) => {
    chosen = place;
    [...list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === place)));
    if (place < 0) box.removeAttribute("aria-activedescendant");
    else box.setAttribute("aria-activedescendant", list.children[place].id);
  };

  const pick = (item) => {
    box.value = item.dataset.text;
    form.requestSubmit();
    box.focus();
  };

  const suggest = async () => {
    const number = ++typed;
    const asked = new URLSearchParams({ prefix: box.value.slice(0, 200), limit: "6" });
    if (form.collection) asked.set("collection", form.collection.value);
    try {
      const answer = await fetch("/v1/suggest?" + asked);
      const found = answer.ok ? (await answer.json()).suggestions : [];
      if (number !== typed || document.activeElement !== box) return;
      list.replaceChildren(...found.map((one, place) => {
        const item = document.createElement("li");
        const kind = document.createElement("span");
        Object.assign(item, { id: "suggestion-" + place, textContent: one.text });
        item.setAttribute("role", "option");
        item.dataset.text = one.text;
        Object.assign(kind, { className: "kind", textContent: one.kind === "word" ? "" : one.kind });
        item.append(kind);
        return item;
      }));
      mark(-1);
      list.hidden = !found.length;
      box.setAttribute("aria-expanded", String(!list.hidden));
    } catch { close(); }
  };

  box.addEventListener("input", () => { if (box.value.trim()) suggest(); else close(); });
  box.addEventListener("blur", close);
  list.addEventListener("mousedown", (event) => event.preventDefault());  // the box keeps the focus
  list.addEventListener("click", (event) => { const item = event.target.closest("li"); if (item) pick(item); });
  box.addEventListener("keydown", (event) => {
    if (list.hidden || event.isComposing) return;
    const last = list.children.length - 1;
    if (event.key === "ArrowDown") mark(chosen < last ? chosen + 1 : -1);
    else if (event.key === "ArrowUp") mark(chosen < 0 ? last : chosen - 1);
    else if (event.key === "Enter" && chosen >= 0) pick(list.children[chosen]);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();  // the arrows do not go through the hits meanwhile
  });

  // What a reader follows is told to the service, which the link does not wait for.
  const told = (event) => {
    const link = event.target.closest(".hits a");
    if (!link || event.button > 1) return;
    const hit = link.closest("li");
    const query = hit.parentElement.dataset.query;
    if (!query) return;
    const body = { query_id: query, document: hit.dataset.document, rank: Number(hit.dataset.rank), kind: "click" };
    const headers = { "Content-Type": "application/json" };
    fetch("/v1/feedback", { method: "POST", keepalive: true, headers, body: JSON.stringify(body) }).catch(() => {});
  };
  results.addEventListener("click", told);
  results.addEventListener("auxclick", told);

  // Keys: / goes to the box; the arrows go through the hits, Enter follows the one they are at.
  addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      box.select();
      return;
    }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    if (document.activeElement.tagName === "SELECT") return;
    const links = [...results.querySelectorAll(".hits h2 a")];
    if (!links.length) return;
    event.preventDefault();
    at = Math.max(-1, Math.min(links.length - 1, at + (event.key === "ArrowDown" ? 1 : -1)));
    for (const item of results.querySelectorAll(".current")) item.classList.remove("current");
    if (at < 0) { box.focus(); return; }
    links[at].focus();
    links[at].closest("li").classList.add("current");
  });
}

// A job that is at work: how far it is, and what it says, as it comes.
const job = document.getElementById("job");
if (job && job.dataset.over === "no") {
  const log = document.getElementById("log");
  const bar = document.getElementById("bar");
  const events = new EventSource("/v1/jobs/" + job.dataset.job + "/events");
  let last = Number(log.dataset.last);
  events.addEventListener("line", (event) => {
    const line = JSON.parse(event.data);
    if (line.id <= last) return;
    last = line.id;
    log.append(line.text + "\n");
    log.scrollTop = log.scrollHeight;
  });
  events.addEventListener("job", (event) => {
    const now = JSON.parse(event.data);
    const state = document.getElementById("state");
    state.textContent = now.state;
    state.className = "state " + now.state;
    const far = [now.progress.step, now.progress.text].filter(Boolean).join(": ");
    document.getElementById("far").textContent = far;
    if (typeof now.progress.share === "number") bar.value = now.progress.share;
    else bar.removeAttribute("value");
    if (now.ended_at) { events.close(); location.reload(); }
  });
}

// Files: sent without leaving the page, chosen or dropped on the form.
const upload = document.getElementById("upload");
if (upload) {
  const said = document.getElementById("uploaded");
  const files = document.getElementById("files");
  const button = upload.querySelector("button");
  const say = (text) => { const p = document.createElement("p"); p.textContent = text; said.replaceChildren(p); };

  const refresh = async () => {
    const now = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
    for (const part of document.querySelectorAll("[data-fresh]")) part.replaceChildren(...now.getElementById(part.id).childNodes);
  };

  upload.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    const count = files.files.length;
    say("Reading " + count + (count === 1 ? " file ..." : " files ..."));
    button.disabled = true;
    try {
      const headers = { "X-Part": "uploaded", "Accept": "application/json" };
      const answer = await fetch(upload.action, { method: "POST", body: new FormData(upload), headers });
      if (answer.headers.get("Content-Type").startsWith("text/html")) said.innerHTML = await answer.text();
      else say((await answer.json()).detail);
      if (answer.ok) { files.value = ""; await refresh(); }
    } catch {
      say("The files could not be sent. Try again in a moment.");
    } finally {
      button.disabled = false;
    }
  });

  const over = (is) => upload.classList.toggle("over", is);
  const holdsFiles = (event) => event.dataTransfer.types.includes("Files");
  upload.addEventListener("dragover", (event) => { if (holdsFiles(event)) { event.preventDefault(); over(true); } });
  upload.addEventListener("dragleave", (event) => { if (!upload.contains(event.relatedTarget)) over(false); });
  upload.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    over(false);
    if (button.disabled) return;
    if ([...event.dataTransfer.items].some((item) => item.webkitGetAsEntry?.()?.isDirectory)) {
      say("A folder cannot be dropped here; drop the files in it.");
      return;
    }
    files.files = event.dataTransfer.files;
    upload.requestSubmit();
  });
  document.getElementById("upload-note").append(" They can be dropped here, too.");
}

// Judging: grades are kept without loading the page, and given by keys while a document has the focus.
const judging = document.getElementById("judge");
if (judging) {
  const items = () => [...judging.querySelectorAll(".judging > li")];
  const current = () => document.activeElement.closest(".judging > li");
  const show = (item) => { if (item) { item.focus({ preventScroll: true }); item.scrollIntoView({ block: "nearest" }); } };

  judging.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.getAttribute("action") !== "/judge/grade") return;
    event.preventDefault();
    const at = items().indexOf(form.closest("li"));
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        headers: { "X-Part": "judge", "Accept": "text/html" },
        body: new URLSearchParams(new FormData(form, event.submitter)),
      });
      if (!answer.ok || answer.url.includes("/login")) { location.reload(); return; }
      judging.innerHTML = await answer.text();
      history.replaceState(null, "", answer.url);
      const next = items().slice(at + 1).find((item) => item.className === "waits") || judging.querySelector("#waiting");
      if (at < 0) show(judging.querySelector("#waiting"));
      else if (next) show(next);
      else judging.querySelector("#on").focus();
    } catch {
      form.insertAdjacentText("beforeend", "The service did not answer; this grade is not kept. Try again.");
    }
  });

  addEventListener("keydown", (event) => {
    const isNowhere = event.target === document.body;
    if (!isNowhere && !judging.contains(event.target)) return;
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const all = items();
      if (!all.length) return;
      event.preventDefault();
      if (isNowhere) { show(judging.querySelector("#waiting") || all[0]); return; }
      const at = all.indexOf(current());
      show(all[Math.max(0, Math.min(all.length - 1, at + (event.key === "ArrowDown" ? 1 : -1)))]);
      return;
    }
    if (isNowhere) return; // letters and digits mean something only while the focus is here
    const scope = /^[1-4]$/.test(event.key) ? current() : /^[sun]$/.test(event.key) ? judging : null;
    const button = scope && scope.querySelector('[data-key="' + event.key + '"]');
    if (button) { event.preventDefault(); button.click(); }
  });

  if (new URLSearchParams(location.search).has("after")) show(judging.querySelector("#waiting"));
}
