import { DroverError } from "@drover/core";
import type { DrainReply, DrainState, Member } from "@drover/fleet";

/** Tells draining workers how far they are, once for each change. */
export class DrainNews {
  /** By Join stream. */
  readonly #told = new Map<number, DrainState>();

  /** The members whose state is another one than they were told. */
  changed(
    members: readonly Member[],
    stateOf: (member: Member) => DrainState | undefined,
  ): readonly (readonly [Member, DrainState])[] {
    const changed: (readonly [Member, DrainState])[] = [];
    for (const member of members) {
      const told = this.#told.get(member.session);
      const state = stateOf(member);
      if (state === undefined) {
        this.#told.delete(member.session);
        continue;
      }
      if (told !== undefined && isSame(told, state)) continue;
      this.#told.set(member.session, state);
      changed.push([member, state]);
    }
    return changed;
  }

  forget(session: number): void {
    this.#told.delete(session);
  }
}

/** The member of that name. Errors: `not_found`, with the names that there are. */
export function memberNamed(name: string, members: readonly Member[]): Member {
  const found = members.find(({ profile }) => profile.workerId === name);
  if (found !== undefined) return found;
  const names = members.map(({ profile }) => profile.workerId).join(", ");
  const there = names === "" ? "there are no workers" : `the workers are ${names}`;
  throw new DroverError("not_found", `no worker is called ${JSON.stringify(name)}: ${there}`);
}

/** What who asks for a drain gets to know. */
export function drainReply({ profile, status }: Member, state: DrainState | undefined): DrainReply {
  return { incarnation: profile.incarnation, draining: status?.draining ?? false, state };
}

function isSame(one: DrainState, other: DrainState): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
