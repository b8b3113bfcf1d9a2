import { createHmac, timingSafeEqual } from "node:crypto";
import { at, type Clock, DroverError, systemClock } from "@drover/core";
import { PROOF_MS_MAX, SECRET_CHARACTERS_MIN } from "../limits.ts";

/** What separates these proofs from any other use of the secret. */
const PURPOSE = "drover-member";

/**
 * What all processes of a cluster share and nobody else knows. It never travels: a call carries the time and an HMAC-SHA256 over it and the
 * method's path, so that who overhears one proof, or is called by mistake, has that method for two minutes and no more.
 */
export class ClusterSecret {
  readonly #clock: Clock;
  #secrets: readonly string[] = [];
  /** Proofs of this second, by path: calls come in bursts. */
  #proofs = new Map<string, string>();
  #provedAtS = Number.NaN;

  /** See `replace`. */
  constructor(secrets: readonly string[], clock: Clock = systemClock) {
    this.#clock = clock;
    this.replace(secrets);
  }

  /** The lines of a secret's file: blank ones and those that begin with # are none. */
  static read(text: string, clock?: Clock): ClusterSecret {
    return new ClusterSecret(secretsOf(text), clock);
  }

  /**
   * The first secret makes proofs, and each is taken as one, so that a new secret reaches all processes before the old one goes. Errors:
   * `invalid_argument` where there is none, or one is short enough to be guessed.
   */
  replace(secrets: readonly string[]): void {
    if (secrets.length === 0) throw new DroverError("invalid_argument", "the cluster's secret is empty");
    if (secrets.some((secret) => secret.length < SECRET_CHARACTERS_MIN))
      throw new DroverError(
        "invalid_argument",
        `the cluster's secret has fewer than ${SECRET_CHARACTERS_MIN} characters: make one with drover secret`,
      );
    this.#secrets = secrets;
    this.#provedAtS = Number.NaN;
  }

  /** The proof that a call to this path is a member's. */
  prove(path: string): string {
    const nowS = Math.floor(this.#clock.now() / 1000);
    if (nowS !== this.#provedAtS) [this.#provedAtS, this.#proofs] = [nowS, new Map()];
    const known = this.#proofs.get(path);
    if (known !== undefined) return known;
    const proof = `${nowS}.${mac(at(this.#secrets, 0), nowS, path).toString("base64url")}`;
    this.#proofs.set(path, proof);
    return proof;
  }

  /** Why a call is no member's; undefined where it is. Every secret is tried, so that the time taken tells nothing. */
  refusal(proof: unknown, path: string): string | undefined {
    const [, time, given] = /^(\d{1,12})\.([\w-]{43})$/.exec(typeof proof === "string" ? proof : "") ?? [];
    if (time === undefined || given === undefined)
      return "only members of this cluster are answered here: --cluster-secret-file names its secret";
    const bytes = Buffer.from(given, "base64url");
    let isKnown = false;
    for (const secret of this.#secrets) isKnown = isEqual(mac(secret, Number(time), path), bytes) || isKnown;
    if (!isKnown) return "the caller has another cluster's secret";
    const lateMs = this.#clock.now() - Number(time) * 1000;
    if (Math.abs(lateMs) <= PROOF_MS_MAX) return undefined;
    return `the caller's clock is ${Math.round(Math.abs(lateMs) / 1000)} s ${lateMs > 0 ? "behind" : "ahead of"} this process's`;
  }
}

/** One secret a line. */
export function secretsOf(text: string): readonly string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

function mac(secret: string, timeS: number, path: string): Buffer {
  return createHmac("sha256", secret).update(`${PURPOSE}\n${timeS}\n${path}`).digest();
}

function isEqual(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
