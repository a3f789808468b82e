/** The command lines that do what the console does. */

/** An argument of a shell. */
export function quoted(text: string): string {
  return /^[\w.@:/=+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** As this administrator, at the node of this page. */
export function command(as: string, ...words: readonly string[]): string {
  return ["troupe", ...words.map(quoted), "--as", quoted(as)].join(" ");
}

/** `90d`, `2m`: as the command line takes a time. */
export function span(seconds: number): string {
  for (const [unit, length] of [["d", 86_400], ["h", 3_600], ["m", 60]] as const) if (seconds > 0 && seconds % length === 0) return `${seconds / length}${unit}`;
  return `${seconds}s`;
}
