import type { CardReport, CardsReport } from "@drover/cuda";
import { gib } from "../top/columns.ts";
import { type Finding, Findings } from "./finding.ts";
import { CARD_FREE_SHARE_MIN } from "./limits.ts";

/** The first architecture whose matrix instructions the kernels use. */
const ARCHITECTURE_MIN = 80;

/**
 * Judges a machine's cards. A machine without NVIDIA's driver computes on its CPU, which is well unless it has a card: `hasDevice` says whether the system shows one. `neededBytes`: the
 * model's weights, where they are known.
 */
export function judgeCards(
  report: CardsReport,
  hasDevice: boolean,
  neededBytes: number | undefined,
): readonly Finding[] {
  const findings = new Findings("cards");
  if (report.kind === "no driver") {
    if (!hasDevice) findings.ok("NVIDIA cards", "none: this machine computes on its CPU");
    else
      findings.fail(
        "driver",
        report.fault,
        "Install NVIDIA's driver; in a container use NVIDIA's runtime (runtimeClassName: nvidia, docker --gpus all).",
      );
    return findings.all;
  }
  const { cards, compiler, cudaVersion, apart } = report;
  findings.ok("driver", `serves CUDA ${cudaVersion}`);
  if ("version" in compiler) findings.ok("compiler", `NVRTC ${compiler.version}`);
  else
    findings.fail(
      "compiler",
      compiler.fault,
      "Install NVRTC (pip install nvidia-cuda-nvrtc, or CUDA itself), and name its folder in LD_LIBRARY_PATH.",
    );
  if (cards.length === 0)
    findings.fail(
      "NVIDIA cards",
      "the driver shows none",
      "See nvidia-smi and CUDA_VISIBLE_DEVICES; in a container ask for cards.",
    );
  for (const card of cards) judgeCard(card, findings);
  judgeFree(cards, neededBytes, findings);
  judgePeers(cards.length, apart, findings);
  return findings.all;
}

function judgeCard(card: CardReport, findings: Findings): void {
  const check = `cuda:${card.ordinal}`;
  if ("fault" in card) {
    findings.fail(
      check,
      card.fault,
      "See nvidia-smi: another process may hold it in exclusive mode, or it has to be reset.",
    );
    return;
  }
  const { name, byteCount, architecture } = card.facts;
  const found = `${name}, ${gib(card.freeBytes)} of ${gib(byteCount)} GiB free`;
  if (architecture < ARCHITECTURE_MIN)
    findings.fail(
      check,
      `${found}, sm_${architecture}`,
      "Kernels need sm_80 (Ampere) or newer: compute on the CPU there.",
    );
  else if (card.freeBytes < CARD_FREE_SHARE_MIN * byteCount)
    findings.warn(check, found, "See nvidia-smi for who has the rest: --kv-memory auto takes only what is free.");
  else findings.ok(check, found);
}

function judgeFree(cards: readonly CardReport[], neededBytes: number | undefined, findings: Findings): void {
  if (neededBytes === undefined || cards.length === 0) return;
  const free = cards.map((card) => ("fault" in card ? 0 : card.freeBytes));
  const most = Math.max(...free);
  const needs = `the model's weights are ${gib(neededBytes)} GiB`;
  if (most > neededBytes) findings.ok("model on a card", `${needs}; ${gib(most)} GiB are free`);
  else
    findings.warn(
      "model on a card",
      `${needs} as they are stored, and no card has so much free (${gib(most)} GiB)`,
      "Serve it with --quantize int4 (a quarter of bf16), or spread its experts over cards: drover plan says what fits.",
    );
}

function judgePeers(count: number, apart: readonly (readonly [number, number])[], findings: Findings): void {
  if (count < 2) return;
  if (apart.length === 0) findings.ok("peer access", `all ${count} cards reach each other's memory`);
  else
    findings.warn(
      "peer access",
      `not between ${apart.map(([from, to]) => `cuda:${from} and cuda:${to}`).join(", ")}`,
      "Rows go over main memory there. See nvidia-smi topo -m; in virtual machines ACS keeps cards apart.",
    );
}
