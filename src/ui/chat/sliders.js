/** The attribute sliders and their presets, built from what the model declares. */
import { byId, h, hueOf } from '../shared/dom.js'

export class Sliders {
  #specs = []
  #values = {}
  #rows = new Map()
  #presets = []

  constructor(presets) {
    this.#presets = presets
    byId('reset').addEventListener('click', () => this.set(this.#defaults()))
  }

  get specs() {
    return this.#specs
  }

  /** The wanted values by name. */
  get values() {
    return { ...this.#values }
  }

  /** Builds sliders for these attributes; values of attributes with the same name stay. */
  show(specs) {
    this.#specs = specs
    this.#rows.clear()
    const rows = specs.map((spec, index) => this.#row(spec, index))
    const nothing = h('p', { className: 'legend' }, 'This model has no attributes to steer by.')
    byId('sliders').replaceChildren(...(rows.length > 0 ? rows : [nothing]))
    this.#showPresets()
    const kept = Object.entries(this.#values).filter(([name]) => this.#rows.has(name))
    this.#values = {}
    this.set({ ...this.#defaults(), ...Object.fromEntries(kept) })
  }

  /** Sets some values; the others stay. */
  set(values) {
    for (const spec of this.#specs) {
      const value = values[spec.name]
      if (value === undefined) continue
      this.#values[spec.name] = Math.min(spec.max, Math.max(spec.min, value))
    }
    this.#refresh()
  }

  #defaults() {
    return Object.fromEntries(this.#specs.map((spec) => [spec.name, spec.default]))
  }

  #row(spec, index) {
    const { name, min, max } = spec
    const id = `slider-${name}`
    const input = h('input', {
      id,
      type: 'range',
      min,
      max,
      step: 1,
      'aria-describedby': `${id}-text`,
      oninput: () => this.set({ [name]: input.valueAsNumber }),
    })
    const output = h('output', { htmlFor: id })
    const reset = h('button', {
      type: 'button',
      title: `Back to ${spec.default}`,
      ariaLabel: `Reset ${name} to ${spec.default}`,
      textContent: '↺',
      onclick: () => this.set({ [name]: spec.default }),
    })
    const steps = spec.levels.map((label, step) =>
      h('button', {
        type: 'button',
        title: label,
        tabIndex: -1, // the slider itself takes the keyboard
        ariaHidden: 'true',
        textContent: String(min + step),
        onclick: () => this.set({ [name]: min + step }),
      }),
    )
    this.#rows.set(name, { input, output, reset, steps })
    return h(
      'div',
      { className: 'slider', '--hue': String(hueOf(name, index)) },
      h('div', { className: 'slider-head' }, h('label', { htmlFor: id }, name), output, reset),
      h('p', { id: `${id}-text` }, spec.description),
      input,
      h('div', { className: 'steps' }, ...steps),
    )
  }

  #refresh() {
    for (const spec of this.#specs) {
      const { input, output, reset, steps } = this.#rows.get(spec.name)
      const value = this.#values[spec.name]
      const label = spec.levels[Math.round(value) - spec.min] ?? ''
      input.value = value
      input.setAttribute('aria-valuetext', `${value}: ${label}`)
      input.style.setProperty('--filled', `${((value - spec.min) / (spec.max - spec.min)) * 100}%`)
      output.value = label
      reset.disabled = value === spec.default
      steps.forEach((step, i) => step.setAttribute('aria-current', String(spec.min + i === value)))
    }
    byId('summary-values').textContent = this.#specs
      .map((spec) => `${spec.name} ${this.#values[spec.name]}`)
      .join(' · ')
    for (const button of byId('presets').children) {
      const { values } = this.#presets[Number(button.dataset.index)]
      const isSet = Object.entries(values).every(([name, value]) => this.#values[name] === value)
      button.setAttribute('aria-pressed', String(isSet))
    }
  }

  /** Presets that name an attribute this model has not are of no use. */
  #showPresets() {
    const names = new Set(this.#specs.map((spec) => spec.name))
    const buttons = this.#presets.flatMap((preset, index) => {
      if (!Object.keys(preset.values).every((name) => names.has(name))) return []
      const onclick = () => this.set(preset.values)
      return [h('button', { type: 'button', 'data-index': index, onclick }, preset.name)]
    })
    byId('presets').replaceChildren(...buttons)
  }
}
