// Light or dark, before anything is drawn. The theme's own script decides it once the page has been
// read: a dark page would begin white, and the browser would style all of it twice.

{
  // A browser may refuse to store anything. The theme's script then would fail where it begins, and no
  // button of the page would work: what it stores is kept until the page is left.
  const kept = new Map();
  const standIn = {
    getItem: (/** @type {string} */ name) => kept.get(name) ?? null,
    setItem: (/** @type {string} */ name, /** @type {string} */ value) => void kept.set(name, value),
    removeItem: (/** @type {string} */ name) => void kept.delete(name),
  };
  for (const name of ["localStorage", "sessionStorage"]) {
    try {
      Reflect.get(window, name).setItem("theme", "");
    } catch {
      Object.defineProperty(window, name, { value: standIn });
    }
  }

  const { dataset } = document.documentElement;
  const chosen = localStorage.getItem("mode");
  const mode = chosen === "light" || chosen === "dark" ? chosen : "auto";
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  dataset.mode = mode;
  dataset.theme = mode === "auto" ? (dark ? "dark" : "light") : mode;
  localStorage.setItem("theme", dataset.theme); // from where the theme's lines in the page take it
}
