/**
 * Sound and pictures of a call, from device to device by WebRTC.
 *
 * The caller offers when its call is taken. A description has all candidates, and is sent again
 * until the other one arrives, because signals may be lost.
 */

import { type Client, type SignalReceived, signals, TroupeError } from "troupe-chat";
import type { Call } from "./calls";
import { Value } from "./value";

/** Milliseconds for which candidates are gathered, and between two sendings. */
const [GATHER_MS, AGAIN_MS] = [1_000, 2_000];
/** Bytes of a signal. */
const MOST = 4_096;
const [PLAIN, PACKED] = [0, 1];

interface Description {
  readonly call: number;
  readonly type: "offer" | "answer";
  readonly sdp: string;
}

export class Talk {
  readonly remote = new Value<MediaStream | undefined>(undefined);
  readonly local = new Value<MediaStream | undefined>(undefined);
  private readonly peer = new RTCPeerConnection({ iceServers: [] });
  private resending: ReturnType<typeof setInterval> | undefined;
  private own: Description | undefined;
  private device: number;
  private isClosed = false;

  constructor(
    private readonly client: Pick<Client, "signal">,
    private readonly call: Call,
    private readonly connected: () => void,
    private readonly failed: () => void,
  ) {
    this.device = call.device;
    this.peer.ontrack = ({ streams: [stream] }) => this.remote.set(stream);
    this.peer.onconnectionstatechange = () => {
      if (this.peer.connectionState === "connected") this.connected();
      if (this.peer.connectionState === "failed") this.failed();
    };
  }

  /** Asks for microphone and camera. Without a camera it is a call by voice. */
  async open(): Promise<void> {
    const stream = await this.media();
    if (this.isClosed) return stop(stream);
    for (const track of stream.getTracks()) this.peer.addTrack(track, stream);
    this.local.set(stream);
  }

  /** The other side has taken the call with this device. */
  async offer(device: number): Promise<void> {
    this.device = device;
    if (this.own !== undefined || this.isClosed) return;
    await this.peer.setLocalDescription();
    await this.tell("offer");
    this.resending = setInterval(() => void this.send(), AGAIN_MS);
  }

  async hear({ kind, device, payload }: SignalReceived): Promise<void> {
    if (this.isClosed) return;
    if (kind === signals.CANDIDATE) return this.candidate(payload);
    const description = await unpacked(payload);
    if (description === undefined || description.call !== this.call.call) return;
    if (description.type === "answer") {
      clearInterval(this.resending);
      if (this.peer.signalingState === "have-local-offer") await this.peer.setRemoteDescription(description);
      return;
    }
    this.device = device;
    // The answer was lost.
    if (this.own !== undefined) return this.send();
    if (this.peer.remoteDescription !== null) return;
    await this.peer.setRemoteDescription(description);
    await this.peer.setLocalDescription();
    await this.tell("answer");
  }

  /** Silences the microphone, or covers the camera. */
  set(kind: "audio" | "video", isOn: boolean): void {
    for (const track of this.local.get()?.getTracks() ?? []) if (track.kind === kind) track.enabled = isOn;
  }

  close(): void {
    this.isClosed = true;
    clearInterval(this.resending);
    const stream = this.local.get();
    if (stream !== undefined) stop(stream);
    this.peer.close();
  }

  private async media(): Promise<MediaStream> {
    if (!this.call.isVideo) return navigator.mediaDevices.getUserMedia({ audio: true });
    try {
      return await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: { ideal: 1280 }, height: { ideal: 720 } } });
    } catch {
      return navigator.mediaDevices.getUserMedia({ audio: true });
    }
  }

  private async tell(type: Description["type"]): Promise<void> {
    await new Promise<void>((resolve) => {
      setTimeout(resolve, GATHER_MS);
      const look = (): void => void (this.peer.iceGatheringState === "complete" && resolve());
      this.peer.onicegatheringstatechange = look;
      look();
    });
    this.own = { call: this.call.call, type, sdp: this.peer.localDescription?.sdp ?? "" };
    await this.send();
  }

  private async send(): Promise<void> {
    if (this.own === undefined || this.isClosed) return;
    const payload = await packed(this.own);
    try {
      if (payload.length <= MOST) await this.client.signal(this.call.conversation, signals.DESCRIPTION, payload, this.device);
      else this.failed();
    } catch (error) {
      // It is sent again.
      if (!(error instanceof TroupeError)) throw error;
    }
  }

  /** Of a client that sends them one by one. */
  private async candidate(payload: Uint8Array): Promise<void> {
    try {
      await this.peer.addIceCandidate(JSON.parse(new TextDecoder().decode(payload)) as RTCIceCandidateInit);
    } catch {
      // It came before the description, or is none.
    }
  }
}

function stop(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

async function through(bytes: Uint8Array<ArrayBuffer>, stream: CompressionStream | DecompressionStream): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}

/** JSON behind a byte that says whether it is packed: descriptions of video are larger than a signal. */
export async function packed(description: Description): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new TextEncoder().encode(JSON.stringify(description));
  const content = await through(bytes, new CompressionStream("deflate-raw"));
  return new Uint8Array([PACKED, ...content]);
}

/** Undefined: it is no description. */
export async function unpacked(payload: Uint8Array): Promise<Description | undefined> {
  try {
    const [form, content] = [payload[0], payload.slice(1)];
    if (form !== PLAIN && form !== PACKED) return undefined;
    const bytes = form === PLAIN ? content : await through(content, new DecompressionStream("deflate-raw"));
    const { call, type, sdp } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    if (typeof call !== "number" || typeof sdp !== "string" || (type !== "offer" && type !== "answer")) return undefined;
    return { call, type, sdp };
  } catch {
    return undefined;
  }
}
