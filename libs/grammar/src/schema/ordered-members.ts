import { at } from "@drover/core";
import type { Budget } from "../budget.ts";
import { constraintFault } from "../constraint-fault.ts";
import { choice, EMPTY, type Expression, maybe, NOTHING, repeat, sequence } from "../expression.ts";
import { COMMA } from "../json/json-text.ts";
import type { RuleBook } from "../rule-book.ts";

/** A rule for a member takes so much more than looking at a schema. */
const WORK_OF_MEMBER = 40;

/** One of several parts between commas; one that is not required may be left out. */
type Member = Readonly<{ expression: Expression; isRequired: boolean }>;

/** Parts in their order, and how many there may be. */
export type MemberQuery = Readonly<{
  members: readonly Member[];
  countMin: number;
  countMax: number;
  /** What may follow, any number of times; undefined: nothing. */
  free: Expression | undefined;
}>;

/**
 * Lists of the members, in order, with commas between them. Free ones may repeat each other, so that of these no more than one is asked for.
 * Errors: `invalid_argument`, naming the place, where more are.
 */
export function orderedMembers(
  query: MemberQuery,
  { rules, budget }: Readonly<{ rules: RuleBook; budget: Budget }>,
  place: string,
): Expression {
  const { members, countMin, countMax, free } = query;
  const tails = new Map<string, Expression>();
  const isCounted = countMax < members.length || countMin > members.filter(({ isRequired }) => isRequired).length;
  const cap = countMax < members.length ? countMax : countMin;

  const end = (isBegun: boolean, count: number): Expression => {
    const needed = Math.max(0, countMin - count);
    const room = countMax - (isCounted ? count : members.length);
    if (free === undefined || room <= 0) return needed > 0 && isCounted ? NOTHING : EMPTY;
    if (isCounted && needed > 1)
      throw constraintFault(place, "asks for more properties of names that are not given than one");
    const more = (min: number, max: number) => repeat(sequence(COMMA, free), min, max);
    if (isBegun) return more(isCounted ? needed : 0, room);
    const first = sequence(free, more(0, room - 1));
    return isCounted && needed > 0 ? first : maybe(first);
  };
  const tail = (i: number, isBegun: boolean, count: number): Expression => {
    const key = `${i}/${isBegun}/${count}`;
    const known = tails.get(key);
    if (known !== undefined) return known;
    budget.spend(WORK_OF_MEMBER, place);
    let made: Expression;
    if (i === members.length) made = end(isBegun, count);
    else {
      const { expression, isRequired } = at(members, i);
      const next = isCounted ? Math.min(count + 1, cap + 1) : 0;
      const taken =
        isCounted && count >= countMax
          ? NOTHING
          : sequence(isBegun ? COMMA : EMPTY, expression, tail(i + 1, true, next));
      made = rules.add(isRequired ? taken : choice(taken, tail(i + 1, isBegun, count)));
    }
    tails.set(key, made);
    return made;
  };
  return tail(0, false, 0);
}
