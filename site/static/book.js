// Keyboard access to what scrolls sideways: a formula, a listing or a table too wide for the screen.
// Only those that do scroll become stops for the Tab key.

const SCROLLERS = ".math-scroll, .highlight pre, .pst-scrollable-table-container, .cell_output > .output";

function markScrollers() {
  for (const box of document.querySelectorAll(SCROLLERS)) {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

addEventListener("load", markScrollers);
addEventListener("resize", markScrollers);
addEventListener("toggle", markScrollers, { capture: true }); // a folded cell was opened
document.fonts.addEventListener("loadingdone", markScrollers); // formulas grow with their fonts
