import { type DrainState, type ExpertPlanner, type ExpertShortage, loadedCount, type Member } from "@drover/fleet";

/** What the planner knows of who may go. */
type Planned = Pick<ExpertPlanner, "isRelieved" | "shortage">;

/** How far a draining member is; undefined for one that serves. Before the first plan (`planner` undefined) nobody can take experts. */
export function drainState(member: Member, planner: Planned | undefined): DrainState | undefined {
  const { profile, status, loaded } = member;
  if (!status?.draining) return undefined;
  const { workerId, roles } = profile;
  const expertCount = loadedCount(loaded);
  const expertsDrained =
    !roles.includes("experts") ||
    (loaded !== undefined && expertCount === 0 && (planner?.isRelieved(workerId) ?? true));
  const requestCount = status.runningCount + status.waitingCount;
  // Of a context worker all KV is stripes, which their requests read until they end.
  const holdsStripes = roles.includes("context") && !roles.includes("attention") && status.kvBytesUsed > 0;
  const shortage = planner?.shortage;
  return {
    drained: expertsDrained && requestCount === 0 && !holdsStripes,
    expertsDrained,
    obstacle: shortage?.keeps.includes(workerId) ? shortageText(shortage) : undefined,
    expertCount,
    requestCount,
  };
}

/** A sentence about memory that lacks. */
export function shortageText({ missingCount, stayCount, keeps }: ExpertShortage): string {
  const what =
    stayCount === 0
      ? "there is no other expert worker"
      : `the other expert workers lack memory for ${missingCount} more experts`;
  return keeps.length === 0
    ? `${what}: no expert is given out`
    : `${what}: the experts of ${keeps.join(", ")} stay there`;
}
