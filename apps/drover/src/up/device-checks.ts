import { DroverError } from "@drover/core";
import { countCards } from "@drover/cuda";
import { kvSettings } from "@drover/kv";
import type { UpConfig } from "./up-config.ts";
import type { UpWorkers } from "./up-workers.ts";

/** What some workers are to compute with, and the flag that says so. */
type Use = Readonly<{ flag: string; device: string; count: number }>;

/** What is known of a device before it is opened; undefined for `auto` where there is a card, which may yet be found unusable. */
type DeviceKind = "cpu" | "cuda" | undefined;

/**
 * Sees whether the cards that are named are there, and whether what is asked of a device can be had of one of its kind, before a worker is started for it. No card is
 * opened. Errors: `unavailable` without a driver or compiler, `invalid_argument` for the rest, both with the flag.
 */
export async function checkDevices(
  config: UpConfig,
  workers: UpWorkers,
  readsImages: boolean,
  cards: () => Promise<number> = countCards,
): Promise<void> {
  const attention = { flag: config.gpus === undefined ? "device" : "gpus", device: workers.deviceOf(0) ?? "cpu" };
  const expertFlag = config.expertDevice === undefined ? attention.flag : "expert-device";
  const experts = { flag: expertFlag, device: workers.expertDeviceOf(0) ?? "cpu", count: workers.expertWorkers };
  const context = { flag: "context-device", device: workers.contextDeviceOf(0), count: config.contextWorkers };
  const vision = {
    flag: "vision-device",
    device: config.visionDevice,
    count: readsImages ? config.visionWorkers : 0,
  };
  const uses: Use[] = [{ ...attention, count: workers.attentionWorkers }, experts, context, vision];
  const kinds = await Promise.all(uses.map((use) => (use.count === 0 ? undefined : checkCard(use, cards))));
  const [attentionKind, expertKind, contextKind] = kinds;
  if (config.precision !== undefined && config.precision !== "f32" && [attentionKind, expertKind].includes("cpu"))
    throw new DroverError("invalid_argument", `--precision: a CPU computes in f32, not in ${config.precision}`);
  const { kvDtype, kvMemory } = config;
  if (attentionKind !== undefined) kvSettings({ kind: attentionKind }, { kvDtype, kvMemory });
  if (contextKind === undefined) return;
  const ownMemory = contextKind === "cpu" && kvMemory === "auto" ? undefined : kvMemory;
  kvSettings({ kind: contextKind }, { kvDtype, kvMemory: ownMemory });
}

async function checkCard({ flag, device }: Use, cards: () => Promise<number>): Promise<DeviceKind> {
  if (device === "cpu") return "cpu";
  let count: number;
  try {
    count = await cards();
  } catch (cause) {
    if (!(cause instanceof DroverError) || cause.code !== "unavailable") throw cause;
    if (device === "auto") return "cpu";
    throw new DroverError("unavailable", `--${flag}: ${device}: ${cause.message}`, { cause });
  }
  if (device === "auto") return count === 0 ? "cpu" : undefined;
  const ordinal = Number(device.slice("cuda:".length));
  if (ordinal < count) return "cuda";
  const has = count === 0 ? "no card" : `the cards cuda:0 to cuda:${count - 1}`;
  throw new DroverError("unavailable", `--${flag}: there is no ${device}; this machine has ${has}`);
}
