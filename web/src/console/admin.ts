/** What administrators do, over the client protocol: the operations of `troupe user` and its like. */

import { type Client, randomId, type wire } from "troupe-chat";

type Operation = NonNullable<wire.Admin["operation"]>;
type Answer = NonNullable<wire.AdminAnswer["answer"]>;
type Of<Case extends Answer["case"]> = Extract<Answer, { case: Case }>["value"];

const PAGE = 200;
/** Letters and digits that are not taken for each other. */
const SIGNS = "abcdefghjkmnpqrstuvwxyz23456789";

/** For one login, or for a code: 20 signs in groups, of 99 bits. */
export function freshSecret(): string {
  const signs: string[] = [];
  while (signs.length < 20) {
    for (const byte of crypto.getRandomValues(new Uint8Array(32))) {
      // Each sign is as likely as the others.
      if (byte < 256 - (256 % SIGNS.length) && signs.length < 20) signs.push(SIGNS.charAt(byte % SIGNS.length));
    }
  }
  return [0, 5, 10, 15].map((at) => signs.slice(at, at + 5).join("")).join("-");
}

export class Admin {
  /** This account reads and changes nothing. The servers refuse its changes. */
  isAuditor = false;

  constructor(private readonly client: Pick<Client, "call">) {}

  async users(): Promise<wire.Account[]> {
    const all: wire.Account[] = [];
    for (let after = 0; ; ) {
      const page = await this.ask({ case: "listAccounts", value: { after, limit: PAGE } }, "accounts");
      all.push(...page.accounts);
      const last = page.accounts.at(-1)?.userId ?? 0;
      if (!page.more || last <= after) return all;
      after = last;
    }
  }

  async create(name: string, password: string, admin: boolean): Promise<void> {
    await this.ask({ case: "createAccount", value: { name, password, admin } }, "accounts");
  }

  async disable(user: string): Promise<void> {
    await this.ask({ case: "disableAccount", value: user }, "done");
  }

  async enable(user: string): Promise<void> {
    await this.ask({ case: "enableAccount", value: user }, "done");
  }

  async remove(user: string): Promise<void> {
    await this.ask({ case: "deleteAccount", value: user }, "done");
  }

  async resetPassword(account: string, password: string): Promise<void> {
    await this.ask({ case: "resetPassword", value: { account, password } }, "done");
  }

  /** The role of the account of this page, which decides what the page offers. */
  async look(me: string): Promise<void> {
    const { accounts } = await this.ask({ case: "showAccount", value: me }, "accounts");
    this.isAuditor = accounts[0]?.role === "auditor";
  }

  /** `user`, `auditor` or `admin`. */
  async setRole(account: string, role: string): Promise<void> {
    await this.ask({ case: "setRole", value: { account, role } }, "done");
  }

  async setAdmin(account: string, admin: boolean): Promise<void> {
    await this.ask({ case: "setAdmin", value: { account, admin } }, "done");
  }

  async sessions(user: string): Promise<wire.Session[]> {
    return (await this.ask({ case: "accountSessions", value: user }, "sessions")).sessions;
  }

  /** An empty device: all of them. */
  async endSessions(account: string, device: string): Promise<void> {
    await this.ask({ case: "endSessions", value: { account, device } }, "done");
  }

  /** A page of groups behind `after`; empty: the first one. */
  groups(after: string): Promise<wire.Groups> {
    return this.ask({ case: "listGroups", value: { after, limit: 0 } }, "groups");
  }

  async reports(): Promise<wire.ReportRow[]> {
    const all: wire.ReportRow[] = [];
    for (let after = 0; ; ) {
      const page = await this.ask({ case: "listReports", value: { after, limit: 0 } }, "reports");
      all.push(...page.reports);
      const last = page.reports.at(-1)?.number ?? 0;
      if (!page.more || last <= after) return all;
      after = last;
    }
  }

  async closeReport(number: number, note: string): Promise<void> {
    await this.ask({ case: "closeReport", value: { number, note } }, "done");
  }

  async invites(): Promise<wire.Invite[]> {
    const all: wire.Invite[] = [];
    for (let after = ""; ; ) {
      const page = await this.ask({ case: "listInvites", value: { after, limit: PAGE } }, "invites");
      all.push(...page.invites);
      const last = page.invites.at(-1)?.id ?? "";
      if (!page.more || last <= after) return all;
      after = last;
    }
  }

  async createInvite(code: string, uses: number, expiresMs: number, note: string): Promise<void> {
    await this.ask({ case: "createInvite", value: { code, uses, expiresMs, note } }, "invites");
  }

  async revokeInvite(id: string): Promise<void> {
    await this.ask({ case: "revokeInvite", value: id }, "done");
  }

  settings(): Promise<wire.Settings> {
    return this.ask({ case: "showSettings", value: {} }, "settings");
  }

  changeSettings(change: wire.ChangeSettings): Promise<wire.Settings> {
    return this.ask({ case: "changeSettings", value: change }, "settings");
  }

  /** What administrators did since a time, the oldest first; a page behind `after`. */
  audit(sinceMs: number, after: wire.AuditRow["place"]): Promise<wire.AuditPage> {
    return this.ask({ case: "readAudit", value: { sinceMs, after, limit: 0 } }, "audit");
  }

  private async ask<Case extends Answer["case"]>(operation: Operation, wanted: Case): Promise<Of<Case>> {
    const { answer } = await this.client.call({ case: "admin", value: { request: randomId(), operation } }, "admin");
    if (answer?.case !== wanted) throw new Error(`the answer is ${answer?.case ?? "none"} and not ${wanted}`);
    return answer.value as Of<Case>;
  }
}
