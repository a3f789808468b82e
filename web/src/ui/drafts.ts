/** Half-typed texts, which the tabs of a browser share. */

export function draftKey(store: string, conversation: string): string {
  return `troupe.draft ${store} ${conversation}`;
}
