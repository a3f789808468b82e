/** The command lines that do what the console does. */

/** An argument of a shell. */
export function quoted(text: string): string {
  return /^[\w.@:,/=+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
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

export const BACKUPS = ["keep", "list", "verify", "take", "restore"] as const;

/** A command about backups, on a machine that has the token file. `addresses`: the cluster ports of the nodes. */
export function backupLine(what: (typeof BACKUPS)[number], addresses: readonly string[]): string {
  const access = `--cluster ${quoted(addresses.join(","))} --token-file token`;
  switch (what) {
    case "keep":
      return `troupe backup keep /var/lib/troupe-backups ${access} --last 7 --weekly 4`;
    case "list":
      return "du -sh /var/lib/troupe-backups/*Z";
    case "verify":
      return "troupe backup verify /var/lib/troupe-backups/NAME";
    case "take":
      return `troupe backup ${access} NAME`;
    case "restore":
      return "troupe restore --cluster NEW:7800 --token-file token-of-the-new-one NAME";
  }
}
