"use strict";
// Writes times in the reader's own zone, takes what is told live, and measures a text while it is typed.

const two = (number) => String(number).padStart(2, "0");

function localTimes(root) {
  const today = new Date().toDateString();
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
    const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} `;
    time.textContent = (at.toDateString() === today ? "" : day) + clock;
    time.title = `${time.dateTime.slice(0, 10)} ${time.dateTime.slice(11, 19)} UTC`;
  }
}

// What somebody is about to press, reads by keyboard or has marked to copy is not taken from under them.
const later = new Map();
const nameOf = (element) => element.getAttribute("href") ?? element.getAttribute("aria-label");

function isMarked(part) {
  const marked = getSelection();
  return !marked.isCollapsed && part.contains(marked.anchorNode);
}

function swap(id, html) {
  const part = document.getElementById(id);
  later.delete(id);
  if (isMarked(part)) {
    later.set(id, html);
    return;
  }
  const focused = part.contains(document.activeElement) && nameOf(document.activeElement);
  const scrolled = [...part.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
  part.innerHTML = html;
  localTimes(part);
  part.querySelectorAll(".scroll").forEach((each, n) => (each.scrollLeft = scrolled[n] || 0));
  if (focused) {
    const again = [...part.querySelectorAll("a[href], [tabindex]")].find((each) => nameOf(each) === focused);
    again?.focus({ preventScroll: true });
  }
}

document.addEventListener("selectionchange", () => {
  for (const [id, html] of [...later]) swap(id, html);
});

// Numbers change each second; aloud is told only what changes for a person.
let meaning = null;
function speak(spoken) {
  const [key, words] = spoken.split("\n");
  if (meaning !== null && meaning !== key) {
    document.getElementById("spoken").textContent = words;
  }
  meaning = key;
}

function watch(address) {
  const line = document.getElementById("line");
  const stream = new EventSource(address);
  stream.onopen = () => (line.textContent = "");
  stream.onmessage = (event) => {
    for (const [name, part] of Object.entries(JSON.parse(event.data))) {
      if (name === "title") document.title = part;
      else if (name === "spoken") speak(part);
      else swap(name, part);
    }
    document.body.dataset.shown = "yes";
  };
  stream.addEventListener("over", () => {
    stream.close();
    location.reload();
  });
  stream.onerror = () => {
    line.textContent =
      stream.readyState === EventSource.CLOSED
        ? "Not live any more: load the page again."
        : "No connection to smsd: what stands here is old. Trying again …";
  };
  addEventListener("pagehide", () => stream.close());
}

function measure(form) {
  const text = form.elements.message;
  const told = document.getElementById("measured");
  let timer = 0;
  let newest = 0;
  const ask = async () => {
    const mine = ++newest;
    const body = new URLSearchParams({ csrf: form.elements.csrf.value, message: text.value });
    const answer = await fetch(form.dataset.segments, { method: "POST", body });
    if (!answer.ok || mine !== newest) return;
    const { segments, left, datacoding, because, fits, most } = await answer.json();
    told.textContent =
      `${segments} ${segments === 1 ? "segment" : "segments"}, ${datacoding}` +
      (because ? ` because of ${because}` : "") +
      (fits ? `; ${left} left in it` : `; too long: at most ${most} go out`);
    told.classList.toggle("error", !fits);
  };
  text.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 150);
  });
}

localTimes(document);
if (document.body.dataset.live) watch(document.body.dataset.live);
const test = document.getElementById("test");
if (test) measure(test);
