import { expect, test } from "vitest";
import { takeOperand } from "./operand.ts";

test("the operand is found before, between and behind flags, and no flag's value is taken for it", () => {
  const flags = ["--quantize", "int4", "--out=x"];
  for (let at = 0; at <= 1; at++) {
    const argv = [...flags.slice(0, 2 * at), "model", ...flags.slice(2 * at)];
    expect(takeOperand(argv)).toEqual({ operand: "model", flags });
  }
  expect(takeOperand([...flags, "model"])).toEqual({ operand: "model", flags });
  expect(takeOperand(["--help", "model"])).toEqual({ operand: "model", flags: ["--help"] });
  expect(takeOperand(flags).operand).toBeUndefined();
});

test("two operands are refused by name", () => {
  expect(() => takeOperand(["a", "b"])).toThrow(/a and b/);
});
