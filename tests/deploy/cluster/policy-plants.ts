import type { NetworkPolicy, Rule } from "./network-policies.ts";

export type PolicyPlant = Readonly<{ name: string; planted: readonly NetworkPolicy[] }>;

const WRONG_PORT = 50_099;
const DIRECTIONS = ["ingress", "egress"] as const;

/** The policies with one thing wrong, for each thing that can be: a policy, a rule, a peer or a port that is missing, and rules that are too wide. */
export function* policyPlants(policies: readonly NetworkPolicy[]): Generator<PolicyPlant> {
  for (const [index, policy] of policies.entries()) {
    const { name } = policy.metadata;
    yield { name: `without ${name}`, planted: policies.toSpliced(index, 1) };
    for (const direction of DIRECTIONS) {
      const rules = policy.spec[direction] ?? [];
      for (const [at, rule] of rules.entries()) {
        for (const [what, wrong] of wrongRules(rule)) {
          const spec = { ...policy.spec, [direction]: rules.toSpliced(at, 1, ...wrong) };
          yield { name: `${name}, ${direction} ${at}, ${what}`, planted: policies.with(index, { ...policy, spec }) };
        }
      }
      const spec = { ...policy.spec, [direction]: [...rules, {}] };
      yield { name: `${name}, all ${direction}`, planted: policies.with(index, { ...policy, spec }) };
    }
  }
}

function* wrongRules(rule: Rule): Generator<readonly [string, readonly Rule[]]> {
  yield ["gone", []];
  const { ports: _, ...anyPort } = rule;
  yield ["any port", [anyPort]];
  for (const [at, port] of (rule.ports ?? []).entries()) {
    const wrong = { ...port, port: WRONG_PORT };
    yield [`wrong port ${at}`, [{ ...rule, ports: (rule.ports ?? []).with(at, wrong) }]];
  }
  for (const side of ["from", "to"] as const) {
    const peers = rule[side] ?? [];
    // The last peer that goes would leave a rule for everybody, which is what the other plants are for.
    if (peers.length > 1)
      for (const at of peers.keys()) yield [`without peer ${at}`, [{ ...rule, [side]: peers.toSpliced(at, 1) }]];
  }
}
