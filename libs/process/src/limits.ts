/** A configuration file is a page of settings; anything larger is another file by mistake. */
export const CONFIG_FILE_BYTES_MAX = 1024 * 1024;

/** Width of a line of help. */
export const HELP_COLUMNS = 110;
