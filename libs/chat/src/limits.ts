// A request's JSON.

/** Objects and lists within each other in a request's body; a deeper one is refused. What a template is given has a limit of its own below. */
export const REQUEST_DEPTH_MAX = 512;

/** Values of a body, but for numbers, of which a prompt of token ids may have ten million; a body of more is refused. Sum: 20 MB, at 100 bytes each. */
export const REQUEST_VALUES_MAX = 200_000;

/** Values and commas in what a template may write, numbers included: each number is read as its author wrote it, in some 2 us. */
export const EXACT_VALUES_MAX = 100_000;

// Templates.

/** Nesting of a client's JSON (schemas, arguments, variables) that a template is given: schemas have some ten levels. */
export const INPUT_DEPTH_MAX = 200;

/** Nesting of an earlier call's arguments: what lies in them may be as deep as a template is given (a message, its calls, a call and its function hold them). Deeper is shown as text. */
export const ARGUMENTS_DEPTH_MAX = INPUT_DEPTH_MAX - 6;

/** Characters of a template's source: Llama 4's has 7,000. */
export const TEMPLATE_CHARACTERS_MAX = 2 ** 20;

/** Items of a template's `range`. */
export const RANGE_ITEMS_MAX = 100_000;

/** Characters that a template may make in one step of joining: a prompt's most, so that doubling ends soon. */
export const JOINED_CHARACTERS_MAX = 256 * 2 ** 20;

// Tool calls in what the model writes.

/** Text that may still become calls is held back up to this length in UTF-16 units; longer text is text. Sum: choices times this, doubled in bytes. */
export const HELD_LENGTH_MAX = 262_144;

/** Brackets within brackets in a call's arguments; deeper is text. */
export const NESTING_DEPTH_MAX = 64;

/** Characters of one number in a pythonic call: Python's own limit for integers. */
export const NUMBER_LENGTH_MAX = 4300;
