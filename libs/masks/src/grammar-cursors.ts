import { assert, DroverError } from "@drover/core";
import { CountingMatcher, countedGrammar } from "@drover/grammar";
import type { CompiledGrammar, GrammarMatcher } from "@mlc-ai/web-xgrammar";
import { GRAMMAR_CHARACTERS_KEPT_MAX, GRAMMARS_KEPT_MAX } from "./limits.ts";
import type { MaskCache } from "./mask-cache.ts";
import type { AdvanceCursors, MaskAnswer, OpenCursor } from "./mask-messages.ts";
import type { CountedPlace, TokenCounts } from "./token-counts.ts";
import { BETWEEN, type PendingBytes, type WholeCharacters } from "./whole-characters.ts";
import type { XGrammar } from "./xgrammar.ts";

type Compiler = Awaited<ReturnType<XGrammar["GrammarCompiler"]["createGrammarCompiler"]>>;

/** A compiled grammar, and how many cursors stand in it. */
type Kept = {
  readonly compiled: CompiledGrammar;
  readonly counting: CountingMatcher;
  /** Whether XGrammar was told less than what is counted. */
  readonly isLoose: boolean;
  cursorCount: number;
};

/** `grammar`: its source, by which it is kept. */
type Cursor = {
  readonly grammar: string;
  readonly kept: Kept;
  readonly matcher: GrammarMatcher;
  readonly allowed: Uint32Array;
  readonly stopTokenIds: readonly number[];
  pending: PendingBytes;
  place: CountedPlace;
};

/** The cursors of one thread, and the compiled grammars that they stand in. */
export class GrammarCursors {
  readonly #xgrammar: XGrammar;
  readonly #compiler: Compiler;
  readonly #characters: WholeCharacters;
  readonly #counts: TokenCounts;
  readonly #masks: MaskCache;
  readonly #cursors = new Map<number, Cursor>();
  /** By source, the one that was not used for longest first. */
  readonly #grammars = new Map<string, Kept>();

  constructor(
    xgrammar: XGrammar,
    compiler: Compiler,
    characters: WholeCharacters,
    counts: TokenCounts,
    masks: MaskCache,
  ) {
    this.#xgrammar = xgrammar;
    this.#compiler = compiler;
    this.#characters = characters;
    this.#counts = counts;
    this.#masks = masks;
  }

  /** Errors: `invalid_argument` where the output so far does not match its grammar. */
  async open({ id, grammar, stopTokenIds, tokenIds, allowed }: OpenCursor): Promise<MaskAnswer> {
    const kept = await this.#compiled(grammar);
    const matcher = await this.#xgrammar.GrammarMatcher.createGrammarMatcher(kept.compiled, [...stopTokenIds]);
    const place = { state: kept.counting.start, pending: [] };
    const cursor: Cursor = { grammar, kept, matcher, allowed, stopTokenIds, pending: BETWEEN, place };
    kept.cursorCount += 1;
    this.#cursors.set(id, cursor);
    for (const tokenId of tokenIds) {
      if (this.#accept(cursor, tokenId)) continue;
      this.#close(id);
      throw new DroverError("invalid_argument", "the output so far does not match the grammar");
    }
    return { stuck: (await this.#mask(cursor)) ? [] : [id], unknown: [] };
  }

  async advance({ accepted, closed }: AdvanceCursors): Promise<MaskAnswer> {
    const stuck: number[] = [];
    const unknown: number[] = [];
    for (const [id, tokenId] of accepted) {
      const cursor = this.#cursors.get(id);
      if (cursor === undefined) unknown.push(id);
      else if (!this.#accept(cursor, tokenId) || !(await this.#mask(cursor))) stuck.push(id);
    }
    for (const id of closed) this.#close(id);
    return { stuck, unknown };
  }

  #accept(cursor: Cursor, tokenId: number): boolean {
    const pending = this.#characters.after(cursor.pending, tokenId);
    const place = this.#counts.after(cursor.place, tokenId, cursor.kept.counting);
    if (pending === undefined || place === undefined || !cursor.matcher.acceptToken(tokenId)) return false;
    cursor.pending = pending;
    cursor.place = place;
    return true;
  }

  /** False where no token may come. */
  async #mask(cursor: Cursor): Promise<boolean> {
    const { allowed, pending, place, stopTokenIds, kept } = cursor;
    const isBetween = pending.needed === 0;
    const known = isBetween ? this.#masks.get(place.state) : undefined;
    if (known !== undefined) allowed.set(known);
    else {
      allowed.set(await cursor.matcher.getNextTokenBitmask());
      for (const id of stopTokenIds) allowed[id >>> 5] = (allowed[id >>> 5] ?? 0) & ~(1 << (id & 31));
      this.#characters.restrict(allowed, pending);
      if (kept.isLoose) this.#counts.restrict(allowed, place, kept.counting);
      if (isBetween) this.#masks.put(place.state, allowed);
    }
    if (isBetween && place.state.accepts)
      for (const id of stopTokenIds)
        if (id < allowed.length * 32) allowed[id >>> 5] = (allowed[id >>> 5] ?? 0) | (1 << (id & 31));
    return allowed.some((word) => word !== 0);
  }

  async #compiled(grammar: string): Promise<Kept> {
    const known = this.#grammars.get(grammar);
    if (known !== undefined) {
      this.#grammars.delete(grammar);
      this.#grammars.set(grammar, known);
      return known;
    }
    const { loose, exact, isLoose } = countedGrammar(grammar);
    const parsed = await this.#xgrammar.Grammar.fromEBNF(loose);
    const compiled = await this.#compiler.compileGrammar(parsed);
    const kept = { compiled, counting: new CountingMatcher(exact), isLoose, cursorCount: 0 };
    parsed.dispose();
    this.#grammars.set(grammar, kept);
    this.#evict(kept);
    return kept;
  }

  #evict(newest: Kept): void {
    let characters = 0;
    for (const source of this.#grammars.keys()) characters += source.length;
    for (const [source, kept] of this.#grammars) {
      if (this.#grammars.size <= GRAMMARS_KEPT_MAX && characters <= GRAMMAR_CHARACTERS_KEPT_MAX) return;
      if (kept.cursorCount > 0 || kept === newest) continue;
      kept.compiled.dispose();
      this.#grammars.delete(source);
      characters -= source.length;
    }
  }

  #close(id: number): void {
    const cursor = this.#cursors.get(id);
    if (cursor === undefined) return;
    this.#cursors.delete(id);
    cursor.matcher.dispose();
    const kept = this.#grammars.get(cursor.grammar);
    assert(kept !== undefined, "a grammar is kept while a cursor stands in it");
    kept.cursorCount -= 1;
  }
}
