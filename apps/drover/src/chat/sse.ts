import { DroverError } from "@drover/core";
import { SSE_LINE_CHARACTERS_MAX } from "../limits.ts";

export type ServerSentEvent = Readonly<{ event: string; data: string }>;

/** The events of a streamed answer, in the order of their arrival. Errors: `internal` for a line without end. */
export async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  let event = "message";
  let data: string[] = [];
  for await (const bytes of body) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > SSE_LINE_CHARACTERS_MAX) throw new DroverError("internal", "the server sent a line without end");
    for (const line of lines.map((one) => one.replace(/\r$/, ""))) {
      if (line === "") {
        if (data.length > 0) yield { event, data: data.join("\n") };
        event = "message";
        data = [];
      } else if (line.startsWith("event:")) event = line.slice("event:".length).trim();
      else if (line.startsWith("data:")) data.push(line.slice("data:".length).replace(/^ /, ""));
    }
  }
}
