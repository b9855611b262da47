/** A steering report (`schemas/steering-report.ts`): how well each slider does what it says, by each judge. */
import { h, hueOf } from '../shared/dom.js'
import { count, figure } from '../shared/format.js'
import { table } from '../shared/layout.js'

export function steeringFigures(report) {
  const judges = Object.entries(report.judges).map(([judge, { attributes, disentanglement }]) =>
    h(
      'div',
      { className: 'judge' },
      h('h4', {}, `Measured by ${judge}`),
      figuresTable(attributes, judge),
      h('p', {}, 'Disentanglement ', withInterval(disentanglement)),
      h('div', { className: 'response-curves' }, ...Object.entries(attributes).map(responseCurve)),
    ),
  )
  const lead = `${count(report.replies)} replies, ${figure(report.meanReplyWords)} words on average`
  return h('div', {}, h('p', { className: 'soft' }, lead), ...judges)
}

const measures = [
  ['spearman', 'Spearman'],
  ['slope', 'Slope'],
  ['dynamicRange', 'Range'],
  ['mae', 'Mean error'],
  ['withinOne', 'Within one level'],
]

function figuresTable(attributes, judge) {
  const columns = [{ title: 'Attribute' }, ...measures.map(([, title]) => ({ title }))]
  const rows = Object.entries(attributes).map(([name, figures]) => [
    name,
    ...measures.map(([key]) => withInterval(figures[key])),
  ])
  return table(columns, rows, { caption: `Steering by ${judge}` })
}

/** The figure, and where there is room the interval that holds it. */
function withInterval(one) {
  if (!one) return '–'
  const isKnown = one.low !== null && one.high !== null
  const interval = isKnown ? ` ${hundredths(one.low)} … ${hundredths(one.high)}` : ''
  return h('span', {}, hundredths(one.value), h('small', { className: 'soft wide' }, interval))
}

const hundredths = (value) => (value === null ? '–' : value.toFixed(2).replace('-', '−'))

/** Requested level against what was measured, one column per level. */
function responseCurve([name, { levels }], index) {
  const values = levels.map(({ achieved }) => achieved.value ?? 0)
  const most = Math.max(...levels.map(({ level }) => level), ...values, 1)
  const columns = levels.map(({ level, achieved }) =>
    h(
      'li',
      { title: `asked ${figure(level)}, got ${figure(achieved.value)}` },
      h('span', { className: 'amount' }, figure(achieved.value && Math.round(achieved.value * 10) / 10)), // prettier-ignore
      h('span', { className: 'column', '--share': `${(Math.max(0, achieved.value ?? 0) / most) * 100}%` }), // prettier-ignore
      h('span', { className: 'level' }, figure(level)),
    ),
  )
  return h(
    'figure',
    { className: 'histogram', '--hue': String(hueOf(name, index)) },
    h('figcaption', {}, h('b', {}, name), h('small', {}, 'asked → measured')),
    h('ul', {}, ...columns),
  )
}
