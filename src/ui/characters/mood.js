/** The bars of a character: its variables, what they make of the next line, what is still on its mind. */
import { h, hueOf } from '../shared/dom.js'
import { figure } from '../shared/format.js'
import { eventTitle } from './events.js'

/** `specs`: the attributes of its model. `show(state)` moves the bars to the state. */
export function createMood(specs) {
  const variables = h('div', { className: 'meters feelings' })
  const isNarrow = matchMedia('(max-width: 58rem)').matches
  const attributes = h('div', { className: 'meters' })
  const effects = h('p', { className: 'soft effects' })
  const meters = new Map()
  const meter = (place, name, options) => {
    const key = `${options.kind}.${name}`
    if (!meters.has(key)) {
      meters.set(key, createMeter(name, options))
      place.append(meters.get(key).element)
    }
    return meters.get(key)
  }
  return {
    element: h(
      'section',
      { className: 'mood' },
      h('h3', {}, 'How they feel'),
      variables,
      effects,
      h(
        'details',
        { open: !isNarrow },
        h('summary', {}, 'How the next line will sound'),
        attributes,
      ),
    ),
    show(state) {
      for (const [name, one] of Object.entries(state.variables).toSorted(moodFirst)) {
        meter(variables, name, { kind: 'variable', hue: hueOfVariable(name) }).show(one)
      }
      specs.forEach(({ name, min, max, default: usual }, index) => {
        const value = state.attributes[name]
        if (value === undefined) return
        const one = meter(attributes, name, { kind: 'attribute', hue: hueOf(name, index) })
        one.show({ value, min, max, baseline: usual })
      })
      effects.textContent = effectText(state.effects)
    },
  }
}

/** What most characters have comes first. */
const first = ['mood', 'relation']
const rank = ([name]) => (first.includes(name) ? first.indexOf(name) : first.length)
const moodFirst = (a, b) => rank(a) - rank(b)

const hueOfVariable = (name) => ({ mood: 45, relation: 340 })[name] ?? 200

/** A bar from zero (or the least) to the value, with a mark at the baseline. */
function createMeter(name, { hue }) {
  const bar = h('span', { className: 'meter-bar' })
  const mark = h('span', { className: 'meter-mark', title: 'baseline' })
  const number = h('output')
  const track = h('div', { className: 'meter-track', role: 'meter', ariaLabel: name }, bar, mark)
  return {
    element: h('div', { className: 'meter', '--hue': String(hue) }, h('span', {}, name), track, number), // prettier-ignore
    show({ value, min, max, baseline }) {
      const at = (x) => ((Math.min(max, Math.max(min, x)) - min) / (max - min)) * 100
      const zero = at(Math.min(max, Math.max(min, 0)))
      bar.style.setProperty('--from', `${Math.min(zero, at(value))}%`)
      bar.style.setProperty('--share', `${Math.abs(at(value) - zero)}%`)
      mark.style.setProperty('--from', `${at(baseline)}%`)
      track.classList.toggle('negative', value < 0)
      Object.assign(track, { ariaValueMin: min, ariaValueMax: max, ariaValueNow: value })
      number.value = figure(Math.round(value * 100) / 100)
    },
  }
}

/** `insulted twice (helpfulness −3.5, toxicity +1.8)`: what is left of all events of a kind, by what they move. */
function effectText(effects) {
  const parts = [...Map.groupBy(effects, ({ event }) => event)].map(([event, all]) => {
    const byTarget = Map.groupBy(all, ({ target }) => target)
    const changes = [...byTarget].map(([target, ones]) => {
      const sum = ones.reduce((total, { now }) => total + now, 0)
      return `${target} ${sum > 0 ? '+' : ''}${figure(Math.round(sum * 10) / 10)}`
    })
    const times = Math.max(...[...byTarget.values()].map(({ length }) => length))
    const often = ['', '', ' twice'][times] ?? ` ${times} times`
    return `${eventTitle(event)}${often} (${changes.join(', ')})`
  })
  return parts.length > 0 ? `Still on their mind: ${parts.join('; ')}.` : ''
}
