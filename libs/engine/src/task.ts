import { DroverError, type GenerationRequest, type TraceSpan } from "@drover/core";

/** One attempt at a request, as the engine works on it. */
export type GenerationTask = Omit<GenerationRequest, "modelId" | "trace"> &
  Readonly<{
    attempt: number;
    /** The span of this attempt, where the request is traced. */
    trace?: TraceSpan | undefined;
  }>;

/** The task of an attempt, without its span. Errors: `invalid_argument` for a token that the model does not have. */
export function taskOf(request: GenerationRequest, attempt: number, vocabSize: number): GenerationTask {
  if (request.promptTokenIds.some((id) => id >= vocabSize)) {
    throw new DroverError("invalid_argument", `a token id is outside the vocabulary of ${vocabSize}`, {
      field: "prompt",
    });
  }
  const { modelId: _, trace: __, ...task } = request;
  return { ...task, attempt };
}
