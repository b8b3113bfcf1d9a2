/** Text that may still become calls is held back up to this length in UTF-16 units; longer text is text. Sum: choices times this, doubled in bytes. */
export const HELD_LENGTH_MAX = 262_144;

/** Brackets within brackets in a call's arguments; deeper is text. */
export const NESTING_DEPTH_MAX = 64;

/** Characters of one number in a pythonic call: Python's own limit for integers. */
export const NUMBER_LENGTH_MAX = 4300;
