import { hash } from "node:crypto";

/** SHA-256 of a key in hex: all that is kept of it. Keys are drawn from 256 bits, so that nobody finds one by trying. */
export const keyDigest = (key: string): string => hash("sha256", key, "hex");
