// What a client's constraint may take of a router. Full means: it is refused, naming the place.

/** Characters of a grammar as it goes to a worker. */
export const GRAMMAR_CHARACTERS_MAX = 256 * 1024;

/** Schemas within schemas, groups within groups. */
export const NESTING_MAX = 100;

/** Schemas of one constraint, each time that one is used but by a reference. */
export const SCHEMAS_MAX = 20_000;

/** States of an automaton, where languages are intersected or complemented. */
export const STATES_MAX = 4_000;

/** Times that a part may be repeated by count. */
export const REPEAT_MAX = 100_000;

/** Code points that are written one by one, beyond ASCII: XGrammar's classes hold none of them, or all. */
export const LISTED_POINTS_MAX = 256;
