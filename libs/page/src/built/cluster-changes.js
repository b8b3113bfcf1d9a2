import {                    stateOf,                  } from "./cluster-state.js";

/** What has happened between two looks at a cluster, as sentences; nothing at the first look. */
export function clusterChanges(before                          , after                          )           {
  if (before === undefined) return [];
  if (after === undefined) return ["No scheduler leads."];
  const earlier = new Map(before.workers.map((worker) => [worker.workerId, worker]));
  const now = new Set(after.workers.map(({ workerId }) => workerId));
  return [
    ...(before.schedulerId === after.schedulerId ? [] : [`${shortId(after.schedulerId)} leads now.`]),
    ...(before.ready === after.ready ? [] : [after.ready ? "The cluster is ready." : "The cluster is not ready."]),
    ...before.workers.flatMap(({ workerId }) => (now.has(workerId) ? [] : [`${workerId} is gone.`])),
    ...after.workers.flatMap((worker) => workerChanges(earlier.get(worker.workerId), worker)),
    ...shortage(before, after),
  ];
}

function workerChanges(before                         , after             )           {
  const { workerId, incarnation, expertCount } = after;
  if (before === undefined) return [`${workerId} has come.`];
  const [was, is] = [stateOf(before), stateOf(after)];
  const moved = expertCount - before.expertCount;
  return [
    ...(before.incarnation === incarnation ? [] : [`${workerId} was started again.`]),
    ...(was === is ? [] : [`${workerId} is ${is}; it was ${was}.`]),
    ...(moved === 0
      ? []
      : [`${workerId} holds ${expertCount} experts, ${Math.abs(moved)} ${moved > 0 ? "more" : "fewer"}.`]),
  ];
}

function shortage(before              , after              )           {
  const now = after.expertShortage ?? "";
  return now === "" || now === before.expertShortage ? [] : [now];
}

/** The first characters of a made-up id. */
const shortId = (id        )         => id.slice(0, "scheduler-".length + 8);
