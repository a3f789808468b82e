/** The part of the client that comes after the first load. */

let loading: Promise<typeof import("./more")> | undefined;

/** The part, once it is there. */
let part: typeof import("./more") | undefined;

export function more(): typeof import("./more") | undefined {
  return part;
}

/** Rejects if the node does not answer, or has another version of the client by now. */
export function loadMore(): Promise<typeof import("./more")> {
  loading ??= import("./more").then(
    (loaded) => (part = loaded),
    (error: unknown) => {
      loading = undefined;
      throw error;
    },
  );
  return loading;
}
