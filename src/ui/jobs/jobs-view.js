/** `#/jobs`: all jobs, newest first, the jobs of a pipeline together; kept up to date. */
import { hashOf } from '../router.js'
import { getJson } from '../shared/api.js'
import { h } from '../shared/dom.js'
import { repeat } from '../shared/follow-events.js'
import { ago } from '../shared/format.js'
import { emptyState, linkButton, pageHead } from '../shared/layout.js'
import { createTrouble } from '../shared/notices.js'
import { inOrder } from './job-order.js'
import { jobProgress, jobTitle, runTime, stateBadge, stepTitle } from './job-parts.js'

const pageJobs = 50

export async function showJobs(root, { signal }) {
  const trouble = createTrouble()
  const list = h('div', { className: 'job-list' })
  const older = h('button', { type: 'button', className: 'quiet', onclick: () => showOlder() }, 'Older jobs') // prettier-ignore
  let limit = pageJobs
  const refresh = async () => {
    const { data, has_more: hasMore } = await getJson(`/v1/jobs?limit=${limit}`)
    older.hidden = !hasMore || limit >= 200
    updateList(list, data)
  }
  const showOlder = () => {
    limit = Math.min(200, limit + pageJobs)
    return trouble.run(refresh)
  }
  await refresh()
  root.append(
    pageHead({
      title: 'Jobs',
      lead: 'Training, labelling, evaluation and publishing run here while people chat.',
      actions: [
        linkButton('Whole loop…', hashOf(['jobs', 'new', 'pipeline']), 'primary'),
        linkButton('New job…', hashOf(['jobs', 'new', 'train'])),
      ],
    }),
    trouble.element,
    list,
    older,
  )
  void repeat(() => trouble.run(refresh), 2000, signal)
}

/** Draws only what changed, so that focus and scroll stay where they are. */
function updateList(list, jobs) {
  const text = JSON.stringify(jobs)
  if (list.dataset.shown === text) return
  list.dataset.shown = text
  const focused = document.activeElement?.getAttribute('href')
  list.replaceChildren(...(jobs.length > 0 ? groups(jobs).map(groupCard) : [nothing()]))
  if (focused) list.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus()
}

function nothing() {
  return emptyState({
    iconName: 'jobs',
    title: 'No jobs yet',
    text: 'Upload rated conversations and texts, then let the whole loop run: attribute model, labels, fine-tuning, evaluation, publication.',
    actions: [
      linkButton('Upload data', hashOf(['data'])),
      linkButton('Whole loop…', hashOf(['jobs', 'new', 'pipeline']), 'primary'),
    ],
  })
}

/** Jobs of one pipeline in the order they run, other jobs alone. */
function groups(jobs) {
  const byPipeline = Map.groupBy(jobs, (job) => job.pipeline_id ?? job.id)
  return [...byPipeline.values()].map((group) => inOrder(group))
}

function groupCard(jobs) {
  const [first] = jobs
  if (!first.pipeline_id) return h('div', { className: 'card' }, jobRow(first, jobTitle(first)))
  const finished = jobs.filter(({ status }) => status === 'succeeded').length
  return h(
    'section',
    { className: 'card' },
    h(
      'div',
      { className: 'group-head' },
      h('h3', {}, pipelineTitle(first)),
      h('small', { className: 'soft' }, `${finished} of ${jobs.length} done`),
    ),
    ...jobs.map((job) => jobRow(job, stepTitle(job))),
  )
}

/** The jobs of a pipeline are named after it: `Loop for tavern: label`. */
const pipelineTitle = ({ name }) => name?.replace(/: [^:]*$/, '') ?? 'Pipeline'

function jobRow(job, title) {
  const when = job.started_at ? runTime(job) : ago(job.created_at)
  return h(
    'div',
    { className: 'job-row' },
    stateBadge(job.status),
    h('a', { href: hashOf(['jobs', job.id]) }, title),
    h('small', { className: 'soft' }, when),
    job.error ? h('p', { className: 'error-text' }, job.error.message) : jobProgress(job),
  )
}
