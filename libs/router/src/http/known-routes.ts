type Route = Readonly<{ path: RegExp; methods: readonly string[] }>;

/** The routes of a server, to tell who asks by the wrong method which ones there are. */
export class KnownRoutes {
  readonly #routes: Route[] = [];

  /** Adds a route: a path with `:names` for its parts and `*` for any rest. */
  add(pattern: string, methods: readonly string[]): void {
    const parts = pattern
      .split("/")
      .map((part) => (part.startsWith(":") ? "[^/]+" : part === "*" ? ".+" : escaped(part)));
    this.#routes.push({ path: new RegExp(`^${parts.join("/")}/?$`), methods });
  }

  /** In alphabetical order; empty for a path that no route has. */
  methodsOf(path: string): readonly string[] {
    return [...new Set(this.#routes.filter((route) => route.path.test(path)).flatMap(({ methods }) => methods))].sort();
  }
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
