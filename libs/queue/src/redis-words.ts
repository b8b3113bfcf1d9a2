import { at } from "@drover/core";
import { REDIS_WORDS_MAX } from "./limits.ts";

/**
 * The code of an error reply, by Redis's protocol its first word in capitals; undefined where there is none. Servers before Redis 7 put
 * that of a script's command behind words of their own. https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors
 */
export function replyCode({ message }: Error): string | undefined {
  const first = /^-?([A-Z][A-Z0-9]+)\b/.exec(message);
  if (first === null) return undefined;
  const inner = at(first, 1) === "ERR" ? /: -?([A-Z][A-Z0-9]+) /.exec(message) : null;
  return at(inner ?? first, 1);
}

/** What Redis said, as far as it is the same for every command: never an argument, which may be a client's text. */
export function firstWords(error: Error): string {
  // A script's name may follow the sentence.
  const line = at(error.message.split(/\n| script: /, 1), 0);
  // Other codes come with sentences of the server's own, and only this one repeats what it was sent.
  const said = replyCode(error) === "ERR" ? at(line.split(/['`",:]/, 1), 0) : line;
  return said.slice(0, REDIS_WORDS_MAX).replace(/[.\s]+$/, "");
}
