/**
 * Newer SDKs show the message of an error and nothing else, and what a client does about a context that is full hangs on its words: LiteLLM's
 * fallbacks, LangChain's ContextOverflowError, and agents that compact their history each look for some of these phrases, as OpenAI, Anthropic,
 * vLLM and llama.cpp write them.
 */

/** What is said of a prompt that leaves no room for an answer. */
export function promptTooLong(tokenCount: number, contextTokensMax: number): string {
  return `the prompt has ${tokenCount} tokens, and the context holds ${contextTokensMax}: prompt is too long: ${tokenCount} tokens > ${contextTokensMax} maximum. This model's maximum context length is ${contextTokensMax} tokens. However, your messages resulted in ${tokenCount} tokens, which exceeds the context window. Please reduce the length of the messages (context_length_exceeded)`;
}

/** What is said where the prompt fits, but not with all that is to be generated. */
export function answerTooLong(tokenCount: number, asked: number, contextTokensMax: number): string {
  return `${tokenCount} prompt tokens and ${asked} to generate are more than the ${contextTokensMax} tokens of the context: input length and \`max_tokens\` exceed context limit: ${tokenCount} + ${asked} > ${contextTokensMax}. This model's maximum context length is ${contextTokensMax} tokens. However, you requested ${tokenCount + asked} tokens (${tokenCount} in the messages, ${asked} in the completion). Please reduce the length of the messages or completion (context_length_exceeded)`;
}
