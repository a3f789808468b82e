/** What a file is to a reader: a picture, a film, or bytes. */

export type Media =
  /** `preview`: a small form of a large picture. */
  | { readonly is: "image"; readonly width: number; readonly height: number; readonly preview?: Blob }
  | { readonly is: "video"; readonly width: number; readonly height: number; readonly durationMs: number }
  | { readonly is: "file" };

/** Pixels of the longer side of a preview, and bytes above which a picture gets one. */
const [SIDE, LARGE] = [640, 256 * 1024];
/** Milliseconds for which a film may be silent about itself. */
const PATIENCE = 5_000;
const PICTURE = /^image\/(?:png|jpeg|gif|webp|avif|bmp)$/;

/** A file that is not what its type says is bytes. */
export async function mediaOf(file: File): Promise<Media> {
  try {
    if (PICTURE.test(file.type)) return await pictureOf(file);
    if (file.type.startsWith("video/")) return await filmOf(file);
  } catch {
    // The browser cannot read it; the reader may.
  }
  return { is: "file" };
}

async function pictureOf(file: File): Promise<Media> {
  const bitmap = await createImageBitmap(file);
  const { width, height } = bitmap;
  try {
    if (file.size <= LARGE) return { is: "image", width, height };
    const scale = Math.min(SIDE / Math.max(width, height), 1);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [Math.max(Math.round(width * scale), 1), Math.max(Math.round(height * scale), 1)];
    canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    const preview = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/webp", 0.8));
    return preview === null ? { is: "image", width, height } : { is: "image", width, height, preview };
  } finally {
    bitmap.close();
  }
}

async function filmOf(file: File): Promise<Media> {
  const url = URL.createObjectURL(file);
  const film = document.createElement("video");
  try {
    await new Promise<void>((resolve, reject) => {
      setTimeout(reject, PATIENCE);
      film.onloadedmetadata = () => resolve();
      film.onerror = reject;
      film.preload = "metadata";
      film.src = url;
    });
    const { videoWidth: width, videoHeight: height, duration } = film;
    return { is: "video", width, height, durationMs: Number.isFinite(duration) ? duration * 1_000 : 0 };
  } finally {
    film.removeAttribute("src");
    URL.revokeObjectURL(url);
  }
}
