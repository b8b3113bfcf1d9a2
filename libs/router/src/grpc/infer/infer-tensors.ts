import { at, DroverError } from "@drover/core";
import type { inferApi } from "@drover/proto";
import { INFER_ELEMENTS_MAX } from "../../limits.ts";

/** An element of a tensor, as the fields of the HTTP interface have it. */
export type InferElement = string | number | boolean;

/** What a datatype's elements are: how wide each is in raw contents, how it is read there, and in which list it is otherwise. */
type Datatype = Readonly<{
  byteCount: number;
  raw: (view: DataView, at: number) => InferElement;
  listed: (contents: inferApi.InferTensorContents) => readonly (boolean | number | bigint)[];
}>;

const DATATYPES: Readonly<Record<string, Datatype>> = {
  BOOL: { byteCount: 1, raw: (view, at) => view.getUint8(at) !== 0, listed: ({ boolContents }) => boolContents },
  INT8: { byteCount: 1, raw: (view, at) => view.getInt8(at), listed: ({ intContents }) => intContents },
  INT16: { byteCount: 2, raw: (view, at) => view.getInt16(at, true), listed: ({ intContents }) => intContents },
  INT32: { byteCount: 4, raw: (view, at) => view.getInt32(at, true), listed: ({ intContents }) => intContents },
  INT64: {
    byteCount: 8,
    raw: (view, at) => Number(view.getBigInt64(at, true)),
    listed: ({ int64Contents }) => int64Contents,
  },
  UINT8: { byteCount: 1, raw: (view, at) => view.getUint8(at), listed: ({ uintContents }) => uintContents },
  UINT16: { byteCount: 2, raw: (view, at) => view.getUint16(at, true), listed: ({ uintContents }) => uintContents },
  UINT32: { byteCount: 4, raw: (view, at) => view.getUint32(at, true), listed: ({ uintContents }) => uintContents },
  UINT64: {
    byteCount: 8,
    raw: (view, at) => Number(view.getBigUint64(at, true)),
    listed: ({ uint64Contents }) => uint64Contents,
  },
  FP32: { byteCount: 4, raw: (view, at) => view.getFloat32(at, true), listed: ({ fp32Contents }) => fp32Contents },
  FP64: { byteCount: 8, raw: (view, at) => view.getFloat64(at, true), listed: ({ fp64Contents }) => fp64Contents },
};

const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/** Bytes before each element of BYTES in raw contents, which say how long it is. */
const LENGTH_BYTES = 4;

const NOT_WHOLE = "has raw contents that end within an element";

/** The elements of an input, from its own contents or from its raw ones. Errors: `invalid_argument`, naming the input. */
export function elementsOf(
  { name, datatype, shape, contents }: inferApi.ModelInferRequest_InferInputTensor,
  raw: Uint8Array | undefined,
): readonly InferElement[] {
  const refuse = (sentence: string): never => {
    throw new DroverError("invalid_argument", sentence, { field: name });
  };
  if (shape.some((size) => size < 0n)) return refuse("has a negative number in its shape");
  const count = shape.reduce((product, size) => product * Number(size), 1);
  if (!Number.isInteger(count) || count > INFER_ELEMENTS_MAX)
    return refuse(`may have at most ${INFER_ELEMENTS_MAX} elements`);
  const type = DATATYPES[datatype];
  if (datatype !== "BYTES" && type === undefined)
    return refuse(`has the datatype ${datatype.slice(0, 20)}, which is not read`);
  const elements =
    type === undefined
      ? (raw === undefined ? (contents?.bytesContents ?? []) : (rawTexts(raw) ?? refuse(NOT_WHOLE))).map(
          (bytes) => text(bytes) ?? refuse("must be UTF-8"),
        )
      : raw === undefined
        ? (contents === undefined ? [] : type.listed(contents)).map((one) =>
            typeof one === "bigint" ? Number(one) : one,
          )
        : (rawNumbers(raw, type) ?? refuse(NOT_WHOLE));
  if (elements.length !== count) return refuse(`has the shape of ${count} elements and holds ${elements.length}`);
  return elements;
}

/** Texts as raw contents of BYTES. */
export function rawOfTexts(texts: readonly string[]): Uint8Array {
  const parts = texts.flatMap((one) => {
    const bytes = encoder.encode(one);
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(bytes.byteLength);
    return [length, bytes];
  });
  return Buffer.concat(parts);
}

/** Numbers as raw contents of UINT32. */
export function rawOfCounts(counts: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(LENGTH_BYTES * counts.length);
  for (const [i, one] of counts.entries()) bytes.writeUInt32LE(one, LENGTH_BYTES * i);
  return bytes;
}

/** Undefined where the bytes are no whole elements; of more than may be, one too many. */
function rawTexts(bytes: Uint8Array): readonly Uint8Array[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: Uint8Array[] = [];
  let position = 0;
  while (position < bytes.byteLength && texts.length <= INFER_ELEMENTS_MAX) {
    if (position + LENGTH_BYTES > bytes.byteLength) return undefined;
    const end = position + LENGTH_BYTES + view.getUint32(position, true);
    if (end > bytes.byteLength) return undefined;
    texts.push(bytes.subarray(position + LENGTH_BYTES, end));
    position = end;
  }
  return texts;
}

/** As {@link rawTexts}. */
function rawNumbers(bytes: Uint8Array, { byteCount, raw }: Datatype): readonly InferElement[] | undefined {
  if (bytes.byteLength % byteCount !== 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = Math.min(INFER_ELEMENTS_MAX + 1, bytes.byteLength / byteCount);
  return Array.from({ length: count }, (_, i) => raw(view, i * byteCount));
}

function text(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return undefined;
  }
}

/** The only element of an input. Errors: `invalid_argument`, naming it. */
export function onlyElement(name: string, elements: readonly InferElement[]): InferElement {
  if (elements.length !== 1) throw new DroverError("invalid_argument", "must have one element", { field: name });
  return at(elements, 0);
}
