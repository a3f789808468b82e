/** The cluster as the node of this page sees it: the answer of `/v1/cluster`. */

export interface ClusterNode {
  readonly id: number;
  readonly cluster: string;
  readonly client: string;
  readonly http: string;
  readonly reachable: boolean;
  /** `active`, or that the node is being drained or removed. */
  readonly meant: string;
}

export interface Shard {
  readonly id: number;
  readonly leader: number | null;
  readonly epoch: number;
  readonly nodes: readonly number[];
  readonly moving: { readonly from: number | null; readonly to: number | null } | null;
}

export interface Replica {
  readonly shard: number;
  readonly role: string;
  readonly committed: number;
  readonly applied: number;
  /** Entries by which the other replicas are behind this one, if it leads. */
  readonly lag: Readonly<Record<string, number>>;
}

export interface Cluster {
  readonly node: number;
  readonly meta_leader: number | null;
  readonly level: number;
  readonly cluster_id: string;
  readonly storage: { readonly free: number; readonly total: number; readonly low_mark: number } | null;
  readonly replication: { readonly target: number; readonly under_replicated: number };
  readonly remarks: readonly string[];
  readonly nodes: readonly ClusterNode[];
  readonly shards: readonly Shard[];
  readonly replicas: readonly Replica[];
}

export async function readCluster(): Promise<Cluster | undefined> {
  try {
    const answer = await fetch("/v1/cluster", { cache: "no-store" });
    return answer.ok ? ((await answer.json()) as Cluster) : undefined;
  } catch {
    // The node does not answer.
    return undefined;
  }
}

/** What a replica of a shard is on a node: `leader`, `behind` by entries, or `holds`. */
export interface Cell {
  readonly is: "leader" | "holds" | "comes" | "none";
  /** Known for shards that the node of this page leads. */
  readonly lag: number | undefined;
}

export function cellOf(cluster: Cluster, shard: Shard, node: number): Cell {
  const own = cluster.replicas.find((replica) => replica.shard === shard.id && replica.role === "leader");
  const lag = own?.lag[String(node)];
  if (shard.leader === node) return { is: "leader", lag: undefined };
  if (shard.nodes.includes(node)) return { is: "holds", lag };
  return { is: shard.moving?.to === node ? "comes" : "none", lag };
}
