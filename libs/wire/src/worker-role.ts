import type { WorkerRole } from "@drover/core";
import { WorkerRole as Wire } from "@drover/proto";
import { enumNameFromWire } from "./enum-name.ts";

const VALUES: Readonly<Record<WorkerRole, Wire>> = {
  attention: Wire.ATTENTION,
  experts: Wire.EXPERTS,
  vision: Wire.VISION,
  context: Wire.CONTEXT,
};

export function workerRolesToWire(roles: readonly WorkerRole[]): Wire[] {
  return roles.map((role) => VALUES[role]);
}

/** Errors: `invalid_argument` for a role that this build does not know. */
export function workerRolesFromWire(roles: readonly Wire[], field: string): WorkerRole[] {
  return roles.map((role) => enumNameFromWire(VALUES, role, field));
}
