import type { StoredForms } from "../config/stored-forms.ts";
import { PLAIN_FORMS } from "../config/stored-forms.ts";
import { readGrid, type ScaleGrid, wholeGrid } from "./scale-grid.ts";
import { NVFP4_GROUP, type StoredMatrix, type StoredScales, type StoredZeroPoints } from "./stored-matrix.ts";
import { failTensor, onlyTensor, requireScaleType, requireShape, type TensorTable } from "./tensor-fault.ts";

/** Bits that packed integers may have where config.json does not say. */
const PACKED_BITS_UNSAID = [4, 8];

/** A Linear by its module's whole path, [out, in]. */
type LinearPlace = Readonly<{ path: string; outSize: number; inSize: number }>;

/**
 * Finds out how a Linear is stored, from names, types and shapes of its tensors; `forms` explains what these leave open. Reads nothing.
 * Errors: `invalid_argument` naming file and tensor, for what is missing, misshapen, of another type, or could mean two things.
 * Sources: compressed-tensors, compressors/*; ModelOpt, export/quant_utils.py; transformers, integrations/finegrained_fp8.py.
 */
export function storedLinear(
  table: TensorTable,
  path: string,
  outSize: number,
  inSize: number,
  forms: StoredForms = PLAIN_FORMS,
): StoredMatrix {
  const place: LinearPlace = { path, outSize, inSize };
  const weight = `${path}.weight`;
  const packed = `${path}.weight_packed`;
  const tensor = onlyTensor(table, [packed, weight]) ?? weight;
  const { dtype } = table.info(tensor);
  if (tensor === packed && dtype === "I32") return packedLinear(table, place, forms);
  const second = secondScale(table, place);
  if (dtype === "U8" && (tensor === packed || second !== undefined)) return nvfp4Linear(table, place, tensor, second);
  if (tensor === packed) failTensor(table, tensor, `is ${dtype}; Drover reads packed weights in I32 and U8`);
  const scale = scaleTensor(table, path);
  if (dtype !== "I8" || scale === undefined) table.weightDtype(tensor);
  requireShape(table, tensor, [outSize, inSize]);
  if (dtype === "F8_E4M3" || (dtype === "I8" && scale !== undefined)) {
    const scales = linearScales(table, place, scale ?? `${path}.weight_scale`, forms, false);
    const zeroPoints = zeroPointsOf(table, place, scales.grid, 0);
    return {
      ...plain(place, tensor),
      numbers: "scaled",
      scales,
      zeroPoints,
      groupOfInput: order(table, place, scales.grid),
    };
  }
  return plain(place, tensor);
}

/** Whether a Linear is there, in whatever form. */
export function hasLinear(table: Pick<TensorTable, "has">, path: string): boolean {
  return table.has(`${path}.weight`) || table.has(`${path}.weight_packed`);
}

function plain({ outSize, inSize }: LinearPlace, tensor: string): StoredMatrix {
  const none = {
    scales: undefined,
    zeroPoints: undefined,
    second: undefined,
    groupOfInput: undefined,
    expert: undefined,
  };
  return { numbers: "plain", tensor, outSize, inSize, bits: 0, ...none };
}

function packedLinear(table: TensorTable, place: LinearPlace, forms: StoredForms): StoredMatrix {
  const { path, outSize, inSize } = place;
  const tensor = `${path}.weight_packed`;
  const { shape } = table.info(tensor);
  const [rowCount, wordCount] = shape;
  const known = forms.bits.length > 0 ? forms.bits : PACKED_BITS_UNSAID;
  const [bits, other] = known.filter((one) => Math.ceil((inSize * one) / 32) === wordCount);
  if (shape.length !== 2 || rowCount !== outSize || bits === undefined) {
    const wanted = known.map((one) => `[${outSize},${Math.ceil((inSize * one) / 32)}]`).join(" or ");
    return failTensor(table, tensor, `has shape [${shape}] where config.json makes it ${wanted}`);
  }
  if (other !== undefined) failTensor(table, tensor, `may be of ${bits} or of ${other} bits: config.json names both`);
  const scales = linearScales(table, place, scaleTensor(table, path) ?? `${path}.weight_scale`, forms, false);
  const zeroPoints = zeroPointsOf(table, place, scales.grid, bits);
  const groupOfInput = order(table, place, scales.grid);
  return { ...plain(place, tensor), numbers: "packed", bits, scales, zeroPoints, groupOfInput };
}

