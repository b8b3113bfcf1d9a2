// What a client's constraint may take of a router. Full means: it is refused, naming the place.

/** Characters of a grammar as it goes to a worker. */
export const GRAMMAR_CHARACTERS_MAX = 256 * 1024;

/** Schemas within schemas, groups within groups. */
export const NESTING_MAX = 64;

/** Work of one constraint, in parts of it that are looked at. */
export const WORK_MAX = 400_000;

/** States of an automaton, where languages are intersected or complemented. */
export const STATES_MAX = 600;

/** States for the length of strings that a pattern does not bound: longer ones are not written. */
export const LENGTH_STATES_MAX = 100;

/** Ways to match one place of a schema: products of `anyOf`, `oneOf`, `if` and `not`. */
export const ALTERNATIVES_MAX = 200;

/** Patterns of property names in one place. */
export const NAME_PATTERNS_MAX = 4;

/** Times that a part may be repeated by count. */
export const REPEAT_MAX = 100_000;

/** Code points that are written one by one, beyond ASCII: XGrammar's classes hold none of them, or all. */
export const LISTED_POINTS_MAX = 256;

/** Characters of one pattern. */
export const PATTERN_CHARACTERS_MAX = 10_000;

/** Rules of a client's own grammar. */
export const RULES_MAX = 1_000;
