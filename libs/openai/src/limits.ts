/** Choices of one request (`n`), or of all prompts of one completion; more are refused. As many as OpenAI has; whether they find room, workers say. */
export const CHOICES_MAX = 128;

/** Alternatives that are reported beside each token (`logprobs`, `top_logprobs`); more are refused. */
export const TOP_LOGPROBS_MAX = 20;

/** Stop strings of one request, and characters of each; more are refused. Sum: 16 KiB of text that every choice is searched for. */
export const STOP_STRINGS_MAX = 16;
export const STOP_STRING_LENGTH_MAX = 1024;

/** Token ids that end a choice besides the model's own; more are refused. */
export const STOP_TOKEN_IDS_MAX = 64;

/** Tokens with a bias; more are refused. */
export const LOGIT_BIAS_ENTRIES_MAX = 1024;

/** Words that an answer may not have, and characters of each; more are refused. Sum: 32 KiB of text that is tokenized twice. */
export const BAD_WORDS_MAX = 128;
export const BAD_WORD_LENGTH_MAX = 128;
/** Tokens of one of them; a longer one is refused: so many of an output's last tokens are compared with it. */
export const BAD_WORD_TOKENS_MAX = 64;

/** Token ids that a request allows, where it does not allow all; more are refused. */
export const ALLOWED_TOKEN_IDS_MAX = 8192;

/** Messages of one conversation; more are refused. Their text is bounded by the body's bytes. */
export const MESSAGES_MAX = 4096;

/** Items of kept responses that a request names by their ids; more are refused. Each is looked for in the store, one response after the other. */
export const KEPT_ITEMS_MAX = 256;

/** Items of one page of a response's input, and where nothing is said. */
export const INPUT_ITEMS_PAGE_MAX = 100;
export const INPUT_ITEMS_PAGE_DEFAULT = 20;

/** Functions that a request describes, and calls of one message; more are refused. */
export const TOOLS_MAX = 128;

/** Images of one request; more are refused. Sum over a router: requests in flight times this, and their tiles have a limit of their own. */
export const IMAGES_MAX = 16;

/** `max_tokens` of a completion that does not say, as OpenAI has it. */
export const COMPLETION_TOKENS_DEFAULT = 16;

/** Fields of an uploaded form; more are refused. */
export const FORM_PARTS_MAX = 16;

/** Characters of a file's name; a longer one is cut. */
export const FILE_NAME_LENGTH_MAX = 255;

/** Characters of what a batch's client notes of it, as JSON; more are refused. */
export const BATCH_METADATA_MAX = 16_384;

/** Characters of a client's name for one request of a batch; a longer one is refused. */
export const BATCH_CUSTOM_ID_LENGTH_MAX = 512;
