import type { ChatInput, ChatMessage } from "@drover/chat";
import type { SamplingParams } from "@drover/core";

/** An image that a message names, and the field that names it; `file` has a data URL's bytes where they were read already. */
export type ImageReference = Readonly<{ url: string; field: string; file?: Uint8Array<ArrayBuffer> }>;

/** A conversation that another request may go on with: its turns but for the instructions, and the images that they name, in order. */
export type Conversation = Readonly<{ messages: readonly ChatMessage[]; images: readonly ImageReference[] }>;

/** A conversation that the model's template renders; its image parts are `images`, in order. */
export type ChatPrompt = Readonly<{
  kind: "chat";
  field: "messages" | "input";
  input: ChatInput;
  images: readonly ImageReference[];
}>;

/** How a text is read. */
export type TextReading = Readonly<{
  /** Names of special tokens in it are these tokens. */
  isMarked: boolean;
  /** It has such names, or what looks like them. */
  looksMarked: boolean;
}>;

/** Text without a template. */
type TextPrompt = TextReading &
  Readonly<{
    kind: "text";
    field: string;
    text: string;
    /** Comes before it, unless it begins with it. */
    first: number | undefined;
  }>;

/** Token ids as they are, all of the vocabulary. */
type TokenPrompt = Readonly<{ kind: "tokens"; field: string; ids: Uint32Array }>;

/**
 * A conversation or a text that was read on a thread and goes to another one, in bytes: nobody on the way walks through its values.
 */
export type PackedPrompt = Readonly<{
  kind: "packed";
  field: (ChatPrompt | TextPrompt)["field"];
  bytes: Uint8Array<ArrayBuffer>;
  /** Of a text. */
  reading: TextReading | undefined;
  /** Of a text that the reply repeats: itself, in UTF-8. */
  echoed?: Uint8Array<ArrayBuffer> | undefined;
  images: readonly ImageReference[];
}>;

/** What a model continues; `field` is the client's name for it. */
export type PromptQuery = ChatPrompt | TextPrompt | TokenPrompt | PackedPrompt;

/** How tokens are chosen, but for what chance, the prompt's length and the tokenizer add: the seed of who gives none, how many fit, and banned words' tokens. */
export type SamplingQuery = Omit<SamplingParams, "seed" | "maxTokens" | "bannedSequences"> &
  Readonly<{ seed: number | undefined; badWords: readonly string[] }>;

/** What an answer's text shows that it usually does not. */
export type ShownText = Readonly<{
  /** The stop string or token that ended it. */
  stop: boolean;
  /** Names of special tokens. */
  special: boolean;
}>;

/** How many tokens a client asks for. */
export type TokenBudget = Readonly<{
  /** Undefined where it does not say; then as many as fit, `unasked` at most. */
  asked: number | undefined;
  /** The field that says it. */
  field: string;
  unasked: number;
}>;

/** What a model's output may call. */
export type ToolCallRules = Readonly<{
  /** Names of functions. */
  names: readonly string[];
  /** Without it, a reply has at most one call. */
  parallel: boolean;
}>;

/** What every output must match. */
export type Constraint = Readonly<{
  /** In the notation of `libs/grammar`. */
  grammar: string;
  /** The field that asks for it. */
  field: string;
}>;

/** How the client wants to read the reply. */
export type ReplyOptions = Readonly<{
  stream: boolean;
  includeUsage: boolean;
  /** Every chunk tells its choice's usage so far. */
  continuousUsage?: boolean;
  /** Events are filled up, so that their lengths tell nothing. */
  obfuscates?: boolean;
  returnTokenIds: boolean;
  /** A call is told in the words that came before tools. */
  olderCalls?: boolean;
  /** Of the prompt's log-probabilities that are told apart from an echo, so many alternatives each; absent for none. */
  promptLogprobs?: number | undefined;
  /** Fields of the request that the reply repeats. */
  repeated?: Readonly<Record<string, unknown>>;
  /** It is answered at once, and asked for by its id while it is computed. */
  background?: boolean;
  /** The conversation that is kept with the reply, for requests that go on with it. */
  conversation?: Conversation;
}>;

/**
 * What a client asks to have generated, whatever interface it came by: all is checked that needs neither a tokenizer nor an image.
 * A request of several prompts is as many queries, which differ in nothing else.
 */
export type GenerationQuery = Readonly<{
  prompt: PromptQuery;
  sampling: SamplingQuery;
  budget: TokenBudget;
  /** Matched in the text, over the borders of tokens. */
  stop: readonly string[];
  /** Undefined where nothing in the output is a call. */
  toolCalls: ToolCallRules | undefined;
  /** Absent where the output is free. */
  constraint?: Constraint | undefined;
  /** The reply begins with the prompt's text. */
  echo: boolean;
  /** Absent where it shows text alone. */
  shown?: ShownText | undefined;
  /** Of the prompt so many last tokens are read, `"fit"`: as many as fit; absent for all. */
  promptTokensKept?: number | "fit" | undefined;
  reply: ReplyOptions;
}>;
