/**
 * How workers keep keys and values: as they are computed, or in 8 bits with one scale for each row and head; on a card in 16 bits too.
 * Everything that attends to a row reads the same rounded one, so that a prefix hit or a stripe changes nothing.
 */
export const KV_DTYPES = ["f32", "int8", "bf16", "f16"] as const;
export type KvDtype = (typeof KV_DTYPES)[number];

/** What a card keeps keys and values as. */
export const CARD_KV_DTYPES = ["f32", "f16"] as const;

/** What a CPU keeps keys and values as. */
export const HOST_KV_DTYPES = ["f32", "int8"] as const;
export type HostKvDtype = (typeof HOST_KV_DTYPES)[number];
