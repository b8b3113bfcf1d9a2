import { CARD_KV_DTYPES, DroverError, HOST_KV_DTYPES, type KvDtype } from "@drover/core";

/** What a worker keeps keys and values as, and how many bytes of them; `auto`: as many as its card has free. */
export type KvSettings = Readonly<{ dtype: KvDtype; bytesMax: number | "auto" }>;

/** Why a type is not kept. */
type Reasons = Readonly<Partial<Record<KvDtype, string>>>;

/** Of cards. */
const CARD_REASONS: Reasons = {
  int8: "f16, some hundred times as exact, gives some tokens other experts already",
  bf16: "f16 takes the same bytes and is some hundred times as exact",
};

/** Bytes where nothing is said, in main memory. */
const HOST_KV_BYTES = 2 ** 30;

/** A device, as far as it decides what rows are kept as. */
type KeptBy = Readonly<{ kind: "cpu" | "cuda" }>;

/** What was asked for, and what goes without saying on the device. Errors: `invalid_argument` with the field `kv_dtype` or `kv_memory`. */
export function kvSettings(
  device: KeptBy,
  asked: Readonly<{ kvDtype: KvDtype | undefined; kvMemory: number | "auto" | undefined }>,
): KvSettings {
  if (device.kind === "cuda")
    return { dtype: keptAs("card", CARD_KV_DTYPES, asked.kvDtype, CARD_REASONS), bytesMax: asked.kvMemory ?? "auto" };
  if (asked.kvMemory === "auto") refuse("kv_memory", "--kv-memory: auto measures a card; for a CPU say how much");
  return { dtype: keptAs("CPU", HOST_KV_DTYPES, asked.kvDtype), bytesMax: asked.kvMemory ?? HOST_KV_BYTES };
}

/** f32 where nothing is said: 16 bits are as much as a mixture's router may turn on. */
function keptAs(device: string, dtypes: readonly KvDtype[], asked: KvDtype = "f32", reasons: Reasons = {}): KvDtype {
  if (!dtypes.includes(asked)) {
    const sentence = `--kv-dtype: a ${device} keeps keys and values as ${dtypes.join(" or ")}, not as ${asked}`;
    refuse("kv_dtype", reasons[asked] === undefined ? sentence : `${sentence}: ${reasons[asked]}`);
  }
  return asked;
}

function refuse(field: string, sentence: string): never {
  throw new DroverError("invalid_argument", sentence, { field });
}
