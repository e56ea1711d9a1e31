// Reloads the sandbox's state whenever it may have changed.
import { get } from "./api.js";
import { $, toast } from "./dom.js";

/** Whether the page requests the state with personal data. */
export const wanted = { personal: false };

/** The functions that show the loaded data: `state`, `clock`, `deliveries` and `faults`. */
let shows = null;
export function showWith(functions) {
  shows = functions;
}

let [refreshing, again, soon] = [false, false, 0];

export function refreshSoon() {
  soon ||= setTimeout(() => { soon = 0; refresh(); }, 250);
}

export async function refresh() {
  if (refreshing) { again = true; return; }
  refreshing = true;
  const shown = wanted.personal;
  const [state, sent, faults, time] = await Promise.allSettled(
    [get(`/state${wanted.personal ? "?personal=true" : ""}`), get("/deliveries"), get("/faults"), get("/clock")]);
  refreshing = false;
  const failed = [state, sent, faults, time].find((one) => one.status === "rejected");
  if (failed && $("live").classList.contains("on")) toast(failed.reason.message, false);
  // Ignore a state with personal data if the user has hidden personal data since the request.
  if (state.value && shown === wanted.personal) shows.state(state.value);
  if (time.value) shows.clock(time.value);
  if (sent.value) shows.deliveries(sent.value.deliveries);
  if (faults.value) shows.faults(faults.value.faults);
  if (again) { again = false; refreshSoon(); }
}

/** Runs `work` for a control, shows an error if it fails, and reloads the state. */
export async function act(control, work) {
  const had = control?.disabled;
  if (control) control.disabled = true;
  try {
    await work();
  } catch (error) {
    toast(error.message, false);
  } finally {
    if (control) {
      const lost = document.activeElement === document.body;
      control.disabled = had;
      if (lost) control.focus();
    }
    refreshSoon();
  }
}
