// The state of the sandbox, read anew whenever it may have changed.
import { get } from "./api.js";
import { $, toast } from "./dom.js";

/** Whether personal data is wanted with the state. */
export const wanted = { personal: false };

/** Who shows what was read: `state`, `clock`, `deliveries` and `faults`. */
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
  // An answer with personal data that is not wanted any more is dropped.
  if (state.value && shown === wanted.personal) shows.state(state.value);
  if (time.value) shows.clock(time.value);
  if (sent.value) shows.deliveries(sent.value.deliveries);
  if (faults.value) shows.faults(faults.value.faults);
  if (again) { again = false; refreshSoon(); }
}

/** Runs what a control asked for, tells what went wrong, and looks at the world again. */
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
