/** Reactions on offer: the sign in its fully qualified form, and its names. */
export const EMOJI: readonly (readonly [string, string, string])[] = [
  ["👍", "thumbs up", "赞"],
  ["❤️", "heart", "爱心"],
  ["😂", "laughing", "笑哭"],
  ["🎉", "celebration", "庆祝"],
  ["🙏", "thanks", "感谢"],
  ["👀", "looking", "围观"],
  ["✅", "done", "完成"],
  ["❌", "no", "否"],
  ["🔥", "fire", "火"],
  ["💯", "hundred", "满分"],
  ["🚀", "rocket", "火箭"],
  ["🤔", "thinking", "思考"],
  ["😮", "surprised", "惊讶"],
  ["😢", "sad", "难过"],
  ["😡", "angry", "生气"],
  ["👏", "applause", "鼓掌"],
];
