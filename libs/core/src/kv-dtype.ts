/**
 * How workers keep keys and values: as they are computed, or in 8 bits with one scale for each row and head.
 * Everything that attends to a row reads the same rounded one, so that a prefix hit or a stripe changes nothing.
 */
export const KV_DTYPES = ["f32", "int8"] as const;
export type KvDtype = (typeof KV_DTYPES)[number];
