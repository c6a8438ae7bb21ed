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
      if (!answer.ok) { results.textContent = "The search failed (" + answer.status + "). Try again in a moment."; return; }
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
  form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(timer); show(true); });
  addEventListener("popstate", () => location.reload());

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
