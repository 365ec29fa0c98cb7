// The language switch goes to the section that the reader is in and keeps the place in it.
// Without this script the link still goes to the same page in the other language.
"use strict";

const READING_LINE = 120; // pixels from the top of the window: just below the header
const PLACE = "guide-place";

const link = document.getElementById("guide-language-switch");

function currentSection() {
  const sections = [...document.querySelectorAll("article section[id]")];
  return sections.filter((s) => s.getBoundingClientRect().top <= READING_LINE).pop();
}

function blocksOf(section) {
  return [...section.children];
}

// Both languages have the same blocks in a section, so a block's number is a place in either.
function leave() {
  const section = currentSection();
  const page = link.href.split("#")[0];
  try {
    localStorage.setItem("guide-language", link.dataset.language);
    if (section) {
      const blocks = blocksOf(section);
      const block = Math.max(0, blocks.findIndex((b) => b.getBoundingClientRect().bottom > 0));
      const top = blocks[block].getBoundingClientRect().top;
      sessionStorage.setItem(PLACE, JSON.stringify({ section: section.id, block, top }));
    }
  } catch {
    // A browser that refuses storage loses the exact place, not the section.
  }
  link.href = section ? `${page}#${section.id}` : page;
}

function arrive() {
  let place = null;
  try {
    place = JSON.parse(sessionStorage.getItem(PLACE));
    sessionStorage.removeItem(PLACE);
  } catch {
    return;
  }
  const section = place && document.getElementById(place.section);
  const block = section && blocksOf(section)[place.block];
  if (block && location.hash === `#${place.section}`) {
    window.scrollBy({ top: block.getBoundingClientRect().top - place.top, behavior: "instant" });
  }
}

if (link) {
  // Before the click acts, so that opening in a new tab goes to the same section too.
  for (const event of ["pointerdown", "focus", "click"]) link.addEventListener(event, leave);
  window.addEventListener("load", arrive);
}
