/** The settings as a form. What differs from the running run is marked "applies on restart". */
import { RUN_FIELDS } from "../contract/data.js";
import { defaults, differences, withValue } from "../state/settings.js";
import { find, update } from "../ui/dom.js";
import { ArmsEditor } from "./arms-editor.js";
import { makeField } from "./field.js";

/** @typedef {import("../state/settings.js").Settings} Settings */

export class SettingsForm {
  /**
   * @param {Settings} settings at the start
   * @param {string[]} muted ids of arms that are muted at the start
   * @param {() => void} onChange
   */
  constructor(settings, muted, onChange) {
    this.settings = settings;
    this.muted = muted;
    this.onChange = onChange;
    /** What arms can start from. @type {import("../contract/types.js").AdapterInfo[]} */
    this.adapters = [];
    this.fields = RUN_FIELDS.map((field) => {
      const change = (/** @type {unknown} */ value) => this.set(withValue(this.settings, field, value));
      const { row, write } = makeField(field, { id: `set-${field.name}`, name: field.name, onChange: change });
      find(field.is_main ? "#settings-main" : "#settings-more").append(row);
      return { field, row, write };
    });
    this.arms = new ArmsEditor(this);
    find("#settings-default").addEventListener("click", () => this.set({ ...defaults(), arms: this.settings.arms }));
    find("#arms-default").addEventListener("click", () => this.setArms(defaults().arms));
    this.write();
  }

  /** What a run is made with: without the arms that are muted. */
  get wanted() {
    const arms = this.settings.arms.filter((arm) => !this.muted.includes(arm.id));
    return { ...this.settings, arms };
  }

  /** Shows other settings. */
  set(/** @type {Settings} */ settings, muted = this.muted) {
    this.settings = settings;
    const ids = settings.arms.map((arm) => arm.id);
    const left = muted.filter((id) => ids.includes(id));
    this.muted = left.length < ids.length ? left : [];
    this.write();
    this.onChange();
  }

  /** Offers arms other adapters to start from. */
  setAdapters(/** @type {import("../contract/types.js").AdapterInfo[]} */ adapters) {
    this.adapters = adapters;
    this.write();
  }

  setArms(/** @type {Settings["arms"]} */ arms) {
    this.set({ ...this.settings, arms });
  }

  /** Mutes an arm, or lets it take part again; the last one that does stays. */
  toggleMuted(/** @type {string} */ id) {
    const without = this.muted.filter((other) => other !== id);
    const muted = without.length < this.muted.length ? without : [...this.muted, id];
    if (muted.length < this.settings.arms.length) this.set(this.settings, muted);
  }

  /** @private */
  write() {
    for (const { field, write } of this.fields) write(this.settings, field);
    this.arms.write();
  }

  /** Marks the fields that differ from `running`, the settings of the run that trains; null when none does. */
  mark(/** @type {Settings | null} */ running) {
    const changed = running ? differences(this.wanted, running) : [];
    for (const { field, row } of this.fields) {
      update(find(".restart", row), { hidden: !changed.includes(field.name) });
    }
    update(find("#arms-restart"), { hidden: !changed.includes("arms") });
    return changed;
  }
}
