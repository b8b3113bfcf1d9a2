import { accessSync, constants, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { DroverError, type Logger, toDroverError } from "@drover/core";
import { type Cuda, openCuda, type Precision, type Stream } from "@drover/cuda";
import { CardUse } from "./card-use.ts";

/** What a worker computes with: its CPU, in f32, or a card. */
export type WorkerDevice =
  | Readonly<{ kind: "cpu" }>
  | Readonly<{
      kind: "cuda";
      name: string;
      cuda: Cuda;
      precision: Precision;
      kernelFolder: string | undefined;
      /** What steps and images are computed on, one after the other. */
      stream: Stream;
      /** What the worker's parts have there: each adds itself. */
      use: CardUse;
    }>;

export type DeviceOptions = Readonly<{
  /** `cpu`, `cuda:N`, or `auto`: card 0 where it can be used, else the CPU. */
  device: string;
  /** What a card computes in; undefined: f16. */
  precision: Precision | undefined;
  logger: Logger;
  /** Lets go of the card at the worker's end. */
  resources: AsyncDisposableStack;
}>;

/** What a card computes in where nothing is said: as near to f32 as a hundred-thousandth, at the speed of 16 bits. */
const PRECISION: Precision = "f16";

/**
 * Opens what a worker is to compute with, and logs it once. Nothing of CUDA is loaded for `cpu`. Errors: `invalid_argument` with the field `device` or
 * `precision`; `unavailable` where the card that was named cannot be used, with what to do.
 */
export async function openDevice({ device, precision, logger, resources }: DeviceOptions): Promise<WorkerDevice> {
  const ordinal = ordinalOf(device);
  const opened = ordinal === undefined ? undefined : await openCard(ordinal, device === "auto", logger);
  if (opened === undefined) {
    refusePrecision(precision);
    return { kind: "cpu" };
  }
  resources.defer(() => opened.device.close());
  const stream = opened.device.createStream();
  resources.defer(() => opened.device.destroyStream(stream));
  const { name: card, byteCount, architecture } = opened.device.facts;
  const name = `cuda:${ordinal}`;
  logger.info("device.opened", { device: name, card, byteCount, architecture, precision: precision ?? PRECISION });
  const use = new CardUse(opened.device);
  return {
    ...{ kind: "cuda", name, cuda: opened, use, stream },
    precision: precision ?? PRECISION,
    kernelFolder: kernelFolder(logger),
  };
}

/** Where machine code of kernels is kept from one start to the next; undefined where this user can keep nothing. */
function kernelFolder(logger: Logger): string | undefined {
  const folder = join(homedir(), ".cache", "drover", "kernels");
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return folder;
  } catch (error) {
    logger.warn("kernels.not_kept", { folder, reason: toDroverError(error).message });
    return undefined;
  }
}

/** The card's number; undefined for a CPU. */
function ordinalOf(device: string): number | undefined {
  if (device === "cpu") return undefined;
  if (device === "auto") return 0;
  const [, number] = /^cuda:(\d{1,3})$/.exec(device) ?? [];
  if (number === undefined) refuse("device", `must be cpu, auto or cuda:N, not ${JSON.stringify(device)}`);
  return Number(number);
}

async function openCard(ordinal: number, orCpu: boolean, logger: Logger): Promise<Cuda | undefined> {
  try {
    return await openCuda(ordinal);
  } catch (error) {
    if (!(error instanceof DroverError) || error.code !== "unavailable") throw error;
    if (!orCpu) throw new DroverError("unavailable", `--device cuda:${ordinal}: ${error.message}`, { cause: error });
    logger.info("device.opened", { device: "cpu", reason: error.message });
    return undefined;
  }
}

function refusePrecision(precision: Precision | undefined): void {
  if (precision !== undefined && precision !== "f32") refuse("precision", `a CPU computes in f32, not in ${precision}`);
}

function refuse(field: string, sentence: string): never {
  throw new DroverError("invalid_argument", `--${field}: ${sentence}`, { field });
}
