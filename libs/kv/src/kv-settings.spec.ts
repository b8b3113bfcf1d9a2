import { expect, test } from "vitest";
import { kvSettings } from "./kv-settings.ts";

const asked = (kvDtype?: Parameters<typeof kvSettings>[1]["kvDtype"], kvMemory?: number | "auto") => ({
  kvDtype,
  kvMemory,
});

test("where nothing is said keys and values are f32, 1 GiB of them on a CPU and what is free on a card", () => {
  expect(kvSettings({ kind: "cpu" }, asked())).toEqual({ dtype: "f32", bytesMax: 2 ** 30 });
  expect(kvSettings({ kind: "cuda" }, asked())).toEqual({ dtype: "f32", bytesMax: "auto" });
});

test("what is said is kept", () => {
  expect(kvSettings({ kind: "cpu" }, asked("int8", 5))).toEqual({ dtype: "int8", bytesMax: 5 });
  expect(kvSettings({ kind: "cuda" }, asked("f16", 5))).toEqual({ dtype: "f16", bytesMax: 5 });
});

test("what a device cannot keep is refused with the field", () => {
  const refused = (field: string) => expect.objectContaining({ code: "invalid_argument", field });
  expect(() => kvSettings({ kind: "cpu" }, asked("bf16"))).toThrow(refused("kv_dtype"));
  expect(() => kvSettings({ kind: "cpu" }, asked(undefined, "auto"))).toThrow(refused("kv_memory"));
  for (const dtype of ["int8", "bf16"] as const) {
    expect(() => kvSettings({ kind: "cuda" }, asked(dtype))).toThrow(refused("kv_dtype"));
    expect(() => kvSettings({ kind: "cuda" }, asked(dtype))).toThrow(`not as ${dtype}: f16`);
  }
});
