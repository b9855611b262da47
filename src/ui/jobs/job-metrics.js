/** The curves and the newest figures of a training. */
import { createChart } from '../shared/chart.js'
import { h } from '../shared/dom.js'
import { count, figure } from '../shared/format.js'

const tiles = [
  ['step', 'step', count],
  ['loss', 'loss', figure],
  ['validation_loss', 'validation loss', figure],
  ['lr', 'learning rate', figure],
  ['grad_norm', 'gradient norm', figure],
  ['tokens_per_s', 'tokens per second', count],
]

/** Hidden until the first figure comes; not every job has some. */
export function createMetrics({ signal }) {
  const element = h('section', { className: 'card', hidden: true })
  const latest = new Map()
  let charts

  const build = () => {
    const loss = createChart({
      title: 'Loss',
      signal,
      lines: [
        { key: 'loss', label: 'loss', color: '--curve' },
        { key: 'validation_loss', label: 'validation', color: '--curve-other', points: true },
      ],
    })
    const rate = createChart({
      title: 'Gradient norm',
      height: 150,
      signal,
      lines: [{ key: 'grad_norm', label: 'gradient norm', color: '--curve-other' }],
    })
    const facts = h('dl', { className: 'tiles' })
    const more = h('details', {}, h('summary', {}, 'Gradient norm'), rate.element)
    element.replaceChildren(h('h3', {}, 'Loss'), facts, loss.element, more)
    return { all: [loss, rate], facts }
  }

  return {
    element,
    add(row) {
      if (!Number.isFinite(row.step)) return
      charts ??= build()
      element.hidden = false
      for (const chart of charts.all) chart.add(row)
      for (const [key] of tiles) if (Number.isFinite(row[key])) latest.set(key, row[key])
      charts.facts.replaceChildren(...shownTiles(latest))
    },
    clear() {
      latest.clear()
      charts = undefined
      element.hidden = true
    },
  }
}

function shownTiles(latest) {
  return tiles
    .filter(([key]) => latest.has(key))
    .map(([key, label, text]) =>
      h('div', {}, h('dt', {}, label), h('dd', {}, text(latest.get(key)))),
    )
}
