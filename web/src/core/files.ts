/** Files of conversations: those that this tab sends, and those that it has read. */

import { type Client, fileName, hex, type NewBody, Overloaded, randomId, type SendOptions, TroupeError, type wire } from "troupe-chat";
import { type Media, mediaOf } from "./media";
import { Value } from "./value";

/** Bytes of one write; the protocol has the same chunk. */
const CHUNK = 65_536;
const NAME_BYTES = 255;
/** Bytes of files that the tab keeps when nothing shows them. */
const MOST = 64 * 1024 * 1024;
/** Milliseconds between two attempts while no node answers. */
const AGAIN = 1_000;

export interface Upload {
  readonly id: number;
  readonly conversation: string;
  readonly name: string;
  readonly size: number;
  /** Bytes on the disks of a majority. */
  readonly durable: number;
  /** It was refused; the user may try again. */
  readonly error?: TroupeError;
}

/** The rest of the message that a file belongs to. */
export interface Options extends SendOptions {
  readonly caption?: string;
  /** It is a voice message of this length. */
  readonly voiceMs?: number;
}

interface Job {
  readonly file: File;
  readonly options: Options;
  /** The ids of the uploads: of the file, and of its small picture. An attempt goes on where the last one was. */
  readonly ids: readonly [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>];
  isCancelled: boolean;
}

interface Held {
  readonly url: Promise<string>;
  size: number;
  users: number;
}

/** Types that a page shows by itself. All others are bytes to save. */
const SHOWN = /^(?:image\/(?:png|jpeg|gif|webp|avif|bmp)|audio\/[\w.+-]+|video\/[\w.+-]+)$/;

export function safeType(mediaType: string): string {
  const [type = ""] = mediaType.split(";");
  return SHOWN.test(type.trim()) ? type.trim() : "application/octet-stream";
}

export class Files {
  readonly uploads = new Value<readonly Upload[]>([]);
  private readonly jobs = new Map<number, Job>();
  /** The latest is the last one. */
  private readonly held = new Map<string, Held>();
  private count = 0;

  constructor(private readonly client: Pick<Client, "call" | "send">) {}

  /** Sends a file: first its bytes, then the message. The promise ends when the message is in the outbox. */
  async send(conversation: string, file: File, options: Options = {}): Promise<void> {
    const id = ++this.count;
    const { name, size } = file;
    this.jobs.set(id, { file, options, ids: [randomId(), randomId()], isCancelled: false });
    this.uploads.set([...this.uploads.get(), { id, conversation, name, size, durable: 0 }]);
    await this.run(id);
  }

  retry(id: number): Promise<void> {
    this.change(id, { durable: 0, error: undefined });
    return this.run(id);
  }

  cancel(id: number): void {
    const job = this.jobs.get(id);
    if (job !== undefined) job.isCancelled = true;
    this.remove(id);
  }

  /** An address of the content of a file, until `release`. It is asked for once. */
  use(conversation: string, file: wire.Attachment, progress: (read: number) => void = () => {}): { url: Promise<string>; release: () => void } {
    const key = `${conversation} ${hex(file.hash)}`;
    let held = this.held.get(key);
    if (held === undefined) {
      const made: Held = { url: this.read(conversation, file, progress).then((blob) => URL.createObjectURL(blob)), size: file.size, users: 0 };
      made.url.catch(() => this.held.delete(key));
      held = made;
    }
    this.held.delete(key);
    this.held.set(key, held);
    held.users += 1;
    const own = held;
    let isReleased = false;
    const release = (): void => {
      if (isReleased) return;
      isReleased = true;
      own.users -= 1;
      this.trim();
    };
    return { url: own.url, release };
  }

  /** The bytes have the name that was asked for, or it fails. */
  private async read(conversation: string, { hash, size, mediaType }: wire.Attachment, progress: (read: number) => void): Promise<Blob> {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for (let offset = 0; offset < size; ) {
      const { content } = await this.client.call({ case: "readFile", value: { conversation, hash: hash.slice(), offset } }, "filePart");
      if (content.length === 0 || content.length > size - offset) throw new Error("a part of a file has another length");
      parts.push(content.slice());
      offset += content.length;
      progress(offset);
    }
    const blob = new Blob(parts, { type: safeType(mediaType) });
    if (hex(await nameOf(new Uint8Array(await blob.arrayBuffer()))) !== hex(hash)) throw new Error("the file is not the one that was asked for");
    return blob;
  }

  private trim(): void {
    let sum = 0;
    for (const { size } of this.held.values()) sum += size;
    for (const [key, { url, size, users }] of this.held) {
      if (sum <= MOST) return;
      if (users > 0) continue;
      sum -= size;
      this.held.delete(key);
      url.then(URL.revokeObjectURL, () => {});
    }
  }

