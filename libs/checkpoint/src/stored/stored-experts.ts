import { PLAIN_FORMS, type StoredForms } from "../config/stored-forms.ts";
import { readGrid, wholeGrid } from "./scale-grid.ts";
import { NVFP4_GROUP, type StoredMatrix, type StoredScales } from "./stored-matrix.ts";
import { failTensor, onlyTensor, requireScaleType, requireShape, type TensorTable } from "./tensor-fault.ts";

/** How all routed experts of a layer are stored where they are two tensors; `index` of their matrices is 0 and is to be set. */
export type StoredExperts = Readonly<{ gateUp: StoredMatrix; down: StoredMatrix }>;

/** The sizes of a layer's experts. */
export type ExpertSizes = Readonly<{ hiddenSize: number; expertWidth: number; expertCount: number }>;

/** One of the two tensors: its name, its matrices' shape, how they lie, and for each of its scales' names. */
type Fused = Readonly<{
  name: string;
  expertCount: number;
  outSize: number;
  inSize: number;
  isTransposed: boolean;
  isGateUp: boolean;
}>;

/** Names under which a fused tensor's scales are written: by fbgemm, ModelOpt, and transformers' own FP8. */
const SCALE_SUFFIXES = ["_scale", "_weight_scale", "_scale_inv", "_scales_inv", "_weight_scale_inv"];

/** Whether a layer's experts are two tensors of all of them. */
export function hasFusedExperts(table: Pick<TensorTable, "has">, path: string): boolean {
  return table.has(`${path}.gate_up_proj`) || table.has(`${path}.down_proj`);
}

/**
 * Finds out how a layer's fused experts are stored: [E, in, out], as Llama 4 has them, or [E, out, in], as transformers' FP8 may write them; in
 * 16 or 32 bits, FP8 or int8 with scales, or NVFP4, packed along the inputs. Reads nothing. Errors: as `storedLinear`.
 * Sources: transformers, integrations/fbgemm_fp8.py and finegrained_fp8.py; ModelOpt, export/unified_export_hf.py.
 */
export function storedExperts(
  table: TensorTable,
  path: string,
  { hiddenSize: d, expertWidth: f, expertCount }: ExpertSizes,
  forms: StoredForms = PLAIN_FORMS,
): StoredExperts {
  const names = { gateUp: `${path}.gate_up_proj`, down: `${path}.down_proj` };
  // One of the two matrices is not square, so that the pair tells how both lie.
  const lie = (isTransposed: boolean) =>
    fits(table, names.gateUp, expertCount, [2 * f, d], isTransposed) &&
    fits(table, names.down, expertCount, [d, f], isTransposed);
  const isTransposed = lie(true) || !lie(false);
  const gateUp = { name: names.gateUp, expertCount, outSize: 2 * f, inSize: d, isTransposed, isGateUp: true };
  const down = { name: names.down, expertCount, outSize: d, inSize: f, isTransposed, isGateUp: false };
  return { gateUp: storedFused(table, gateUp, forms), down: storedFused(table, down, forms) };
}

/** Whether a fused tensor is of such matrices [out, in], lying so; of 4-bit numbers two inputs are one byte. */
function fits(
  table: TensorTable,
  tensor: string,
  expertCount: number,
  [outSize, inSize]: readonly [number, number],
  isTransposed: boolean,
): boolean {
  if (!table.has(tensor)) return false;
  const { shape, dtype } = table.info(tensor);
  const inputs = dtype === "U8" ? inSize / 2 : inSize;
  const wanted = [expertCount, ...(isTransposed ? [inputs, outSize] : [outSize, inputs])];
  return shape.length === wanted.length && shape.every((size, i) => size === wanted[i]);
}

function storedFused(table: TensorTable, fused: Fused, forms: StoredForms): StoredMatrix {
  const { name, outSize, inSize, isTransposed } = fused;
  const { dtype } = table.info(name);
  const scale = onlyTensor(
    table,
    SCALE_SUFFIXES.map((suffix) => name + suffix),
  );
  const second = secondScale(table, fused);
  const expert = { index: 0, isTransposed };
  const none = { zeroPoints: undefined, second: undefined, groupOfInput: undefined, scales: undefined };
  const base = { tensor: name, outSize, inSize, bits: 0, ...none, expert };
  if (dtype === "U8" && second !== undefined) {
    const scales = nvfp4Scales(table, fused, scale ?? `${name}_weight_scale`);
    return { ...base, numbers: "nvfp4", scales, second };
  }
  if (dtype !== "I8" || scale === undefined) table.weightDtype(name);
  requireShape(table, name, placed(fused, outSize, inSize));
  if (dtype === "F8_E4M3" || (dtype === "I8" && scale !== undefined))
    return { ...base, numbers: "scaled", scales: fusedScales(table, fused, scale ?? `${name}_scale`, forms) };
  return { ...base, numbers: "plain" };
}

