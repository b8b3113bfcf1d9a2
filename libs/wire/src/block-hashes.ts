import { BLOCK_HASH_BYTES } from "@drover/kv";
import { wireFault } from "./wire-fault.ts";

/** The hashes of whole blocks, as a view of the message. Errors: `invalid_argument` for a part of a hash. */
export function blockHashesFromWire(hashes: Uint8Array, field: string): Uint8Array {
  if (hashes.byteLength % BLOCK_HASH_BYTES !== 0)
    throw wireFault(field, `has ${hashes.byteLength} bytes; a block's hash has ${BLOCK_HASH_BYTES}`);
  return hashes;
}
