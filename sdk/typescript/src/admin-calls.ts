/** Operations of administrators as requests of the HTTP API, and their answers. */

import type { Call, Calls } from "./calls.js";
import type { Init } from "./codec.js";
import { ProtocolError } from "./errors.js";
import { hex } from "./ids.js";
import { type Json, listOf, numberOf, objectOf, sessionOf, textOf } from "./json.js";
import type * as wire from "./wire.js";

type Operation = NonNullable<wire.Admin["operation"]>;
type Told = Init<NonNullable<wire.AdminAnswer["answer"]>>;

const DONE = { case: "done", value: {} } as const;

/** Undefined: an operator's, which wants the key of the cluster instead of a session. */
export function adminCallOf({ request, operation }: wire.Admin): Calls | undefined {
  const found = operation === undefined ? undefined : of(operation);
  if (found === undefined) return undefined;
  const [call, read] = found;
  const keyed = call.method === "GET" || request.length === 0 ? call : { ...call, key: hex(request) };
  return {
    calls: [keyed],
    mayMiss: false,
    read: ([answer = {}]) => ({ case: "admin", value: { answer: read(answer) } }),
  };
}

function of(operation: Operation): [Call, (answer: Json) => Told] | undefined {
  switch (operation.case) {
    case "listAccounts": {
      const { after, limit } = operation.value;
      const query = words({ after: after || undefined, limit: limit || undefined });
      return [{ method: "GET", path: `/v1/admin/users${query}` }, (page) => accounts(listOf(page["users"]), page["more"])];
    }
    case "showAccount":
      return [{ method: "GET", path: user(operation.value) }, (account) => accounts([account])];
    case "createAccount": {
      const { name, password, admin } = operation.value;
      const call = { method: "POST", path: "/v1/admin/users", body: { name, password, admin } } as const;
      return [call, (account) => accounts([account])];
    }
    case "disableAccount":
      return [{ method: "POST", path: `${user(operation.value)}/disable` }, () => DONE];
    case "enableAccount":
      return [{ method: "POST", path: `${user(operation.value)}/enable` }, () => DONE];
    case "deleteAccount":
      return [{ method: "DELETE", path: user(operation.value) }, () => DONE];
    case "resetPassword": {
      const { account, password } = operation.value;
      return [{ method: "POST", path: `${user(account)}/password`, body: { password } }, () => DONE];
    }
    case "setAdmin": {
      const { account, admin } = operation.value;
      return [{ method: "POST", path: `${user(account)}/admin`, body: { admin } }, () => DONE];
    }
    case "setRole": {
      const { account, role } = operation.value;
      return [{ method: "POST", path: `${user(account)}/role`, body: { role } }, () => DONE];
    }
    case "accountSessions": {
      const read = ({ sessions }: Json): Told => ({ case: "sessions", value: { sessions: listOf(sessions).map(sessionOf) } });
      return [{ method: "GET", path: `${user(operation.value)}/sessions` }, read];
    }
    case "listReports": {
      const { after, limit } = operation.value;
      const query = words({ after: after || undefined, limit: limit || undefined });
      return [{ method: "GET", path: `/v1/admin/reports${query}` }, ({ reports, more }) => {
        return { case: "reports", value: { reports: listOf(reports).map(reportOf), more: more === true } };
      }];
    }
    case "listGroups": {
      const { after, limit } = operation.value;
      const query = words({ after: after || undefined, limit: limit || undefined });
      return [{ method: "GET", path: `/v1/admin/groups${query}` }, ({ groups, more }) => {
        return { case: "groups", value: { groups: listOf(groups).map(groupOf), more: more === true } };
      }];
    }
    case "closeReport": {
      const { number, note } = operation.value;
      return [{ method: "POST", path: `/v1/admin/reports/${number}/close`, body: { note } }, () => DONE];
    }
    case "endSessions": {
      const { account, device } = operation.value;
      const one = device === "" ? "" : `/${encodeURIComponent(device)}`;
      return [{ method: "DELETE", path: `${user(account)}/sessions${one}` }, () => DONE];
    }
    case "createInvite": {
      const { code, uses, expiresMs, note } = operation.value;
      const body = { code, uses, expires_ms: expiresMs, note };
      return [{ method: "POST", path: "/v1/admin/invites", body }, (invite) => invites([invite])];
    }
    case "listInvites": {
      const { after, limit } = operation.value;
      const query = words({ after: after || undefined, limit: limit || undefined });
      return [{ method: "GET", path: `/v1/admin/invites${query}` }, (page) => invites(listOf(page["invites"]), page["more"])];
    }
    case "revokeInvite":
      return [{ method: "DELETE", path: `/v1/admin/invites/${encodeURIComponent(operation.value)}` }, () => DONE];
    case "readAudit": {
      const { sinceMs, after, limit } = operation.value;
      const place = after === undefined ? undefined : `${after.timeMs}-${after.slot}-${after.number}`;
      const query = words({ since_ms: sinceMs || undefined, after: place, limit: limit || undefined });
      const read = ({ acts, more }: Json): Told => ({ case: "audit", value: { rows: listOf(acts).map(rowOf), more: more === true } });
      return [{ method: "GET", path: `/v1/admin/audit${query}` }, read];
    }
    case "showSettings":
      return [{ method: "GET", path: "/v1/admin/settings" }, settings];
    case "changeSettings": {
      const { registration, sessionIdleSeconds, strangers, recallSeconds, fileBytes } = operation.value;
      const body = given({ registration, session_idle_seconds: sessionIdleSeconds, strangers, recall_seconds: recallSeconds, file_bytes: fileBytes });
      return [{ method: "PATCH", path: "/v1/admin/settings", body }, settings];
    }
    case "export":
    case "importEvents":
    case "importAccount":
    case "importFile":
    case "importProfile":
    case "importContact":
      return undefined;
  }
}

