/** The events of a character, read from its definition: those that rules and actions speak of. */
import { h } from '../shared/dom.js'
import { actionButton } from '../shared/notices.js'

/** [{type, fields}]: `fields` are the numbers that rules multiply by (`debt -1 * coins`). */
export function eventsOf({ rules = [], actions = [], detect = [] }) {
  const events = new Map()
  const add = (type, fields = []) => {
    const known = events.get(type) ?? []
    events.set(type, [...new Set([...known, ...fields])])
  }
  for (const rule of rules ?? []) {
    const [, type, body] = /^\s*([\w.]+)\s*:(.*)$/s.exec(rule) ?? []
    if (type) add(type, [...body.matchAll(/\*\s*([a-z]\w*)/g)].map((match) => match[1])) // prettier-ignore
  }
  for (const action of actions ?? []) for (const type of action.on ?? []) add(type)
  for (const { event } of detect ?? []) add(event)
  return [...events].map(([type, fields]) => ({ type, fields }))
}

/** `player.gave_gift` → `gave gift`. */
export const eventTitle = (type) => type.replace(/^player\./, '').replaceAll(/[._]/g, ' ')

/** One button per event; those with numbers have a box for each. `raise({type, data})` sends it. */
export function eventButtons(definition, raise, trouble) {
  const buttons = eventsOf(definition).map(({ type, fields }) => {
    const boxes = fields.map((field) => ({
      field,
      input: h('input', { type: 'number', step: 'any', value: '1', ariaLabel: `${field} of ${eventTitle(type)}`, title: field }), // prettier-ignore
    }))
    const work = () => {
      const data = Object.fromEntries(boxes.map(({ field, input }) => [field, input.valueAsNumber]))
      return raise({ type, ...(boxes.length > 0 && { data }) })
    }
    const button = actionButton(eventTitle(type), work, { trouble, className: 'chip' })
    button.title = (definition.rules ?? []).filter((rule) => rule.trim().startsWith(`${type}:`)).join('\n') // prettier-ignore
    if (boxes.length === 0) return button
    return h('span', { className: 'event-with-data' }, button, ...boxes.map(({ field, input }) => h('label', {}, input, h('small', {}, field)))) // prettier-ignore
  })
  return h('div', { className: 'event-buttons' }, ...buttons)
}
