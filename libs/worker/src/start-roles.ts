import type { WorkerRole } from "@drover/core";
import type { Role } from "./role.ts";
import type { RoleContext } from "./role-context.ts";
import { startAttention } from "./roles/attention/attention-role.ts";
import { startContext } from "./roles/context/context-role.ts";
import { startExperts } from "./roles/experts/experts-role.ts";
import { startVision } from "./roles/vision/vision-role.ts";

/** Makes one role. `before` are those of the same worker that were made before it: it may use what they hold without a network. */
export type RoleStarter = (context: RoleContext, before: readonly Role[]) => Promise<Role>;

/** In the order in which they are started, and speak: attention uses experts and images' features of its own process, and on a card experts take what the encoder leaves. */
const STARTERS: readonly (readonly [WorkerRole, RoleStarter])[] = [
  ["vision", startVision],
  ["experts", startExperts],
  ["context", startContext],
  ["attention", startAttention],
];

/** The starters of a worker's roles. */
export function startersOf(roles: readonly WorkerRole[]): readonly RoleStarter[] {
  return STARTERS.filter(([name]) => roles.includes(name)).map(([, start]) => start);
}

/** Starts roles one after the other. Each belongs to the worker's `resources` as soon as it is made, so that it is disposed once, also when a later one fails. */
export async function startRoles(context: RoleContext, starters: readonly RoleStarter[]): Promise<readonly Role[]> {
  const roles: Role[] = [];
  for (const start of starters) roles.push(context.options.resources.use(await start(context, roles)));
  return roles;
}
