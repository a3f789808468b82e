import { mount } from "svelte";
import "./app.css";
import App from "./ui/App.svelte";
import { app, followAddress } from "./ui/ui";

const target = document.getElementById("app");
if (target === null) throw new Error("the page has no place for the client");
mount(App, { target });
window.addEventListener("popstate", followAddress);
void app.start();