/** A shape of a fused tensor: [E, in, out] where it is transposed, else [E, out, in]. */
function placed({ expertCount, isTransposed }: Fused, outSize: number, inSize: number): readonly number[] {
  return isTransposed ? [expertCount, inSize, outSize] : [expertCount, outSize, inSize];
}

function nvfp4Scales(table: TensorTable, fused: Fused, tensor: string): StoredScales {
  const { name, outSize, inSize, isTransposed } = fused;
  if (inSize % NVFP4_GROUP !== 0)
    failTensor(table, name, `is NVFP4 of ${inSize} inputs, no multiple of ${NVFP4_GROUP}`);
  requireShape(table, name, placed(fused, outSize, inSize / 2));
  const columnCount = inSize / NVFP4_GROUP;
  requireShape(table, tensor, placed(fused, outSize, columnCount));
  requireScaleType(table, tensor, true);
  const grid = { rowCount: outSize, columnCount, rowSize: 1, columnSize: NVFP4_GROUP };
  return { tensor, grid, isPerExpert: true, isTransposed };
}

function fusedScales(table: TensorTable, fused: Fused, tensor: string, forms: StoredForms): StoredScales {
  requireScaleType(table, tensor, false);
  const { expertCount, outSize, inSize, isTransposed, isGateUp } = fused;
  const coarse = coarseScales(table, fused, tensor);
  if (coarse !== undefined) return coarse;
  const found = table.info(tensor).shape;
  // ModelOpt leaves the first dimension out where there is one expert.
  const shape = expertCount === 1 && found.length === 2 ? [1, ...found] : found;
  const [e, a, b] = shape;
  const isPerExpert = true;
  const eachOutput = { rowCount: outSize, columnCount: 1, rowSize: 1, columnSize: inSize };
  if (shape.length === 2 && e === expertCount && a === outSize) {
    if (outSize === inSize) failTensor(table, tensor, `has shape [${shape}], which may be of outputs or of inputs`);
    return { tensor, grid: eachOutput, isPerExpert, isTransposed: false };
  }
  const isRow = a === 1 && b === outSize;
  // fbgemm's scales of down_proj have its outputs as their second dimension, though the tensor has them as its last.
  const isColumn = a === outSize && b === 1 && !(isTransposed && isGateUp);
  if (shape.length === 3 && e === expertCount && (isRow || isColumn))
    return { tensor, grid: eachOutput, isPerExpert, isTransposed: false };
  const sides = isTransposed ? [Number(b), Number(a)] : [Number(a), Number(b)];
  const reading = shape.length === 3 && e === expertCount ? readGrid(sides, outSize, inSize, forms) : undefined;
  if (reading?.kind !== "grid") {
    const wanted = isTransposed && isGateUp ? `[${expertCount},1,${outSize}]` : `[${expertCount},${outSize},1]`;
    return failTensor(table, tensor, `has shape [${shape}]; it must be ${wanted}, [${expertCount}] or []`);
  }
  return { tensor, grid: reading.grid, isPerExpert, isTransposed };
}

/** Scales of all experts, one an expert, or of gate_up one for the gate and one for up; undefined for finer ones. */
function coarseScales(table: TensorTable, fused: Fused, tensor: string): StoredScales | undefined {
  const { shape } = table.info(tensor);
  const { expertCount, outSize, inSize, isGateUp } = fused;
  const [e, half, ...others] = shape;
  const rest = { tensor, isTransposed: false };
  if (shape.every((size) => size === 1)) return { ...rest, grid: wholeGrid(outSize, inSize), isPerExpert: false };
  if (e !== expertCount || others.some((size) => size !== 1)) return undefined;
  if (half === undefined || half === 1) {
    if (half === 1 && others.length === 0 && outSize === 1) return undefined;
    return { ...rest, grid: wholeGrid(outSize, inSize), isPerExpert: true };
  }
  if (!isGateUp || half !== 2 || others.length > 0) return undefined;
  const grid = { rowCount: 2, columnCount: 1, rowSize: outSize / 2, columnSize: inSize };
  return { ...rest, grid, isPerExpert: true };
}

function secondScale(table: TensorTable, fused: Fused): StoredMatrix["second"] {
  const divisor = `${fused.name}_weight_global_scale`;
  const tensor = onlyTensor(table, [divisor, `${fused.name}_weight_scale_2`]);
  if (tensor === undefined) return undefined;
  requireScaleType(table, tensor, false);
  const scales = coarseScales(table, fused, tensor);
  const { shape } = table.info(tensor);
  if (scales === undefined)
    return failTensor(table, tensor, `has shape [${shape}]; it must be [] or [${fused.expertCount}]`);
  return { ...scales, isDivisor: tensor === divisor };
}
