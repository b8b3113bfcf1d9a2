import { expect, test } from "vitest";
import { pageFiles } from "./page-files.ts";

test("whatever the document and its modules load is there, and nothing is loaded from elsewhere", async () => {
  const { document, parts } = await pageFiles();
  const texts = [document, ...parts.values()].map(({ body }) => body.toString());
  const loaded = texts.flatMap((text) => [
    ...[...text.matchAll(/"\/page\/([^"]+)"/g)].map(([, name]) => name),
    ...[...text.matchAll(/from "\.\/([^"]+)"/g)].map(([, name]) => name),
  ]);
  expect(loaded.length).toBeGreaterThan(20);
  expect(loaded.filter((name) => name === undefined || !parts.has(name))).toEqual([]);
  expect(texts.join("").match(/(?:src|href)="https?:|from "https?:|sourceMappingURL/)).toBeNull();
});

test("the document's one inline script is allowed by its hash, and a tag changes with its body", async () => {
  const { document, parts } = await pageFiles();
  expect(document.inlineScripts).toEqual([expect.stringMatching(/^sha256-[\w+/]{43}=$/)]);
  expect(new Set([document, ...parts.values()].map(({ etag }) => etag)).size).toBe(parts.size + 1);
});
