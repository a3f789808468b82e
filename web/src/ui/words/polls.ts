/** Polls. */

import { plural } from "./plural";

export const en = {
  polls: {
    name: "Poll",
    create: "New poll",
    question: "Question",
    options: "Options",
    option: (number: number) => `Option ${number}`,
    add: "Add an option",
    remove: (number: number) => `Remove option ${number}`,
    multiple: "Several answers",
    anonymous: "Anonymous: counts appear when the poll is closed",
    ends: "Closes by itself at (may be empty)",
    send: "Send the poll",
    voters: (count: number) => `${count} ${plural(count, "person has", "people have")} voted`,
    isAnonymous: "anonymous",
    isMultiple: "several answers",
    closed: "closed",
    closesAt: (time: string) => `closes at ${time}`,
    votes: "Votes",
    noVotes: "No votes",
    close: "Close poll",
    part: (option: string, count: number, of: number) => `${option}: ${count} of ${of}`,
  },
};

export const zh: typeof en = {
  polls: {
    name: "投票",
    create: "发起投票",
    question: "问题",
    options: "选项",
    option: (number) => `选项 ${number}`,
    add: "添加选项",
    remove: (number) => `删除选项 ${number}`,
    multiple: "可多选",
    anonymous: "匿名：结束后才显示票数",
    ends: "自动结束时间（可留空）",
    send: "发送投票",
    voters: (count) => `${count} 人已投票`,
    isAnonymous: "匿名",
    isMultiple: "可多选",
    closed: "已结束",
    closesAt: (time) => `${time} 结束`,
    votes: "投票详情",
    noVotes: "没有票",
    close: "结束投票",
    part: (option, count, of) => `${option}：${count} / ${of}`,
  },
};
