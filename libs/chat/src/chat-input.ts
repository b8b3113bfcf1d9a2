/** A message in OpenAI's shape, as it came. */
export type ChatMessage = Readonly<Record<string, unknown>> & Readonly<{ role: string }>;

/** A conversation. Numbers in `tools` and `variables` are best parsed by `parseExactJson`: a template may write them. */
export type ChatInput = Readonly<{
  messages: readonly ChatMessage[];
  tools?: readonly unknown[];
  addGenerationPrompt: boolean;
  /** The answer goes on with the last message, whose end is not written; without `addGenerationPrompt`. */
  continueFinalMessage?: boolean;
  /** The checkpoint's own template variables. */
  variables?: Readonly<Record<string, unknown>>;
}>;
