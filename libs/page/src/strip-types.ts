import { stripTypeScriptTypes } from "node:module";
import { parentPort, workerData } from "node:worker_threads";

/** A thread's whole program: sources in, the same without their types out, as Node strips those of a server. */
parentPort?.postMessage((workerData as readonly string[]).map((source) => stripTypeScriptTypes(source)));
