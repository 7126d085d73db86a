// The page is drawn by the server. This script sends what a person does to the control API, and when the workspace
// changed it fetches the page again and replaces the parts that differ.
"use strict";

const seen = document.body.dataset;
const $ = (selector, root = document) => root.querySelector(selector);

async function verb(name, args) {
  const answer = await fetch(`/control/${name}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(args),
  });
  const result = await answer.json();
  if (!result.ok) toast(result.error);
  return result.ok;
}

function toast(text) {
  const box = $("#toast");
  box.textContent = text;
  box.classList.add("shown");
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => box.classList.remove("shown"), 4000);
}

// Keeping the page fresh.

function isAtEnd(log) {
  return log.scrollHeight - log.scrollTop - log.clientHeight < 80;
}

function replaceLog(log, next) {
  const wasAtEnd = isAtEnd(log);
  const known = new Map([...log.children].map((child) => [child.id, child]));
  const wanted = [...next.children].map((child) => {
    const before = child.id && known.get(child.id);
    return before && before.outerHTML === child.outerHTML ? before : child;
  });
  const same = wanted.length === log.children.length && wanted.every((child, at) => child === log.children[at]);
  if (!same) log.replaceChildren(...wanted);
  if (wasAtEnd) log.scrollTop = log.scrollHeight;
}

function replaceModal(modal, next) {
  const before = modal.firstElementChild?.dataset.hash;
  const after = next.firstElementChild?.dataset.hash;
  if (before === after) return;
  modal.replaceChildren(...next.children);
  $("input, textarea, select", modal)?.focus();
}

let isBusy = false;
let isStale = false;

async function refresh() {
  if (isBusy) {
    isStale = true;
    return;
  }
  isBusy = true;
  try {
    const text = await (await fetch(location.href)).text();
    const next = new DOMParser().parseFromString(text, "text/html");
    for (const id of ["log", "thread-log"]) {
      const log = document.getElementById(id);
      const fresh = next.getElementById(id);
      if (log && fresh) replaceLog(log, fresh);
    }
    for (const selector of ["nav", "#title", "#thread-title"]) {
      const part = $(selector);
      const fresh = $(selector, next);
      if (part && fresh && part.innerHTML !== fresh.innerHTML && !part.contains(document.activeElement)) {
        part.replaceChildren(...fresh.childNodes);
      }
    }
    replaceModal($("#modal"), $("#modal", next));
  } catch {
    toast("The workspace has stopped.");
  }
  isBusy = false;
  if (isStale) {
    isStale = false;
    refresh();
  }
}

function watch() {
  const source = new EventSource("/changes");
  source.onmessage = refresh;
  // What changed between drawing the page and listening, or while the connection was lost.
  source.onopen = refresh;
}

// What people do.

function ask(confirm) {
  const dialog = $("#confirm");
  dialog.innerHTML = "<h2></h2><p></p><footer><button class='button'></button><button class='button primary'></button></footer>";
  $("h2", dialog).textContent = confirm.title;
  $("p", dialog).textContent = confirm.text;
  const [deny, accept] = dialog.querySelectorAll("button");
  deny.textContent = confirm.deny || "Cancel";
  accept.textContent = confirm.confirm || "Yes";
  dialog.showModal();
  return new Promise((resolve) => {
    deny.onclick = () => dialog.close("no");
    accept.onclick = () => dialog.close("yes");
    dialog.onclose = () => resolve(dialog.returnValue === "yes");
    dialog.returnValue = "no";
  });
}

function place(node) {
  const message = node.closest("article");
  return message ? { channel: seen.channel, ts: message.dataset.ts } : {};
}

async function press(button) {
  const { action, block, value, confirm, url } = button.dataset;
  if (confirm && !(await ask(JSON.parse(confirm)))) return;
  button.disabled = true;
  await verb("click", { user: seen.user, action_id: action, block_id: block, value, ...place(button) });
  button.disabled = false;
  if (url) window.open(url, "_blank", "noopener");
}

async function choose(input) {
  if (input.closest(".input")) return;
  const { action, block } = input.dataset;
  let value = input.value;
  if (input.multiple) value = [...input.selectedOptions].map((one) => one.value);
  if (input.type === "checkbox") {
    const group = input.closest(".choices").querySelectorAll("input:checked");
    value = [...group].map((one) => one.value);
  }
  if (value === "") return;
  await verb("select", { user: seen.user, action_id: action, block_id: block, value, ...place(input) });
}

async function submit(form) {
  const values = {};
  for (const field of form.querySelectorAll(".input input, .input textarea, .input select")) {
    if (field.type === "radio" || field.type === "checkbox") {
      if (!field.checked) continue;
      if (field.type === "checkbox") (values[field.name] ??= []).push(field.value);
      else values[field.name] = field.value;
    } else if (field.multiple) {
      const chosen = [...field.selectedOptions].map((one) => one.value).filter(Boolean);
      if (chosen.length) values[field.name] = chosen;
    } else if (field.value !== "") {
      values[field.name] = field.value;
    }
  }
  await verb("submit", { user: seen.user, values });
}

async function send(form, text) {
  const thread_ts = form?.dataset.thread || "";
  const where = { user: seen.user, channel: seen.channel, thread_ts };
  if (text.startsWith("/")) return verb("slash", { ...where, command: text });
  return verb("post", { ...where, text });
}

document.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  if (form.closest("#modal")) return submit(form);
  const box = $("textarea", form);
  const text = box.value.trim();
  if (text && (await send(form, text))) {
    box.value = "";
    grow(box);
  }
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { act, prompt, shortcut } = button.dataset;
  if (act === "click") {
    event.preventDefault();
    await press(button);
  } else if (prompt) {
    await send(null, prompt);
  } else if (shortcut) {
    await verb("shortcut", { user: seen.user, callback_id: shortcut, ...place(button) });
  } else if ("stop" in button.dataset) {
    await verb("stop", { user: seen.user, channel: seen.channel, thread_ts: seen.thread });
  } else if ("close" in button.dataset) {
    await verb("close", { user: seen.user });
  }
});

document.addEventListener("change", (event) => {
  if (event.target.id === "who") {
    const url = new URL(location.href);
    url.searchParams.set("as", event.target.value);
    url.searchParams.delete("thread");
    location.href = url;
  } else if (event.target.dataset.act === "select") {
    choose(event.target);
  }
});

function grow(box) {
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight, 200)}px`;
}

document.addEventListener("input", (event) => {
  if (event.target.matches(".composer textarea")) grow(event.target);
});

document.addEventListener("keydown", (event) => {
  if (event.target.matches(".composer textarea") && event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    event.target.form.requestSubmit();
  } else if (event.key === "Escape" && $("#modal").firstElementChild && !$("#confirm").open) {
    verb("close", { user: seen.user });
  }
});

for (const log of document.querySelectorAll(".log")) log.scrollTop = log.scrollHeight;
if (seen.tab) verb(seen.tab === "home" ? "open_home" : "open_messages", { user: seen.user });
$(seen.thread ? "aside textarea" : "main textarea")?.focus();
watch();
