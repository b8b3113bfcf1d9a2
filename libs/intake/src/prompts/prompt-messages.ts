import type { ChatInput, TemplateSource } from "@drover/chat";
import type { ImageGrid } from "@drover/core";
import type { SharedVocabulary } from "@drover/tokenizer";

/** What a thread is started with. The vocabulary's memory is shared. */
export type PromptSettings = Readonly<{
  vocabulary: SharedVocabulary;
  template: TemplateSource;
  patchesPerTile: number | undefined;
}>;

/** What a thread is asked, one prompt at a time; it answers with token ids. */
export type PromptRequest =
  | Readonly<{ kind: "text"; text: string; isMarked?: boolean }>
  | Readonly<{ kind: "chat"; input: ChatInput; images: readonly ImageGrid[] }>
  | Readonly<{ kind: "packed"; bytes: Uint8Array; images: readonly ImageGrid[] }>;
