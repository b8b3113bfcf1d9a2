/** A time between two retirements: who began to use things in it, and what was taken out of use in it. */
type Era = { userCount: number; readonly free: (() => void)[] };

/** Frees what was taken out of use once everybody has ended who may still use it: those who began before. Who begins later delays nothing. */
export class Retirement {
  /** The oldest first; the last is now. */
  readonly #eras: Era[] = [{ userCount: 0, free: [] }];

  /** Someone begins to use what is in use now; the function that comes back says, once, that it has ended. */
  begin(): () => void {
    const era = this.#now;
    era.userCount += 1;
    return () => {
      era.userCount -= 1;
      this.#sweep();
    };
  }

  /** Something is out of use for all who begin from now on. */
  retire(free: () => void): void {
    this.#now.free.push(free);
    this.#eras.push({ userCount: 0, free: [] });
    this.#sweep();
  }

  get #now(): Era {
    return this.#eras[this.#eras.length - 1] as Era;
  }

  #sweep(): void {
    for (let [oldest] = this.#eras; oldest?.userCount === 0 && this.#eras.length > 1; [oldest] = this.#eras) {
      for (const free of oldest.free) free();
      this.#eras.shift();
    }
  }
}
