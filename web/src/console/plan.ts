/** What an order about a node would move, as far as the node of this page knows. `--dry-run` has the exact plan. */

import type { Cluster } from "./cluster";

export const ORDERS = ["drain", "undrain", "remove", "replace", "upgrade"] as const;
export type OrderName = (typeof ORDERS)[number];

export interface Plan {
  readonly leaderships: number;
  readonly replicas: number;
  /** Nodes that work and can be reached. */
  readonly receivers: readonly number[];
  /** The replicas that each shard could have at most, if that is fewer than its target. */
  readonly lowered: number | undefined;
}

export function planOf(cluster: Cluster, node: number): Plan {
  const receivers = cluster.nodes.filter(({ id, reachable, meant }) => id !== node && reachable && meant === "active").map(({ id }) => id);
  const { target } = cluster.replication;
  return {
    leaderships: cluster.shards.filter(({ leader }) => leader === node).length,
    replicas: cluster.shards.filter(({ nodes }) => nodes.includes(node)).length,
    receivers,
    lowered: receivers.length < target ? receivers.length : undefined,
  };
}

/** The command that shows the plan, and the one that carries it out. `receiver`: 0 lets the plan choose. */
export function orderLines(order: OrderName, node: number, plan: Plan, receiver: number): readonly [string, string] {
  if (order === "upgrade") return ["troupe cluster upgrade status", "troupe cluster upgrade finalize"];
  const leaves = order !== "undrain";
  const to = order === "replace" && receiver > 0 ? ` --with ${receiver}` : "";
  const fewer = leaves && plan.lowered !== undefined && plan.lowered > 0 ? ` --replication ${plan.lowered}` : "";
  const line = `troupe node ${order} ${node}${to}${fewer}`;
  return [`${line} --dry-run`, line];
}
