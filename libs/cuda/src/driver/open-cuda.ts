import type { CudaDevice, KernelCompiler } from "./cuda-device.ts";
import { DriverCalls } from "./driver-calls.ts";
import { NativeDevice } from "./native-device.ts";
import { NativeLibrary } from "./native-library.ts";
import { Nvrtc } from "./nvrtc.ts";

/** Files of the driver and of the compiler; the first of each that loads is used. */
export type CudaLibraries = Readonly<{ driver: readonly string[]; compiler: readonly string[] }>;

/** Where a machine with NVIDIA's driver and CUDA 13 or 12 has them: the driver's loader finds names without a folder. */
export const CUDA_LIBRARIES: CudaLibraries = {
  driver: ["libcuda.so.1"],
  compiler: ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"],
};

/** What to do where a library is missing. */
export const LIBRARY_REMEDIES = {
  driver: "install it on this machine, or compute on the CPU (--device cpu)",
  compiler: "install it (a part of CUDA 12 and 13, on PyPI nvidia-cuda-nvrtc) and name its folder in LD_LIBRARY_PATH",
} as const;

/** A card, and what compiles for it. */
export type Cuda = Readonly<{ device: CudaDevice; compiler: KernelCompiler }>;

/** Opens the card of this number. Errors: `unavailable` where the driver, the compiler, or the card is missing. */
export async function openCuda(ordinal: number, libraries: CudaLibraries = CUDA_LIBRARIES): Promise<Cuda> {
  const driver = await NativeLibrary.open("NVIDIA's driver", libraries.driver, LIBRARY_REMEDIES.driver);
  const compiler = await NativeLibrary.open("NVIDIA's compiler NVRTC", libraries.compiler, LIBRARY_REMEDIES.compiler);
  return { device: new NativeDevice(new DriverCalls(driver), ordinal), compiler: new Nvrtc(compiler) };
}

/** How many cards there are, none of them opened. Errors: `unavailable` where there is no driver, or no compiler, without which none can be used. */
export async function countCards(libraries: CudaLibraries = CUDA_LIBRARIES): Promise<number> {
  const calls = new DriverCalls(await NativeLibrary.open("NVIDIA's driver", libraries.driver, LIBRARY_REMEDIES.driver));
  calls.call("cuInit", 0);
  await NativeLibrary.open("NVIDIA's compiler NVRTC", libraries.compiler, LIBRARY_REMEDIES.compiler);
  return calls.number("cuDeviceGetCount");
}
