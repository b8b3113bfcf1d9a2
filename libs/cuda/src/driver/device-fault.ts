import { DroverError, type ErrorCode } from "@drover/core";

/** Results of CUDA's driver that are more than a fault of this program. Source: cuda.h, CUresult. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  2: "overloaded", // out of memory
  3: "unavailable", // not initialized
  34: "unavailable", // stub library: there is no driver
  46: "unavailable", // device not usable by this process
  100: "unavailable", // no device
  101: "unavailable", // no such device
  802: "unavailable", // the system is not ready
  801: "unavailable", // the card or the system does not support it
  803: "unavailable", // the driver is older than the library
};

/** CUDA's driver says success so. */
export const SUCCESS = 0;
/** What was asked for is not over yet: no fault. */
export const NOT_READY = 600;

/** A result that is no success, as a fault: the call's name and the card's own words for it. */
export function deviceFault(call: string, result: number, words: string): DroverError {
  return new DroverError(CODES[result] ?? "internal", `CUDA: ${call}: ${words} (${result})`);
}
