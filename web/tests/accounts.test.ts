import { expect, test } from "vitest";
import { Accounts, linkOf, storeName } from "../src/core/accounts";
import { keepOf, MemoryKeep } from "../src/core/keep";

const [CLUSTER, OTHER] = ["aa".repeat(16), "bb".repeat(16)];
const account = (name: string, cluster = CLUSTER) => ({ name, cluster, store: storeName(cluster, name) });

test("each tab keeps its account, and a new tab has the latest", () => {
  const browser = new MemoryKeep();
  const [one, two] = [new Accounts(browser, new MemoryKeep()), new Accounts(browser, new MemoryKeep())];
  one.signedIn(account("alice"));
  two.signedIn(account("bob"));
  expect(one.current([CLUSTER])?.name).toBe("alice");
  expect(two.current([CLUSTER])?.name).toBe("bob");
  expect(new Accounts(browser, new MemoryKeep()).current([CLUSTER])?.name).toBe("bob");
});

test("a tab that signed out asks, and the account is forgotten", () => {
  const browser = new MemoryKeep();
  const tab = new Accounts(browser, new MemoryKeep());
  tab.signedIn(account("alice"));
  tab.signedIn(account("bob"));
  tab.signedOut(account("bob"));
  expect([tab.current([CLUSTER]), tab.all([CLUSTER]).map(({ name }) => name)]).toEqual([undefined, ["alice"]]);
});

test("an account of another cluster is not offered, and one of a restored cluster is", () => {
  const accounts = new Accounts(new MemoryKeep(), new MemoryKeep());
  accounts.signedIn(account("alice"));
  expect(accounts.current([OTHER])).toBeUndefined();
  expect(accounts.current([OTHER, CLUSTER])?.name).toBe("alice");
});

test("a damaged list is an empty one", () => {
  const browser = new MemoryKeep();
  for (const damaged of ["{", "7", '[{"name":1}]', "null"]) {
    browser.set("troupe.accounts", damaged);
    expect(new Accounts(browser, new MemoryKeep()).all([CLUSTER])).toEqual([]);
  }
});

test("a browser that forbids storage keeps things in memory", () => {
  const keep = keepOf(() => {
    throw new DOMException("denied", "SecurityError");
  });
  keep.set("a", "1");
  expect(keep.get("a")).toBe("1");
  keep.set("draft aa alice g1", "x");
  keep.forget(" aa alice");
  expect([keep.get("a"), keep.get("draft aa alice g1")]).toEqual(["1", undefined]);
});

test("links", () => {
  expect(linkOf("#in/alice/p%2Fw%20d")).toEqual({ is: "signIn", name: "alice", password: "p/w d", control: undefined });
  expect(linkOf("#in/alice/pw/7870.k3y")).toMatchObject({ password: "pw", control: "7870.k3y" });
  expect(linkOf("#in/alice/pw/evil.example.k3y")).toMatchObject({ control: undefined });
  expect(linkOf("#join/g3149.a1b2")).toEqual({ is: "join", group: "g3149", code: "a1b2" });
  expect(linkOf("#/c/d1-2")).toEqual({ is: "room", id: "d1-2" });
  for (const none of ["", "#", "#in/alice", "#in//pw", "#join/g1", "#join/x.y", "#/c/<script>", "#in/%E0%A4%A/x", "#other/1"]) {
    expect(linkOf(none), none).toBeUndefined();
  }
});