function user(named: string): string {
  return `/v1/admin/users/${encodeURIComponent(named)}`;
}

function given(fields: Json): Json {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function words(query: Json): string {
  const pairs = Object.entries(given(query)).map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}

function accounts(list: readonly Json[], more: unknown = false): Told {
  return { case: "accounts", value: { accounts: list.map(accountOf), more: more === true } };
}

function accountOf(account: Json): wire.Account {
  const [createdMs, passwordSetMs] = [numberOf(account["created_ms"]), numberOf(account["password_set_ms"])];
  const last = objectOf(account["last_login"] ?? {});
  return {
    userId: numberOf(account["user_id"]),
    name: textOf(account["name"]),
    status: textOf(account["status"]),
    admin: account["admin"] === true,
    role: textOf(account["role"]),
    oneTimePassword: account["one_time_password"] === true,
    createdMs,
    // The API names the time of the first password, where the protocol has zero.
    passwordSetMs: passwordSetMs === createdMs ? 0 : passwordSetMs,
    sessions: numberOf(account["sessions"]),
    online: account["online"] === true,
    lastLoginMs: numberOf(last["at_ms"] ?? 0),
    lastLoginFrom: textOf(last["from"] ?? ""),
  };
}

function groupOf(group: Json): wire.GroupRow {
  return {
    conversation: textOf(group["conversation"]),
    name: textOf(group["name"]),
    members: numberOf(group["members"]),
    head: numberOf(group["head"]),
    fileBytes: numberOf(group["file_bytes"]),
    lastMs: numberOf(group["last_ms"]),
    createdMs: numberOf(group["created_ms"]),
    open: group["open"] === true,
    disbanded: group["disbanded"] === true,
  };
}

function invites(list: readonly Json[], more: unknown = false): Told {
  return { case: "invites", value: { invites: list.map(inviteOf), more: more === true } };
}

function inviteOf(invite: Json): wire.Invite {
  return {
    id: textOf(invite["id"]),
    createdMs: numberOf(invite["created_ms"]),
    expiresMs: numberOf(invite["expires_ms"]),
    uses: numberOf(invite["uses"]),
    used: numberOf(invite["used"]),
    revoked: invite["revoked"] === true,
    note: textOf(invite["note"]),
    by: textOf(invite["by"]),
  };
}

function rowOf(act: Json): wire.AuditRow {
  const place = /^(\d{1,15})-(\d{1,9})-(\d{1,15})$/.exec(textOf(act["place"]));
  if (place === null) throw new ProtocolError("the answer has no place where the HTTP API has one");
  const [, timeMs = "", slot = "", number = ""] = place;
  return {
    place: { timeMs: Number(timeMs), slot: Number(slot), number: BigInt(number) },
    by: numberOf(act["by"] ?? 0),
    byName: textOf(act["by_name"]),
    address: textOf(act["address"]),
    action: textOf(act["action"]),
    target: textOf(act["target"]),
    detail: textOf(act["detail"]),
  };
}

function settings({ registration, session_idle_seconds, strangers, recall_seconds, file_bytes }: Json): Told {
  const seconds = { sessionIdleSeconds: numberOf(session_idle_seconds), recallSeconds: numberOf(recall_seconds), fileBytes: numberOf(file_bytes) };
  return { case: "settings", value: { registration: textOf(registration), strangers: textOf(strangers), ...seconds } };
}

function reportOf({ number, by, about, conversation, seq, excerpt, reason, created_ms }: Json): wire.ReportRow {
  const place = { conversation: textOf(conversation ?? ""), seq: numberOf(seq ?? 0) };
  const texts = { excerpt: textOf(excerpt), reason: textOf(reason), createdMs: numberOf(created_ms) };
  return { number: numberOf(number), by: numberOf(by), about: numberOf(about), ...place, ...texts };
}
