// The operators' app begins here.
import { mount } from "svelte";
import { router } from "../shared/router.svelte";
import "../shared/styles/tokens.css";
import "../shared/styles/base.css";
import "../shared/styles/pieces.css";
import "./ops.css";
import App from "./App.svelte";

router.start("/ops/");
const target = document.getElementById("root");
if (target) mount(App, { target });
