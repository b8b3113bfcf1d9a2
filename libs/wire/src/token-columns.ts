import { create } from "@bufbuild/protobuf";
import { type FinishReason, type RequestEvent, type RequestId, requestId, type TokenEvent } from "@drover/core";
import {
  type TokenColumns as Message,
  NamedAttemptSchema,
  TokenColumnsSchema,
  FinishReason as WireFinish,
} from "@drover/proto";
import { enumNameFromWire } from "./enum-name.ts";
import { FINISH_REASONS } from "./finish-reasons.ts";
import { TOKEN_SLOTS_KEPT_MAX, TOKEN_SLOTS_MAX } from "./limits.ts";
import { wireFault } from "./wire-fault.ts";

/** The attempt that a slot stands for from now on. */
export type NamedAttempt = Readonly<{ slot: number; requestId: RequestId; attempt: number }>;

/** Tokens that are nothing but tokens, a column for each of their fields; element i of each is of token i. */
export type TokenColumns = Readonly<{
  attempts: readonly NamedAttempt[];
  slots: readonly number[];
  /** Empty: all of them are 0. */
  choices: readonly number[];
  indices: readonly number[];
  tokenIds: readonly number[];
  /** Empty: none of them is the last of its choice. */
  finishes: readonly (FinishReason | undefined)[];
}>;

export function tokenColumnsToWire({ attempts, slots, choices, indices, tokenIds, finishes }: TokenColumns): Message {
  return create(TokenColumnsSchema, {
    attempts: attempts.map((named) => create(NamedAttemptSchema, named)),
    slots: [...slots],
    choices: [...choices],
    indices: [...indices],
    tokenIds: [...tokenIds],
    finishes: finishes.map((finish) => (finish === undefined ? WireFinish.UNSPECIFIED : FINISH_REASONS[finish])),
  });
}

/** Errors: `invalid_argument`, naming the column that is none. */
export function tokenColumnsFromWire({ attempts, slots, choices, indices, tokenIds, finishes }: Message): TokenColumns {
  for (const [name, column] of Object.entries({ indices, tokenIds }))
    if (column.length !== slots.length) throw columnFault(name, column.length, slots.length);
  for (const [name, column] of Object.entries({ choices, finishes }))
    if (column.length !== 0 && column.length !== slots.length) throw columnFault(name, column.length, slots.length);
  return {
    attempts: attempts.map(({ slot, attempt, ...named }) => {
      if (slot >= TOKEN_SLOTS_MAX) throw wireFault("tokens.attempts", `names slot ${slot} of ${TOKEN_SLOTS_MAX}`);
      return { slot, requestId: requestId(named.requestId), attempt };
    }),
    slots,
    choices,
    indices,
    tokenIds,
    finishes: finishes.map((finish) =>
      finish === WireFinish.UNSPECIFIED ? undefined : enumNameFromWire(FINISH_REASONS, finish, "tokens.finishes"),
    ),
  };
}

function columnFault(name: string, length: number, count: number) {
  return wireFault(`tokens.${name}`, `has ${length} entries for ${count} tokens`);
}

const NOTHING: Pick<TokenEvent, "kind" | "logprob" | "top" | "experts"> = {
  kind: "token",
  logprob: 0,
  top: [],
  experts: new Uint16Array(),
};

/** Reads the columns of one stream: which attempt a slot stands for, it has heard there. */
export class TokenColumnsReader {
  readonly #attempts: (NamedAttempt | undefined)[] = [];

  /** Hands on every token, in order. Errors: `invalid_argument` for a slot that stands for nobody. */
  read(
    { attempts, slots, choices, indices, tokenIds, finishes }: TokenColumns,
    take: (event: RequestEvent) => void,
  ): void {
    for (const named of attempts) this.#attempts[named.slot] = named;
    for (let i = 0; i < slots.length; i++) {
      const named = this.#attempts[slots[i] as number];
      if (named === undefined) throw wireFault("tokens.slots", `names slot ${slots[i]}, which stands for nobody`);
      const event: TokenEvent = {
        kind: NOTHING.kind,
        choice: choices.length === 0 ? 0 : (choices[i] as number),
        index: indices[i] as number,
        tokenId: tokenIds[i] as number,
        logprob: NOTHING.logprob,
        top: NOTHING.top,
        experts: NOTHING.experts,
        finish: finishes[i],
      };
      take({ requestId: named.requestId, attempt: named.attempt, event });
    }
  }
}

