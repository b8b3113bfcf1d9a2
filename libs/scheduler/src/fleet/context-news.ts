import type { WorkerRole } from "@drover/core";
import type { Member, MembershipChange, WorkerEndpoint } from "@drover/fleet";

/** What attention workers have to know of context workers. */
const KINDS: readonly MembershipChange["kind"][] = ["joined", "gone", "draining", "undrained"];

const has = (role: WorkerRole, { profile }: Member) => profile.roles.includes(role);

/**
 * The attention workers that have to be told of the context workers, and all of these: whoever joins, and everybody when a context worker comes,
 * goes or drains. Nobody where nothing has changed.
 */
export function contextNews(
  changes: readonly MembershipChange[],
  members: readonly Member[],
): Readonly<{ told: readonly Member[]; workers: readonly WorkerEndpoint[] }> {
  const moved = changes.filter(({ kind }) => KINDS.includes(kind));
  const all = moved.some(({ member }) => has("context", member));
  const workers = members.filter((member) => has("context", member)).map(endpointOf);
  const joined = moved.filter(({ kind }) => kind === "joined").map(({ member }) => member);
  const told = all ? members : workers.length === 0 ? [] : joined;
  return { told: told.filter((member) => has("attention", member)), workers };
}

const endpointOf = ({ profile: { workerId, incarnation, address }, status }: Member): WorkerEndpoint => ({
  workerId,
  incarnation,
  address,
  draining: status?.draining ?? false,
});