function nvfp4Linear(
  table: TensorTable,
  place: LinearPlace,
  tensor: string,
  second: StoredMatrix["second"],
): StoredMatrix {
  const { path, outSize, inSize } = place;
  const scale = scaleTensor(table, path) ?? `${path}.weight_scale`;
  requireScaleType(table, scale, true);
  if (inSize % NVFP4_GROUP !== 0)
    failTensor(table, tensor, `is NVFP4 of ${inSize} inputs, no multiple of ${NVFP4_GROUP}`);
  requireShape(table, tensor, [outSize, inSize / 2]);
  requireShape(table, scale, [outSize, inSize / NVFP4_GROUP]);
  const zero = `${path}.weight_zero_point`;
  if (table.has(zero)) failTensor(table, zero, "is of NVFP4, which has no zero points");
  const grid = { rowCount: outSize, columnCount: inSize / NVFP4_GROUP, rowSize: 1, columnSize: NVFP4_GROUP };
  const scales = { tensor: scale, grid, isPerExpert: false, isTransposed: false };
  if (second === undefined) table.info(`${path}.weight_global_scale`);
  return { ...plain(place, tensor), numbers: "nvfp4", scales, second };
}

function scaleTensor(table: TensorTable, path: string): string | undefined {
  return onlyTensor(table, [`${path}.weight_scale`, `${path}.weight_scale_inv`]);
}

function linearScales(
  table: TensorTable,
  { outSize, inSize }: LinearPlace,
  tensor: string,
  forms: StoredForms,
  mayBeFp8: boolean,
): StoredScales {
  const reading = readGrid(table.info(tensor).shape, outSize, inSize, forms);
  if (reading.kind === "fault") return failTensor(table, tensor, reading.what);
  requireScaleType(table, tensor, mayBeFp8);
  return { tensor, grid: reading.grid, isPerExpert: false, isTransposed: false };
}

/** compressed-tensors divides by its second scale, ModelOpt multiplies. */
function secondScale(table: TensorTable, { path, outSize, inSize }: LinearPlace): StoredMatrix["second"] {
  const divisor = `${path}.weight_global_scale`;
  const tensor = onlyTensor(table, [divisor, `${path}.weight_scale_2`]);
  if (tensor === undefined) return undefined;
  const { shape } = table.info(tensor);
  if (shape.some((size) => size !== 1)) failTensor(table, tensor, `has shape [${shape}]; it must be [1] or []`);
  requireScaleType(table, tensor, false);
  const grid = wholeGrid(outSize, inSize);
  return { tensor, grid, isPerExpert: false, isTransposed: false, isDivisor: tensor === divisor };
}

function zeroPointsOf(
  table: TensorTable,
  { path, outSize }: LinearPlace,
  { rowCount, columnCount }: ScaleGrid,
  bits: number,
): StoredZeroPoints | undefined {
  const tensor = `${path}.weight_zero_point`;
  if (!table.has(tensor)) return undefined;
  const { dtype, shape } = table.info(tensor);
  if (dtype === "I32" && bits > 0) {
    if (rowCount !== outSize && rowCount !== 1) failTensor(table, tensor, "is packed beside scales of blocks");
    requireShape(table, tensor, [Math.ceil((rowCount * bits) / 32), columnCount]);
    return { tensor, isPacked: true };
  }
  if (dtype !== "I8") table.weightDtype(tensor);
  const count = shape.reduce((product, size) => product * size, 1);
  if (count !== rowCount * columnCount || (rowCount > 1 && shape[0] !== rowCount))
    failTensor(table, tensor, `has shape [${shape}], which is not that of the scales`);
  return { tensor, isPacked: false };
}

/** Where every output has one scale, the order of its inputs is nothing to it. */
function order(table: TensorTable, { path, inSize }: LinearPlace, grid: ScaleGrid): string | undefined {
  const tensor = `${path}.weight_g_idx`;
  if (!table.has(tensor) || grid.columnCount === 1) return undefined;
  if (grid.rowSize !== 1) failTensor(table, tensor, "orders inputs beside scales of blocks");
  const { dtype } = table.info(tensor);
  if (dtype !== "I32" && dtype !== "I64") failTensor(table, tensor, `is ${dtype}; Drover reads it in I32 or I64`);
  requireShape(table, tensor, [inSize]);
  return tensor;
}
