/** What a job made: links to it, and its figures. */
import { hashOf } from '../router.js'
import { h } from '../shared/dom.js'
import { count, figure } from '../shared/format.js'
import { facts, linkButton, section, table } from '../shared/layout.js'
import { steeringFigures } from '../models/steering-figures.js'

/** Elements; none where there is nothing to say. */
export function jobResult(job) {
  const { kind, result, spec } = job
  const links = nextSteps[kind]?.(spec, result) ?? []
  const isReport = result?.judges !== undefined
  const parts = [
    isReport ? null : facts(plainFacts(result)),
    isReport ? steeringFigures(result) : null,
    kind === 'evaluate' && !isReport ? apmFigures(result) : null,
    links.length > 0 ? h('div', { className: 'actions' }, ...links) : null,
  ]
  return [section('Result', ...parts.filter(Boolean))]
}

const newJob = (kind, query) => hashOf(['jobs', 'new', kind], query)

/** Where to go from here. */
const nextSteps = {
  train: ({ stage, name }) =>
    stage === 'apm'
      ? [
          linkButton('Label with it…', newJob('label', { apm: name }), 'primary'),
          linkButton('Evaluate…', newJob('evaluate', { type: 'apm', apm: name })),
          linkButton('Publish…', newJob('publish', { from: name })),
        ]
      : [
          linkButton('Evaluate…', newJob('evaluate', { type: 'steering', model: name })),
          linkButton('Publish…', newJob('publish', { from: name }), 'primary'),
        ],
  label: ({ name }) => [
    linkButton('Look at the data', hashOf(['data', name])),
    linkButton('Fine-tune on it…', newJob('train', { stage: 'sft', data: name }), 'primary'),
  ],
  bootstrap: ({ name }) => [linkButton('Publish…', newJob('publish', { from: name }), 'primary')],
  import: ({ name }) => [linkButton('Publish…', newJob('publish', { from: name }), 'primary')],
  publish: ({ model }) => [
    linkButton('Chat with it', hashOf(['chat'], { model }), 'primary'),
    linkButton('Its card', hashOf(['models', model])),
  ],
}

function plainFacts(result) {
  const entries = Object.entries(result ?? {}).filter(([, value]) => typeof value !== 'object')
  return entries.map(([name, value]) => [name.replaceAll('_', ' '), plainText(value)])
}

function plainText(value) {
  if (typeof value === 'number') return Number.isInteger(value) ? count(value) : figure(value)
  const isHash = /^[0-9a-f]{64}$/.test(value)
  return isHash ? h('code', { title: value }, `${value.slice(0, 12)}…`) : String(value)
}

/** Whatever the report holds per attribute, as a table. */
function apmFigures(result) {
  const attributes = Object.entries(result?.attributes ?? {}).filter(
    ([, figures]) => typeof figures === 'object' && figures !== null,
  )
  if (attributes.length === 0) return null
  const names = Object.keys(attributes[0][1]).filter((name) => typeof attributes[0][1][name] === 'number') // prettier-ignore
  const columns = ['attribute', ...names].map((title) => ({ title }))
  const rows = attributes.map(([name, figures]) => [name, ...names.map((key) => figure(figures[key]))]) // prettier-ignore
  return table(columns, rows, { caption: 'Figures by attribute' })
}
