import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DroverError } from "@drover/core";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadTokenizer } from "./load-tokenizer.ts";

type Model = { vocab: Record<string, number>; merges: unknown[] };

let folder = "";
const sources = new Map<string, Buffer>();
const MERGES = 40;

/** Small files of both kinds: nano's bytes with its first merges, and the same ranks as tiktoken writes them. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-tokenizer-"));
  const path = join(import.meta.dirname, "../../../models/nano/tokenizer.json");
  const whole = JSON.parse(await readFile(path, "utf8")) as { model: Model; added_tokens: unknown[] };
  const vocab = Object.fromEntries(Object.entries(whole.model.vocab).filter(([, id]) => id < 256 + MERGES));
  const merges = whole.model.merges.slice(0, MERGES);
  const small = { ...whole, added_tokens: whole.added_tokens.slice(0, 4), model: { ...whole.model, vocab, merges } };
  sources.set("tokenizer.json", Buffer.from(JSON.stringify(small)));
  const ranks = Array.from({ length: 256 }, (_, byte) => Buffer.of(byte)).concat(
    ["he", "in", "th"].map((text) => Buffer.from(text)),
  );
  sources.set(
    "tokenizer.model",
    Buffer.from(ranks.map((bytes, rank) => `${bytes.toString("base64")} ${rank}\n`).join("")),
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const TEXT = "He is in the 1st house, isn't he?\r\n  \u00e9\u4e2d\u{1f600} <|eot|> ";

/** Loads a folder with this file alone, and uses what loads. */
async function expectClear(name: string, bytes: Uint8Array): Promise<void> {
  for (const other of sources.keys()) await rm(join(folder, other), { force: true });
  await writeFile(join(folder, name), bytes);
  try {
    const tokenizer = await loadTokenizer(folder);
    const ids = tokenizer.encode(TEXT);
    tokenizer.decode([...ids]);
    const stream = tokenizer.stream();
    for (const id of ids) stream.push(id);
    stream.flush();
  } catch (error) {
    expect(error).toBeInstanceOf(DroverError);
    if (!(error instanceof DroverError)) return;
    expect(error.code).toBe("invalid_argument");
    expect(error.message.length).toBeLessThan(1000);
    expect(error.message).toMatch(/tokenizer|text/i);
  }
}

const share = fc.double({ min: 0, max: 1, noNaN: true });
const place = (bytes: Uint8Array, where: number) => Math.min(bytes.length - 1, Math.floor(where * bytes.length));

type Spoiling = (bytes: Buffer) => Buffer;

const flipped = fc.array(fc.tuple(share, fc.nat(7)), { minLength: 1, maxLength: 4 }).map((flips): Spoiling => {
  return (bytes) => {
    const out = Buffer.from(bytes);
    for (const [where, bit] of flips) out[place(out, where)] = (out[place(out, where)] ?? 0) ^ (1 << bit);
    return out;
  };
});
const truncated = share.map(
  (where): Spoiling =>
    (bytes) =>
      bytes.subarray(0, place(bytes, where)),
);
const cut = fc.tuple(share, fc.integer({ min: 1, max: 64 })).map(([where, count]): Spoiling => {
  return (bytes) =>
    Buffer.concat([bytes.subarray(0, place(bytes, where)), bytes.subarray(place(bytes, where) + count)]);
});
const longer = fc.tuple(share, fc.uint8Array({ minLength: 1, maxLength: 16 })).map(([where, more]): Spoiling => {
  return (bytes) => Buffer.concat([bytes.subarray(0, place(bytes, where)), more, bytes.subarray(place(bytes, where))]);
});

/** JSON texts; lists a thousand and more deep are lies of their own. */
const lies = [
  "null",
  "true",
  '""',
  '"x"',
  '"\\ud800"',
  "-1",
  "0",
  "0.5",
  "1e308",
  "9007199254740993",
  "4294967296",
  "100000000",
  "[]",
  "{}",
  '["a", 1]',
  `${"[".repeat(2e4)}${"]".repeat(2e4)}`,
  `"${"(a+)+".repeat(50)}"`,
];

describe("a spoiled tokenizer is refused in a sentence that names it, or is one that works", () => {
  const names = fc.constantFrom("tokenizer.json", "tokenizer.model");
  const source = (name: string) => sources.get(name) ?? Buffer.alloc(0);

  test("whatever happens to its bytes", async () => {
    const spoilings = fc.oneof(flipped, truncated, cut, longer);
    const property = fc.asyncProperty(names, spoilings, (name, spoil) => expectClear(name, spoil(source(name))));
    await fc.assert(property, { numRuns: 800, seed: 4 });
  });

  test("whatever its JSON says", async () => {
    const property = fc.asyncProperty(share, fc.constantFrom(...lies), (where, lie) =>
      expectClear("tokenizer.json", withLie(source("tokenizer.json"), where, lie)),
    );
    await fc.assert(property, { numRuns: 800, seed: 4 });
  });

  test("whatever its lines say", async () => {
    const line = fc.oneof(
      fc.string({ maxLength: 40 }),
      fc.constantFrom("IQ==", "IQ== -1", "IQ== 1e9", " 5", "!!!! 256", "=== 256"),
    );
    const property = fc.asyncProperty(share, line, (where, text) => {
      const lines = source("tokenizer.model").toString("utf8").split("\n");
      lines[Math.floor(where * lines.length)] = text;
      return expectClear("tokenizer.model", Buffer.from(lines.join("\n")));
    });
    await fc.assert(property, { numRuns: 400, seed: 4 });
  });
});

test("both unspoiled files work", async () => {
  for (const [name, bytes] of sources) {
    for (const other of sources.keys()) await rm(join(folder, other), { force: true });
    await writeFile(join(folder, name), bytes);
    const tokenizer = await loadTokenizer(folder);
    expect(tokenizer.decode([...tokenizer.encode(TEXT)])).toBe(TEXT);
  }
});

/** The text with one value replaced; parts outside of vocabulary and merges come up as often as these. */
function withLie(bytes: Buffer, where: number, lie: string): Buffer {
  const marker = "\u0001lie\u0001";
  const root: unknown = JSON.parse(bytes.toString("utf8"));
  const paths: string[][] = [];
  const visit = (value: unknown, path: string[]) => {
    paths.push(path);
    if (typeof value !== "object" || value === null) return;
    const entries = Object.entries(value);
    // Three of many alike are enough.
    for (const [key, part] of entries.length > 20 ? entries.slice(0, 3) : entries) visit(part, [...path, key]);
  };
  visit(root, []);
  const path = paths[Math.min(paths.length - 1, Math.floor(where * paths.length))] ?? [];
  const put = (value: unknown, [key, ...rest]: string[]): unknown => {
    if (key === undefined) return marker;
    if (Array.isArray(value)) return value.map((part, i) => (String(i) === key ? put(part, rest) : part));
    return Object.fromEntries(
      Object.entries(value as object).map(([name, part]) => [name, name === key ? put(part, rest) : part]),
    );
  };
  return Buffer.from(JSON.stringify(put(root, path)).replace(JSON.stringify(marker), () => lie));
}
