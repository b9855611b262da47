/** The figures of a data set: a histogram per attribute, and how attributes go together. */
import { h, hueOf } from '../shared/dom.js'
import { count, figure } from '../shared/format.js'
import { facts, section } from '../shared/layout.js'

/** Sections; none where nothing is rated. `stats` is the answer of /stats. */
export function statistics(stats) {
  const attributes = Object.entries(stats.attributes ?? {})
  const numbers = facts([
    ['conversations', stats.conversations !== undefined && count(stats.conversations)],
    ['replies', stats.assistant_turns !== undefined && count(stats.assistant_turns)],
    ['rated replies', stats.rated_turns !== undefined && count(stats.rated_turns)],
    ['reply length', lengths(stats.reply_characters, 'characters')],
    ['messages per conversation', lengths(stats.messages_per_conversation)],
  ])
  if (attributes.length === 0) return [section('Figures', numbers)]
  const plots = attributes.map(([name, one], index) => histogram(name, one, index))
  const parts = [section('Attributes', numbers, h('div', { className: 'histograms' }, ...plots))]
  if (attributes.length > 1 && stats.correlations) {
    parts.push(section('How they go together', correlations(Object.keys(stats.attributes), stats.correlations))) // prettier-ignore
  }
  return parts
}

function lengths(value, unit = '') {
  if (!value) return null
  return `median ${figure(value.median)}, at most ${figure(value.max)} ${unit}`
}

const mostBars = 25

/** Counts by level as bars [{label, amount}]: one per level, levels nobody gave too, or ranges where there are many. */
export function barsOf(levels) {
  const given = Object.keys(levels).map(Number)
  const low = given.reduce((least, level) => Math.min(least, level), 0)
  const high = given.reduce((most, level) => Math.max(most, level), 4)
  const width = Math.ceil((high - low + 1) / mostBars)
  const bars = Array.from({ length: Math.ceil((high - low + 1) / width) }, (_, i) => {
    const from = low + i * width
    const label = width === 1 ? String(from) : `${from}–${Math.min(high, from + width - 1)}`
    return { label, amount: 0 }
  })
  for (const level of given) bars[Math.floor((level - low) / width)].amount += levels[level]
  return bars
}

function histogram(name, { histogram: levels, mean, sd, count: rated, missing }, index) {
  const bars = barsOf(levels)
  const most = Math.max(1, ...bars.map(({ amount }) => amount))
  const items = bars.map(({ label, amount }) =>
    h(
      'li',
      { title: `${label}: ${count(amount)} replies` },
      h('span', { className: 'amount' }, amount > 0 ? count(amount) : ''),
      h('span', { className: 'column', '--share': `${(amount / most) * 100}%` }),
      h('span', { className: 'level' }, label),
    ),
  )
  const gaps = missing > 0 ? ` · ${count(missing)} not rated` : ''
  return h(
    'figure',
    { className: 'histogram', '--hue': String(hueOf(name, index)) },
    h('figcaption', {}, h('b', {}, name), h('small', {}, `mean ${figure(mean)} ± ${figure(sd)}`)),
    h('ul', {}, ...items),
    h('small', { className: 'soft' }, `${count(rated)} rated${gaps}`),
  )
}

/** A table whose cells are tinted: one hue for rising together, another for opposites. */
function correlations(names, values) {
  const cell = (a, b) => {
    const value = values[a]?.[b] ?? null
    const strength = `${Math.round(Math.abs(value ?? 0) * 55)}%`
    const hue = (value ?? 0) < 0 ? '4' : '210'
    return h('td', { '--hue': hue, '--strength': strength }, figure(value && Math.round(value * 100) / 100)) // prettier-ignore
  }
  const head = h('tr', {}, h('td'), ...names.map((name) => h('th', { scope: 'col' }, name)))
  const rows = names.map((a) => h('tr', {}, h('th', { scope: 'row' }, a), ...names.map((b) => cell(a, b)))) // prettier-ignore
  return h(
    'div',
    { className: 'table-frame', tabIndex: 0, role: 'region', ariaLabel: 'Correlations' },
    h('table', { className: 'correlations' }, h('thead', {}, head), h('tbody', {}, ...rows)),
  )
}
