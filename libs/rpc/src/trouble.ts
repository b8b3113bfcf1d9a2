/** Why a peer cannot be reached, for logs of who tries again and again: each reason is news once. */
export class Trouble {
  #last = "";

  /** Whether the reason is another one than the last. */
  isNews(reason: string): boolean {
    const news = reason !== this.#last;
    this.#last = reason;
    return news;
  }

  /** The peer was reached: what comes next is news. */
  over(): void {
    this.#last = "";
  }
}
