import { DroverError } from "@drover/core";
import { isObject } from "../files/json-file.ts";
import { BLOCK_SIZES, headFormat, type LinearFormat, type Quantization } from "../tensors/quantization.ts";

/** How a conversion quantizes; a head of null keeps its own type. */
export type ConversionSetting = Readonly<{ layers: Quantization; head: LinearFormat }>;

export function conversionSetting(quantization: Quantization): ConversionSetting {
  return { layers: quantization, head: headFormat(quantization) };
}

/** Reads a setting from a manifest or journal. Errors: `invalid_argument` naming the file. */
export function readSetting(value: unknown, path: string): ConversionSetting {
  const layers = isObject(value) ? readFormat(value.layers) : undefined;
  const head = isObject(value) ? readFormat(value.head) : undefined;
  if (!layers || head === undefined) {
    throw new DroverError("invalid_argument", `${path}: its quantization is none that this version of Drover knows`);
  }
  return { layers, head };
}

function readFormat(value: unknown): LinearFormat | undefined {
  if (value === null) return null;
  if (!isObject(value)) return undefined;
  const { bits, blockSize: size } = value;
  const blockSize = BLOCK_SIZES.find((known) => known === size);
  return (bits === 4 || bits === 8) && blockSize !== undefined ? { bits, blockSize } : undefined;
}

/** `int4-128`, and the head where it is another: what people read. */
export function describeSetting({ layers, head }: ConversionSetting): string {
  const name = (format: LinearFormat) => (format === null ? "unquantized" : `int${format.bits}-${format.blockSize}`);
  return name(layers) === name(head) ? name(layers) : `${name(layers)} (head ${name(head)})`;
}
