import { at } from "@drover/core";
import { quoted } from "../files/quoted.ts";

/**
 * A rule about modules is one's path, or of any of the modules above it, a path with `*` in it, or `re:` and a pattern. Of patterns only text and `.*` are known: one from a file is
 * never run as a regular expression, whose time has no bound.
 */
export function moduleRule(rule: string, fail: (what: string) => never): (path: string) => boolean {
  if (!rule.startsWith("re:") && rule.includes("*")) return globRule(rule.split("*"));
  if (!rule.startsWith("re:"))
    return (path) => path === rule || path.startsWith(`${rule}.`) || path.endsWith(`.${rule}`);
  const pattern = rule.slice(3).replace(/^\^/, "");
  const isWhole = pattern.endsWith("$");
  const parts = pattern
    .replace(/\$$/, "")
    .split(".*")
    .map((part) => part.replaceAll("\\.", "."));
  if (parts.some((part) => !/^[\w.]*$/.test(part)))
    return fail(`has the pattern ${quoted(rule)}: only text and .* are known`);
  return (path) => matchesParts(path, parts, isWhole);
}

/** ModelOpt's `*` stands for anything; it names modules with or without the whole model's prefix. */
function globRule(parts: readonly string[]): (path: string) => boolean {
  const bare = (path: string) => path.replace(/^language_model\./, "");
  return (path) => matchesParts(path, parts, true) || matchesParts(bare(path), parts, true);
}

/** Whether a path begins with the first part and has the others behind it in order; `isWhole`: and ends with the last. */
function matchesParts(path: string, parts: readonly string[], isWhole: boolean): boolean {
  const first = at(parts, 0);
  const others = parts.slice(1);
  if (!path.startsWith(first)) return false;
  if (others.length === 0) return !isWhole || path === first;
  let from = first.length;
  for (const part of others) {
    const at = path.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  return !isWhole || path.endsWith(at(others, others.length - 1));
}
