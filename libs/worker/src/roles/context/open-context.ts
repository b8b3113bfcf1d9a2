import { assert, type ContextStorage, DroverError } from "@drover/core";
import { CardContext, PRECISIONS } from "@drover/cuda";
import { kvGeometry } from "@drover/kv";
import { ContextStore } from "@drover/onnx";
import type { RoleContext } from "../../role-context.ts";
import { hostKvDtype } from "../attention/host-executor.ts";

/** What a context worker keeps segments in. */
export type OpenedContext = ContextStorage & Disposable & Readonly<{ byteCount: number; segmentCount: number }>;

/** The segments' store, in main memory or on the worker's card; and what rejects when that card has failed. */
export type ContextParts = Readonly<{ store: OpenedContext; failed: Promise<never> | undefined }>;

/** Takes memory for segments on the worker's device. Errors: `invalid_argument` with the field `kv_memory` for two roles that would both take all of a card; `overloaded` where it is full. */
export function openContext({ options, device, kv, model }: RoleContext): ContextParts {
  const geometry = kvGeometry(model.config, kv.dtype);
  if (device.kind === "cpu") {
    const { bytesMax } = kv;
    assert(bytesMax !== "auto", "main memory for KV has a size");
    const kvDtype = hostKvDtype(kv.dtype);
    const store = new ContextStore(model.config, geometry, { threads: options.threads, bytesMax, kvDtype });
    return { store, failed: undefined };
  }
  if (options.roles.includes("attention") && kv.bytesMax === "auto") {
    const message = "--kv-memory: the roles attention and context of one card each take as much: say how much";
    throw new DroverError("invalid_argument", message, { field: "kv_memory" });
  }
  const dtype = PRECISIONS.find((each) => each === kv.dtype);
  assert(dtype !== undefined, "the settings of a card are a card's");
  const kept = { kv: dtype, bytesMax: kv.bytesMax, cacheFolder: device.kernelFolder };
  const store = new CardContext(device.cuda, model.config, geometry, kept);
  device.use.add(store);
  return { store, failed: store.failed };
}
