import type { ExpertWorker, Member } from "@drover/fleet";

/** The members that hold experts, as the planner sees them. */
export function expertWorkers(members: readonly Member[]): readonly ExpertWorker[] {
  return members.filter(({ profile }) => profile.roles.includes("experts")).map(expertWorker);
}

const expertWorker = (member: Member): ExpertWorker => ({
  workerId: member.profile.workerId,
  incarnation: member.profile.incarnation,
  session: member.session,
  address: member.profile.address,
  joinedAtMs: member.joinedAtMs,
  suspected: member.suspected,
  leaving: member.leaving,
  draining: member.status?.draining ?? false,
  expertCountMax: member.profile.expertCountMax ?? Number.POSITIVE_INFINITY,
  loaded: member.loaded,
});
