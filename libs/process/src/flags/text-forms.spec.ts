import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { VERSION } from "../version.ts";
import { likest } from "./likest.ts";
import { formProblem } from "./text-forms.ts";

describe("a flag's text", () => {
  it.each([
    [
      "address",
      ["127.0.0.1:50052", "scheduler-0.drover:1", "[::1]:65535"],
      ["localhost", "localhost:", ":1", "a:0", "a:65536", "::1:80", "http://a:1", "a b:1"],
    ],
    ["url", ["http://127.0.0.1:8080", "https://a/b"], ["127.0.0.1:8080", "http://", "ftp://a", "http://a b", "x"]],
    [
      "queue",
      ["scheduler", "redis://a:6379", "rediss://:secret@a"],
      ["redis", "http://a", "localhost:6379", "redis://"],
    ],
    ["host", ["0.0.0.0", "::", "[::1]", "router.local"], ["a:80", "http://a", "a b", "a/b"]],
    [
      "origin",
      ["*", "null", "https://app.example", "http://localhost:3000"],
      ["foo", "https://a/", "https://a b", "app.example", ""],
    ],
    ["name", ["nano", "meta-llama/Scout@1.0"], ["na no", "-a", "", "ä", "a".repeat(201)]],
  ] as const)("that must be of the form %s is, or is told what it must be", (form, good, bad) => {
    for (const text of good) expect([text, formProblem(form, text)]).toEqual([text, undefined]);
    for (const text of bad) expect([text, formProblem(form, text)]).toEqual([text, expect.stringMatching(/^must /)]);
  });
});

describe("a mistyped word", () => {
  it("is taken for the known one that is nearest, and for none where none is near", () => {
    const known = ["model", "model-name", "http-port", "grpc-port", "kv-memory"];
    expect(["modle", "http-prot", "kvmemory", "htt", "model-nme"].map((word) => likest(word, known))).toEqual([
      "model",
      "http-port",
      "kv-memory",
      "http-port",
      "model-name",
    ]);
    expect(likest("frobnicate", known)).toBeUndefined();
    expect(likest("x", known)).toBeUndefined();
  });
});

it("the version is the repository's", () => {
  const manifest = JSON.parse(readFileSync(new URL("../../../../package.json", import.meta.url), "utf8"));
  expect(VERSION).toBe(manifest.version);
});
