import { type Clock, DroverError, systemClock } from "@drover/core";
import { PROMPT_RETRY_INTERVAL_MS, PROMPT_RETRY_MS_MAX } from "../limits.ts";
import type { ChatClient } from "./chat-client.ts";

type Answering = Pick<ChatClient, "modelName" | "answer">;

/** Asks one question with the server's own settings. Asks again, for a while, where the server says that it cannot answer yet. */
export async function answerOnce(
  prompt: string,
  client: Answering,
  signal: AbortSignal,
  clock: Clock = systemClock,
): Promise<string> {
  const deadline = clock.monotonic() + PROMPT_RETRY_MS_MAX;
  for (;;) {
    try {
      return await client.answer(await client.modelName(signal), [{ role: "user", content: prompt }], signal);
    } catch (error) {
      const mayPass = error instanceof DroverError && (error.code === "unavailable" || error.code === "overloaded");
      if (!mayPass || clock.monotonic() > deadline) throw error;
      await clock.sleep(PROMPT_RETRY_INTERVAL_MS, signal);
    }
  }
}
