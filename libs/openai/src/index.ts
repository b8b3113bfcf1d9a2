// A request is read into a query, without a thread or a model.

export { readAnthropicCount } from "./anthropic/read-message.ts";
export { type ChatBody, readChat } from "./read/chat.ts";
export { type CompletionBody, readCompletion, readCompletions } from "./read/completion.ts";
export { readDetokenize, readTokenize, type TokenizeQuery } from "./read/tokens.ts";
export type {
  ChatPrompt,
  GenerationQuery,
  ImageReference,
  PackedPrompt,
  PromptQuery,
  ReplyOptions,
  TextReading,
  ToolCallRules,
} from "./request/generation-query.ts";
export type { ModelFacts, SamplingDefaults } from "./request/model-facts.ts";
export { readResponseCount } from "./responses/read-response.ts";

// Its prompt is prepared elsewhere, by threads; then it must fit the context.

export { type Fitting, fit } from "./request/fit.ts";
export type { InferenceRequest, PreparedPrompt, RequestImage } from "./request/inference-request.ts";

// The tokens that come of it become text and calls.

export { ChoiceText } from "./text/choice-text.ts";
export type { FinishReason, Output, TokenLogprob, ToolCall } from "./text/output.ts";

// Responses that are kept, for requests that go on with them.

export { type InputItemsPage, inputItemsPage } from "./responses/input-items.ts";
export { keptItem, keptNames, responseOfItem } from "./responses/kept-items.ts";
export type { KeptNames, KeptParts, KeptResponse } from "./responses/kept-response.ts";

// These become a reply, whole or streamed, or an error.

export { Answer } from "./write/answer.ts";
export type { ChatCompletion } from "./write/chat.ts";
export type { ChatCompletionChunk } from "./write/chat-stream.ts";
export type { Completion } from "./write/completion.ts";
export { errorReply, publicError } from "./write/error.ts";
export { jsonPieces } from "./write/long-list.ts";
export { modelCard, modelList, type ServedModelFacts } from "./write/models.ts";
export { event, type ReplyFrame, type ReplyStream } from "./write/reply-frame.ts";
export type { TokenizeReply, TokenizerInfo } from "./write/tokens.ts";

// Batches: files of requests that come up, and of answers.

export {
  answeredLine,
  type BatchLine,
  type BatchLineFault,
  readBatchLine,
  unansweredLine,
} from "./batches/batch-line.ts";
export { type BatchBody, type BatchObject, readBatch } from "./batches/batch-object.ts";
export { type FileObject, noSuchFile, readUpload, type UploadedFile } from "./batches/file-object.ts";
export { readForm } from "./batches/multipart.ts";

// All this by endpoint, and the document that describes them.

export type { Endpoint, GenerationEndpoint } from "./document/endpoint.ts";
export { ENDPOINTS, GENERATION_ENDPOINTS } from "./document/endpoints.ts";
export { type OpenApiDocument, openApiDocument } from "./document/openapi.ts";