  private async run(id: number): Promise<void> {
    const job = this.jobs.get(id);
    const upload = this.uploads.get().find((one) => one.id === id);
    if (job === undefined || upload === undefined) return;
    const { file, options } = job;
    try {
      const media = await mediaOf(file);
      const content = new Uint8Array(await file.arrayBuffer());
      const attachment = await this.put(job, job.ids[0], upload.conversation, plainName(file.name), file.type, content, (durable) => this.change(id, { durable }));
      let preview = new Uint8Array(0);
      if (media.is === "image" && media.preview !== undefined) {
        const small = new Uint8Array(await media.preview.arrayBuffer());
        preview = (await this.put(job, job.ids[1], upload.conversation, "preview", media.preview.type, small, () => {})).hash;
      }
      if (job.isCancelled) return;
      await this.client.send(upload.conversation, bodyOf(attachment, media, preview, options), options);
      this.remove(id);
    } catch (error) {
      if (job.isCancelled) return;
      if (!(error instanceof TroupeError)) {
        this.remove(id);
        throw error;
      }
      this.change(id, { error });
    }
  }

  /** Writes the missing bytes, at any node, until the last one is durable. */
  private async put(
    job: Job,
    upload: Uint8Array<ArrayBuffer>,
    conversation: string,
    name: string,
    mediaType: string,
    content: Uint8Array<ArrayBuffer>,
    progress: (durable: number) => void,
  ): Promise<wire.Attachment & { hash: Uint8Array<ArrayBuffer> }> {
    const about = { name, mediaType: plainType(mediaType), size: content.length, hash: await nameOf(content) };
    const again = async <T>(ask: () => Promise<T>): Promise<T> => {
      for (;;) {
        try {
          return await ask();
        } catch (error) {
          if (!(error instanceof TroupeError) || !error.transient || job.isCancelled) throw error;
          const pause = error instanceof Overloaded ? error.retryAfterMs : AGAIN;
          await new Promise((resolve) => setTimeout(resolve, pause));
        }
      }
    };
    let state = await again(() => this.client.call({ case: "createUpload", value: { conversation, upload, ...about } }, "upload"));
    while (state.hash.length === 0) {
      if (job.isCancelled) {
        await this.client.call({ case: "cancelUpload", value: { conversation, upload } }, "done");
        return { ...about };
      }
      progress(state.received);
      const offset = state.received;
      const end = offset - (offset % CHUNK) + CHUNK;
      state = await again(() => this.client.call({ case: "writeChunk", value: { conversation, upload, offset, content: content.slice(offset, end) } }, "upload"));
    }
    progress(content.length);
    return { ...about, hash: state.hash.slice() };
  }

  private change(id: number, change: { readonly durable?: number; readonly error?: TroupeError | undefined }): void {
    this.uploads.set(
      this.uploads.get().map((one) => {
        if (one.id !== id) return one;
        const { error, ...rest } = { ...one, ...change };
        return error === undefined ? rest : { ...rest, error };
      }),
    );
  }

  private remove(id: number): void {
    this.jobs.delete(id);
    this.uploads.set(this.uploads.get().filter((one) => one.id !== id));
  }
}

/** A type as the protocol takes it: `audio/webm;codecs=opus` has parameters. */
export function plainType(type: string): string {
  return /^[a-z0-9][\w.+-]*\/[a-z0-9][\w.+-]*/i.exec(type)?.[0] ?? "application/octet-stream";
}

/** A name as the protocol takes it: no path, and of at most 255 bytes. */
export function plainName(name: string): string {
  // Control characters and separators of paths.
  let plain = name.replace(/[\p{Cc}/\\]/gu, "_");
  const encoder = new TextEncoder();
  while (encoder.encode(plain).length > NAME_BYTES) plain = [...plain].slice(1).join("");
  return plain === "" ? "file" : plain;
}

function bodyOf(file: wire.Attachment, media: Media, preview: Uint8Array, { caption = "", voiceMs }: Options): NewBody {
  if (voiceMs !== undefined) return { type: "voice", value: { file, durationMs: Math.max(Math.round(voiceMs), 1) } };
  switch (media.is) {
    case "image":
      return { type: "image", value: { file, width: media.width, height: media.height, preview, caption } };
    case "video":
      return { type: "video", value: { file, width: media.width, height: media.height, durationMs: Math.round(media.durationMs), caption } };
    default:
      return { type: "file", value: { file, caption } };
  }
}

/** The name of a file. The browser's own SHA-256 is quicker, where the page may use it. */
export async function nameOf(content: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const { subtle } = globalThis.crypto as { subtle?: SubtleCrypto };
  if (subtle === undefined) return fileName(content);
  let name = new Uint8Array(0);
  for (let start = 0; start < content.length; start += CHUNK) {
    const chunk = new Uint8Array(await subtle.digest("SHA-256", content.slice(start, start + CHUNK)));
    const both = new Uint8Array(name.length + chunk.length);
    both.set(name);
    both.set(chunk, name.length);
    name = new Uint8Array(await subtle.digest("SHA-256", both));
  }
  return name;
}
