/**
 * What a page does not need at once: dialogs, and calls. It is a file of its own, which the page
 * loads after the sign-in.
 */

export { default as Bundle } from "./Bundle.svelte";
export { default as CallPanel } from "./CallPanel.svelte";
export { default as Dialogs } from "./Dialogs.svelte";
export { default as Poll } from "./Poll.svelte";
