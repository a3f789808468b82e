/** Kinds of signals. Those from `OF_APPLICATIONS` on belong to applications. */

/** The sender types. Show it for a few seconds. */
export const TYPING = 1;
/** The sender does neither any more. */
export const STOPPED = 2;
/** The sender records a voice message. */
export const RECORDING = 3;
/** A device of the called user rings. */
export const RINGING = 9;
/** A session description of WebRTC. */
export const DESCRIPTION = 10;
/** A candidate of WebRTC. */
export const CANDIDATE = 11;
/** A stream has grown; the payload is a `wire.StreamPiece`. Only nodes send it. */
export const PIECE = 90;
export const OF_APPLICATIONS = 1_000;
