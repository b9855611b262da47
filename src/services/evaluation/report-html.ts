/** The steering report as one self-contained page: no scripts, no outside resources, all text escaped. */
import type { JudgeReport, SteeringReport } from '../../../schemas/steering-report.ts'
import { curvePlot, escapeHtml, leakagePlot } from './plots.ts'
import { figureNames, figureText, intervalText } from './report-text.ts'

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2330; --paper: #fff; --line: #2f62c8; --fall: #c23b4b; --grid: #8885; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ef; --paper: #14181f; --line: #7ba6ff; --fall: #ff8794; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: var(--ink); background: var(--paper); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { border-bottom: 1px solid var(--grid); padding: .3rem .6rem; text-align: right; }
th:first-child, td:first-child { text-align: left; } caption { text-align: left; font-weight: 600; }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; } .wide { overflow-x: auto; }
figcaption { text-align: center; } .wide figcaption { text-align: left; }
svg text { font-size: 12px; fill: currentColor; } svg .grid { stroke: var(--grid); } svg .ideal { stroke: currentColor; stroke-dasharray: 4; opacity: .5; }
svg .curve { fill: none; stroke: var(--line); stroke-width: 2; } svg .band { fill: var(--line); opacity: .25; } svg circle { fill: var(--line); }
svg .rises { fill: var(--line); } svg .falls { fill: var(--fall); }
blockquote { border-left: 3px solid var(--line); margin: .5rem 0 1rem; padding-left: 1rem; white-space: pre-wrap; }
p, blockquote { overflow-wrap: anywhere; }`

/** Breaks a line before an interval, not within. */
const unbroken = (cell: string) => cell.replace(/(\[.*), /, '$1,\u00a0')

/** Cells are escaped. */
function table(
  caption: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const cells = (tag: 'th' | 'td', row: readonly string[]) =>
    row.map((cell) => `<${tag}>${escapeHtml(unbroken(cell))}</${tag}>`).join('')
  const body = rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('')
  return `<div class="scroll"><table><caption>${escapeHtml(caption)}</caption><tr>${cells('th', head)}</tr>${body}</table></div>`
}

function figuresTable({ attributes }: JudgeReport): string {
  const keys = Object.keys(figureNames) as (keyof typeof figureNames)[]
  const rows = Object.entries(attributes).map(([name, figures]) => [
    name,
    ...keys.map((key) => intervalText(figures[key])),
  ])
  return table('Requested against achieved', ['', ...keys.map((key) => figureNames[key])], rows)
}

function baselinesTable({ attributes, baselines }: JudgeReport): string {
  const rows = Object.entries(attributes).map(([name, { spearman, dynamicRange }]) => {
    const asked = baselines.promptOnly?.[name]
    return [
      name,
      intervalText(spearman),
      intervalText(baselines.shuffled[name]!),
      asked ? intervalText(asked.spearman) : '–',
      intervalText(dynamicRange),
      asked ? intervalText(asked.dynamicRange) : '–',
    ]
  })
  const head = ['', 'Spearman', 'shuffled requests', 'prompt only', 'range', 'range of prompt only']
  return table('Against the baselines', head, rows)
}

function judgeSection(name: string, judge: JudgeReport): string {
  const curves = Object.entries(judge.attributes).map(([attribute, f]) => curvePlot(attribute, f))
  const rows = Object.entries(judge.feasibility ?? {}).map(([kind, { replies, mae }]) => [
    kind,
    String(replies),
    figureText(mae),
  ])
  const feasibility = rows.length
    ? table('Combinations seen in training', ['', 'replies', 'MAE over all attributes'], rows)
    : ''
  return `<section><h2>Measured by ${escapeHtml(name)}</h2><div class="plots">${curves.join('')}</div>
${figuresTable(judge)}${baselinesTable(judge)}${leakagePlot(judge)}
<p>Disentanglement index: ${intervalText(judge.disentanglement)} (1 is perfect).</p>${feasibility}</section>`
}

function wordsTable({ replyWords, settings }: SteeringReport): string {
  const rows = Object.entries(replyWords).map(([name, levels]) => [
    name,
    ...levels.map(({ words }) => words.toFixed(1)),
  ])
  return table('Words a reply by slider and level', ['', ...settings.levels.map(String)], rows)
}

function samplesOf({ samples }: SteeringReport): string {
  return samples
    .map(
      ({ attribute, level, prompt, reply }) =>
        `<p><b>${escapeHtml(attribute)} ${level}</b>: ${escapeHtml(prompt)}</p><blockquote>${escapeHtml(reply)}</blockquote>`,
    )
    .join('')
}

function summary({ settings, ...report }: SteeringReport): string {
  const sentences = [
    `${report.replies} replies to ${settings.prompts} prompts; temperature ${settings.temperature}, seed ${settings.seed}, other attributes ${settings.others}; ${report.meanReplyWords.toFixed(0)} words on average; ${settings.createdAt}.`,
    `Intervals: 95 %, ${settings.bootstrapRounds} bootstrap rounds over prompts. Shuffled requests: the middle 95 % of permutations. Prompt only: the request in words, without label line, on ${settings.promptOnlyPrompts} prompts.`,
    report.combinations &&
      `${report.combinations.unseen} of ${report.combinations.requested} requested combinations do not occur in the training data.`,
    report.unfinishedReplies > 0 &&
      `${report.unfinishedReplies} replies were cut off by the end of the context.`,
  ]
  return `<p>${escapeHtml(sentences.filter(Boolean).join(' '))}</p>`
}

export function reportHtml(report: SteeringReport): string {
  const title = escapeHtml(`Steering report: ${report.settings.model}`)
  const sections = Object.entries(report.judges).map(([name, judge]) => judgeSection(name, judge))
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title><style>${STYLE}</style></head><body><h1>${title}</h1>
${summary(report)}${sections.join('')}${wordsTable(report)}
<h2>Replies at both ends of each slider</h2>${samplesOf(report)}</body></html>
`
}
