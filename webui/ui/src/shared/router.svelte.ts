// Pages by address, over the History API. A link is an ordinary `<a href>`: new tabs, copying and the back button work;
// plain clicks inside the app's base are taken over.

interface Place {
  path: string;
  query: URLSearchParams;
}

function here(): Place {
  return { path: location.pathname, query: new URLSearchParams(location.search) };
}

class Router {
  place = $state.raw<Place>(here());
  #base = "/";

  start(base: string): void {
    this.#base = base;
    addEventListener("popstate", () => (this.place = here()));
    document.addEventListener("click", (event) => this.#take(event));
  }

  go(url: string, how: "push" | "replace" = "push"): void {
    if (how === "push") history.pushState(null, "", url);
    else history.replaceState(null, "", url);
    this.place = here();
    if (how === "push") arrive();
  }

  #take(event: MouseEvent): void {
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!plain || event.defaultPrevented || !link || link.target || link.hasAttribute("download")) return;
    const url = new URL(link.href, location.href);
    if (url.origin !== location.origin || !url.pathname.startsWith(this.#base) || link.hash) return;
    event.preventDefault();
    this.go(url.pathname + url.search);
  }
}

/** As after a page load: at the top, with the focus at the beginning of the content. */
function arrive(): void {
  scrollTo(0, 0);
  document.getElementById("main")?.focus({ preventScroll: true });
}

export const router = new Router();

/** The parts of a path that `:name` stands for; undefined if the path is another. A slash at the end is allowed. */
export function match(pattern: string, path: string): Record<string, string> | undefined {
  const want = pattern.split("/").filter((part) => part !== "");
  const have = path.split("/").filter((part) => part !== "");
  if (want.length !== have.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of want.entries()) {
    const value = have[index] ?? "";
    if (part.startsWith(":")) params[part.slice(1)] = decodeSafely(value);
    else if (part !== value) return undefined;
  }
  return params;
}

function decodeSafely(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
