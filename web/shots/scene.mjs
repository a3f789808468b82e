/** The conversations of the pictures: all of it is invented, and the names are those of the demo. */

import { randomBytes } from "node:crypto";
import { User } from "../journeys/demo.mjs";

const key = () => randomBytes(16).toString("hex");

const TEXTS = {
  en: {
    team: "Summer fair",
    books: "Book club",
    lunch: "Lunch",
    profiles: { alice: ["🦊", "At the workshop"], bob: ["🐢", "Slow and steady"], carol: ["🌻", "Out in the garden"] },
    plan: [
      ["bob", "Morning! The hall is ours from **nine** on Saturday."],
      ["carol", "Good. I bring the sound system and two long cables."],
      ["alice", "I make the signs. The list of stands is at https://fair.example/stands"],
      ["bob", "Do we have enough tables?"],
      ["carol", "Twelve, and the school lends us six more."],
    ],
    answer: "Six more is perfect, thank you.",
    poll: { question: "When do we set up?", options: ["Friday evening", "Saturday at seven"] },
    picture: "The first draft of the poster",
    late: ["Friday it is, then.", "I pick up the tables at five."],
    question: "Lovely! Can the sun be a little larger?",
    directs: { bob: ["Did you find the ladder?", "Behind the stage, next to the blue door."], carol: ["Thank you for the seeds!"] },
    everyone: "Welcome, all. The fair is on Saturday.",
    book: "Chapter four until Tuesday, please.",
    eat: "Noodles at noon?",
    half: "And who opens the",
    writes: ["Still there?", "Everything that I write arrives.", "Once, and in order."],
  },
  zh: {
    team: "夏日集市",
    books: "读书会",
    lunch: "午餐",
    profiles: { alice: ["🦊", "在工作室"], bob: ["🐢", "慢慢来"], carol: ["🌻", "在花园里"] },
    plan: [
      ["bob", "早上好！礼堂周六**九点**起归我们用。"],
      ["carol", "好，我带音响和两根长线。"],
      ["alice", "我来做指示牌，摊位列表在 https://fair.example/stands"],
      ["bob", "桌子够吗？"],
      ["carol", "有十二张，学校再借给我们六张。"],
    ],
    answer: "再来六张正好，谢谢。",
    poll: { question: "什么时候布置？", options: ["周五晚上", "周六七点"] },
    picture: "海报的第一版",
    late: ["那就周五。", "我五点去取桌子。"],
    question: "好看！太阳能再大一点吗？",
    directs: { bob: ["梯子找到了吗？", "在舞台后面，蓝门旁边。"], carol: ["谢谢你的种子！"] },
    everyone: "欢迎大家，集市在周六。",
    book: "周二之前读完第四章。",
    eat: "中午吃面？",
    half: "还有，谁来开",
    writes: ["还在吗？", "我写的每一条都会到达。", "只到一次，顺序不变。"],
  },
};

/** Makes the conversations, and returns their ids and texts. */
export async function play(demo, language) {
  const texts = TEXTS[language];
  const users = {};
  for (const name of ["alice", "bob", "carol"]) {
    users[name] = await User.login(demo, name);
    const [emoji, about] = texts.profiles[name];
    const colour = { alice: 3, bob: 6, carol: 0 }[name];
    await users[name].ask("PATCH", "/v1/me", { avatar: `emoji:${emoji.codePointAt(0).toString(16)}/${colour}`, about }, key());
  }
  const { alice, bob, carol } = users;
  const say = async (name, room, text, more = {}) => (await users[name].ask("POST", `/v1/conversations/${room}/messages`, { text, ...more }, key())).seq;
  const between = (one, other) => `d${[one.id, other.id].map(Number).sort((a, b) => a - b).join("-")}`;
  await say("carol", "everyone", texts.everyone);
  const books = await carol.group(texts.books, [alice.id, bob.id]);
  await say("carol", books, texts.book);
  const lunch = await bob.group(texts.lunch, [alice.id, carol.id]);
  await say("bob", lunch, texts.eat);
  const withCarol = between(alice, carol);
  for (const text of texts.directs.carol) await say("carol", withCarol, text);
  const withBob = between(alice, bob);
  const [asked, told] = texts.directs.bob;
  await say("alice", withBob, asked);
  await say("bob", withBob, told);

  const team = await alice.group(texts.team, [bob.id, carol.id]);
  const seqs = [];
  for (const [name, text] of texts.plan) seqs.push(await say(name, team, text));
  const react = (name, seq, emoji) => users[name].ask("PUT", `/v1/conversations/${team}/messages/${seq}/reactions/${encodeURIComponent(emoji)}`, undefined, key());
  for (const name of ["alice", "carol"]) await react(name, seqs[0], "🎉");
  await react("bob", seqs[1], "👍");
  await alice.ask("PUT", `/v1/conversations/${team}/pins/${seqs[2]}`, undefined, key());
  await say("alice", team, texts.answer, { reply_to: seqs.at(-1) });
  const poll = await bob.ask("POST", `/v1/conversations/${team}/messages`, { body: { type: "poll", ...texts.poll } }, key());
  for (const [name, option] of [["bob", 0], ["carol", 0], ["alice", 1]]) {
    await users[name].ask("PUT", `/v1/conversations/${team}/messages/${poll.seq}/vote`, { options: [option] }, key());
  }
  for (const text of texts.late) await say("bob", team, text);
  const rooms = { team, books, lunch, withBob, withCarol };
  return { ...rooms, texts, users, say, seqs };
}

/** A poster, drawn by the browser. */
export async function poster(browser) {
  const page = await browser.newPage({ viewport: { width: 720, height: 300 } });
  await page.setContent(`<body style="margin:0"><svg width="720" height="300" viewBox="0 90 720 300" xmlns="http://www.w3.org/2000/svg">
    <rect width="720" height="420" fill="#fde9c4"/><circle cx="560" cy="190" r="74" fill="#f0a13c"/>
    <path d="M0 300 C 140 220 260 260 380 300 S 620 360 720 280 V 420 H 0 Z" fill="#7fb69a"/>
    <path d="M0 350 C 160 300 300 340 430 360 S 640 390 720 350 V 420 H 0 Z" fill="#3f8a76"/>
    <path d="M120 300 l50 -80 50 80 z M250 320 l42 -70 42 70 z" fill="#c2543c"/>
    <path d="M170 220 v-34 l34 12 -34 12 z" fill="#1d5c63"/></svg></body>`);
  const bytes = await page.screenshot();
  await page.close();
  return bytes;
}
