/** When one whose request was refused as overloaded may come again: a request takes a fraction of a second, so soon there is room. */
export const RETRY_AFTER_MS = 1_000;
