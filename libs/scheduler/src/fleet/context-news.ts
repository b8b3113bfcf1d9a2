import type { Member, MembershipChange } from "@drover/fleet";

/** What attention workers have to know of context workers. */
const KINDS: readonly MembershipChange["kind"][] = ["joined", "gone", "draining", "undrained"];

const has = (role: Member["profile"]["roles"][number], { profile }: Member) => profile.roles.includes(role);

/**
 * The attention workers that have to be told of the context workers, and all of these: whoever joins, and everybody when a context worker comes,
 * goes or drains. Nobody where nothing has changed.
 */
export function contextNews(changes: readonly MembershipChange[], members: readonly Member[]) {
  const moved = changes.filter(({ kind }) => KINDS.includes(kind));
  const all = moved.some(({ member }) => has("context", member));
  const holders = members.filter((member) => has("context", member)).map(holderOf);
  const joined = moved.filter(({ kind }) => kind === "joined").map(({ member }) => member);
  const told = all ? members : holders.length === 0 ? [] : joined;
  return { told: told.filter((member) => has("attention", member)), holders };
}

const holderOf = ({ profile: { workerId, incarnation, address }, status }: Member) => ({
  workerId,
  incarnation,
  address,
  draining: status?.draining ?? false,
});
