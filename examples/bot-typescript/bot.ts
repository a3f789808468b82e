/** Answers private texts. TROUPE_PASSWORD=... node bot.js helper 127.0.0.1:7700 */

import { Client, textOf } from "troupe-chat";

const [name = "helper", ...nodes] = process.argv.slice(2);
const client = await Client.connect({ nodes, name, password: process.env["TROUPE_PASSWORD"] ?? "", device: "bot" });
console.log(`${name} answers`);
for (let item = await client.events.receive(); item !== undefined; item = await client.events.receive()) {
  if (item.type === "event" && item.conversation.startsWith("d") && item.event.sender !== client.user) {
    const text = textOf(item.event);
    if (text !== undefined) {
      // A question that arrives again after a crash gets the same answer id: one answer.
      const id = item.event.seq.toString(16).padStart(32, "0");
      const answer = await client.send(item.conversation, `echo: ${text}`, { id });
      // This bot keeps nothing on disk: its question counts as delivered when the answer is in the
      // log.
      await answer.acked();
    }
  }
  await client.events.processed(item);
}
