import { wireFault } from "./wire-fault.ts";

/** SHA-256. */
const HASH_BYTES = 32;

/** The hash of an image's tiles, in hex, as bytes. */
export function contentHashToWire(hash: string): Uint8Array {
  return Buffer.from(hash, "hex");
}

/** Errors: `invalid_argument` for bytes that are no SHA-256. */
export function contentHashFromWire(bytes: Uint8Array, field: string): string {
  if (bytes.byteLength !== HASH_BYTES)
    throw wireFault(field, `has ${bytes.byteLength} bytes; a SHA-256 has ${HASH_BYTES}`);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
