import { Value } from "../core/value";
import { language } from "../ui/ui";
import { type ConsoleWords, en, zh } from "./words";

/** The texts of the console in the language of the page. */
export const texts = new Value<ConsoleWords>(en);

language.subscribe((now) => texts.set(now === "zh" ? zh : en));
