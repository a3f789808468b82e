/** Names of users to make, one in each line of a CSV: `name` or `name,admin`. */

export interface NewUser {
  readonly name: string;
  readonly isAdmin: boolean;
}

/** Users of one list. */
export const MOST = 1_000;

/** A first line `name` or `name,...` is a head. */
export function usersOf(text: string): NewUser[] {
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/).map(fieldsOf).filter(([name = ""]) => name !== "");
  const rows = lines[0]?.[0]?.toLowerCase() === "name" ? lines.slice(1) : lines;
  const users = new Map<string, NewUser>();
  for (const [name = "", role = ""] of rows) {
    const key = name.normalize("NFKC").toLowerCase();
    if (!users.has(key)) users.set(key, { name, isAdmin: /^(admin|true|yes|1)$/i.test(role) });
  }
  return [...users.values()].slice(0, MOST);
}

/** The fields of a line; a quoted one may have commas, and quotes twice. */
function fieldsOf(line: string): string[] {
  const fields: string[] = [];
  for (const [, quoted, plain] of line.matchAll(/(?:^|[,;\t])\s*(?:"((?:[^"]|"")*)"|([^,;\t]*))/g)) {
    fields.push((quoted?.replaceAll('""', '"') ?? plain ?? "").trim());
  }
  return fields;
}

/** A sheet would run a field that begins with one of these signs. */
export function csvOf(rows: readonly (readonly string[])[]): string {
  const field = (text: string): string => {
    const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n;]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return rows.map((row) => `${row.map(field).join(",")}\r\n`).join("");
}
