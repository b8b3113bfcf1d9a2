import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { describedMetrics } from "./described-metrics.ts";

const ROOT = join(import.meta.dirname, "../..");
const PLACES = ["docs/*.md", "README.md", "helm/drover/*", "helm/drover/templates/**/*", "deploy/*", "bench/*.ts"];
/** The page for endpoint pickers names what they ask of others, too; the router's specs hold it to what its serving port has. */
const OTHERS = "gateway.md";
/** A name, but not the end of a longer one, such as a recording's. */
const NAME = /(?<![\w:.])(?:drover_[a-z_]*[a-z]|vllm:[a-z_]*[a-z])(?![\w*])/g;

test("every metric that a page, a template or a benchmark names is emitted", () => {
  const emitted = new Set(describedMetrics().map((line) => line.split(" ")[0]));
  const isEmitted = (name: string) => emitted.has(name) || emitted.has(name.replace(/_(bucket|count|sum)$/, ""));
  const named = PLACES.flatMap((place) => globSync(place, { cwd: ROOT, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name !== OTHERS)
    .flatMap((entry) => {
      const text = readFileSync(join(entry.parentPath, entry.name), "utf8");
      return [...text.matchAll(NAME)].map(([name]) => ({ file: entry.name, name }));
    });
  expect(named.length).toBeGreaterThan(50);
  expect(named.filter(({ name }) => !isEmitted(name))).toEqual([]);
});
