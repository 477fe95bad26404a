// Light or dark, before anything is drawn. The theme's own script decides it once the page has been
// read: a dark page would begin white, and the browser would style all of it twice.

{
  const { dataset } = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  let mode = "auto";
  try {
    const chosen = localStorage.getItem("mode");
    if (chosen === "light" || chosen === "dark") mode = chosen;
    dataset.theme = mode === "auto" ? (dark ? "dark" : "light") : mode;
    localStorage.setItem("theme", dataset.theme); // from where the theme's lines in the page take it
  } catch {
    dataset.theme = dark ? "dark" : "light"; // a browser may refuse to store anything
  }
  dataset.mode = mode;
}
