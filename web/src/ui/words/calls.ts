/** Calls. */

export const en = {
  calls: {
    voice: "Call",
    video: "Video call",
    talked: (kind: string, length: string) => `${kind}, ${length}`,
    refused: (kind: string, by: string) => `${kind} by ${by}: declined`,
    busy: (kind: string, by: string) => `${kind} by ${by}: busy`,
    cancelled: (kind: string, by: string) => `${kind} by ${by}: taken back`,
    missed: (kind: string, by: string) => `${kind} by ${by}: not answered`,
  },
};

export const zh: typeof en = {
  calls: {
    voice: "语音通话",
    video: "视频通话",
    talked: (kind, length) => `${kind} ${length}`,
    refused: (kind, by) => `${by} 的${kind}：已拒绝`,
    busy: (kind, by) => `${by} 的${kind}：对方忙`,
    cancelled: (kind, by) => `${by} 的${kind}：已取消`,
    missed: (kind, by) => `${by} 的${kind}：无人接听`,
  },
};
