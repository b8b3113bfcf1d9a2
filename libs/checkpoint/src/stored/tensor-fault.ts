import { basename } from "node:path";
import { DroverError } from "@drover/core";
import type { Checkpoint } from "../files/checkpoint.ts";
import { isWeightDtype } from "../files/dtype.ts";
import { quoted } from "../files/quoted.ts";

/** What describing tensors needs of a checkpoint: names, types and shapes. */
export type TensorTable = Pick<Checkpoint, "has" | "info" | "weightDtype">;

/** Throws `invalid_argument` naming file and tensor. */
export function failTensor(table: TensorTable, tensor: string, what: string): never {
  throw new DroverError("invalid_argument", `${basename(table.info(tensor).file)}: tensor ${quoted(tensor)} ${what}`);
}

/** Errors: `invalid_argument` where the tensor has another shape, or is not there. */
export function requireShape(table: TensorTable, tensor: string, shape: readonly number[]): void {
  const found = table.info(tensor).shape;
  if (found.length === shape.length && found.every((size, i) => size === shape[i])) return;
  failTensor(table, tensor, `has shape [${found}] where config.json makes it [${shape}]`);
}

/** Errors: `invalid_argument` where a tensor of scales has a type that none are read in; in FP8 only NVFP4's are. */
export function requireScaleType(table: TensorTable, tensor: string, mayBeFp8: boolean): void {
  const { dtype } = table.info(tensor);
  if (isWeightDtype(dtype) && (mayBeFp8 || dtype !== "F8_E4M3")) return;
  failTensor(table, tensor, `is ${dtype}; Drover reads scales in ${mayBeFp8 ? "F8_E4M3 or in " : ""}16 or 32 bits`);
}

/** Errors: `invalid_argument` where one of the tensor's numbers is NaN or infinite. */
export function requireFinite(table: TensorTable, tensor: string, values: Float32Array): void {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at >= 0)
    failTensor(table, tensor, `has ${values[at]} among its numbers: it is damaged; download or quantize it again`);
}

/** The one of these tensors that is there; undefined where none is. Errors: `invalid_argument` where there are two. */
export function onlyTensor(table: TensorTable, names: readonly string[]): string | undefined {
  const [first, second] = names.filter((name) => table.has(name));
  if (first !== undefined && second !== undefined)
    failTensor(table, second, `is beside ${quoted(first)}: one of them is too many`);
  return first;
}
