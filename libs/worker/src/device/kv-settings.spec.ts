import { expect, test } from "vitest";
import { kvSettings } from "./kv-settings.ts";

const asked = (kvDtype?: Parameters<typeof kvSettings>[1]["kvDtype"], kvMemory?: number | "auto") => ({
  kvDtype,
  kvMemory,
});

test("where nothing is said a CPU keeps 1 GiB of f32, and a card what it has free, as it computes", () => {
  expect(kvSettings({ kind: "cpu" }, asked())).toEqual({ dtype: "f32", bytesMax: 2 ** 30 });
  expect(kvSettings({ kind: "cuda", precision: "f16" }, asked())).toEqual({ dtype: "f16", bytesMax: "auto" });
});

test("what is said is kept", () => {
  expect(kvSettings({ kind: "cpu" }, asked("int8", 5))).toEqual({ dtype: "int8", bytesMax: 5 });
  expect(kvSettings({ kind: "cuda", precision: "bf16" }, asked("bf16", 5))).toEqual({ dtype: "bf16", bytesMax: 5 });
});

test("what a device cannot keep is refused with the field", () => {
  const refused = (field: string) => expect.objectContaining({ code: "invalid_argument", field });
  expect(() => kvSettings({ kind: "cpu" }, asked("bf16"))).toThrow(refused("kv_dtype"));
  expect(() => kvSettings({ kind: "cpu" }, asked(undefined, "auto"))).toThrow(refused("kv_memory"));
  expect(() => kvSettings({ kind: "cuda", precision: "bf16" }, asked("int8"))).toThrow(refused("kv_dtype"));
});
