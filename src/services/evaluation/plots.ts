/** The plots of the steering report as inline SVG. Colours come from the page's CSS variables. */
import type { AttributeFigures, JudgeReport } from '../../../schemas/steering-report.ts'
import { figureText, intervalText } from './report-text.ts'

export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)

const SIZE = 230
const EDGE = 36

interface Span {
  readonly low: number
  readonly high: number
}

/** From values to pixels of a square plot whose axes both show `span`. */
function scales({ low, high }: Span) {
  const unit = (SIZE - 2 * EDGE) / (high - low || 1)
  return {
    x: (value: number) => (EDGE + (value - low) * unit).toFixed(1),
    y: (value: number) =>
      (SIZE - EDGE - (Math.min(high, Math.max(low, value)) - low) * unit).toFixed(1),
  }
}

function axes(levels: readonly number[], { x, y }: ReturnType<typeof scales>): string {
  const [low, high] = [levels[0]!, levels.at(-1)!]
  const ticks = levels.map(
    (level) =>
      `<line class="grid" x1="${x(low)}" y1="${y(level)}" x2="${x(high)}" y2="${y(level)}"/>` +
      `<text x="${x(level)}" y="${SIZE - EDGE + 16}" text-anchor="middle">${level}</text>` +
      `<text x="${EDGE - 8}" y="${y(level)}" dy="4" text-anchor="end">${level}</text>`,
  )
  const middle = SIZE / 2
  return `${ticks.join('')}<text x="${middle}" y="${SIZE - 4}" text-anchor="middle">requested</text>
<text transform="translate(12 ${middle}) rotate(-90)" text-anchor="middle">achieved</text>`
}

/** Mean achieved value by requested level with its interval; the dashed line is a perfect dial. */
export function curvePlot(name: string, figures: AttributeFigures): string {
  const known = figures.levels.flatMap(({ level, achieved: { value, low, high } }) =>
    value === null ? [] : [{ level, value, low: low ?? value, high: high ?? value }],
  )
  const levels = figures.levels.map(({ level }) => level)
  const span = { low: levels[0]!, high: levels.at(-1)! }
  const scale = scales(span)
  const { x, y } = scale
  const points = (of: (point: (typeof known)[number]) => number) =>
    known.map((point) => `${x(point.level)},${y(of(point))}`)
  const band = [...points(({ high }) => high), ...points(({ low }) => low).reverse()]
  const line = points(({ value }) => value)
  const dots = known.map(
    ({ level, value, low, high }) =>
      `<circle cx="${x(level)}" cy="${y(value)}" r="3"><title>requested ${level}: ${intervalText({ value, low, high })}</title></circle>`,
  )
  const label = `${name}: achieved ${line.length ? known.map(({ level, value }) => `${figureText(value)} at ${level}`).join(', ') : 'unknown'}`
  return `<figure><svg viewBox="0 0 ${SIZE} ${SIZE}" width="${SIZE}" height="${SIZE}" role="img" aria-label="${escapeHtml(label)}">
${axes(levels, scale)}
<line class="ideal" x1="${x(span.low)}" y1="${y(span.low)}" x2="${x(span.high)}" y2="${y(span.high)}"/>
<polygon class="band" points="${band.join(' ')}"/><polyline class="curve" points="${line.join(' ')}"/>${dots.join('')}
</svg><figcaption>${escapeHtml(name)}</figcaption></figure>`
}

const CELL = { width: 86, height: 38, left: 120, top: 34 }

/** Rows: the slider moved; columns: the slope of each achieved value on it. */
export function leakagePlot({ attributes, leakage }: JudgeReport): string {
  const names = Object.keys(attributes)
  const { width, height, left, top } = CELL
  const cells = leakage.flatMap((row, i) =>
    row.map((slope, j) => {
      const strength = Math.min(1, Math.abs(slope.value ?? 0))
      const side = (slope.value ?? 0) < 0 ? 'falls' : 'rises'
      const [x, y] = [left + j * width, top + i * height]
      const title = `${names[j]!} on ${names[i]!}: ${intervalText(slope)}`
      return `<g><title>${escapeHtml(title)}</title><rect class="${side}" fill-opacity="${(strength * 0.7).toFixed(2)}" x="${x}" y="${y}" width="${width - 2}" height="${height - 2}"/>
<text x="${x + width / 2}" y="${y + height / 2}" dy="4" text-anchor="middle">${figureText(slope.value)}</text></g>`
    }),
  )
  const columns = names.map(
    (name, j) =>
      `<text x="${left + (j + 0.5) * width}" y="${top - 10}" text-anchor="middle">${escapeHtml(name)}</text>`,
  )
  const rows = names.map(
    (name, i) =>
      `<text x="${left - 10}" y="${top + (i + 0.5) * height}" dy="4" text-anchor="end">${escapeHtml(name)}</text>`,
  )
  const [w, h] = [left + names.length * width, top + names.length * height]
  return `<figure class="wide"><svg viewBox="0 0 ${w} ${h}" width="${w}" height="${h}" role="img" aria-label="Leakage matrix">${columns.join('')}${rows.join('')}${cells.join('')}</svg>
<figcaption>Slope of each achieved value (columns) when one slider is moved (rows)</figcaption></figure>`
}
