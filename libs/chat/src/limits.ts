/** Nesting of a client's JSON (schemas, arguments, variables) that a template is given: schemas have some ten levels. */
export const INPUT_DEPTH_MAX = 200;

/** Characters of a template's source: Llama 4's has 7,000. */
export const TEMPLATE_CHARACTERS_MAX = 2 ** 20;

/** Items of a template's `range`. */
export const RANGE_ITEMS_MAX = 100_000;

/** Characters that a template may make in one step of joining: a prompt's most, so that doubling ends soon. */
export const JOINED_CHARACTERS_MAX = 256 * 2 ** 20;
