import { DroverError } from "@drover/core";
import { countCards } from "@drover/cuda";
import type { UpConfig } from "./up-config.ts";

/** How many workers of the two kinds there are, and what each attention, expert and context worker computes with; undefined: their own choice. */
export type UpWorkers = Readonly<{
  attentionWorkers: number;
  expertWorkers: number;
  deviceOf: (attentionWorker: number) => string | undefined;
  expertDeviceOf: (expertWorker: number) => string | undefined;
  contextDeviceOf: (contextWorker: number) => string;
}>;

/** Of `--context-device`: the cards that `--gpus` names, in turn. */
const ALL_CARDS = "all";

const EXPERT_WORKERS = 4;

/** Reads `--gpus`, `--device` and the numbers of workers. Asks the driver for its cards where `--gpus` says so. Errors: `invalid_argument` with the field; `unavailable` without a driver. */
export async function upWorkers(config: UpConfig, cards: () => Promise<number> = countCards): Promise<UpWorkers> {
  const { device, gpus, contextDevice } = config;
  if (gpus === undefined) {
    if (contextDevice === ALL_CARDS) refuse("context-device", "all are the cards of --gpus, which is not there");
    const expertDevice = config.expertDevice ?? device;
    const onCards = device !== undefined && device !== "cpu";
    return {
      attentionWorkers: config.attentionWorkers ?? 1,
      expertWorkers: config.expertWorkers ?? (onCards ? 0 : EXPERT_WORKERS),
      deviceOf: () => device,
      expertDeviceOf: () => expertDevice,
      contextDeviceOf: () => contextDevice,
    };
  }
  if (device !== undefined) refuse("device", "--gpus names the cards already");
  const found = await cards().catch((cause: unknown) => {
    if (!(cause instanceof DroverError)) throw cause;
    throw new DroverError(cause.code, `--gpus: ${cause.message}`, { cause });
  });
  const wanted = gpus === "all" ? found : Number(gpus);
  if (wanted < 1) throw new DroverError("unavailable", "--gpus: the driver finds no card");
  if (wanted > found) refuse("gpus", `there are ${found} cards, not ${wanted}`);
  const attentionWorkers = config.attentionWorkers ?? wanted;
  if (attentionWorkers > wanted)
    refuse("attention-workers", `${wanted} cards have room for as many, not ${attentionWorkers}`);
  const deviceOf = (index: number) => `cuda:${index}`;
  const expertDeviceOf = (index: number) => config.expertDevice ?? deviceOf(index % wanted);
  const contextDeviceOf = (index: number) => (contextDevice === ALL_CARDS ? deviceOf(index % wanted) : contextDevice);
  return { attentionWorkers, expertWorkers: config.expertWorkers ?? 0, deviceOf, expertDeviceOf, contextDeviceOf };
}

function refuse(flag: string, sentence: string): never {
  throw new DroverError("invalid_argument", `--${flag}: ${sentence}`, { field: flag.replaceAll("-", "_") });
}
