// The guests' app begins here.
import { mount } from "svelte";
import { router } from "../shared/router.svelte";
import "../shared/styles/tokens.css";
import "../shared/styles/base.css";
import "../shared/styles/pieces.css";
import "./guest.css";
import "./choose.css";
import "./calendar.css";
import "./hall.css";
import App from "./App.svelte";

router.start("/app/");
const target = document.getElementById("root");
if (target) mount(App, { target });
