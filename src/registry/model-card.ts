/** A model card from the manifest, for models that bring none: what it is, how it was made, what was measured. */
import type { Calibration } from '../../schemas/calibration.ts'
import type { ModelManifest } from '../../schemas/model-manifest.ts'
import { isObject } from '../text/json-file.ts'

export const cardFile = 'README.md'

/** Markdown. `files`: what the folder holds. */
export function modelCard(
  name: string,
  manifest: ModelManifest,
  files: readonly { readonly path: string; readonly bytes: number }[],
): string {
  const sections = [
    `---\nlibrary_name: steerlm\n---\n\n# ${name}\n\n${introduction(manifest)}`,
    attributeSection(manifest),
    stageSection(manifest.stages ?? []),
    calibrationSection(manifest.calibration ?? {}),
    metricSection(manifest.metrics ?? {}),
    section('Files', table(['file', 'bytes'], files.map(({ path, bytes }) => [path, bytes]))), // prettier-ignore
  ]
  return `${sections.filter(Boolean).join('\n\n')}\n`
}

function introduction({ kind, attributes, template, combinations, createdAt }: ModelManifest) {
  const names = attributes.map((spec) => spec.name).join(', ')
  const what =
    kind === 'attribute-model'
      ? `An attribute model: rates a reply by ${names}.`
      : names === ''
        ? 'A language model without attributes: it cannot be steered.'
        : `A language model that is steered by ${names}.`
  const seen = combinations
    ? ` ${combinations.length === 1 ? 'One combination of values occurs' : `${combinations.length} combinations of values occur`} in its training data.`
    : ''
  const made = createdAt === undefined ? '' : ` Made ${createdAt.slice(0, 10)}.`
  return `${what} Prompt template: \`${template}\`.${seen}${made}`
}

function attributeSection({ attributes }: ModelManifest): string {
  if (attributes.length === 0) return ''
  const rows = attributes.map((spec) => [
    spec.name,
    `${spec.min}–${spec.max}`,
    spec.default,
    spec.direction,
    spec.description,
  ])
  return section('Attributes', table(['name', 'range', 'default', 'better', 'meaning'], rows))
}

/** Stages are free in form; what they hold of the usual members goes into columns, settings into a list. */
function stageSection(stages: readonly unknown[]): string {
  const known = stages.filter(isObject)
  if (known.length === 0) return ''
  const rows = known.map((stage, i) => {
    const data = isObject(stage.data) ? stage.data : {}
    const result = isObject(stage.result) ? stage.result : {}
    return [
      i + 1,
      stage.command,
      stage.base,
      data.name,
      data.rows,
      data.sha256,
      result.steps,
      result.loss,
      lastLoss(result.evaluations),
    ]
  })
  const head = ['stage', 'command', 'base', 'data', 'rows', 'sha256', 'steps', 'loss', 'validation loss'] // prettier-ignore
  const settings = known.map((stage, i) => `${i + 1}. ${settingsOf(stage)}`)
  return `${section('How it was made', table(head, rows))}\n\nSettings:\n\n${settings.join('\n')}`
}

function lastLoss(evaluations: unknown): unknown {
  const last: unknown = Array.isArray(evaluations) ? evaluations.at(-1) : undefined
  return isObject(last) ? last.loss : undefined
}

function settingsOf(stage: Record<string, unknown>): string {
  const { command: _command, base: _base, data: _data, result: _result, ...rest } = stage
  const { hyperParameters, ...others } = rest
  const all = { ...(isObject(hyperParameters) ? hyperParameters : {}), ...others }
  const entries = Object.entries(all).map(([name, value]) => `${name} ${text(value)}`)
  return entries.join(', ') || 'none recorded'
}

function metricSection(metrics: Readonly<Record<string, unknown>>): string {
  const rows = Object.entries(metrics).map(([name, value]) => [name, value])
  return rows.length === 0 ? '' : section('Measured', table(['figure', 'value'], rows))
}

function calibrationSection(calibration: Calibration): string {
  const isEmpty = Object.keys(calibration).length === 0
  return isEmpty ? '' : section('Calibration', calibrationTable(calibration))
}

/** Markdown: what calibration changed, by attribute. */
export function calibrationTable(calibration: Calibration): string {
  const head = ['attribute', 'replies', 'map', 'error before', 'after', 'spread', 'error of the confidence'] // prettier-ignore
  const rows = Object.entries(calibration).map(([name, fitted]) => [
    name,
    fitted.rows,
    fitted.method,
    fitted.error.before,
    fitted.error.after,
    fitted.spread.map(([, sd]) => sd.toFixed(2)).join(', '),
    fitted.confidence_error,
  ])
  const note =
    'Errors are means over ten bins of |mean predicted − mean rated|, in levels; `after`, and of the confidence (the ' +
    'probability that raters give the level that the prediction rounds to), measured on the half of the prompts that ' +
    'was not fitted. Spread: standard deviation of ratings around the prediction, from low to high predictions.'
  return `${table(head, rows)}\n\n${note}`
}

const section = (title: string, body: string): string => `## ${title}\n\n${body}`

function table(head: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const line = (cells: readonly unknown[]): string =>
    `| ${cells.map((cell) => text(cell).replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** One line, not longer than a cell should be. */
function text(value: unknown): string {
  if (value === undefined || value === null) return '–'
  if (typeof value === 'number' && !Number.isInteger(value)) return String(Number(value.toPrecision(4))) // prettier-ignore
  const plain = typeof value === 'string' ? value : (JSON.stringify(value) ?? '–')
  return plain.replaceAll(/\s+/g, ' ').slice(0, 300)
}
