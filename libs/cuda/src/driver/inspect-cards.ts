import { toDroverError } from "@drover/core";
import type { DeviceFacts } from "./cuda-device.ts";
import { DriverCalls } from "./driver-calls.ts";
import { NativeDevice } from "./native-device.ts";
import { NativeLibrary } from "./native-library.ts";
import { Nvrtc } from "./nvrtc.ts";
import { CUDA_LIBRARIES, type CudaLibraries, LIBRARY_REMEDIES } from "./open-cuda.ts";

/** A card, and what it has free now; of one that cannot be opened, why. */
export type CardReport = Readonly<{ ordinal: number }> &
  (Readonly<{ facts: DeviceFacts; freeBytes: number }> | Readonly<{ fault: string }>);

/** What a machine has to compute on cards with, or what it lacks, in a sentence that says what to do. */
export type CardsReport =
  | Readonly<{ kind: "no driver"; fault: string }>
  | Readonly<{
      kind: "driver";
      /** The newest CUDA that the driver serves, such as "13.0". */
      cudaVersion: string;
      compiler: Readonly<{ version: string }> | Readonly<{ fault: string }>;
      cards: readonly CardReport[];
      /** Pairs of cards the first of which cannot read the second's memory. */
      apart: readonly (readonly [from: number, to: number])[];
    }>;

/** Looks at a machine's cards: each is opened for a moment. Never throws for what is missing. */
export async function inspectCards(libraries: CudaLibraries = CUDA_LIBRARIES): Promise<CardsReport> {
  let calls: DriverCalls;
  try {
    calls = new DriverCalls(await NativeLibrary.open("NVIDIA's driver", libraries.driver, LIBRARY_REMEDIES.driver));
    calls.call("cuInit", 0);
  } catch (error) {
    return { kind: "no driver", fault: toDroverError(error).message };
  }
  const version = calls.number("cuDriverGetVersion");
  const count = calls.number("cuDeviceGetCount");
  const ordinals = Array.from({ length: count }, (_, ordinal) => ordinal);
  return {
    kind: "driver",
    cudaVersion: `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`,
    compiler: await inspectCompiler(libraries),
    cards: ordinals.map((ordinal) => inspectCard(calls, ordinal)),
    apart: ordinals.flatMap((from) =>
      ordinals
        .filter((to) => to !== from && calls.number("cuDeviceCanAccessPeer", from, to) === 0)
        .map((to) => [from, to] as const),
    ),
  };
}

async function inspectCompiler(
  libraries: CudaLibraries,
): Promise<Readonly<{ version: string }> | Readonly<{ fault: string }>> {
  try {
    const library = await NativeLibrary.open("NVIDIA's compiler NVRTC", libraries.compiler, LIBRARY_REMEDIES.compiler);
    return { version: new Nvrtc(library).version };
  } catch (error) {
    return { fault: toDroverError(error).message };
  }
}

function inspectCard(calls: DriverCalls, ordinal: number): CardReport {
  try {
    const device = new NativeDevice(calls, ordinal);
    try {
      return { ordinal, facts: device.facts, freeBytes: device.freeBytes };
    } finally {
      device.close();
    }
  } catch (error) {
    return { ordinal, fault: toDroverError(error).message };
  }
}
