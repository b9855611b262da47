/** Line charts over uPlot in the colours of the page; they follow the theme, the width and the data. */
import uPlot from '../vendor/uplot.js'
import { h } from './dom.js'
import { figure } from './format.js'

/**
 * `lines`: [{key, label, color, points?}] read from rows such as `{step: 3, loss: 2.1}`; gaps are fine.
 * `add(row)` and `end()`; the chart draws at most once a frame. `isLog` is a logarithmic axis.
 */
export function createChart({ title, x = 'step', lines, height = 260, signal }) {
  const frame = h('div', { className: 'chart', role: 'img', ariaLabel: title })
  const columns = [[], ...lines.map(() => [])]
  let plot
  let waiting = false

  const build = () => {
    plot?.destroy()
    plot = new uPlot(options({ x, lines, height, width: frame.clientWidth || 600 }), columns, frame)
  }
  const draw = () => {
    waiting = false
    if (signal.aborted || !frame.isConnected) return
    if (plot) plot.setData(columns)
    else build()
    describe()
  }
  const describe = () => {
    const last = lines.map(({ label }, i) => `${label} ${figure(columns[i + 1].findLast((v) => v !== null))}`) // prettier-ignore
    frame.ariaLabel = `${title}: at ${x} ${figure(columns[0].at(-1))}: ${last.join(', ')}`
  }
  const schedule = () => {
    if (waiting) return
    waiting = true
    requestAnimationFrame(draw)
  }
  const sizes = new ResizeObserver(() => plot?.setSize({ width: frame.clientWidth, height }))
  const themes = new MutationObserver(() => plot && build())
  sizes.observe(frame)
  themes.observe(document.documentElement, { attributeFilter: ['data-theme'] })
  signal.addEventListener('abort', () => {
    sizes.disconnect()
    themes.disconnect()
    plot?.destroy()
  })

  return {
    element: frame,
    get length() {
      return columns[0].length
    },
    /** A retry goes back to its last checkpoint: what it repeats takes the place of what was there. */
    add(row) {
      const at = row[x]
      const [steps] = columns
      if (steps.length > 0 && at < steps.at(-1)) {
        const keep = steps.findIndex((step) => step >= at)
        for (const column of columns) column.length = keep
      }
      if (steps.at(-1) !== at) {
        steps.push(at)
        for (const column of columns.slice(1)) column.push(null)
      }
      lines.forEach(({ key }, i) => {
        if (Number.isFinite(row[key])) columns[i + 1][steps.length - 1] = row[key]
      })
      schedule()
    },
  }
}

function options({ x, lines, height, width }) {
  const colors = getComputedStyle(document.documentElement)
  const read = (name) => colors.getPropertyValue(name).trim()
  const axis = {
    stroke: read('--soft'),
    grid: { stroke: read('--line'), width: 1 },
    ticks: { stroke: read('--line'), width: 1 },
    font: `12px ${read('--sans')}`,
  }
  return {
    width,
    height,
    cursor: { y: false },
    scales: { x: { time: false } },
    axes: [
      { ...axis, values: (_, values) => values.map((value) => figure(value)) },
      { ...axis, size: 64, values: (_, values) => values.map((value) => figure(value)) },
    ],
    series: [
      { label: x, value: (_, value) => figure(value) },
      ...lines.map(({ label, color, points = false }) => ({
        label,
        stroke: read(color),
        width: points ? 2 : 1.6,
        spanGaps: true,
        points: { show: points, size: 7, fill: read(color) },
        value: (_, value) => figure(value),
      })),
    ],
  }
}
