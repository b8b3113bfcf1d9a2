import { at } from "@drover/core";
import { modulePattern } from "./module-pattern.ts";

/**
 * A rule about modules is one's path, or of any of the modules above it, a path with `*` in it, or `re:` and a regular expression, which is read from a
 * path's beginning. `fail` gets what is not known of that.
 */
export function moduleRule(rule: string, fail: (what: string) => never): (path: string) => boolean {
  if (rule.startsWith("re:")) return modulePattern(rule.slice("re:".length), fail);
  if (rule.includes("*")) return globRule(rule.split("*"));
  return (path) => path === rule || path.startsWith(`${rule}.`) || path.endsWith(`.${rule}`);
}

/** ModelOpt's `*` stands for anything; it names modules with or without the whole model's prefix. */
function globRule(parts: readonly string[]): (path: string) => boolean {
  const bare = (path: string) => path.replace(/^language_model\./, "");
  return (path) => matchesParts(path, parts) || matchesParts(bare(path), parts);
}

/** Whether a path begins with the first part, has the others behind it in order, and ends with the last. */
function matchesParts(path: string, parts: readonly string[]): boolean {
  const first = at(parts, 0);
  const others = parts.slice(1);
  if (!path.startsWith(first)) return false;
  let from = first.length;
  for (const part of others) {
    const found = path.indexOf(part, from);
    if (found < 0) return false;
    from = found + part.length;
  }
  return path.endsWith(at(others, others.length - 1));
}
