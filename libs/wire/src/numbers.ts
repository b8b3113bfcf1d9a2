import { wireFault } from "./wire-fault.ts";

/** A 64-bit field as a number. Errors: `invalid_argument` above 2^53, where a number would be another one. */
export function numberFromWire(value: bigint, field: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw wireFault(field, `is ${value}, more than a number can hold`);
  return Number(value);
}

/** A view of 32-bit ids as bytes, little-endian: a million varints would take too long to write and to read. */
export function u32ToWire(ids: Uint32Array): Uint8Array {
  return new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength);
}

/** A copy, since the message's bytes may begin anywhere. Errors: `invalid_argument` for a part of an id. */
export function u32FromWire(bytes: Uint8Array, field: string): Uint32Array {
  checkWhole(bytes, Uint32Array.BYTES_PER_ELEMENT, field);
  return new Uint32Array(new Uint8Array(bytes).buffer);
}

/** A copy of 16-bit ids as bytes, little-endian: their array may be part of a step's, which is used again. */
export function u16ToWire(ids: Uint16Array): Uint8Array {
  return new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength).slice();
}

/** See {@link u32FromWire}. */
export function u16FromWire(bytes: Uint8Array, field: string): Uint16Array {
  checkWhole(bytes, Uint16Array.BYTES_PER_ELEMENT, field);
  return new Uint16Array(new Uint8Array(bytes).buffer);
}

function checkWhole(bytes: Uint8Array, elementBytes: number, field: string): void {
  if (bytes.byteLength % elementBytes !== 0)
    throw wireFault(field, `has ${bytes.byteLength} bytes, which is no whole number of ids`);
}
