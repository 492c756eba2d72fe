// Small things this browser keeps between visits; one that keeps nothing forgets them, and nothing breaks.

/** What was kept under a name; null for nothing. */
export function kept(name) {
  try {
    return localStorage.getItem(`samdb.${name}`);
  } catch {
    return null;
  }
}

/** Keep a text under a name. */
export function keep(name, text) {
  try {
    localStorage.setItem(`samdb.${name}`, text);
  } catch {
    // shown now, forgotten later
  }
}
