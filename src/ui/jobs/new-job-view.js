/** `#/jobs/new/<kind>`: a form per kind of job, and the whole loop as one pipeline. */
import { goTo, hashOf } from '../router.js'
import { sendJson } from '../shared/api.js'
import { h } from '../shared/dom.js'
import { buildForm, checkField, nameField, numberField, selectField } from '../shared/forms.js'
import { emptyState, linkButton, pageHead } from '../shared/layout.js'
import { loadChoices } from './choices.js'
import { evaluations, jobForms, jobTitles, stages } from './job-kinds.js'
import { pipelineOf } from './pipeline.js'

export async function showNewJob(root, { path: [, wanted], query }) {
  const kind = jobTitles[wanted] ? wanted : 'pipeline'
  const choices = await loadChoices()
  root.append(
    pageHead({ title: 'New job', crumbs: [{ href: hashOf(['jobs']), label: 'Jobs' }] }),
    tabs(
      'Kinds of jobs',
      Object.entries(jobTitles).map(([name, label]) => ({
        label,
        href: hashOf(['jobs', 'new', name]),
        isCurrent: name === kind,
      })),
    ),
    choices.datasets.length === 0 && !['publish', 'import', 'evaluate'].includes(kind)
      ? needsData()
      : kind === 'pipeline'
        ? pipelineForm(choices, query)
        : kindForm(kind, choices, query),
  )
}

function tabs(label, links) {
  const items = links.map(({ label, href, isCurrent }) =>
    h('a', { href, ...(isCurrent && { 'aria-current': 'page' }) }, label),
  )
  return h('nav', { className: 'tabs', ariaLabel: label }, ...items)
}

function needsData() {
  return emptyState({
    iconName: 'data',
    title: 'This needs data first',
    text: 'Upload conversations, then come back.',
    actions: [linkButton('Upload data', hashOf(['data']), 'primary')],
  })
}

function kindForm(kind, choices, query) {
  const {
    lead,
    fixed = {},
    fields,
    advanced,
    toSpec = (values) => values,
  } = jobForms[kind]({
    choices,
    query,
  })
  const onSubmit = async (values) => {
    const job = await sendJson('POST', '/v1/jobs', { kind, spec: { ...fixed, ...toSpec(values) } })
    goTo(['jobs', job.id])
  }
  return h(
    'section',
    { className: 'card' },
    variants(kind, query),
    h('p', { className: 'lead' }, lead),
    buildForm({ fields, advanced, submit: 'Start the job', onSubmit }),
  )
}

/** The three stages of training and the two evaluations have forms of their own. */
function variants(kind, query) {
  const [key, names] = { train: ['stage', stages], evaluate: ['type', evaluations] }[kind] ?? []
  if (!key) return null
  const chosen = names[query[key]] ? query[key] : Object.keys(names)[0]
  const links = Object.entries(names).map(([value, label]) => ({
    label,
    href: hashOf(['jobs', 'new', kind], { ...query, [key]: value }),
    isCurrent: value === chosen,
  }))
  return tabs('Variants', links)
}

function pipelineForm(choices, query) {
  const whole = { min: 1, step: 1 }
  const select = (name, label, options, hint) =>
    selectField(name, label, { options, value: query[name] ?? options[0]?.value, hint })
  const texts = choices.allSets.filter(({ value }) => value !== choices.rated[0]?.value)
  const fields = [
    select('rated', 'Rated conversations', choices.rated, 'Teach the attribute model what the values mean'), // prettier-ignore
    selectField('texts', 'Texts', {
      options: choices.allSets,
      value: query.texts ?? texts[0]?.value ?? choices.allSets[0]?.value,
      hint: 'Get labelled by it; the model learns from these',
    }),
    select('base', 'Start from', choices.languageModels),
    nameField('name', 'Name of the new model', { value: query.name ?? '' }),
  ]
  const advanced = [
    numberField('apm_steps', 'Steps of the attribute model', { ...whole, placeholder: 'one pass' }),
    numberField('sft_steps', 'Steps of the fine-tuning', { ...whole, placeholder: 'one pass' }),
    numberField('batch_size', 'Rows per step', { ...whole, placeholder: '16' }),
    numberField('lr', 'Learning rate', { min: 0, placeholder: '0.0003' }),
    numberField('seed', 'Seed', { min: 0, step: 1, placeholder: '1' }),
    numberField('prompts', 'Prompts of the evaluation', { ...whole, value: 20 }),
    checkField('publish_apm', 'Publish the attribute model too'),
  ]
  const onSubmit = async (values) => {
    const { data } = await sendJson('POST', '/v1/jobs', pipelineOf(values))
    goTo(['jobs', data[0].id])
  }
  return h(
    'section',
    { className: 'card' },
    h('p', { className: 'lead' }, 'From ratings to a served model in one go:'),
    h(
      'ol',
      { className: 'loop-steps' },
      ...['Train the attribute model', 'Label the texts', 'Fine-tune', 'Evaluate', 'Publish'].map(
        (step) => h('li', {}, step),
      ),
    ),
    buildForm({ fields, advanced, submit: 'Start the loop', onSubmit }),
  )
}
