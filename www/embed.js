/**
 * <driftscope-run> for course pages: this page in a frame, with the settings, the lesson and the parts that the element's
 * attributes say, and its milestones as events. docs/teaching.md shows it.
 *
 *   <script type="module" src="https://example.org/driftscope/embed.js"></script>
 *   <driftscope-run settings="arm=lora+r=4&arm=full&steps=100" hide="findings,weights" lesson="forgetting" step="3" lang="de"></driftscope-run>
 *
 * Events, each with what it says in `detail`: driftscope-ready, driftscope-state, driftscope-measure, driftscope-lesson.
 */
const HEIGHT = 720;

class DriftscopeRun extends HTMLElement {
  connectedCallback() {
    this.frame = document.createElement("iframe");
    this.frame.title = this.getAttribute("title") ?? "Driftscope";
    this.frame.src = this.address();
    this.frame.style.cssText = `display: block; width: 100%; height: ${Number(this.getAttribute("height")) || HEIGHT}px; border: 0`;
    this.listener = ({ source, data }) => {
      if (source !== this.frame.contentWindow || data?.source !== "driftscope") return;
      const { type, source: _, ...detail } = data;
      this.dispatchEvent(new CustomEvent(`driftscope-${type}`, { detail, bubbles: true }));
    };
    addEventListener("message", this.listener);
    this.replaceChildren(this.frame);
  }

  disconnectedCallback() {
    removeEventListener("message", this.listener);
  }

  /** The page's address with what the attributes say. */
  address() {
    const address = new URL("./", import.meta.url);
    for (const name of ["lesson", "lang"]) {
      const value = this.getAttribute(name);
      if (value) address.searchParams.set(name, value);
    }
    const [settings, hide, step] = ["settings", "hide", "step"].map((name) => this.getAttribute(name));
    const parts = [settings, hide && `hide=${hide}`].filter(Boolean);
    address.hash = [...(parts.length > 0 ? ["v=2", ...parts] : []), ...(step ? [`lesson=${step}`] : [])].join("&");
    return address.href;
  }
}

customElements.define("driftscope-run", DriftscopeRun);
