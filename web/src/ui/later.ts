import { Value } from "../core/value";
import { language } from "./ui";
import { en, type LaterWords, zh } from "./words/later";

/** The texts of the part that is loaded after the sign-in, in the language of the page. */
export const later = new Value<LaterWords>(en);

language.subscribe((now) => later.set(now === "zh" ? zh : en));
