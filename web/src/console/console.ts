/** The console for administrators: a file of its own, which only the page `/console` loads. */

export { default as Console } from "./Console.svelte";
