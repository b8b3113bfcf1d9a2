import type { ChatBody, ChatCompletion, ChatCompletionChunk, Completion, CompletionBody } from "@drover/openai";
import type OpenAI from "openai";
import { describe, expectTypeOf, test } from "vitest";

type ChatParams = OpenAI.Chat.Completions.ChatCompletionCreateParams;
type CompletionParams = OpenAI.Completions.CompletionCreateParams;

/** Fields of which the package allows values that are refused by name: see `UNSUPPORTED` and the messages' parts. */
type ChatField = Exclude<Extract<keyof ChatParams, keyof ChatBody>, "messages" | "tools" | "tool_choice">;
type CompletionField = Exclude<Extract<keyof CompletionParams, keyof CompletionBody>, "prompt">;

type FunctionTool = OpenAI.Chat.Completions.ChatCompletionFunctionTool;
type ImagePart = OpenAI.Chat.Completions.ChatCompletionContentPartImage;
/** The package has a fourth `detail`, which is refused by name. */
type KnownImagePart = Omit<ImagePart, "image_url"> & { image_url: { url: string; detail?: "auto" | "low" | "high" } };
type UserMessage = Omit<OpenAI.Chat.Completions.ChatCompletionUserMessageParam, "content"> & {
  content: string | (OpenAI.Chat.Completions.ChatCompletionContentPartText | KnownImagePart)[];
};

describe("what the openai package's types allow", () => {
  test("is a chat's body, field by field", () => {
    expectTypeOf<Pick<ChatParams, ChatField>>().toExtend<Pick<ChatBody, ChatField>>();
    expectTypeOf<ChatField>().toEqualTypeOf<
      | "model"
      | "n"
      | "temperature"
      | "top_p"
      | "presence_penalty"
      | "frequency_penalty"
      | "logit_bias"
      | "seed"
      | "stop"
      | "stream"
      | "stream_options"
      | "parallel_tool_calls"
      | "max_completion_tokens"
      | "max_tokens"
      | "logprobs"
      | "top_logprobs"
      | "response_format"
      | "functions"
      | "function_call"
    >();
  });

  test("is a chat's messages, where they hold text and images", () => {
    type Message = ChatBody["messages"][number];
    expectTypeOf<UserMessage>().toExtend<Message>();
    expectTypeOf<OpenAI.Chat.Completions.ChatCompletionSystemMessageParam>().toExtend<Message>();
    expectTypeOf<OpenAI.Chat.Completions.ChatCompletionDeveloperMessageParam>().toExtend<Message>();
    expectTypeOf<OpenAI.Chat.Completions.ChatCompletionToolMessageParam>().toExtend<Message>();
  });

  test("is a chat's tools, where they are functions", () => {
    expectTypeOf<FunctionTool[]>().toExtend<NonNullable<ChatBody["tools"]>>();
    expectTypeOf<"auto" | "none" | "required">().toExtend<NonNullable<ChatBody["tool_choice"]>>();
  });

  test("is a completion's body, field by field", () => {
    expectTypeOf<Pick<CompletionParams, CompletionField>>().toExtend<Pick<CompletionBody, CompletionField>>();
    expectTypeOf<string | number[]>().toExtend<CompletionBody["prompt"]>();
  });
});

describe("what a router answers", () => {
  test("is what the openai package's types promise", () => {
    expectTypeOf<ChatCompletion>().toExtend<OpenAI.Chat.Completions.ChatCompletion>();
    expectTypeOf<ChatCompletionChunk>().toExtend<OpenAI.Chat.Completions.ChatCompletionChunk>();
    // The package has no null for the prompt's first token, and no tool calls: OpenAI's own answers have the first.
    type Ours = Omit<Completion, "choices">;
    expectTypeOf<Ours>().toExtend<Omit<OpenAI.Completions.Completion, "choices">>();
  });
});
