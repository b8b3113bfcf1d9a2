/** What this page reads of `/debug/cluster`; numbers of 64 bits are texts there. */

/** A worker that said nothing for longer is silent. */
const SILENT_MS = 2_500;

/** `ready`, `starting`, `silent`, or how far its drain is. */
export function stateOf({ status, silentMs, drain }             )         {
  if (silentMs > SILENT_MS) return "silent";
  if (drain !== undefined) return drainOf(drain);
  return status?.ready === true ? "ready" : "starting";
}

function drainOf({ drained, obstacle }                                   )         {
  if (drained === true) return "drained";
  return obstacle === undefined || obstacle === "" ? "draining" : "cannot drain";
}

/** `WORKER_ROLE_EXPERTS` as people say it. */
export const roleName = (role        )         => role.replace(/^WORKER_ROLE_/, "").toLowerCase();
