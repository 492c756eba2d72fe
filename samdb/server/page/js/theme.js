// Runs before the first paint, so that a chosen theme never flashes the other one. "auto" follows the system.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("samdb.theme");
  } catch {
    // a browser that keeps nothing follows the system
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
