import { toDroverError } from "@drover/core";
import { type Account, LimitReached, type Right, requireRight } from "@drover/tenants";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ANYBODY, beginFor } from "../api-keys.ts";
import type { HttpServerOptions } from "./http-server-options.ts";

/** What not every key may do. */
const RIGHT_OF_PATHS: readonly (readonly [RegExp, Right])[] = [
  [/^\/debug\//, "debug"],
  [/^\/v1\/(files|batches)\b/, "batches"],
];

const accounts = new WeakMap<object, Account>();

/** Who a request is from, once its key was checked. */
export const accountOf = ({ raw }: Pick<FastifyRequest, "raw">): Account => accounts.get(raw) ?? ANYBODY;

/**
 * Has every request of these routes say its key before anything of its body is read. One that has work done counts against its account until its
 * answer is over, and hears of its limits in the answer's headers.
 */
export function checkAccounts(api: FastifyInstance, { keys, usage }: Pick<HttpServerOptions, "keys" | "usage">): void {
  const begin = ({ headers, method, raw, url }: FastifyRequest, reply: FastifyReply) => {
    const account = keys.check(headers.authorization ?? bearer(headers["x-api-key"]));
    accounts.set(raw, account);
    const right = RIGHT_OF_PATHS.find(([path]) => path.test(url))?.[1];
    if (right !== undefined) requireRight(account, right);
    if (method !== "POST") return;
    try {
      const begun = beginFor(account, keys, usage);
      reply.raw.once("close", () => begun[Symbol.dispose]());
      tellLimits(reply, begun.headers);
    } catch (error) {
      if (error instanceof LimitReached) tellLimits(reply, error.headers);
      throw error;
    }
  };
  api.addHook("onRequest", (request, reply, done) => {
    let fault: Error | undefined;
    try {
      begin(request, reply);
    } catch (error) {
      fault = toDroverError(error);
    }
    // Beyond the `try`: what it calls goes on with the request, and its faults are its own.
    done(fault);
  });
}

function tellLimits({ raw }: FastifyReply, headers: ReadonlyMap<string, string>): void {
  for (const [name, value] of headers) raw.setHeader(name, value);
}

/** The header by which clients of Anthropic's interface say their key. */
const bearer = (key: string | string[] | undefined) => (typeof key === "string" ? `Bearer ${key}` : undefined);
