/** The steering report as one self-contained page with inline SVG; all text is escaped. */
import type {
  AttributeFigures,
  JudgeReport,
  SteeringReport,
} from '../../../schemas/steering-report.ts'
import { figureText, intervalText } from './report-text.ts'

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)

const STYLE = `
:root { color-scheme: light dark; --line: #3b6fd4; --band: #3b6fd433; --grid: #8886; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--grid); padding: .3rem .7rem; text-align: right; }
th:first-child, td:first-child { text-align: left; }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; }
figcaption { text-align: center; } svg text { font-size: 11px; fill: currentColor; }
blockquote { border-left: 3px solid var(--line); margin: .5rem 0 1rem; padding-left: 1rem; }`

const SIZE = 220
const EDGE = 30

/** Mean achieved value against the requested level with its interval; the diagonal is a perfect dial. */
function curve(name: string, figures: AttributeFigures, top: number): string {
  const scale = (SIZE - 2 * EDGE) / top
  const x = (level: number) => (EDGE + level * scale).toFixed(1)
  const y = (value: number | null) => (SIZE - EDGE - (value ?? 0) * scale).toFixed(1)
  const { levels } = figures
  const line = levels.map(({ level, achieved }) => `${x(level)},${y(achieved.value)}`).join(' ')
  const upper = levels.map(({ level, achieved }) => `${x(level)},${y(achieved.high)}`)
  const lower = levels.map(({ level, achieved }) => `${x(level)},${y(achieved.low)}`).reverse()
  const ticks = levels.map(
    ({ level }) =>
      `<text x="${x(level)}" y="${SIZE - 10}" text-anchor="middle">${level}</text><text x="12" y="${y(level)}">${level}</text>`,
  )
  return `<figure><svg width="${SIZE}" height="${SIZE}" role="img" aria-label="${escapeHtml(name)}">
<line x1="${x(0)}" y1="${y(0)}" x2="${x(top)}" y2="${y(top)}" stroke="var(--grid)" stroke-dasharray="4"/>
<polygon points="${[...upper, ...lower].join(' ')}" fill="var(--band)"/>
<polyline points="${line}" fill="none" stroke="var(--line)" stroke-width="2"/>${ticks.join('')}
</svg><figcaption>${escapeHtml(name)}</figcaption></figure>`
}

/** Rows: the slider moved; columns: what changed. */
function heatMap(judge: JudgeReport): string {
  const names = Object.keys(judge.attributes)
  const head = names.map((name) => `<th>${escapeHtml(name)}</th>`).join('')
  const rows = judge.leakage.map((row, i) => {
    const cells = row.map((slope) => {
      const share = Math.round(Math.min(1, Math.abs(slope ?? 0)) * 60)
      const tint = (slope ?? 0) < 0 ? 'crimson' : 'var(--line)'
      return `<td style="background: color-mix(in srgb, ${tint} ${share}%, transparent)">${figureText(slope)}</td>`
    })
    return `<tr><th>${escapeHtml(names[i]!)}</th>${cells.join('')}</tr>`
  })
  return `<table><caption>Slope of each achieved value (columns) on each slider (rows)</caption><tr><th></th>${head}</tr>${rows.join('')}</table>`
}

function figuresTable(judge: JudgeReport): string {
  const head = [
    '',
    'Spearman',
    'slope',
    'range',
    'MAE',
    'exact',
    '±1',
    'monotone',
    'anti-steerable',
    'shuffled',
    'prompt only',
  ]
  const rows = Object.entries(judge.attributes).map(([name, f]) => {
    const cells = [
      ...[f.spearman, f.slope, f.dynamicRange, f.mae].map(intervalText),
      ...[
        f.exact,
        f.withinOne,
        f.monotonicity,
        f.antiSteerable,
        judge.shuffled[name],
        judge.promptOnly?.[name],
      ].map((v) => figureText(v)),
    ]
    return `<tr><td>${escapeHtml(name)}</td>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`
  })
  return `<table><tr>${head.map((h) => `<th>${h}</th>`).join('')}</tr>${rows.join('')}</table>`
}

function judgeSection(name: string, judge: JudgeReport, top: number): string {
  const curves = Object.entries(judge.attributes).map(([attribute, f]) => curve(attribute, f, top))
  return `<h2>Measured by ${escapeHtml(name)}</h2><div class="plots">${curves.join('')}</div>
${figuresTable(judge)}<p>Disentanglement index: ${figureText(judge.disentanglement)} (1 is perfect).</p>${heatMap(judge)}`
}

export function reportHtml(report: SteeringReport): string {
  const { settings } = report
  const top = Math.max(...settings.levels)
  const samples = report.samples.map(
    ({ attribute, level, prompt, reply }) =>
      `<p><b>${escapeHtml(attribute)} ${level}</b>: ${escapeHtml(prompt)}</p><blockquote>${escapeHtml(reply)}</blockquote>`,
  )
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Steering report: ${escapeHtml(settings.model)}</title><style>${STYLE}</style>
<h1>Steering report: ${escapeHtml(settings.model)}</h1>
<p>${report.replies} replies to ${settings.prompts} prompts; temperature ${settings.temperature}, seed ${settings.seed}, other attributes ${settings.others}; ${report.meanReplyWords.toFixed(0)} words on average; ${escapeHtml(settings.createdAt)}. Intervals: 95 %, bootstrap over prompts.</p>
${Object.entries(report.judges)
  .map(([name, judge]) => judgeSection(name, judge, top))
  .join('')}
<h2>Replies at both ends of each slider</h2>${samples.join('')}</html>`
}
