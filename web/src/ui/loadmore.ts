/** The part of the client that comes after the first load. */

let loading: Promise<typeof import("./more")> | undefined;

/** Rejects if the node does not answer, or has another version of the client by now. */
export function loadMore(): Promise<typeof import("./more")> {
  loading ??= import("./more").catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}
