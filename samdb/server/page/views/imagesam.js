// SAM at a box or at points of an image: its candidates, which one is chosen, and what that is as an example.

import { info, isAbort, post } from "../js/api.js";
import { fill } from "../js/dom.js";
import { announce, errorState, toast, working } from "../js/talk.js";
import { candidateCard } from "./imagepanel.js";

/** Asks SAM; only the last prompt's answer is shown. `status` and `place` are where it says what it does. */
export class Asker {
  constructor({ stage, status, place, search, clear }) {
    Object.assign(this, { stage, status, place, on: { choose: (i) => this.choose(i), search, clear } });
    this.candidates = null;
  }

  /** Ask what `prompt` means on an image ({image_key} or {upload_id}). */
  async ask(image, prompt) {
    this.abort?.abort();
    this.abort = new AbortController();
    const { signal } = this.abort;
    let work = null;
    try {
      const told = await info();
      if (signal.aborted) return;
      work = working(told.sam_loaded ? "SAM looks …" : "Loading SAM the first time …");
      fill(this.status, work.element);
      const { items } = await post("/api/masks", { ...image, ...prompt }, signal);
      if (!told.sam_loaded) info({ fresh: true });
      this.prompt = prompt;
      this.candidates = items;
      if (items.length) this.choose(0);
      else this.#nothing();
    } catch (error) {
      if (!isAbort(error)) fill(this.place, errorState(error, () => this.ask(image, prompt)));
    } finally {
      work?.stop();
    }
  }

  #nothing() {
    this.candidates = null;
    toast("SAM sees nothing there: try another place, or a box", { bad: true });
  }

  /** Show one of the candidates. */
  choose(index) {
    if (!this.candidates?.[index]) return;
    this.index = index;
    this.stage.setCandidate(this.candidates[index]);
    fill(this.place, candidateCard(this.candidates, index, this.on));
    announce(`Candidate ${index + 1} of ${this.candidates.length}`);
  }

  /** The chosen candidate's polygons. */
  get polygons() {
    return this.candidates[this.index].polygons;
  }

  /** The candidate as an example: a box or one point stay so (a short link); all else is given as its mask. */
  example() {
    const { box_xyxy: box, points = [] } = this.prompt;
    if (this.index === 0 && box) return { box_xyxy: box };
    if (this.index === 0 && points.length === 1) return { point_xy: points[0] };
    return { mask: this.candidates[this.index].mask };
  }

  /** Let go of the prompt and its candidates. */
  forget() {
    this.abort?.abort();
    this.candidates = null;
    this.stage.setCandidate(null, null);
  }
}
