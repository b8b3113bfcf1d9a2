import { create } from "@bufbuild/protobuf";
import type { TenantShare } from "@drover/core";
import { type Tenant as Message, TenantPriority, TenantSchema } from "@drover/proto";
import { wireFault } from "./wire-fault.ts";

const PRIORITIES = {
  high: TenantPriority.HIGH,
  normal: TenantPriority.NORMAL,
  low: TenantPriority.LOW,
} as const;

/** Whose a request is, as it travels with it. */
export function tenantToWire({ tenant }: TenantShare): Readonly<{ tenant?: Message }> {
  if (tenant === undefined) return {};
  return { tenant: create(TenantSchema, { ...tenant, priority: PRIORITIES[tenant.priority] }) };
}

/** Errors: `invalid_argument` for what no router writes. */
export function tenantFromWire(message: Message | undefined): TenantShare {
  if (message === undefined) return {};
  const { name, weight, priority, cacheSalt } = message;
  if (!(weight > 0 && Number.isFinite(weight))) throw wireFault("tenant.weight", "is no number above 0");
  const found = (["high", "normal", "low"] as const).find((one) => PRIORITIES[one] === priority);
  if (found === undefined) throw wireFault("tenant.priority", "is not known");
  return { tenant: { name, weight, priority: found, cacheSalt } };
}