type Columns = { [K in keyof TokenColumns]: TokenColumns[K][number][] };

/** Writes events as columns, for one stream: gives each attempt a slot, which it keeps until its end, or until too many others have come. */
export class TokenColumnsWriter {
  /** In the order in which they got their slots. */
  readonly #slots = new Map<RequestId, Readonly<{ slot: number; attempt: number }>>();
  readonly #free: number[] = [];
  /** Slots of older attempts of requests that have another one: free once the message is written. */
  readonly #replaced: number[] = [];

  /** A step's events: what comes before its tokens, its plain tokens, and what comes behind them. Of each attempt the order stays what it was. */
  write(events: readonly RequestEvent[]): Readonly<{
    events: readonly RequestEvent[];
    tokens: TokenColumns | undefined;
    ends: readonly RequestEvent[];
  }> {
    const more = tellsMore(events);
    const before: RequestEvent[] = [];
    const ends: RequestEvent[] = [];
    const columns: Columns = { attempts: [], slots: [], choices: [], indices: [], tokenIds: [], finishes: [] };
    for (const each of events) {
      const { requestId, attempt, event } = each;
      if (event.kind === "done" || event.kind === "failed") ends.push(each);
      else if (event.kind !== "token" || more?.has(requestId)) before.push(each);
      else {
        const slot = this.#slotOf(requestId, attempt, columns.attempts);
        if (slot === undefined) before.push(each);
        else addTo(columns, slot, event);
      }
    }
    // Not before: the reader hears first what each slot stands for, and then the tokens.
    this.#free.push(...this.#replaced.splice(0));
    for (const { requestId } of ends) this.#release(requestId);
    for (const oldest of this.#slots.keys()) {
      if (this.#slots.size <= TOKEN_SLOTS_KEPT_MAX) break;
      this.#release(oldest);
    }
    if (columns.choices.every((choice) => choice === 0)) columns.choices.length = 0;
    if (columns.finishes.every((finish) => finish === undefined)) columns.finishes.length = 0;
    return { events: before, tokens: columns.slots.length === 0 ? undefined : columns, ends };
  }

  /** The attempt's slot, which is named where it is new; undefined while too many have one. */
  #slotOf(requestId: RequestId, attempt: number, named: NamedAttempt[]): number | undefined {
    const known = this.#slots.get(requestId);
    if (known?.attempt === attempt) return known.slot;
    const slot = this.#free.pop() ?? this.#slots.size + this.#replaced.length;
    if (slot >= TOKEN_SLOTS_MAX) return undefined;
    // Tokens of the older attempt may be in this message.
    if (known !== undefined) this.#replaced.push(known.slot);
    this.#slots.set(requestId, { slot, attempt });
    named.push({ slot, requestId, attempt });
    return slot;
  }

  #release(requestId: RequestId): void {
    const known = this.#slots.get(requestId);
    if (known === undefined) return;
    this.#slots.delete(requestId);
    this.#free.push(known.slot);
  }
}

function addTo(columns: Columns, slot: number, { choice, index, tokenId, finish }: TokenEvent): void {
  columns.slots.push(slot);
  columns.choices.push(choice);
  columns.indices.push(index);
  columns.tokenIds.push(tokenId);
  columns.finishes.push(finish);
}

/** Requests of which some token is more than a token: none of theirs goes into columns, so that they stay in order. */
function tellsMore(events: readonly RequestEvent[]): ReadonlySet<RequestId> | undefined {
  let found: Set<RequestId> | undefined;
  for (const { requestId, event } of events) {
    if (event.kind !== "token") continue;
    if (event.logprob === 0 && event.top.length === 0 && event.experts.length === 0) continue;
    found ??= new Set();
    found.add(requestId);
  }
  return found;
}
