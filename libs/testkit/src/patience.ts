/**
 * How long a test waits for what must come, milliseconds. A machine that has ten times the work of its cores takes minutes for what takes
 * seconds: only what never comes takes so long, and it fails the test.
 */
export const PATIENCE_MS = 900_000;
