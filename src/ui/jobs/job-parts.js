/** Parts that the list and the page of a job share: its name, its state, its progress. */
import { h } from '../shared/dom.js'
import { count, duration } from '../shared/format.js'
import { progressBar } from '../shared/layout.js'

export const isOver = ({ status }) => ['succeeded', 'failed', 'cancelled'].includes(status)

/** What the job makes, in a few words. */
export function jobTitle({ kind, name, spec }) {
  if (name) return name
  const titles = {
    train: () => `Train ${spec.name} (${spec.stage})`,
    label: () => `Label ${spec.data}`,
    evaluate: () => `Evaluate ${spec.model ?? spec.apm}`,
    bootstrap: () => `Bootstrap ${spec.name}`,
    publish: () => `Publish ${spec.model}`,
    import: () => `Import ${spec.name}`,
  }
  return titles[kind]?.() ?? kind
}

/** Within a pipeline all jobs have the pipeline's name; what tells them apart is what they make. */
export const stepTitle = (job) => jobTitle({ ...job, name: null })

/** One word or two, where the other jobs of the pipeline stand beside it. */
export function shortTitle({ kind, spec }) {
  const stages = { apm: 'Attribute model', sft: 'Fine-tuning', pretrain: 'Pretraining' }
  const titles = {
    train: stages[spec.stage],
    label: 'Labels',
    evaluate: 'Evaluation',
    bootstrap: 'Bootstrapping',
    publish: 'Publication',
    import: 'Import',
  }
  return titles[kind] ?? kind
}

export function stateBadge(status) {
  return h('span', { className: `badge ${status}` }, status)
}

export function jobProgress(job) {
  if (job.status === 'succeeded' || !job.progress) return null
  const { done, total, unit, note } = job.progress
  const amount = total > 0 ? `${count(done)} of ${count(total)} ${unit}` : `${count(done)} ${unit}`
  return h(
    'div',
    { className: 'progress' },
    progressBar({ done, total, label: `Progress of ${stepTitle(job)}` }),
    h('small', {}, [amount, note].filter(Boolean).join(' · ')),
  )
}

/** How long it took or has been running, in words. */
export function runTime({ started_at: started, finished_at: finished }, now = Date.now() / 1000) {
  return started ? duration((finished ?? now) - started) : '–'
}
