import type { RoleContext } from "../../role-context.ts";
import { openCardExecutor } from "./card-executor.ts";
import type { Executor, ExecutorOptions } from "./executor.ts";
import { openHostExecutor } from "./host-executor.ts";

/** Loads what computes an attention worker's steps, and makes the store of its KV. Which executor an attention worker has, is decided here and nowhere else. */
export async function openExecutor(context: RoleContext, options: ExecutorOptions): Promise<Executor> {
  const { device } = context;
  return device.kind === "cuda" ? openCardExecutor(context, device, options) : openHostExecutor(context, options);
}
