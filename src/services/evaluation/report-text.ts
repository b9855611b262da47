/** Steering and attribute-model reports as plain tables and Markdown. */
import type {
  AttributeFigures,
  FigureWithInterval,
  JudgeReport,
  SteeringReport,
} from '../../../schemas/steering-report.ts'
import type { ApmFigures } from './apm-report.ts'

/** A dash for an undefined figure; no minus before a rounded zero. */
export const figureText = (value: number | null | undefined, digits = 2): string =>
  value === null || value === undefined ? '–' : value.toFixed(digits).replace(/^-(0\.?0*)$/, '$1')

export const intervalText = ({ value, low, high }: FigureWithInterval): string =>
  `${figureText(value)} [${figureText(low)}, ${figureText(high)}]`

/** What a figure is called, in the order of the tables. */
export const figureNames: Readonly<Record<Exclude<keyof AttributeFigures, 'levels'>, string>> = {
  spearman: 'Spearman',
  pearson: 'Pearson',
  slope: 'slope',
  dynamicRange: 'range',
  mae: 'MAE',
  exact: 'exact',
  withinOne: '±1',
  monotonicity: 'monotone',
  risingPrompts: 'rising prompts',
  antiSteerable: 'anti-steerable',
}

type FigureName = keyof typeof figureNames

/** A Markdown table. */
export function markdownTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n')
}

const inTable: readonly FigureName[] = [
  'spearman',
  'slope',
  'dynamicRange',
  'mae',
  'monotonicity',
  'antiSteerable',
]

/** The main figures with intervals and the baselines' Spearman. */
export function judgeTable({ attributes, baselines }: JudgeReport): string {
  const names = inTable.map((key) => figureNames[key])
  const header = ['attribute', ...names, 'Spearman shuffled', 'Spearman prompt only']
  const rows = Object.entries(attributes).map(([name, figures]) => [
    name,
    ...inTable.map((key) => intervalText(figures[key])),
    intervalText(baselines.shuffled[name]!),
    baselines.promptOnly ? intervalText(baselines.promptOnly[name]!.spearman) : '–',
  ])
  return markdownTable(header, rows)
}

/** Rows: the slider moved; columns: the slope of each achieved value on it. */
export function leakageTable({ attributes, leakage }: JudgeReport): string {
  const names = Object.keys(attributes)
  const rows = leakage.map((row, i) => [names[i]!, ...row.map(({ value }) => figureText(value))])
  return markdownTable(['moved ↓, changed →', ...names], rows)
}

function judgeText(name: string, judge: JudgeReport): string {
  const index = `Disentanglement index ${intervalText(judge.disentanglement)}; slopes of what changed on what was moved:`
  return `Measured by ${name}:\n\n${judgeTable(judge)}\n\n${index}\n\n${leakageTable(judge)}`
}

/** What was asked that training had not seen, and what the end of the context cut off. */
function remarks({ combinations, unfinishedReplies, judges }: SteeringReport): string[] {
  const notes: string[] = []
  if (combinations) {
    const { requested, unseen } = combinations
    const errors = Object.entries(judges).flatMap(([name, { feasibility: f }]) =>
      f && f.unseen.replies > 0 && f.seen.replies > 0
        ? [`${name}: ${figureText(f.unseen.mae)} against ${figureText(f.seen.mae)}`]
        : [],
    )
    const mae = errors.length ? ` (MAE of these against the others, ${errors.join('; ')})` : ''
    notes.push(
      `${unseen} of ${requested} requested combinations do not occur in the training data${mae}.`,
    )
  }
  if (unfinishedReplies > 0)
    notes.push(`${unfinishedReplies} replies were cut off by the end of the context.`)
  return notes
}

export function steeringText(report: SteeringReport): string {
  const { settings, replies, meanReplyWords } = report
  const head = `${settings.model}: ${replies} replies to ${settings.prompts} prompts at temperature ${settings.temperature}, ${meanReplyWords.toFixed(0)} words on average; 95 % intervals by bootstrap over prompts.`
  const parts = Object.entries(report.judges).map(([name, judge]) => judgeText(name, judge))
  return [[head, ...remarks(report)].join(' '), ...parts].join('\n\n')
}

const compared: readonly FigureName[] = ['spearman', 'dynamicRange', 'mae', 'antiSteerable']

/** Whether neither interval holds values of the other: the difference is more than the prompts' chance. */
const apart = (a: FigureWithInterval, b: FigureWithInterval): boolean =>
  [a.low, a.high, b.low, b.high].every((v) => v !== null) && (a.high! < b.low! || b.high! < a.low!)

/** Two reports side by side, judge by judge: does the second steer better? */
export function compareText(a: SteeringReport, b: SteeringReport): string {
  const names = [a.settings.model, b.settings.model] as const
  const cells = (x: FigureWithInterval, y: FigureWithInterval) => [
    intervalText(x),
    `${intervalText(y)}${apart(x, y) ? ' *' : ''}`,
  ]
  const header = ['', ...compared.flatMap((key) => names.map((n) => `${figureNames[key]} ${n}`))]
  const tables = Object.entries(a.judges).flatMap(([judge, one]) => {
    const two = b.judges[judge]
    if (!two) return []
    const rows = Object.entries(one.attributes).flatMap(([attribute, x]) => {
      const y = two.attributes[attribute]
      return y ? [[attribute, ...compared.flatMap((key) => cells(x[key], y[key]))]] : []
    })
    const [before, after] = cells(one.disentanglement, two.disentanglement)
    const index = `Disentanglement index: ${names[0]} ${before}, ${names[1]} ${after}.`
    return [`By ${judge}:\n\n${markdownTable(header, rows)}\n\n${index}`]
  })
  const words = `Words a reply: ${names[0]} ${a.meanReplyWords.toFixed(0)}, ${names[1]} ${b.meanReplyWords.toFixed(0)}. * marks intervals that do not overlap.`
  return [...tables, words].join('\n\n')
}

export function apmTable(figures: Readonly<Record<string, ApmFigures>>): string {
  const header = [
    'attribute',
    'replies',
    'Pearson',
    'ceiling',
    'of ceiling',
    'Spearman',
    'MAE',
    'κ',
  ]
  const rows = Object.entries(figures).map(([name, f]) => [
    name,
    String(f.count),
    ...[f.pearson, f.ceiling, f.ofCeiling, f.spearman, f.mae, f.kappa].map((v) => figureText(v, 3)),
  ])
  return markdownTable(header, rows)
}
