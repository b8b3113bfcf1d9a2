/** A configuration file is a page of settings; anything larger is another file by mistake. */
export const CONFIG_FILE_BYTES_MAX = 1024 * 1024;

/** Width of a line of help. */
export const HELP_COLUMNS = 110;

/** What a process has not closed in so long, once it has nothing left to do or the time for it is over, is cut off. */
export const CLOSE_MS_MAX = 5_000;

/** Causes of a bug whose stacks are logged; a chain that is longer leads back to itself, and its rest is left out. */
export const CAUSES_MAX = 8;

/** A file of secrets or keys is a few lines for each of some thousand tenants; one that is larger is another file by mistake and is refused. */
export const WATCHED_FILE_BYTES_MAX = 8 * 2 ** 20;

/** How often files that belong together are read again because they change meanwhile; what keeps changing is taken as it is, and read once more as it changes. */
export const READS_TOGETHER_MAX = 16;

/** How often a file of secrets or keys is looked at. */
export const WATCHED_FILE_POLL_MS = 5_000;

/** Milliseconds that a flag may have a process wait: Node's timers know 31 bits, and are over at once where there are more. */
export const TIMER_MS_MAX = 596 * 3_600_000;

/** A signal that comes so soon after the first one is the same wish, passed on by another process; a person's second Ctrl-C comes later. */
export const SIGNAL_ECHO_MS = 400;
