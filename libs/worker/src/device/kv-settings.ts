import { DroverError, HOST_KV_DTYPES, type KvDtype } from "@drover/core";

/** What a worker keeps keys and values as, and how many bytes of them; `auto`: as many as its card has free. */
export type KvSettings = Readonly<{ dtype: KvDtype; bytesMax: number | "auto" }>;

/** Bytes where nothing is said, in main memory. */
const HOST_KV_BYTES = 2 ** 30;

/** A device, as far as it decides what rows are kept as. */
type KeptBy = Readonly<{ kind: "cpu" }> | Readonly<{ kind: "cuda"; precision: KvDtype }>;

/** What was asked for, and what goes without saying on the device. Errors: `invalid_argument` with the field `kv_dtype` or `kv_memory`. */
export function kvSettings(
  device: KeptBy,
  asked: Readonly<{ kvDtype: KvDtype | undefined; kvMemory: number | "auto" | undefined }>,
): KvSettings {
  if (device.kind === "cuda")
    return { dtype: cardDtype(device.precision, asked.kvDtype), bytesMax: asked.kvMemory ?? "auto" };
  if (asked.kvMemory === "auto") refuse("kv_memory", "--kv-memory: auto measures a card; for a CPU say how much");
  const dtype = asked.kvDtype ?? "f32";
  if (!HOST_KV_DTYPES.some((known) => known === dtype))
    refuse("kv_dtype", `--kv-dtype: a CPU keeps keys and values as ${HOST_KV_DTYPES.join(" or ")}, not as ${dtype}`);
  return { dtype, bytesMax: asked.kvMemory ?? HOST_KV_BYTES };
}

function cardDtype(precision: KvDtype, asked: KvDtype | undefined): KvDtype {
  if (asked === undefined || asked === precision) return precision;
  refuse(
    "kv_dtype",
    `--kv-dtype: a card keeps keys and values as it computes, in ${precision} (--precision), not as ${asked}`,
  );
}

function refuse(field: string, sentence: string): never {
  throw new DroverError("invalid_argument", sentence, { field });
}
