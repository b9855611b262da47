/** Steering and attribute-model reports as plain tables and Markdown. */
import type {
  FigureWithInterval,
  JudgeReport,
  SteeringReport,
} from '../../../schemas/steering-report.ts'
import type { ApmFigures } from './apm-report.ts'

export const figureText = (value: number | null | undefined, digits = 2): string =>
  value === null || value === undefined ? '–' : value.toFixed(digits)

export const intervalText = ({ value, low, high }: FigureWithInterval): string =>
  `${figureText(value)} [${figureText(low)}, ${figureText(high)}]`

/** A Markdown table. */
export function markdownTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n')
}

export function judgeTable(judge: JudgeReport): string {
  const header = [
    'attribute',
    'Spearman',
    'slope',
    'range',
    'MAE',
    'exact',
    'monotone',
    'anti',
    'shuffled',
    'prompt only',
  ]
  const rows = Object.entries(judge.attributes).map(([name, figures]) => [
    name,
    intervalText(figures.spearman),
    intervalText(figures.slope),
    intervalText(figures.dynamicRange),
    intervalText(figures.mae),
    figureText(figures.exact),
    figureText(figures.monotonicity),
    figureText(figures.antiSteerable),
    figureText(judge.shuffled[name]),
    figureText(judge.promptOnly?.[name]),
  ])
  return markdownTable(header, rows)
}

export function steeringText(report: SteeringReport): string {
  const { settings, replies, meanReplyWords, unseenCombinations } = report
  const parts = Object.entries(report.judges).map(
    ([name, judge]) =>
      `Measured by ${name} (disentanglement ${figureText(judge.disentanglement)}):\n\n${judgeTable(judge)}`,
  )
  const unseen =
    unseenCombinations === null ? '' : `, ${unseenCombinations} combinations unseen in training`
  const head = `${settings.model}: ${replies} replies to ${settings.prompts} prompts at temperature ${settings.temperature}, ${meanReplyWords.toFixed(0)} words on average${unseen}`
  return [head, ...parts].join('\n\n')
}

/** Two reports side by side, judge by judge: does the second steer better? */
export function compareText(a: SteeringReport, b: SteeringReport): string {
  const names = [a.settings.model, b.settings.model] as const
  return Object.keys(a.judges)
    .filter((judge) => b.judges[judge])
    .map((judge) => {
      const [one, two] = [a.judges[judge]!, b.judges[judge]!]
      const rows = Object.keys(one.attributes).map((attribute) => {
        const [x, y] = [one.attributes[attribute]!, two.attributes[attribute]!]
        return [
          attribute,
          ...[x.spearman, y.spearman, x.dynamicRange, y.dynamicRange, x.mae, y.mae].map(
            intervalText,
          ),
        ]
      })
      const header = [
        'attribute',
        ...['Spearman', 'range', 'MAE'].flatMap((f) => names.map((n) => `${f} ${n}`)),
      ]
      const index = `Disentanglement: ${names[0]} ${figureText(one.disentanglement)}, ${names[1]} ${figureText(two.disentanglement)}`
      return `By ${judge}:\n\n${markdownTable(header, rows)}\n\n${index}`
    })
    .join('\n\n')
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
